// bench/amqp_bench.h: a load generator for any AMQP 0-9-1 server, cheap enough a message that it is
// not what is measured: one thread, raw sockets, messages copied from a template, deliveries parsed
// in place. It prints its own share of a processor, so that one can see when it is the limit after
// all.
//
// Latencies: the moment of sending travels in the first eight octets of the body (smaller bodies:
// no latencies). With a rate given (open loop) that moment is when the message was due, so a server
// that stalls is charged for all that should have been sent meanwhile: no coordinated omission.
// Only messages whose moment lies in the measured time count.
#pragma once

#include <cstdint>
#include <string>

#include "bench/run_meter.h"

namespace wharf::bench {

enum class BenchMode : std::uint8_t {
  throughput,  // publish and consume at once, for a time or a number of messages
  fill,        // publish `messages`, and leave them there
  drain,       // consume what is there
};

enum class AckMode : std::uint8_t { manual, automatic };

struct AmqpBenchOptions {
  std::string url = "amqp://guest:guest@127.0.0.1:5672/%2f";
  BenchMode mode = BenchMode::throughput;
  std::uint32_t publishers = 1;
  std::uint32_t consumers = 1;
  std::uint32_t queues = 1;
  std::uint32_t body_size = 1024;
  bool persistent = false;
  std::uint32_t confirm_window = 0;  // 0: no confirms
  std::uint16_t prefetch = 200;      // 0: no limit
  AckMode ack = AckMode::manual;
  std::uint32_t ack_every = 1;  // acknowledged at once, with `multiple`
  std::string queue_prefix = "wharf-bench";
  bool queue_durable = false;
  RunOptions run = {};
};

// Prints the result to standard output, or a complaint to standard error. Returns the exit code of
// the process: 0 when the run was complete, 1 when the server or the network failed, 2 for options
// that do not fit together.
int run_amqp_bench(const AmqpBenchOptions& options);

}  // namespace wharf::bench
