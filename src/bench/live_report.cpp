#include "bench/live_report.h"

#include <algorithm>

#include <fmt/format.h>

#include "bench/report.h"

namespace wharf::bench {

namespace {

// Bodies in either direction.
double megabytes_per_second(const LiveContext& context, const LiveBenchResult& result) {
  std::uint64_t count = result.counts.sent + result.counts.received;
  return per_second(result.run, count * context.options.body_size) / 1e6;
}

std::string count_line(std::string_view what, std::uint64_t count) {
  return count > 0 ? fmt::format("{:19} {}\n", what, count) : std::string();
}

}  // namespace

std::string as_text(const LiveContext& context, const LiveBenchResult& result) {
  const LiveTally& tally = context.tally;
  bool request = context.options.mode == LiveMode::request;
  std::string out = rate_line("sent", result.run, result.counts.sent, tally.counts.sent);
  out += rate_line("answered", result.run, result.counts.answered, tally.counts.answered);
  out += rate_line("received", result.run, result.counts.received, tally.counts.received);
  out += fmt::format("{:19} {:.1f} MB/s in and out, over {:.2f} s\n", "bodies",
                     megabytes_per_second(context, result), in_seconds(result.run.measured));
  out += latency_line("publish to answer", tally.publish_to_answer);
  out +=
      latency_line(request ? "request to reply" : "publish to deliver", tally.publish_to_deliver);
  out += count_line("MISSING", result.missing);
  out += count_line("OUT OF ORDER", result.out_of_order);
  out += count_line("SKIPPED", result.skipped);
  if (context.options.check) {
    out += fmt::format("{:19} every message, in its publisher's order\n", "looked at");
  }
  return out + cost_lines(result.run);
}

std::string as_json(const LiveContext& context, const LiveBenchResult& result) {
  const LiveTally& tally = context.tally;
  return fmt::format(
      R"({{"seconds": {:.3f}, "sent_per_s": {:.1f}, "answered_per_s": {:.1f}, )"
      R"("received_per_s": {:.1f}, "megabytes_per_s": {:.3f}, )"
      R"("sent": {}, "answered": {}, "expected": {}, "received": {}, "missing": {}, )"
      R"("checked": {}, "out_of_order": {}, "skipped": {}, "generator_cores": {:.3f}, )"
      R"("publish_to_answer": {}, "publish_to_deliver": {}, "server": {}}})"
      "\n",
      in_seconds(result.run.measured), per_second(result.run, result.counts.sent),
      per_second(result.run, result.counts.answered),
      per_second(result.run, result.counts.received), megabytes_per_second(context, result),
      tally.counts.sent, tally.counts.answered, tally.expected, tally.counts.received,
      result.missing, context.options.check, result.out_of_order, result.skipped,
      cores(result.run, result.run.generator_cpu), latency_json(tally.publish_to_answer),
      latency_json(tally.publish_to_deliver), server_json(result.run));
}

}  // namespace wharf::bench
