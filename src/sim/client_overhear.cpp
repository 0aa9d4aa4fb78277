// What the broker writes to a simulated client, judged at the moment when it does.
#include <algorithm>

#include "protocol/amqp/properties.h"
#include "protocol/amqp/table.h"
#include "sim/client.h"
#include "sim/client_send.h"

namespace wharf::sim {

namespace {

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

void Client::overhear(Bytes output) {
  while (!output.empty()) {
    Result<std::optional<amqp::Frame>> frame = amqp::read_frame(output, 128 << 20);
    if (!frame || !*frame) return violate("the broker wrote half a frame");
    output = output.subspan(size_of(**frame));
    if ((*frame)->type == amqp::FrameType::method) {
      Result<amqp::Method> method = amqp::read_method((*frame)->payload);
      if (method) overhear_method((*frame)->channel, *method);
      continue;
    }
    Channel* channel = find((*frame)->channel);
    if (!channel || !channel->overheard || !add_content(*channel->overheard, **frame)) continue;
    Incoming message = std::move(*channel->overheard);
    channel->overheard.reset();
    overhear_message(*channel, message);
  }
}

void Client::overhear_method(std::uint16_t number, const amqp::Method& method) {
  if (method.id == amqp::ConnectionClose::id || method.id == amqp::ConnectionCloseOk::id) {
    for (auto& [each_number, each] : channels_) overhear_close(each, method);
  }
  Channel* channel = find(number);
  if (!channel) return;
  channel->overheard = begin_message(method);
  if (channel->overheard) return;
  switch (method.id) {
    case amqp::BasicAck::id: {
      auto ack = decode<amqp::BasicAck>(method);
      return overhear_confirm(*channel, ack.delivery_tag, ack.multiple, true);
    }
    case amqp::BasicNack::id: {
      auto nack = decode<amqp::BasicNack>(method);
      return overhear_confirm(*channel, nack.delivery_tag, nack.multiple, false);
    }
    case amqp::TxCommitOk::id:
      return shadow_.commit_leaves(channel->uid);
    case amqp::ChannelClose::id:
    case amqp::ChannelCloseOk::id:
      return overhear_close(*channel, method);
    case amqp::BasicRecoverOk::id:
      return shadow_.releasing(channel->uid);
    default:
      return;
  }
}

void Client::overhear_close(const Channel& channel, const amqp::Method& method) {
  // Who asked to be closed was heard to the end.
  bool asked = method.id == amqp::ConnectionCloseOk::id || method.id == amqp::ChannelCloseOk::id;
  if (asked) shadow_.channel_synced(channel.uid);
  shadow_.closed_by_broker(channel.uid);
}

// What was refused is answered: a later confirm of many does not speak of it.
void Client::overhear_confirm(Channel& channel, std::uint64_t tag, bool multiple, bool accepted) {
  for (auto& [publish, unconfirmed] : channel.unconfirmed) {
    bool covered = multiple ? publish <= tag : publish == tag;
    if (!covered || std::exchange(unconfirmed.left, true)) continue;
    if (accepted) shadow_.confirm_leaves(unconfirmed.message);
  }
}

void Client::overhear_message(Channel& channel, const Incoming& incoming) {
  std::optional<DeliveryFacts> facts = read_content(incoming);
  if (!facts) return;
  if (incoming.method == amqp::BasicReturn::id) {
    const PublishFacts& sent = shadow_.facts(facts->message);
    if (incoming.exchange != sent.exchange || incoming.key != sent.key) {
      violate(fmt::format("message {} returned from elsewhere", facts->message));
    }
    return shadow_.return_leaves(facts->message);
  }
  if (incoming.method == amqp::BasicGetOk::id) {
    if (!channel.waiting || channel.waiting->task != Task::get) return violate("get-ok unasked");
    facts->queue = channel.waiting->index;
    facts->queue_changes = channel.changes_at_request;
    facts->leased = !channel.waiting->no_ack;
  } else {
    auto it = channel.consumers.find(incoming.consumer);
    if (it == channel.consumers.end()) return violate("delivery to no consumer");
    facts->queue = it->second.queue;
    facts->queue_changes = it->second.queue_changes;
    facts->leased = !it->second.no_ack;
  }
  if (incoming.tag != channel.next_tag) {
    violate(fmt::format("delivery tag {} instead of {}", incoming.tag, channel.next_tag));
  }
  ++channel.next_tag;
  facts->channel = channel.uid;
  facts->redelivered = incoming.redelivered;
  trace_.note("client {}/{} is sent message {} from {} tag {}{} {}", index_, channel.number,
              facts->message, plan_.queues[facts->queue].name, incoming.tag,
              facts->redelivered ? " again" : "", facts->path);
  CopyId copy = shadow_.delivered(*facts);
  if (draining_) ++drained_;
  if (!facts->leased) return;
  channel.under_way.emplace(incoming.tag, Held{copy, facts->queue});
  // The broker has yet to learn that it closes; it takes this back before it says that it has.
  bool closes = channel.closing || phase_ != Phase::open;
  if (closes) shadow_.settled(copy, Settlement::requeue, channel.uid);
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

}  // namespace wharf::sim
