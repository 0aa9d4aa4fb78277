#include "bench/amqp_report.h"

#include <algorithm>

#include <fmt/format.h>

namespace wharf::bench {

namespace {

// Above this share of a processor the generator is likely what was measured.
constexpr double generator_share_max = 0.9;
constexpr double mebi = 1 << 20;

double seconds(Duration duration) { return static_cast<double>(duration.count()) / 1e9; }
double micros(Duration duration) { return static_cast<double>(duration.count()) / 1e3; }

double per_second(const AmqpBenchResult& result, std::uint64_t count) {
  double time = seconds(result.measured);
  return time > 0 ? static_cast<double>(count) / time : 0;
}

double share(const AmqpBenchResult& result, Duration cpu) {
  double time = seconds(result.measured);
  return time > 0 ? seconds(cpu) / time : 0;
}

double megabytes_per_second(const AmqpBenchOptions& options, const AmqpBenchResult& result) {
  std::uint64_t sent_bytes = result.counts.sent * options.body_size;
  return per_second(result, std::max(sent_bytes, result.counts.received_bytes)) / 1e6;
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

std::string server_json(const AmqpBenchResult& result) {
  if (!result.server) return "null";
  return fmt::format(
      R"({{"resident_bytes_end": {}, "resident_bytes_peak": {}, "cpu_cores": {:.3f}}})",
      result.server->resident_bytes_end, result.server->resident_bytes_peak,
      share(result, result.server->cpu));
}

}  // namespace

std::string as_text(const AmqpBenchOptions& options, const AmqpBenchResult& result,
                    const Tally& tally) {
  std::string out;
  auto rate = [&](std::string_view what, std::uint64_t count, std::uint64_t total) {
    if (total == 0) return;
    out += fmt::format("{:19} {:.0f}/s  ({} in all)\n", what, per_second(result, count), total);
  };
  rate("sent", result.counts.sent, result.totals.sent);
  rate("confirmed", result.counts.confirmed, result.totals.confirmed);
  rate("refused", result.counts.nacked, result.totals.nacked);
  rate("received", result.counts.received, result.totals.received);
  out += fmt::format("{:19} {:.1f} MB/s over {:.2f} s\n", "bodies",
                     megabytes_per_second(options, result), seconds(result.measured));
  out += latency_line("publish to confirm", tally.publish_to_confirm);
  out += latency_line("publish to deliver", tally.publish_to_deliver);
  if (result.redelivered > 0) out += fmt::format("{:19} {}\n", "redelivered", result.redelivered);
  if (result.queued_end > 0) out += fmt::format("{:19} {}\n", "left queued", result.queued_end);
  if (result.missing > 0) out += fmt::format("{:19} {}\n", "MISSING", result.missing);
  if (result.times_blocked > 0) {
    out += fmt::format("{:19} {} times\n", "publishers blocked", result.times_blocked);
  }
  if (result.server) {
    out += fmt::format("{:19} {:.1f} MiB resident at the end, {:.1f} at most, {:.2f} processors\n",
                       "server", static_cast<double>(result.server->resident_bytes_end) / mebi,
                       static_cast<double>(result.server->resident_bytes_peak) / mebi,
                       share(result, result.server->cpu));
  }
  double own = share(result, result.generator_cpu);
  out += fmt::format("{:19} {:.2f} processors{}\n", "generator", own,
                     own > generator_share_max ? ": it may have been the limit" : "");
  return out;
}

std::string as_json(const AmqpBenchOptions& options, const AmqpBenchResult& result,
                    const Tally& tally) {
  return fmt::format(
      R"({{"seconds": {:.3f}, "sent_per_s": {:.1f}, "confirmed_per_s": {:.1f}, )"
      R"("refused_per_s": {:.1f}, "received_per_s": {:.1f}, "megabytes_per_s": {:.3f}, )"
      R"("sent": {}, "confirmed": {}, "refused": {}, "received": {}, "redelivered": {}, )"
      R"("queued_end": {}, "missing": {}, "times_blocked": {}, "generator_cores": {:.3f}, )"
      R"("publish_to_confirm": {}, "publish_to_deliver": {}, "server": {}}})"
      "\n",
      seconds(result.measured), per_second(result, result.counts.sent),
      per_second(result, result.counts.confirmed), per_second(result, result.counts.nacked),
      per_second(result, result.counts.received), megabytes_per_second(options, result),
      result.totals.sent, result.totals.confirmed, result.totals.nacked, result.totals.received,
      result.redelivered, result.queued_end, result.missing, result.times_blocked,
      share(result, result.generator_cpu), latency_json(tally.publish_to_confirm),
      latency_json(tally.publish_to_deliver), server_json(result));
}

}  // namespace wharf::bench
