#include "protocol/amqp/reply_to.h"

#include <array>

#include "protocol/amqp/link.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace wharf::amqp {

namespace {

constexpr std::size_t chance_size = 16;

}  // namespace

std::string make_reply_key(ReplyAddress address, Random& random) {
  ByteVector token;
  Writer out(token);
  out.be(address.session.value());
  out.be(address.consumer);
  std::array<std::byte, chance_size> chance;
  random.fill(chance);
  out.bytes(chance);
  return std::string(reply_key_prefix) + base64_url(token);
}

std::optional<ReplyAddress> parse_reply_key(std::string_view key) {
  if (!key.starts_with(reply_key_prefix)) return std::nullopt;
  ByteVector token;
  if (!from_base64_url(key.substr(reply_key_prefix.size()), token)) return std::nullopt;
  Reader in(token);
  broker::SessionId session(in.be<std::uint64_t>());
  auto consumer = in.be<broker::ConsumerId>();
  in.take(chance_size);
  if (!in.finish(0)) return std::nullopt;
  return ReplyAddress{session, consumer};
}

bool is_reply_key(const broker::Message& message) {
  return message.exchange().empty() && message.routing_key().starts_with(reply_key_prefix);
}

}  // namespace wharf::amqp
