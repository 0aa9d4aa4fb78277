// Consuming: subscriptions, prefetch, get, and writing deliveries.
#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "protocol/amqp/arguments.h"
#include "protocol/amqp/channel.h"
#include "protocol/amqp/convert.h"
#include "protocol/amqp/reply_to.h"

namespace wharf::amqp {

namespace {

using broker::Delivery;
using broker::Resource;

constexpr std::uint64_t credit_bytes_min = 64 << 10;
// Names of other protocols may be longer than a short string can say.
constexpr std::size_t short_string_max = 255;

ShownTo shown_to(const Link& link) { return {link.core.formats(), link.frame_max}; }

std::string_view short_text(std::string_view text) { return text.substr(0, short_string_max); }

}  // namespace

// ---- Prefetch

Checked Channel::on(const BasicQos& method, Chain& out) {
  if (method.prefetch_size != 0) {
    return refuse(ReplyCode::not_implemented,
                  fmt::format("prefetch_size!=0 ({})", method.prefetch_size));
  }
  // RabbitMQ: a limit for each consumer also lifts an earlier one of the whole channel.
  limit_ = method.global ? method.prefetch_count : 0;
  if (!method.global) prefetch_ = method.prefetch_count;
  share_room();
  send(out, BasicQosOk{});
  return {};
}

Credit Channel::credit_for(bool no_ack) const {
  const AmqpOptions& options = link_.options;
  bool per_settle = !no_ack && prefetch_ > 0;
  std::uint32_t messages = per_settle ? prefetch_ : options.credit_messages;
  if (!no_ack && limit_ > 0) messages = std::min(messages, limit_);
  // The more consumers there are, the less each may have on its way.
  std::uint64_t bytes = options.credit_bytes / std::max<std::size_t>(link_.consumers.size(), 4);
  return Credit(per_settle, messages, std::max(bytes, credit_bytes_min));
}

void Channel::share_room() {
  listed_relieved_ = false;
  std::uint32_t room = std::numeric_limits<std::uint32_t>::max();
  if (limit_ > 0) room = limit_ - std::min(limit_, held_);
  for (auto& [tag, consumer] : consumers_) {
    std::uint32_t count = std::min(room, consumer->credit.held());
    if (count == 0) continue;
    room -= count;
    consumer->credit.release_held(count);
    link_.earn(*consumer);
  }
}

// ---- Subscriptions

Consumer* Channel::find_consumer(std::string_view tag) const {
  auto it = consumers_.find(std::string(tag));
  return it == consumers_.end() ? nullptr : it->second.get();
}

Checked Channel::check_tag(std::string_view tag) const {
  std::size_t count = consumers_.size() + (reply_consumer_ ? 1 : 0);
  bool taken = find_consumer(tag) || (reply_consumer_ && reply_consumer_->tag == tag);
  if (taken) {
    return refuse(ReplyCode::not_allowed, fmt::format("attempt to reuse consumer tag '{}'", tag));
  }
  std::uint32_t most = link_.options.consumers_per_channel_max;
  if (most == 0 || count < most) return {};
  return refuse(ReplyCode::not_allowed,
                fmt::format("reached maximum ({}) of consumers per channel", most));
}

Checked Channel::on(const BasicConsume& method, Chain& out) {
  if (Checked tag = check_tag(method.consumer_tag); !tag) return tag;
  if (method.queue == reply_queue_name) return consume_replies(method, out);
  Or<std::string> queue = queue_name(method.queue);
  if (!queue) return std::unexpected(std::move(queue.error()));
  Or<TableView> arguments = parse_table(method.arguments);
  if (!arguments) return std::unexpected(std::move(arguments.error()));
  bool counted = is_counted(*queue);
  auto kind = counted ? broker::QueueKind::counted : broker::QueueKind::standard;
  Or<std::int32_t> priority = consumer_priority(*arguments, *queue, kind, link_.vhost_name);
  if (priority && counted && limit_ > 0) {
    priority = refuse(ReplyCode::not_implemented,
                      link_.describe(Resource::queue, *queue) + " does not support global qos");
  }
  if (!priority) {
    return first_error(broker::Verb::read, Resource::queue, *queue, std::move(priority.error()));
  }
  auto consumer = std::make_unique<Consumer>();
  consumer->id = link_.next_consumer();
  consumer->channel = this;
  consumer->tag = method.consumer_tag.empty() ? link_.unguessable("amq.ctag-")
                                              : std::string(method.consumer_tag);
  consumer->no_ack = method.no_ack;
  consumer->counted = counted;
  consumer->credit = credit_for(method.no_ack);
  broker::RequestId request = ask(method.no_wait);
  pending_.consumer = consumer->id;
  broker::SubscribeSpec spec{.queue = std::move(*queue),
                             .consumer = consumer->id,
                             .leased = !method.no_ack,
                             .exclusive = method.exclusive && !counted,
                             .priority = *priority,
                             .credit = consumer->credit.all().messages,
                             .credit_bytes = consumer->credit.all().bytes};
  link_.consumers.emplace(consumer->id, consumer.get());
  std::string tag = consumer->tag;
  consumers_.emplace(std::move(tag), std::move(consumer));
  link_.core.subscribe(link_.session, request, spec);
  return {};
}

Checked Channel::on_answer(const Pending& asked, broker::Subscribed& answer, Chain& out) {
  Consumer* consumer = link_.find_consumer(asked.consumer);
  ASSERT(consumer);
  consumer->queue = answer.queue;
  if (!asked.no_wait) send(out, BasicConsumeOk{.consumer_tag = consumer->tag});
  return {};
}

Checked Channel::consume_replies(const BasicConsume& method, Chain& out) {
  if (!method.no_ack) {
    return refuse(ReplyCode::precondition_failed, "reply consumer cannot acknowledge");
  }
  if (reply_consumer_) {
    return refuse(ReplyCode::precondition_failed, "reply consumer already set");
  }
  reply_consumer_ = std::make_unique<Consumer>();
  reply_consumer_->id = link_.next_consumer();
  reply_consumer_->channel = this;
  reply_consumer_->no_ack = true;
  reply_consumer_->tag = method.consumer_tag.empty() ? link_.unguessable("amq.ctag-")
                                                     : std::string(method.consumer_tag);
  link_.consumers.emplace(reply_consumer_->id, reply_consumer_.get());
  reply_key_ = make_reply_key({link_.session, reply_consumer_->id}, link_.core.random());
  // Other protocols answer to the key as to any name. Who may not listen hears AMQP's only.
  broker::ListenSpec spec;
  spec.text = reply_key_;
  spec.consumer = reply_consumer_->id;
  (void)link_.core.listen(link_.session, spec);
  if (!method.no_wait) send(out, BasicConsumeOk{.consumer_tag = reply_consumer_->tag});
  return {};
}

void Channel::drop_reply_consumer() {
  if (!reply_consumer_) return;
  link_.core.unlisten(link_.session, reply_consumer_->id);
  link_.consumers.erase(reply_consumer_->id);
  reply_consumer_.reset();
}

Checked Channel::on(const BasicCancel& method, Chain& out) {
  if (reply_consumer_ && reply_consumer_->tag == method.consumer_tag) {
    drop_reply_consumer();
  } else if (Consumer* consumer = find_consumer(method.consumer_tag)) {
    broker::RequestId request = ask(method.no_wait, consumer->tag);
    link_.core.unsubscribe(link_.session, request, consumer->queue, consumer->id);
    return {};
  }
  if (!method.no_wait) send(out, BasicCancelOk{.consumer_tag = method.consumer_tag});
  return {};
}

// The answer to our own basic.cancel, which asked for none: harmless, and some clients send it.
Checked Channel::on(const BasicCancelOk&, Chain&) { return {}; }

void Channel::drop_consumer(Consumer& consumer) {
  link_.consumers.erase(consumer.id);
  consumers_.erase(std::string(consumer.tag));
}

void Channel::on_cancelled(Consumer& consumer, Chain& out) {
  if (link_.capabilities.consumer_cancel_notify) {
    send(out, BasicCancel{.consumer_tag = consumer.tag, .no_wait = true});
  }
  drop_consumer(consumer);
}

// ---- Deliveries

bool Channel::over_limit(const Delivery& delivery) const {
  return delivery.leased && limit_ > 0 && held_ >= limit_;
}

std::uint64_t Channel::take_tag(const Delivery& delivery) {
  std::uint64_t tag = ++last_tag_;
  if (!delivery.leased) return tag;
  unacked_.push({.tag = tag,
                 .sequence = delivery.record.sequence,
                 .queue = delivery.queue,
                 .consumer = delivery.consumer,
                 .lane = delivery.record.lane});
  if (delivery.consumer != 0) ++held_;
  return tag;
}

void Channel::on_delivery(Consumer& consumer, const Delivery& delivery, Chain& out) {
  std::uint64_t bytes = delivery.message.body_size();
  link_.earn(consumer);
  if (over_limit(delivery)) {
    link_.settles.add(delivery.queue, broker::Disposition::release, delivery.record);
    consumer.credit.on_held(bytes);
    return;
  }
  write_delivery(delivery, take_tag(delivery), consumer, out);
  consumer.credit.on_written(bytes);
}

void Channel::write_delivery(const Delivery& delivery, std::uint64_t tag, const Consumer& consumer,
                             Chain& out) {
  const broker::Message& message = delivery.message;
  BasicDeliver method{.consumer_tag = consumer.tag,
                      .delivery_tag = tag,
                      .redelivered = delivery.redelivered,
                      .exchange = short_text(message.exchange()),
                      .routing_key = short_text(message.routing_key())};
  std::uint32_t returns = consumer.counted ? delivery.failed : 0;
  write_content(out, number_, method, shown_properties(message, returns, shown_to(link_), scratch_),
                Body(message.record(), message.body_offset(), message.body_size()),
                link_.frame_max);
}

void Channel::on_direct(const Consumer& consumer, const broker::Message& message, Chain& out) {
  bool ours = reply_consumer_.get() == &consumer && message.routing_key() == reply_key_;
  if (!ours || closing_) return;
  Delivery delivery;
  delivery.message = message;
  write_delivery(delivery, take_tag(delivery), consumer, out);
}

void Channel::on_live(const Consumer& consumer, const broker::LiveRecord& record, Chain& out) {
  if (reply_consumer_.get() != &consumer || closing_) return;
  BasicDeliver method{.consumer_tag = consumer.tag,
                      .delivery_tag = ++last_tag_,
                      .redelivered = false,
                      .exchange = {},
                      .routing_key = short_text(record.name())};
  write_content(out, number_, method, shown_properties(record, shown_to(link_), scratch_),
                Body(record.body()), link_.frame_max);
}

// ---- Get

Checked Channel::on(const BasicGet& method, Chain&) {
  Or<std::string> queue = queue_name(method.queue);
  if (!queue) return std::unexpected(std::move(queue.error()));
  bool counted = is_counted(*queue);
  broker::RequestId request = ask(false);
  pending_.counted = counted;
  link_.core.get(link_.session, request, *queue, !method.no_ack);
  return {};
}

std::unexpected<Error> Channel::get_not_allowed(const broker::Failure& failure) {
  return refuse(ReplyCode::resource_locked,
                fmt::format("cannot obtain access to locked {}. basic.get operations are not "
                            "supported by quorum queues with single active consumer",
                            link_.describe(Resource::queue, failure.name)));
}

Checked Channel::on_answer(const Pending& asked, broker::Got& answer, Chain& out) {
  if (!answer.delivery) {
    send(out, BasicGetEmpty{});
    return {};
  }
  const Delivery& delivery = *answer.delivery;
  const broker::Message& message = delivery.message;
  constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
  BasicGetOk method{.delivery_tag = take_tag(delivery),
                    .redelivered = delivery.redelivered,
                    .exchange = short_text(message.exchange()),
                    .routing_key = short_text(message.routing_key()),
                    .message_count = static_cast<std::uint32_t>(std::min(answer.ready, most))};
  std::uint32_t returns = asked.counted ? delivery.failed : 0;
  write_content(out, number_, method, shown_properties(message, returns, shown_to(link_), scratch_),
                Body(message.record(), message.body_offset(), message.body_size()),
                link_.frame_max);
  return {};
}

}  // namespace wharf::amqp
