// bench/live_bench.h: a load generator for live messages (NATS core, Redis Pub/Sub) on any server,
// light enough not to be what is measured: one thread; publishers write blocks of messages that are
// made beforehand and only stamped; subscribers find messages by their length, since all of a run
// have one size, and look at their first bytes.
//
// Latencies: the moment of sending travels in the first eight bytes of the body (smaller bodies: no
// latencies). With a rate (open loop) that moment is when the message was due, so a server that
// stalls is charged for what should have been sent meanwhile. With a rate, with `check` and for
// requests every message counts, else the last of each read. Only messages whose moment lies in the
// measured time count.
#pragma once

#include <cstdint>
#include <string>

#include "bench/live_protocol.h"
#include "bench/run_meter.h"

namespace wharf::bench {

enum class LiveMode : std::uint8_t {
  publish,  // subscribers hear what publishers send
  request,  // subscribers reply to what publishers ask, one name for each subscriber
};

struct LiveBenchOptions {
  std::string url = {};  // empty: the protocol's port on loopback
  LiveMode mode = LiveMode::publish;
  std::uint32_t publishers = 1;
  std::uint32_t subscribers = 1;
  std::uint32_t names = 1;  // number i of either works on name i modulo names
  std::uint32_t body_size = 128;
  // So many may wait for their answer (Redis) or their reply (requests) on each connection.
  std::uint32_t depth = 1;
  // Publishers pause while so many deliveries are outstanding over all subscribers; 0: never.
  std::uint64_t window = 0;
  std::string name_prefix = "bench";
  bool check = false;  // every message looked at, and its place in its publisher's order
  RunOptions run = {};
};

// Prints the result to standard output, or a complaint to standard error. Returns the exit code: 0
// when nothing was missing or out of order, 1 when something was or the server or network failed, 2
// for options that do not fit together.
int run_live_bench(const LiveProtocol& protocol, const LiveBenchOptions& options);

}  // namespace wharf::bench
