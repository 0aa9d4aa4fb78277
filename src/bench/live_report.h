// bench/live_report.h: the figures of a run of the load generator for live messages, and how they
// are shown.
#pragma once

#include <string>

#include "bench/live_parties.h"
#include "bench/run_meter.h"

namespace wharf::bench {

struct LiveBenchResult {
  RunFigures run;
  LiveCounts counts;  // in the measured time
  std::uint64_t missing = 0;
  std::uint64_t out_of_order = 0;  // late, twice or of nobody; only looked for with --check
  std::uint64_t skipped = 0;       // jumped over in a publisher's order; also only then
};

std::string as_text(const LiveContext& context, const LiveBenchResult& result);
// One object; rates a second, times in microseconds, sizes in bytes.
std::string as_json(const LiveContext& context, const LiveBenchResult& result);

}  // namespace wharf::bench
