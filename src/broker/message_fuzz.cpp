// Whatever decode accepts can be read to its last field.
#include <cstddef>
#include <cstdint>

#include "broker/message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wharf;
  Bytes bytes(reinterpret_cast<const std::byte*>(data), size);
  auto message = broker::Message::decode(Buffer::copy_of(bytes));
  if (!message) return 0;
  std::size_t sum = message->exchange().size() + message->routing_key().size();
  for (std::size_t i = 0; i < message->key_count(); ++i) sum += message->key(i).text.size();
  sum += message->properties().size() + message->deaths().size();
  sum += message->first_death().value_or(0) + message->ttl_ms().value_or(0);
  for (std::byte byte : message->body()) sum += static_cast<std::size_t>(byte);
  return sum == static_cast<std::size_t>(-1) ? 1 : 0;
}
