// bench/report.h: the lines and JSON values that the reports of all load generators share. Lines
// end with a line feed; times in JSON are microseconds, sizes bytes.
#pragma once

#include <string>
#include <string_view>

#include "bench/histogram.h"
#include "bench/run_meter.h"

namespace wharf::bench {

double in_seconds(Duration duration);
double per_second(const RunFigures& figures, std::uint64_t count);
// How many processors `cpu` is over the measured time.
double cores(const RunFigures& figures, Duration cpu);

// Empty when there was none at all.
std::string rate_line(std::string_view what, const RunFigures& figures, std::uint64_t measured,
                      std::uint64_t total);
// Empty when the histogram is.
std::string latency_line(std::string_view what, const Histogram& histogram);
std::string latency_json(const Histogram& histogram);  // null when it is empty
// The server, when it was looked at, and the generator.
std::string cost_lines(const RunFigures& figures);
std::string server_json(const RunFigures& figures);

}  // namespace wharf::bench
