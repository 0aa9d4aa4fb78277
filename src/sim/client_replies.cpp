// What the broker answers and delivers to a simulated client.
#include <algorithm>

#include "protocol/amqp/properties.h"
#include "protocol/amqp/table.h"
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

// "queue:reason:count" of each death, newest first.
std::string read_path(amqp::TableView headers) {
  std::string path;
  std::optional<amqp::FieldValue> deaths = amqp::find(headers, "x-death");
  if (!deaths) return path;
  const auto* array = std::get_if<amqp::ArrayView>(&*deaths);
  if (!array) return "no array";
  for (const amqp::ArrayElement& element : array->items()) {
    const auto* death = std::get_if<amqp::TableView>(&element.value);
    if (!death) return "no table";
    std::optional<amqp::FieldValue> queue = amqp::find(*death, "queue");
    std::optional<amqp::FieldValue> reason = amqp::find(*death, "reason");
    std::optional<amqp::FieldValue> count = amqp::find(*death, "count");
    const auto* queue_text = queue ? std::get_if<std::string_view>(&*queue) : nullptr;
    const auto* reason_text = reason ? std::get_if<std::string_view>(&*reason) : nullptr;
    std::optional<std::int64_t> number = count ? amqp::as_integer(*count) : std::nullopt;
    if (!queue_text || !reason_text || !number) return "incomplete";
    path += fmt::format("{}:{}:{} ", *queue_text, *reason_text, *number);
  }
  return path;
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
  if (found != promised_) {
    violate(fmt::format("{} said to hold {} messages and gave {}", plan_.queues[done.index].name,
                        promised_, found));
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

void Client::on_message(Channel& channel, Incoming& incoming) {
  Incoming message = std::move(incoming);
  channel.incoming.reset();
  std::optional<DeliveryFacts> facts = read_content(message);
  if (!facts) return;
  if (message.method == amqp::BasicReturn::id) return on_returned(message, facts->message);
  on_delivery(channel, message, std::move(*facts));
}

// Which message it is, and whether it is as it was sent.
std::optional<DeliveryFacts> Client::read_content(const Incoming& incoming) {
  Result<amqp::Properties> properties = amqp::Properties::parse(bytes_of(incoming.properties));
  std::optional<MessageId> id;
  if (properties && properties->message_id) id = read_mark(Mark::head, *properties->message_id);
  if (!id || !shadow_.knows(*id)) {
    violate("a message that nobody sent");
    return std::nullopt;
  }
  const PublishFacts& sent = shadow_.facts(*id);
  if (incoming.body != make_body(*id, sent.body_size)) {
    violate(fmt::format("message {} came with another body", *id));
  }
  if (properties->delivery_mode != (sent.persistent ? 2 : 1)) {
    violate(fmt::format("message {} came with another delivery mode", *id));
  }
  DeliveryFacts facts;
  facts.message = *id;
  if (properties->headers) facts.path = read_path(*properties->headers);
  facts.died_in = facts.path.substr(0, facts.path.find(':'));
  facts.expired = facts.path.starts_with(facts.died_in + ":expired:");
  return facts;
}

void Client::on_returned(const Incoming& incoming, MessageId message) {
  const PublishFacts& sent = shadow_.facts(message);
  if (incoming.exchange != sent.exchange || incoming.key != sent.key) {
    violate(fmt::format("message {} returned from elsewhere", message));
  }
  shadow_.returned(message);
}

void Client::on_delivery(Channel& channel, const Incoming& incoming, DeliveryFacts facts) {
  bool is_get = incoming.method == amqp::BasicGetOk::id;
  bool no_ack = false;
  if (is_get) {
    if (!channel.waiting || channel.waiting->task != Task::get) return violate("get-ok unasked");
    Todo done = *channel.waiting;
    finish_request(channel);
    facts.queue = done.index;
    facts.queue_changes = channel.changes_at_request;
    no_ack = done.no_ack;
    if (no_ack) shadow_.auto_ack_ends(channel.uid, done.index);
    if (draining_) channel.todo.push_front(done);
  } else {
    auto it = channel.consumers.find(incoming.consumer);
    if (it == channel.consumers.end()) return violate("delivery to no consumer");
    facts.queue = it->second.queue;
    facts.queue_changes = it->second.queue_changes;
    no_ack = it->second.no_ack;
  }
  if (incoming.tag != channel.next_tag) {
    violate(fmt::format("delivery tag {} instead of {}", incoming.tag, channel.next_tag));
  }
  ++channel.next_tag;
  // The broker had not yet read that the channel closes; it takes back what it sent.
  if (channel.closing || phase_ == Phase::closing) return;
  facts.channel = channel.uid;
  facts.redelivered = incoming.redelivered;
  facts.leased = !no_ack;
  trace_.note("client {}/{} got message {} from {} tag {}{} {}", index_, channel.number,
              facts.message, plan_.queues[facts.queue].name, incoming.tag,
              facts.redelivered ? " again" : "", facts.path);
  CopyId copy = shadow_.delivered(facts);
  if (draining_) ++drained_;
  if (no_ack) return;
  if (channel.waiting && channel.waiting->task == Task::recover) {
    shadow_.settled(copy, Settlement::requeue, channel.uid);
    return;
  }
  channel.unacked.emplace(incoming.tag, Held{copy, facts.queue});
  if (draining_) settle_one(channel, incoming.tag, Settlement::accept);
}

}  // namespace wharf::sim
