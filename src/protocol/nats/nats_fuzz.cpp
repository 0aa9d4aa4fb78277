// Feeds two sessions on one core whatever the fuzzer says, in pieces that it chooses too. Records:
// a byte with the session in its lowest bit; 7 bits of size, those bytes go in; size 0: time
// passes. What comes out must be whole lines and payloads.
#include <cstdint>
#include <string>

#include "protocol/nats/frame.h"
#include "protocol/nats/names.h"
#include "protocol/nats/testing.h"
#include "wire/reader.h"

namespace {

using namespace wharf;
using namespace wharf::nats;

// The size of the payload behind a MSG or HMSG line: its last number.
std::size_t payload_size(std::string_view line) {
  std::size_t size = 0;
  for (char digit : line.substr(line.rfind(' ') + 1)) {
    ASSERT(digit >= '0' && digit <= '9');
    size = size * 10 + static_cast<std::size_t>(digit - '0');
  }
  return size;
}

void check_output(std::string_view text) {
  while (!text.empty()) {
    std::size_t end = text.find("\r\n");
    ASSERT(end != std::string_view::npos);
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 2);
    bool message = line.starts_with("MSG ") || line.starts_with("HMSG ");
    bool other = line == "PONG" || line == "PING" || line == "+OK" || line.starts_with("-ERR '") ||
                 line.starts_with("INFO {");
    ASSERT(message || other);
    if (!message) continue;
    std::size_t size = payload_size(line);
    ASSERT(text.size() >= size + 2 && text.substr(size, 2) == "\r\n");
    text.remove_prefix(size + 2);
  }
}

void check_names(std::string_view text) {
  std::string scratch;
  std::string back;
  std::string subject(to_subject(text, scratch));
  ASSERT(to_name(subject, back) == text);
  if (!is_literal(text)) return;
  if (text.find_first_of(std::string_view(" \t\r\n\0", 5)) != std::string_view::npos) return;
  std::string name(to_name(text, scratch));
  ASSERT(to_subject(name, back) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Reader in(std::as_bytes(std::span(data, size)));
  testing::World world;
  testing::Client* clients[] = {&world.connect(), &world.connect()};
  while (in.left() > 0) {
    auto head = in.be<std::uint8_t>();
    testing::Client& client = *clients[head & 1];
    std::size_t piece = std::min<std::size_t>(head >> 1, in.left());
    if (piece == 0) {
      world.pass(std::chrono::seconds(1));
    } else {
      client.put(text_of(in.take(piece)));
      world.settle();
    }
    for (testing::Client* each : clients) check_output(each->take());
  }
  check_names(text_of(std::as_bytes(std::span(data, size))));
  return 0;
}
