// Publishing: content frames become one Message, copied once from the socket's buffer, and go to
// the core with one call. What is wrong with a message is said only once all of it has been read,
// as RabbitMQ does.
#include <algorithm>
#include <charconv>
#include <limits>

#include <fmt/format.h>

#include "protocol/amqp/arguments.h"
#include "protocol/amqp/channel.h"
#include "protocol/amqp/convert.h"
#include "protocol/amqp/field_text.h"
#include "protocol/amqp/reply_to.h"

namespace wharf::amqp {

namespace {

using broker::Failure;
using broker::Message;

constexpr std::uint16_t basic_class = 60;
constexpr std::uint64_t content_size_max = 512u << 20;
constexpr std::uint64_t expiry_max_ms = 315'360'000'000;  // ten years
constexpr std::uint8_t persistent_mode = 2;
constexpr std::size_t keys_max = 255;
constexpr std::size_t key_size_max = std::numeric_limits<std::uint16_t>::max();

std::unexpected<Error> refuse_message(std::string why) {
  return refuse(ReplyCode::precondition_failed, std::move(why));
}

Or<std::optional<std::uint64_t>> read_expiration(const Properties& properties) {
  if (!properties.expiration) return std::nullopt;
  std::string_view text = *properties.expiration;
  auto invalid = [&](const std::string& why) {
    return refuse_message(fmt::format("invalid expiration '{}': {}", text, why));
  };
  std::int64_t value = 0;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code == std::errc::result_out_of_range)
    return invalid(fmt::format("{{value_too_big,{}}}", text));
  if (code != std::errc()) return invalid("no_integer");
  std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (!rest.empty()) return invalid(fmt::format("{{leftover_string,\"{}\"}}", rest));
  if (value < 0) return invalid(fmt::format("{{value_negative,{}}}", value));
  auto ttl_ms = static_cast<std::uint64_t>(value);
  if (ttl_ms > expiry_max_ms) return invalid(fmt::format("{{value_too_big,{}}}", value));
  return ttl_ms;
}

Checked check_user(const Properties& properties, const broker::Principal& who) {
  if (!properties.user_id || *properties.user_id == who.name || who.impersonator) return {};
  return refuse_message(fmt::format("user_id property set to '{}' but authenticated user was '{}'",
                                    *properties.user_id, who.name));
}

}  // namespace

Checked Channel::on(const BasicPublish& method, Chain&) {
  if (method.immediate) return refuse(ReplyCode::not_implemented, "immediate=true");
  content_.stage = Content::Stage::header;
  content_.mandatory = method.mandatory;
  content_.exchange.assign(method.exchange);
  content_.key.assign(method.routing_key);
  return {};
}

Checked Channel::check_header(const ContentHeader& header) const {
  if (content_.stage == Content::Stage::none) {
    return refuse(ReplyCode::unexpected_frame,
                  "expected method frame, got non method frame instead", 0);
  }
  if (content_.stage == Content::Stage::body) {
    return refuse(ReplyCode::unexpected_frame,
                  "expected content body, got non content body frame instead");
  }
  if (header.class_id != basic_class) {
    return refuse(ReplyCode::unexpected_frame,
                  fmt::format("expected content header for class 60, got one for class {} instead",
                              header.class_id));
  }
  if (header.weight != 0) {
    return refuse(ReplyCode::unexpected_frame,
                  "expected content header for class 60, got non content header frame instead");
  }
  if (header.body_size > content_size_max) {
    return refuse(ReplyCode::frame_error,
                  fmt::format("content body size {} exceeds maximum allowed size {}",
                              header.body_size, content_size_max));
  }
  return {};
}

Checked Channel::on_header(const ContentHeader& header, Chain& out) {
  Checked checked = check_header(header);
  if (!checked) return checked;
  content_.stage = Content::Stage::body;
  content_.missing = header.body_size;
  Checked begun = begin_message(header);
  if (!begun) {
    if (is_hard(begun.error().code)) return begun;
    content_.refusal = std::move(begun.error());
  }
  if (content_.missing == 0) return finish_content(out);
  return {};
}

Checked Channel::on_body(Bytes fragment, Chain& out) {
  if (content_.stage == Content::Stage::none) {
    return refuse(ReplyCode::unexpected_frame,
                  "expected method frame, got non method frame instead", 0);
  }
  if (content_.stage == Content::Stage::header) {
    return refuse(ReplyCode::unexpected_frame,
                  "expected content header for class 60, got non content header frame instead");
  }
  if (fragment.size() > content_.missing) {
    return refuse(ReplyCode::frame_error, "content body frame exceeds remaining content size");
  }
  content_.missing -= fragment.size();
  if (content_.builder) content_.builder->append(fragment);
  if (content_.missing == 0) return finish_content(out);
  return {};
}

