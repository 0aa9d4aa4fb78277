// What the model keeps. The checks that compare are in oracle.cpp.
#include "sim/shadow.h"

#include <algorithm>

namespace wharf::sim {

Shadow::Shadow(const Plan& plan, const SimClock& clock, Trace& trace, Sight sight)
    : plan_(plan),
      clock_(clock),
      trace_(trace),
      sight_(std::move(sight)),
      queues_(plan.queues.size()),
      exchanges_ready_(plan.exchanges.size(), false) {
  for (const QueuePlan& queue : plan.queues) any_ttl_ |= queue.ttl_ms.has_value();
}

void Shadow::violate(std::string what) {
  trace_.note("VIOLATION {}", what);
  if (!violation_) violation_ = std::move(what);
}

// ---- publishing

MessageId Shadow::sent(const PublishFacts& facts) {
  MessageId id = messages_.size() + 1;
  Message& message = messages_.emplace_back();
  message.facts = facts;
  message.sent_at = clock_.now();
  message.crashes_before = crashes_;
  any_ttl_ |= facts.ttl_ms.has_value();
  std::vector<QueueIndex> targets = route(plan_, facts.exchange, facts.key);
  for (QueueIndex queue : targets) {
    if (queues_[queue].state != QueueState::ready) message.routed_surely = false;
    add_copy(id, queue, "");
  }
  // A queue that is deleted takes its bindings with it, and the alternate gets the message.
  for (QueueIndex queue : route_alternate(plan_, facts.exchange)) {
    if (std::ranges::find(targets, queue) != targets.end()) continue;
    copies_[add_copy(id, queue, "")].may_be_gone = true;
  }
  Channel& channel = channels_[facts.channel];
  if (facts.in_transaction) {
    message.state = Sending::in_transaction;
    channel.transaction.push_back(id);
  } else {
    channel.unread_messages.push_back(id);
  }
  return id;
}

CopyId Shadow::add_copy(MessageId message, QueueIndex queue, std::string path) {
  CopyId id = copies_.size();
  Copy& copy = copies_.emplace_back();
  copy.message = message;
  copy.queue = queue;
  copy.path = std::move(path);
  const QueueModel& model = queues_[queue];
  copy.may_be_gone = model.state != QueueState::ready || model.purges > 0 || model.may_leak;
  messages_[message - 1].copies.push_back(id);
  queues_[queue].copies.push_back(id);
  return id;
}

// The broker has the message, or has said what became of it.
void Shadow::own(MessageId id, bool safe) {
  Message& message = messages_[id - 1];
  for (CopyId copy_id : message.copies) {
    Copy& copy = copies_[copy_id];
    if (!copy.path.empty() || copy.may_be_gone) continue;
    bool outlives = safe && message.facts.persistent && plan_.queues[copy.queue].durable;
    copy.owed = std::max(copy.owed, outlives ? Owed::always : Owed::until_restart);
  }
}

void Shadow::channel_synced(ChannelUid uid) {
  Channel& channel = channels_[uid];
  for (MessageId id : channel.unread_messages) own(id, false);
  channel.unread_messages.clear();
  for (CopyId id : channel.unread_settles) {
    Copy& copy = copies_[id];
    if (copy.settled == Settled::told) copy.settled = Settled::read;
    channel.read_settles.push_back({id, messages_.size() + 1});
  }
  channel.unread_settles.clear();
}

void Shadow::returned(MessageId id) {
  Message& message = messages_[id - 1];
  if (!message.facts.mandatory) violate(fmt::format("message {} returned, not mandatory", id));
  if (message.returned) violate(fmt::format("message {} returned twice", id));
  message.returned = true;
  trace_.count("returned");
  bool was_for_somebody =
      std::ranges::any_of(message.copies, [&](CopyId copy) { return !copies_[copy].may_be_gone; });
  if (was_for_somebody && message.routed_surely) {
    violate(fmt::format("message {} returned, though a queue was there for it", id));
  }
  for (CopyId copy : message.copies) copies_[copy].may_be_gone = true;
}

void Shadow::confirm_leaves(MessageId id) {
  Message& message = messages_[id - 1];
  if (message.facts.mandatory && message.copies.empty() && !message.return_left) {
    violate(fmt::format("message {} confirmed before it was returned", id));
  }
  check_synced(message);
}

void Shadow::confirmed(MessageId id, bool accepted) {
  Message& message = messages_[id - 1];
  if (message.confirmed) violate(fmt::format("message {} confirmed twice", id));
  message.confirmed = true;
  trace_.count(accepted ? "confirmed" : "refused");
  ++confirms_;
  Channel& channel = channels_[message.facts.channel];
  std::erase(channel.unread_messages, id);
  if (!accepted) {
    for (CopyId copy : message.copies) copies_[copy].may_be_gone = true;
    return;
  }
  own(id, true);
  make_settles_safe(channel, id);
}

// Changes become durable in their order: an acknowledgement that was read before a persistent
// message was sent to the same queue is safe when that message is.
void Shadow::make_settles_safe(Channel& channel, MessageId confirmed) {
  const Message& message = messages_[confirmed - 1];
  if (!message.facts.persistent) return;
  std::erase_if(channel.read_settles, [&](const ReadSettle& settle) {
    Copy& copy = copies_[settle.copy];
    if (copy.settled != Settled::read) return true;
    if (settle.before > confirmed || !stays_settled(copy)) return false;
    bool same_queue = std::ranges::any_of(message.copies, [&](CopyId id) {
      // A dead letter follows when it does, and the confirm says nothing of it.
      const Copy& other = copies_[id];
      return other.queue == copy.queue && other.path.empty() && !other.may_be_gone;
    });
    if (same_queue) copy.settled = Settled::safe;
    return same_queue;
  });
}

// Once its settling is on disk. What was refused leaves its queue when the dead letter is safe, and
// that may be in another log, or wait until the message has been fetched.
bool Shadow::stays_settled(const Copy& copy) const {
  const QueuePlan& queue = plan_.queues[copy.queue];
  return queue.durable && !(copy.refused && queue.dead_letter_exchange);
}

void Shadow::transaction_sent(ChannelUid uid) {
  for (MessageId id : channels_[uid].transaction) messages_[id - 1].state = Sending::committing;
}

void Shadow::commit_leaves(ChannelUid uid) {
  for (MessageId id : channels_[uid].transaction) check_synced(messages_[id - 1]);
}

void Shadow::transaction_done(ChannelUid uid, bool committed) {
  Channel& channel = channels_[uid];
  for (MessageId id : channel.transaction) {
    messages_[id - 1].state = committed ? Sending::committed : Sending::rolled_back;
    if (committed) own(id, true);
  }
  channel.transaction.clear();
  for (CopyId id : channel.transaction_settles) {
    Copy& copy = copies_[id];
    if (committed && copy.settled != Settled::no && stays_settled(copy)) {
      copy.settled = Settled::safe;
    }
  }
  channel.transaction_settles.clear();
}

// ---- consuming

CopyId Shadow::delivered(const DeliveryFacts& facts) {
  ++deliveries_;
  if (facts.redelivered) trace_.count("delivered again");
  if (!facts.path.empty()) {
    // The queue's name, the reason, how often.
    std::string_view reason = std::string_view(facts.path).substr(facts.died_in.size() + 1);
    trace_.count(fmt::format("dead letter: {}", reason.substr(0, reason.find(':'))));
  }
  CopyId id = copy_of_delivery(facts);
  Copy& copy = copies_[id];
  ++copy.deliveries;
  copy.drained |= draining_;
  if (facts.leased) {
    copy.holder = facts.channel;
  } else {
    copy.settled = Settled::read;
  }
  return id;
}

void Shadow::settled(CopyId id, Settlement how, ChannelUid uid) {
  Copy& copy = copies_[id];
  if (channels_[uid].deaf) return;
  copy.holder = 0;
  if (how == Settlement::requeue) {
    queues_[copy.queue].may_redeliver = true;
    return;
  }
  copy.settled = Settled::told;
  copy.refused = how == Settlement::refuse;
  Channel& channel = channels_[uid];
  channel.unread_settles.push_back(id);
  channel.transaction_settles.push_back(id);
}

void Shadow::released(QueueIndex queue, MessageId message) {
  if (!knows(message)) return;
  for (CopyId id : messages_[message - 1].copies) {
    if (copies_[id].queue == queue) copies_[id].released = true;
  }
}

void Shadow::auto_ack_begins(ChannelUid channel, QueueIndex queue) {
  channels_[channel].auto_ack.insert(queue);
}

void Shadow::auto_ack_ends(ChannelUid channel, QueueIndex queue) {
  auto& queues = channels_[channel].auto_ack;
  if (auto it = queues.find(queue); it != queues.end()) queues.erase(it);
}

// ---- the catalog

void Shadow::forget(const QueueModel& queue) {
  for (CopyId id : queue.copies) copies_[id].may_be_gone = true;
}

void Shadow::queue_changing(QueueIndex index) {
  QueueModel& queue = queues_[index];
  queue.state = QueueState::changing;
  queue.ever_disturbed = true;
  ++queue.changes;
  forget(queue);
}

void Shadow::queue_ready(QueueIndex index) {
  queues_[index].state = QueueState::ready;
  ++queues_[index].changes;
}

void Shadow::queue_deleted(QueueIndex index) {
  QueueModel& queue = queues_[index];
  queue.state = QueueState::missing;
  ++queue.changes;
  for (CopyId id : queue.copies) {
    Copy& copy = copies_[id];
    // Only what the broker had surely read by then.
    if (copy.owed != Owed::no && !copy.buried) copy.buried = queue.changes;
  }
}

void Shadow::purge_sent(QueueIndex index) {
  QueueModel& queue = queues_[index];
  ++queue.purges;
  queue.ever_disturbed = true;
  forget(queue);
}

void Shadow::purge_done(QueueIndex queue) { --queues_[queue].purges; }

// ---- ends

void Shadow::releasing(ChannelUid uid) {
  for (Copy& copy : copies_) {
    if (copy.holder == uid) copy.holder = 0;
  }
  for (QueueModel& queue : queues_) queue.may_redeliver = true;
}

void Shadow::closed_by_broker(ChannelUid uid) {
  forget_unread(channels_[uid]);
  releasing(uid);
  channels_[uid].deaf = true;
}

// What it said last may have been heard, or not.
void Shadow::forget_unread(Channel& channel) {
  channel.unread_messages.clear();
  for (CopyId id : channel.unread_settles) {
    if (copies_[id].settled != Settled::told) continue;
    copies_[id].settled = Settled::no;
    copies_[id].may_be_gone = true;
  }
  channel.unread_settles.clear();
}

void Shadow::channel_ended(ChannelUid uid) {
  auto it = channels_.find(uid);
  if (it == channels_.end()) return;
  Channel& channel = it->second;
  for (MessageId id : channel.transaction) {
    Message& message = messages_[id - 1];
    if (message.state == Sending::in_transaction) message.state = Sending::rolled_back;
  }
  forget_unread(channel);
  releasing(uid);
  for (QueueIndex queue : channel.auto_ack) {
    forget(queues_[queue]);
    queues_[queue].may_leak = true;
  }
  channels_.erase(it);
}

void Shadow::restarted(bool clean) {
  if (!clean) ++crashes_;
  while (!channels_.empty()) channel_ended(channels_.begin()->first);
  for (Copy& copy : copies_) {
    bool outlives =
        messages_[copy.message - 1].facts.persistent && plan_.queues[copy.queue].durable;
    if (copy.owed == Owed::until_restart && !(clean && outlives)) copy.owed = Owed::no;
    if (copy.settled == Settled::told || copy.settled == Settled::read) {
      if (clean && copy.settled == Settled::read) continue;
      copy.settled = Settled::no;
      copy.may_be_gone = true;
    }
  }
  for (QueueIndex i = 0; i < queues_.size(); ++i) {
    QueueModel& queue = queues_[i];
    queue.purges = 0;
    if (queue.state == QueueState::changing || !plan_.queues[i].durable) {
      forget(queue);
      queue.ever_disturbed = true;
      if (queue.state != QueueState::missing) ++queue.changes;
      queue.state = QueueState::missing;
    }
  }
}

void Shadow::damaged(const std::vector<MessageId>& messages, const std::vector<bool>& queues) {
  for (MessageId id : messages) {
    if (!knows(id)) continue;
    messages_[id - 1].damaged = true;
    for (CopyId copy : messages_[id - 1].copies) {
      if (queues[copies_[copy].queue]) copies_[copy].may_be_gone = true;
    }
  }
}

}  // namespace wharf::sim
