// protocol/amqp/reply_to.h: direct reply-to: answers that go to the asking channel with no queue
// between (https://www.rabbitmq.com/docs/direct-reply-to). The routing key says which session and
// consumer, and holds 16 bytes that nobody can guess; the receiving session compares the whole key
// with its own.
//
//   amq.rabbitmq.reply-to.<base64url of: session u64, consumer u32, chance 16 bytes>
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "broker/api.h"

namespace wharf::amqp {

inline constexpr std::string_view reply_queue_name = "amq.rabbitmq.reply-to";
inline constexpr std::string_view reply_key_prefix = "amq.rabbitmq.reply-to.";

struct ReplyAddress {
  broker::SessionId session;
  broker::ConsumerId consumer = 0;
};

std::string make_reply_key(ReplyAddress address, Random& random);
// None when the key was not made by make_reply_key.
std::optional<ReplyAddress> parse_reply_key(std::string_view key);
// Whether the message is sent to a reply key through the default exchange.
bool is_reply_key(const broker::Message& message);

}  // namespace wharf::amqp