Checked Channel::begin_message(const ContentHeader& header) {
  if (header.body_size > link_.options.message_size_max) {
    return refuse_message(fmt::format("message size {} is larger than configured max size {}",
                                      header.body_size, link_.options.message_size_max));
  }
  Checked built = build_message(header);
  // Else the core looks at the exchange, when it gets the message.
  bool exchange_first = transaction_ || (!built && !is_hard(built.error().code));
  if (!exchange_first) return built;
  Checked exchange = check_exchange(content_.exchange);
  if (exchange) return built;
  content_.builder.reset();
  return exchange;
}

// That it may be published to; what is published in a transaction is routed only by the commit.
Checked Channel::check_exchange(std::string_view name) const {
  Failure failure{
      {Errc::refused}, broker::Resource::exchange, std::string(name), auth::Verb::write};
  if (!may(auth::Verb::write, broker::Resource::exchange, name)) {
    return std::unexpected(publish_error(failure));
  }
  const broker::ExchangeSpec* exchange = link_.core.find_exchange(link_.vhost, name);
  if (exchange && !exchange->internal) return {};
  failure.fault.code = exchange ? Errc::not_allowed : Errc::not_found;
  return std::unexpected(publish_error(failure));
}

Checked Channel::build_message(const ContentHeader& header) {
  Result<Properties> properties = Properties::parse(header.properties);
  if (!properties) {
    return refuse(ReplyCode::frame_error, "cannot decode " + erlang_binary(header.properties, 64));
  }
  Or<std::optional<std::uint64_t>> ttl_ms = read_expiration(*properties);
  if (!ttl_ms) return std::unexpected(std::move(ttl_ms.error()));
  if (Checked user = check_user(*properties, link_.who); !user) return user;
  Or<bool> plain = read_keys(*properties);
  if (!plain) return std::unexpected(std::move(plain.error()));
  ByteVector rewritten;
  Bytes shown = header.properties;
  if (!*plain || properties->reply_to == reply_queue_name) {
    Or<ByteVector> changed = rewrite(*properties);
    if (!changed) return std::unexpected(std::move(changed.error()));
    rewritten = std::move(*changed);
    shown = rewritten;
  }
  broker::Envelope envelope{.exchange = content_.exchange,
                            .keys = keys_,
                            .persistent = properties->delivery_mode == persistent_mode,
                            .priority = properties->priority.value_or(0),
                            .ttl_ms = *ttl_ms,
                            .arrived = link_.core.clock().wall(),
                            .format = amqp_format,
                            .properties = shown,
                            .deaths = {},
                            .first_death = {}};
  content_.builder.emplace(envelope, header.body_size);
  return {};
}

// The routing key, and further ones from CC and BCC; the latter are not shown to receivers. False
// when the headers cannot go out as they came.
Or<bool> Channel::read_keys(const Properties& properties) {
  keys_.assign(1, {content_.key, false});
  if (!properties.headers) return true;
  bool plain = true;
  for (const TableField& field : properties.headers->items()) {
    plain = plain && !has_foreign_letter(field);
    bool hidden = field.name == "BCC";
    if (!hidden && field.name != "CC") continue;
    if (hidden) plain = false;
    const auto* list = std::get_if<ArrayView>(&field.value);
    if (!list) {
      return refuse_message(
          fmt::format("invalid message: {{unacceptable_type_in_header,\"{}\",{}}}", field.name,
                      type_name(field.value)));
    }
    for (const ArrayElement& element : list->items()) {
      const auto* key = std::get_if<std::string_view>(&element.value);
      if (!key) continue;
      if (key->size() > key_size_max || keys_.size() == keys_max) {
        return refuse_message("invalid message: too many routing keys, or too long ones");
      }
      keys_.push_back({*key, hidden});
    }
  }
  return plain;
}

Or<ByteVector> Channel::rewrite(Properties properties) const {
  if (properties.reply_to == reply_queue_name) {
    if (!reply_consumer_) return refuse_message("fast reply consumer does not exist");
    properties.reply_to = reply_key_;
  }
  if (!properties.headers) return properties.encode();
  ByteVector plain = without_foreign_letters(*properties.headers);
  TableWriter shown;
  for (const TableField& field : TableView::trusted(plain).items()) {
    if (field.name != "BCC") shown.copy(field);
  }
  properties.headers = shown.view();
  return properties.encode();
}

