#include "bench/amqp_report.h"

#include <algorithm>

#include <fmt/format.h>

#include "bench/report.h"

namespace wharf::bench {

namespace {

double megabytes_per_second(const AmqpBenchOptions& options, const AmqpBenchResult& result) {
  std::uint64_t sent_bytes = result.counts.sent * options.body_size;
  return per_second(result.run, std::max(sent_bytes, result.counts.received_bytes)) / 1e6;
}

}  // namespace

std::string as_text(const AmqpBenchOptions& options, const AmqpBenchResult& result,
                    const Tally& tally) {
  std::string out;
  out += rate_line("sent", result.run, result.counts.sent, result.totals.sent);
  out += rate_line("confirmed", result.run, result.counts.confirmed, result.totals.confirmed);
  out += rate_line("refused", result.run, result.counts.nacked, result.totals.nacked);
  out += rate_line("received", result.run, result.counts.received, result.totals.received);
  out += fmt::format("{:19} {:.1f} MB/s over {:.2f} s\n", "bodies",
                     megabytes_per_second(options, result), in_seconds(result.run.measured));
  out += latency_line("publish to confirm", tally.publish_to_confirm);
  out += latency_line("publish to deliver", tally.publish_to_deliver);
  if (result.redelivered > 0) out += fmt::format("{:19} {}\n", "redelivered", result.redelivered);
  if (result.queued_end > 0) out += fmt::format("{:19} {}\n", "left queued", result.queued_end);
  if (result.missing > 0) out += fmt::format("{:19} {}\n", "MISSING", result.missing);
  if (result.times_blocked > 0) {
    out += fmt::format("{:19} {} times\n", "publishers blocked", result.times_blocked);
  }
  out += cost_lines(result.run);
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
      in_seconds(result.run.measured), per_second(result.run, result.counts.sent),
      per_second(result.run, result.counts.confirmed), per_second(result.run, result.counts.nacked),
      per_second(result.run, result.counts.received), megabytes_per_second(options, result),
      result.totals.sent, result.totals.confirmed, result.totals.nacked, result.totals.received,
      result.redelivered, result.queued_end, result.missing, result.times_blocked,
      cores(result.run, result.run.generator_cpu), latency_json(tally.publish_to_confirm),
      latency_json(tally.publish_to_deliver), server_json(result.run));
}

}  // namespace wharf::bench
