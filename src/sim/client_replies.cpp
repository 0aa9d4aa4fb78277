// What the broker answers and delivers to a simulated client.
#include <algorithm>

#include "protocol/amqp/properties.h"
#include "sim/client.h"
#include "sim/client_send.h"

namespace wharf::sim {

namespace {

amqp::MethodId answer_to(Task task) {
  switch (task) {
    case Task::open_channel:
      return amqp::ChannelOpenOk::id;
    case Task::select_confirm:
      return amqp::ConfirmSelectOk::id;
    case Task::select_tx:
      return amqp::TxSelectOk::id;
    case Task::declare_exchange:
      return amqp::ExchangeDeclareOk::id;
    case Task::declare_queue:
      return amqp::QueueDeclareOk::id;
    case Task::look_at_queue:
      return amqp::QueueDeclareOk::id;
    case Task::bind:
      return amqp::QueueBindOk::id;
    case Task::queue_done:
      return 0;
    case Task::delete_queue:
      return amqp::QueueDeleteOk::id;
    case Task::purge:
      return amqp::QueuePurgeOk::id;
    case Task::consume:
      return amqp::BasicConsumeOk::id;
    case Task::cancel:
      return amqp::BasicCancelOk::id;
    case Task::get:
      return amqp::BasicGetEmpty::id;
    case Task::qos:
      return amqp::BasicQosOk::id;
    case Task::recover:
      return amqp::BasicRecoverOk::id;
    case Task::commit:
      return amqp::TxCommitOk::id;
    case Task::rollback:
      return amqp::TxRollbackOk::id;
    case Task::close_channel:
      return amqp::ChannelCloseOk::id;
  }
  std::unreachable();
}

}  // namespace

void Client::finish_request(Channel& channel) {
  channel.waiting.reset();
  shadow_.channel_synced(channel.uid);
}

void Client::on_reply(Channel& channel, const amqp::Method& method) {
  if (!channel.waiting || answer_to(channel.waiting->task) != method.id) {
    return violate(fmt::format("unexpected {}", amqp::method_name(method.id)));
  }
  Todo done = *channel.waiting;
  finish_request(channel);
  switch (done.task) {
    case Task::open_channel:
      channel.open = true;
      return;
    case Task::declare_exchange:
      return shadow_.exchange_declared(done.index);
    case Task::delete_queue:
      return shadow_.queue_deleted(done.index);
    case Task::purge:
      return shadow_.purge_done(done.index);
    case Task::look_at_queue:
      promised_ = schema::decode<amqp::QueueDeclareOk>(method.arguments)->message_count;
      drained_before_ = drained_;
      return;
    case Task::cancel: {
      auto it = channel.consumers.find(done.tag);
      if (it == channel.consumers.end()) return;  // the broker was faster
      if (it->second.no_ack) shadow_.auto_ack_ends(channel.uid, it->second.queue);
      channel.consumers.erase(it);
      return;
    }
    case Task::get:
      return on_queue_empty(channel, done);
    case Task::commit:
    case Task::rollback:
      return on_transaction_end(channel, done.task == Task::commit);
    case Task::close_channel:
      return channel_gone(channel);
    case Task::select_confirm:
    case Task::select_tx:
    case Task::declare_queue:
    case Task::bind:
    case Task::queue_done:
    case Task::consume:
    case Task::qos:
    case Task::recover:
      return;
  }
}

void Client::on_queue_empty(const Channel& channel, const Todo& done) {
  if (done.no_ack) shadow_.auto_ack_ends(channel.uid, done.index);
  if (!draining_ || shadow_.any_ttl()) return;
  std::uint64_t found = drained_ - drained_before_;
  std::uint64_t reported = shadow_.unreadable(done.index) - unreadable_before_;
  if (found > promised_ || found + reported < promised_) {
    violate(fmt::format("{} said to hold {} messages and gave {}, {} reported as unreadable",
                        plan_.queues[done.index].name, promised_, found, reported));
  }
}

void Client::on_transaction_end(Channel& channel, bool committed) {
  shadow_.transaction_done(channel.uid, committed);
  channel.tx_dirty = false;
  if (!committed) {
    for (const HeldSettle& settle : channel.tx_settles) channel.unacked[settle.tag] = settle.held;
  }
  channel.tx_settles.clear();
}

// ---- confirms

void Client::on_confirm(Channel& channel, std::uint64_t tag, bool multiple, bool accepted) {
  auto first = multiple ? channel.unconfirmed.begin() : channel.unconfirmed.find(tag);
  auto last = channel.unconfirmed.upper_bound(tag);
  if (first == channel.unconfirmed.end() || first->first > tag) {
    return violate(
        fmt::format("a confirm for {} on channel {}, which waits for none such", tag, channel.uid));
  }
  for (auto it = first; it != last; it = channel.unconfirmed.erase(it)) {
    shadow_.confirmed(it->second.message, accepted);
  }
}

void Client::on_cancelled(Channel& channel, const std::string& tag) {
  auto it = channel.consumers.find(tag);
  if (it == channel.consumers.end()) return violate("cancelled a consumer that is not there");
  const Consumer& consumer = it->second;
  if (shadow_.queue_changes(consumer.queue) == consumer.queue_changes &&
      shadow_.queue_state(consumer.queue) == Shadow::QueueState::ready) {
    violate(fmt::format("cancelled {} at {}, which nobody deleted", tag,
                        plan_.queues[consumer.queue].name));
  }
  if (consumer.no_ack) shadow_.auto_ack_ends(channel.uid, consumer.queue);
  channel.consumers.erase(it);
}

// ---- messages

void Client::on_message(Channel& channel, const Incoming& incoming) {
  if (incoming.method == amqp::BasicReturn::id) {
    Result<amqp::Properties> properties = amqp::Properties::parse(bytes_of(incoming.properties));
    return shadow_.returned(*read_mark(Mark::head, *properties->message_id));
  }
  // What is read behind a request to take all back, or to close, is taken back.
  bool recovers = channel.waiting && channel.waiting->task == Task::recover;
  bool keeps = !channel.closing && !recovers && phase_ == Phase::open;
  auto it = channel.under_way.find(incoming.tag);
  if (it != channel.under_way.end()) {  // else it came without acknowledgement
    if (keeps) channel.unacked.insert(*it);
    channel.under_way.erase(it);
    if (keeps && draining_) settle_one(channel, incoming.tag, Settlement::accept);
  }
  if (incoming.method == amqp::BasicGetOk::id) on_got(channel);
}

void Client::on_got(Channel& channel) {
  if (!channel.waiting || channel.waiting->task != Task::get) return violate("get-ok unasked");
  Todo done = *channel.waiting;
  finish_request(channel);
  if (done.no_ack) shadow_.auto_ack_ends(channel.uid, done.index);
  if (draining_) channel.todo.push_front(done);
}

}  // namespace wharf::sim