Checked Channel::finish_content(Chain& out) {
  content_.stage = Content::Stage::none;
  link_.published = true;
  if (content_.refusal) {
    content_.builder.reset();
    return std::unexpected(std::move(*std::exchange(content_.refusal, std::nullopt)));
  }
  Message message = content_.builder->finish();
  content_.builder.reset();
  if (!transaction_) {
    std::optional<broker::Token> receipt;
    if (confirming_) receipt = token(confirms_.next());
    return publish(message, content_.mandatory, receipt, out);
  }
  transaction_->bytes += message.body_size();
  if (transaction_->bytes > link_.options.transaction_bytes_max) {
    return refuse(ReplyCode::resource_error, "transaction is too large");
  }
  transaction_->publishes.push_back({std::move(message), content_.mandatory});
  return {};
}

Checked Channel::publish(const Message& message, bool mandatory,
                         std::optional<broker::Token> receipt, Chain& out) {
  broker::Published published;
  if (is_reply_key(message)) {
    if (!link_.may_write_default()) {
      return publish_refused(
          {Fault{Errc::refused}, broker::Resource::exchange, {}, auth::Verb::write});
    }
    published.queues = send_reply(message) ? 1 : 0;
  } else {
    broker::Outcome<broker::Published> outcome =
        link_.core.publish(link_.session, message, {.receipt = receipt});
    if (!outcome) return publish_refused(outcome.error());
    published = *outcome;
    link_.must_wait |= published.must_wait;
  }
  if (published.queues + published.listeners == 0 && mandatory) send_return(message, out);
  if (transaction_) {
    commit_receipts_ += published.receipts;
  } else if (confirming_) {
    add_confirm(published.receipts, false);
  }
  return {};
}

Checked Channel::publish_refused(const Failure& failure) {
  // An exchange that went away between publish and commit has no queues.
  if (transaction_) {
    if (failure.fault.code != Errc::not_found) transaction_->failed = true;
    return {};
  }
  bool for_now = failure.fault.code == Errc::overloaded || failure.fault.code == Errc::io;
  if (for_now && confirming_) {
    add_confirm(0, true);
    return {};
  }
  return std::unexpected(publish_error(failure));
}

Error Channel::publish_error(const Failure& failure) const {
  if (failure.fault.code != Errc::not_allowed) return link_.error_of(failure);
  return {ReplyCode::access_refused,
          "cannot publish to internal " + link_.describe(failure.resource, failure.name)};
}

// Past all queues, to the session that asked.
bool Channel::send_reply(const Message& message) {
  std::optional<ReplyAddress> to = parse_reply_key(message.routing_key());
  return to && link_.core.send(to->session, to->consumer, message);
}

void Channel::send_return(const Message& message, Chain& out) {
  BasicReturn method{.reply_code = number_of(ReplyCode::no_route),
                     .reply_text = name_of(ReplyCode::no_route),
                     .exchange = message.exchange(),
                     .routing_key = message.routing_key()};
  write_content(out, number_, method, message.properties(),
                Body(message.record(), message.body_offset(), message.body_size()),
                link_.frame_max);
}

// ---- Confirms

broker::Token Channel::token(std::uint64_t number) const {
  constexpr std::uint64_t mask = (std::uint64_t{1} << 48) - 1;
  return std::uint64_t{number_} << 48 | ((token_base_ + number) & mask);
}

void Channel::add_confirm(std::uint32_t receipts, bool refused) {
  tokens_used_ = confirms_.next();
  confirms_.add(receipts, refused);
  if (receipts > 0 || listed_newsworthy_) return;
  listed_newsworthy_ = true;
  link_.newsworthy.push_back(number_);
}

Checked Channel::on_receipt(broker::Token received, bool stored, Chain& out) {
  constexpr std::uint64_t mask = (std::uint64_t{1} << 48) - 1;
  std::uint64_t number = ((received & mask) - token_base_) & mask;
  if (transaction_) {
    if (number != tokens_used_ || commit_receipts_ == 0) return {};
    if (!stored) transaction_->failed = true;
    if (--commit_receipts_ == 0) return end_commit(out);
    return {};
  }
  confirms_.receipt(number, stored);
  if (!confirms_.has_news() || listed_newsworthy_) return {};
  listed_newsworthy_ = true;
  link_.newsworthy.push_back(number_);
  return {};
}

void Channel::flush_confirms(Chain& out) {
  listed_newsworthy_ = false;
  confirms_.flush([&](std::uint64_t number, bool multiple, bool accepted) {
    if (accepted) {
      send(out, BasicAck{.delivery_tag = number, .multiple = multiple});
    } else {
      send(out, BasicNack{.delivery_tag = number, .multiple = multiple, .requeue = false});
    }
  });
}

}  // namespace wharf::amqp
