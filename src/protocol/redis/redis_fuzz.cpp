// Feeds two sessions of a whole core whatever the fuzzer says, in pieces that it chooses too. First
// byte: bit 0 two shards, bit 1 nobody is logged in by default. Then records: how many bytes
// (1..255) go in as one piece, to the second client if above 127, those bytes; 0: time passes, or a
// client reads or no longer reads.
#include <cstdint>

#include "protocol/redis/testing.h"
#include "wire/reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wharf;
  using namespace wharf::redis;
  Reader in(std::as_bytes(std::span(data, size)));
  auto first = in.be<std::uint8_t>();
  RedisOptions options;
  if ((first & 2) != 0) options.default_user = "";
  options.output = {.hard = 1 << 20, .soft = 64 << 10};
  options.transaction_bytes_max = 1 << 16;
  redis::testing::World world((first & 1) != 0 ? 2 : 1, options);
  const std::string names[] = {"A", "B"};
  while (in.left() > 1) {
    auto piece = in.be<std::uint8_t>();
    if (piece == 0) {
      auto what = in.be<std::uint8_t>();
      if ((what & 1) != 0) world[names[what >> 1 & 1]].reads = (what & 4) != 0;
      world.pass(std::chrono::milliseconds(what));
      continue;
    }
    auto& client = world[names[piece > 127]];
    client.input += text_of(in.take(std::min<std::size_t>(piece, in.left())));
    world.settle();
    // Nothing is to be left unread but the beginning of a request, and what a hold holds back.
    ASSERT(client.output.empty() || std::string_view("+-:$*%~>_=").contains(client.output[0]));
    world["A"].take();
    world["B"].take();
  }
  world.hang_up_all();
  ASSERT(world.listeners() == 0);
  return 0;
}
