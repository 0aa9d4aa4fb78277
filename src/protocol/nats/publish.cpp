// PUB and HPUB.
#include <array>

#include <fmt/format.h>

#include "protocol/nats/connection.h"
#include "protocol/nats/convert.h"
#include "protocol/nats/names.h"
#include "wire/writer.h"

namespace wharf::nats {

namespace {

constexpr std::string_view payload_end = "\r\n";
constexpr std::size_t reply_size_max = 0xffff;

// Only the server makes these up.
bool is_reserved_reply(std::string_view reply) {
  return reply.starts_with("$JS.ACK.") || reply.starts_with("_R_.") || reply.starts_with("_GR_.");
}

}  // namespace

std::size_t NatsSession::take_publish(Bytes input, const Line& line, const std::optional<Pub>& pub,
                                      Chain& out) {
  if (!pub) {
    hang_up();
    return 0;
  }
  if (pub->total_size > options_.max_payload) {
    fail("Maximum Payload Violation", out);
    return 0;
  }
  std::size_t whole = line.size + pub->total_size + payload_end.size();
  if (input.size() < whole) return 0;
  Bytes payload = input.subspan(line.size, pub->total_size);
  if (text_of(input.subspan(whole - payload_end.size(), payload_end.size())) != payload_end) {
    fail("Unknown Protocol Operation", out);
    return 0;
  }
  if (ensure_attached(out)) publish(*pub, payload, out);
  return whole;
}

void NatsSession::publish(const Pub& pub, Bytes payload, Chain& out) {
  ++in_messages_;
  in_bytes_ += payload.size();
  if (connect_.pedantic && !is_literal(pub.subject)) say_error("Invalid Publish Subject", out);
  const Target& target = target_of(pub.subject);
  if (is_reserved_reply(pub.reply)) {
    return say_error(
        fmt::format("Permissions Violation for Publish with Reply of \"{}\"", pub.reply), out);
  }
  if (!target.allowed && !may_answer(pub.subject)) {
    return say_error(fmt::format("Permissions Violation for Publish to \"{}\"", pub.subject), out);
  }
  broker::LivePublished published;
  // Nobody can listen to a subject with an empty token.
  if (target.valid) {
    std::array<std::byte, 2> reply_size;
    std::array<Bytes, 3> properties;
    std::size_t pieces = 0;
    std::string_view reply;
    if (!pub.reply.empty() || pub.header_size > 0) {
      if (!pub.reply.empty()) reply = to_name(pub.reply, scratch_);
      if (reply.size() > reply_size_max) return hang_up();
      put_be(reply_size.data(), static_cast<std::uint16_t>(reply.size()));
      properties = {reply_size, bytes_of(reply), payload.first(pub.header_size)};
      pieces = properties.size();
    }
    broker::LiveMessage message{.name = target.canonical(),
                                .format = nats_format,
                                .properties = std::span(properties).first(pieces),
                                .body = payload.subspan(pub.header_size)};
    broker::Outcome<broker::LivePublished> outcome =
        core_.publish_live(*session_, message, {.receipt = 1});
    if (!outcome && outcome.error().fault.code == Errc::refused) {
      return say_error(fmt::format("Permissions Violation for Publish to \"{}\"", pub.subject),
                       out);
    }
    // The log has failed: silence would look like success.
    if (!outcome) return hang_up();
    published = *outcome;
  }
  after_publish(published, pub, out);
}

const NatsSession::Target& NatsSession::target_of(std::string_view subject) {
  if (target_.subject == subject) return target_;
  target_.subject = subject;
  target_.valid = is_subject(subject);
  target_.allowed = !permissions_ || auth::may_publish(permissions_->publish, subject);
  std::string_view name = to_name(subject, scratch_);
  target_.renamed = name.data() != subject.data();
  if (target_.renamed) target_.name = name;
  return target_;
}

void NatsSession::after_publish(const broker::LivePublished& published, const Pub& pub,
                                Chain& out) {
  receipts_missing_ += published.receipts;
  bool heard = published.listeners > 0 || published.queues > 0;
  if (published.must_wait || (published.queues > 0 && alarm_.any())) held_by_alarm_ = true;
  if (published.slow) pause();
  // The OK of what no queue took comes before its deliveries to this very client.
  if (connect_.verbose && published.receipts == 0) out.append(bytes_of("+OK\r\n"));
  if (connect_.verbose && published.receipts > 0) owe(Answer::ok, out);
  if (!heard && !pub.reply.empty() && connect_.no_responders) tell_no_responders(pub, out);
}

bool NatsSession::may_answer(std::string_view subject) {
  return permissions_ && permissions_->responses &&
         replies_.use(subject, *permissions_->responses, core_.clock().now());
}

// To the subscription at which the answer is awaited.
void NatsSession::tell_no_responders(const Pub& pub, Chain& out) {
  drain(out);
  Subscription* found = nullptr;
  subscriptions_.each([&](Subscription& subscription) {
    if (subscription.ended || !subscription.group.empty() ||
        !matches(subscription.subject, pub.reply))
      return true;
    found = &subscription;
    return false;
  });
  if (!found) return;
  std::string block = fmt::format("NATS/1.0 503\r\nNats-Subject: {}\r\n\r\n", pub.subject);
  out.append(bytes_of(fmt::format("HMSG {} {} {} {}\r\n{}\r\n", pub.reply, found->sid, block.size(),
                                  block.size(), block)));
}

}  // namespace wharf::nats
