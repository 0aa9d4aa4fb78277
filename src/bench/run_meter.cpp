#include "bench/run_meter.h"

#include <algorithm>

#include <sys/resource.h>

namespace wharf::bench {

namespace {

using namespace std::chrono_literals;

Duration own_cpu() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto of = [](const timeval& time) { return 1s * time.tv_sec + 1us * time.tv_usec; };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

}  // namespace

const char* complaint(const RunOptions& options) {
  double least =
      std::min({options.rate, options.seconds, options.warmup_seconds, options.patience_seconds});
  return least < 0 ? "times and rates cannot be negative" : nullptr;
}

Duration from_seconds(double seconds) { return Duration(static_cast<std::int64_t>(seconds * 1e9)); }

Duration interval_of(const RunOptions& options, std::uint32_t publishers) {
  if (options.rate <= 0) return Duration{};
  return Duration(
      std::max<std::int64_t>(1, static_cast<std::int64_t>(1e9 * publishers / options.rate)));
}

std::uint64_t quota_of(std::uint64_t messages, std::uint64_t count, std::uint64_t index) {
  if (messages == 0) return UINT64_MAX;
  return messages / count + (index < messages % count ? 1 : 0);
}

Try<void> RunMeter::watch_server(pid_t pid) {
  if (pid == 0) return {};
  server_tree_ = tree_of(pid);
  if (server_tree_.empty()) return std::unexpected("there is no process of that --server-pid");
  return {};
}

void RunMeter::sample() {
  std::uint64_t bytes = usage_of(server_tree_).resident_bytes;
  resident_bytes_peak_ = std::max(resident_bytes_peak_, bytes);
}

void RunMeter::begin(Instant now) {
  begin_ = read();
  measured_.from = now;
}

void RunMeter::end(Instant now) {
  end_ = read();
  measured_.to = now;
}

RunMeter::Reading RunMeter::read() const { return {own_cpu(), usage_of(server_tree_)}; }

RunFigures RunMeter::figures() {
  RunFigures figures{.measured = measured_.to - measured_.from,
                     .generator_cpu = end_.generator_cpu - begin_.generator_cpu,
                     .server = std::nullopt};
  if (server_tree_.empty()) return figures;
  sample();
  figures.server = ServerFigures{.resident_bytes_end = usage_of(server_tree_).resident_bytes,
                                 .resident_bytes_peak = resident_bytes_peak_,
                                 .cpu = end_.server.cpu - begin_.server.cpu};
  return figures;
}

}  // namespace wharf::bench
