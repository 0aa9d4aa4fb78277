// bench/amqp_report.h: the figures of a run of the AMQP load generator, and how they are shown.
#pragma once

#include <string>

#include "bench/amqp_bench.h"
#include "bench/amqp_roles.h"
#include "bench/run_meter.h"

namespace wharf::bench {

struct AmqpBenchResult {
  RunFigures run;
  Counts counts;  // in the measured time
  Counts totals;  // of the whole run
  std::uint64_t redelivered = 0;
  std::uint64_t queued_end = 0;  // messages that the queues say they hold when all is over
  std::uint64_t missing = 0;     // sent, not refused, neither received nor queued
  std::uint32_t times_blocked = 0;
};

std::string as_text(const AmqpBenchOptions& options, const AmqpBenchResult& result,
                    const Tally& tally);
// One object; rates a second, times in microseconds, sizes in bytes.
std::string as_json(const AmqpBenchOptions& options, const AmqpBenchResult& result,
                    const Tally& tally);

}  // namespace wharf::bench
