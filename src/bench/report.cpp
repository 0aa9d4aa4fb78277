#include "bench/report.h"

#include <fmt/format.h>

namespace wharf::bench {

namespace {

// Above this share of a processor the generator is likely what was measured.
constexpr double generator_share_max = 0.9;
constexpr double mebi = 1 << 20;

double micros(Duration duration) { return static_cast<double>(duration.count()) / 1e3; }

}  // namespace

double in_seconds(Duration duration) { return static_cast<double>(duration.count()) / 1e9; }

double per_second(const RunFigures& figures, std::uint64_t count) {
  double time = in_seconds(figures.measured);
  return time > 0 ? static_cast<double>(count) / time : 0;
}

double cores(const RunFigures& figures, Duration cpu) {
  double time = in_seconds(figures.measured);
  return time > 0 ? in_seconds(cpu) / time : 0;
}

std::string rate_line(std::string_view what, const RunFigures& figures, std::uint64_t measured,
                      std::uint64_t total) {
  if (total == 0) return {};
  return fmt::format("{:19} {:.0f}/s  ({} in all)\n", what, per_second(figures, measured), total);
}

std::string latency_line(std::string_view what, const Histogram& histogram) {
  if (histogram.count() == 0) return {};
  auto ms = [&](double q) { return micros(histogram.quantile(q)) / 1e3; };
  return fmt::format("{:19} p50 {:.3f}  p90 {:.3f}  p99 {:.3f}  p99.9 {:.3f}  max {:.3f} ms\n",
                     what, ms(0.5), ms(0.9), ms(0.99), ms(0.999), micros(histogram.max()) / 1e3);
}

std::string latency_json(const Histogram& histogram) {
  if (histogram.count() == 0) return "null";
  auto us = [&](double q) { return micros(histogram.quantile(q)); };
  return fmt::format(R"({{"count": {}, "p50_us": {:.1f}, "p90_us": {:.1f}, "p99_us": {:.1f}, )"
                     R"("p999_us": {:.1f}, "max_us": {:.1f}}})",
                     histogram.count(), us(0.5), us(0.9), us(0.99), us(0.999),
                     micros(histogram.max()));
}

std::string cost_lines(const RunFigures& figures) {
  std::string out;
  if (figures.server) {
    out += fmt::format("{:19} {:.1f} MiB resident at the end, {:.1f} at most, {:.2f} processors\n",
                       "server", static_cast<double>(figures.server->resident_bytes_end) / mebi,
                       static_cast<double>(figures.server->resident_bytes_peak) / mebi,
                       cores(figures, figures.server->cpu));
  }
  double own = cores(figures, figures.generator_cpu);
  out += fmt::format("{:19} {:.2f} processors{}\n", "generator", own,
                     own > generator_share_max ? ": it may have been the limit" : "");
  return out;
}

std::string server_json(const RunFigures& figures) {
  if (!figures.server) return "null";
  return fmt::format(
      R"({{"resident_bytes_end": {}, "resident_bytes_peak": {}, "cpu_cores": {:.3f}}})",
      figures.server->resident_bytes_end, figures.server->resident_bytes_peak,
      cores(figures, figures.server->cpu));
}

}  // namespace wharf::bench
