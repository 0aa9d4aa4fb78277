#include "bench/live_bench.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "bench/live_parties.h"
#include "bench/live_report.h"

namespace wharf::bench {

namespace {

using namespace std::chrono_literals;

constexpr Duration sample_interval = 250ms;
constexpr std::uint32_t parties_max = 1 << 14;
constexpr std::uint32_t body_size_max = 16 << 20;
constexpr std::uint32_t depth_max = 1 << 20;

class Run {
 public:
  Run(const LiveProtocol& protocol, const LiveBenchOptions& options, const ServerUrl& url)
      : options_(options), url_(url), context_{protocol, options, clock_}, loop_(clock_) {}

  Try<LiveBenchResult> run();
  const LiveContext& context() const { return context_; }

 private:
  Try<void> connect();
  template <class Party>
  Try<Party*> open(std::vector<std::unique_ptr<Party>>& parties, std::uint32_t index);
  Try<void> run_counted();
  Try<void> run_timed();
  void start_senders(std::uint64_t messages);
  // Until all is answered and received, or nothing moves any more.
  Try<void> settle();
  void begin_measuring();
  void end_measuring();
  bool all_finished() const;
  LiveBenchResult result();

  const LiveBenchOptions& options_;
  const ServerUrl& url_;
  SystemClock clock_;
  LiveContext context_;
  std::vector<std::unique_ptr<LivePublisher>> publishers_;
  std::vector<std::unique_ptr<LiveSubscriber>> subscribers_;
  std::vector<std::unique_ptr<Requester>> requesters_;
  std::vector<std::unique_ptr<Responder>> responders_;
  std::vector<Sender*> senders_;  // publishers or requesters
  EventLoop loop_;
  RunMeter meter_;
  LiveCounts begin_;
  LiveCounts end_;
};

Try<LiveBenchResult> Run::run() {
  if (Try<void> watched = meter_.watch_server(options_.run.server_pid); !watched) {
    return std::unexpected(watched.error());
  }
  loop_.set_tick(sample_interval, [this] { meter_.sample(); });
  Try<void> done = connect();
  if (done) done = options_.run.messages > 0 ? run_counted() : run_timed();
  if (!done) return std::unexpected(done.error());
  return result();
}

template <class Party>
Try<Party*> Run::open(std::vector<std::unique_ptr<Party>>& parties, std::uint32_t index) {
  Try<std::unique_ptr<Party>> opened = Party::open(context_, url_, index);
  if (!opened) return std::unexpected(opened.error());
  for (LiveConnection* connection : (*opened)->connections()) loop_.add(*connection);
  parties.push_back(std::move(*opened));
  return parties.back().get();
}

Try<void> Run::connect() {
  bool request = options_.mode == LiveMode::request;
  auto add = [](auto opened, std::vector<Sender*>* senders) -> Try<void> {
    if (!opened) return std::unexpected(opened.error());
    using Party = std::remove_pointer_t<std::decay_t<decltype(*opened)>>;
    if constexpr (std::is_base_of_v<Sender, Party>) senders->push_back(*opened);
    return {};
  };
  // Those who hear first, so that all is heard.
  for (std::uint32_t i = 0; i < options_.subscribers; ++i) {
    Try<void> added =
        request ? add(open(responders_, i), nullptr) : add(open(subscribers_, i), nullptr);
    if (!added) return added;
  }
  for (std::uint32_t i = 0; i < options_.publishers; ++i) {
    Try<void> added =
        request ? add(open(requesters_, i), &senders_) : add(open(publishers_, i), &senders_);
    if (!added) return added;
  }
  return {};
}

Try<void> Run::run_counted() {
  begin_measuring();
  start_senders(options_.run.messages);
  Try<void> ran = settle();
  end_measuring();
  return ran;
}

Try<void> Run::run_timed() {
  start_senders(0);
  auto never = [] { return false; };
  Instant begin = clock_.now() + from_seconds(options_.run.warmup_seconds);
  if (Try<void> ran = loop_.run_until(begin, never); !ran) return ran;
  begin_measuring();
  Instant end = clock_.now() + from_seconds(options_.run.seconds);
  if (Try<void> ran = loop_.run_until(end, never); !ran) return ran;
  end_measuring();
  for (Sender* sender : senders_) sender->stop();
  return settle();
}

void Run::start_senders(std::uint64_t messages) {
  Instant now = clock_.now();
  for (std::size_t i = 0; i < senders_.size(); ++i) {
    senders_[i]->start(now, quota_of(messages, senders_.size(), i));
  }
}

Try<void> Run::settle() {
  auto done = [this] {
    return all_finished() && context_.tally.counts.received >= context_.tally.expected;
  };
  auto moved = [this] {
    const LiveCounts& counts = context_.tally.counts;
    return counts.sent + counts.answered + counts.received;
  };
  Try<bool> settled =
      loop_.run_while_moving(from_seconds(options_.run.patience_seconds), done, moved);
  if (!settled) return std::unexpected(settled.error());
  return {};
}

bool Run::all_finished() const {
  return std::ranges::all_of(senders_, [](const Sender* each) { return each->finished(); });
}

void Run::begin_measuring() {
  begin_ = context_.tally.counts;
  meter_.begin(clock_.now());
  context_.tally.measured = meter_.measured();
}

void Run::end_measuring() {
  end_ = context_.tally.counts;
  meter_.end(clock_.now());
  context_.tally.measured = meter_.measured();
}

LiveBenchResult Run::result() {
  const LiveTally& tally = context_.tally;
  LiveBenchResult result;
  result.run = meter_.figures();
  result.counts = {.sent = end_.sent - begin_.sent,
                   .answered = end_.answered - begin_.answered,
                   .received = end_.received - begin_.received};
  result.missing = tally.expected - std::min(tally.expected, tally.counts.received);
  auto add = [&](const OrderCheck& order) {
    result.out_of_order += order.out_of_order();
    result.skipped += order.skipped();
  };
  for (auto& subscriber : subscribers_) add(subscriber->order());
  for (auto& requester : requesters_) add(requester->order());
  return result;
}

const char* complaint(const LiveBenchOptions& options) {
  bool request = options.mode == LiveMode::request;
  auto outside = [](std::uint32_t value, std::uint32_t max) { return value == 0 || value > max; };
  if (outside(options.publishers, parties_max)) return "--publishers must be 1 to 16384";
  if (options.subscribers > parties_max) return "--subscribers must be at most 16384";
  if (request && options.subscribers == 0) return "requests need --subscribers that reply";
  if (request && options.names != options.subscribers) {
    return "requests need as many --names as --subscribers";
  }
  if (outside(options.names, parties_max)) return "--names must be 1 to 16384";
  if (options.body_size > body_size_max) return "--size must be at most 16 MiB";
  if ((request || options.check) && options.body_size < numbered_size) {
    return "requests and --check need a --size of 16 at least";
  }
  if (outside(options.depth, depth_max)) return "--depth must be 1 to 1048576";
  if (options.window > 0 && options.window < options.subscribers) {
    return "--window must be --subscribers at least";
  }
  return complaint(options.run);
}

}  // namespace

int run_live_bench(const LiveProtocol& protocol, const LiveBenchOptions& options) {
  std::string scheme(protocol.name());
  const char* wrong = complaint(options);
  std::string text = options.url.empty() ? scheme + "://" : options.url;
  Try<ServerUrl> url = ServerUrl::parse(text, scheme, {.port = protocol.port()});
  if (wrong || !url) {
    fmt::print(stderr, "wharf bench {}: {}\n", scheme, wrong ? wrong : url.error());
    return 2;
  }
  Run run(protocol, options, *url);
  Try<LiveBenchResult> result = run.run();
  if (!result) {
    const LiveTally& tally = run.context().tally;
    fmt::print(stderr, "wharf bench {}: {} ({} sent, {} of {} received)\n", scheme, result.error(),
               tally.counts.sent, tally.counts.received, tally.expected);
    return 1;
  }
  std::string report =
      options.run.json ? as_json(run.context(), *result) : as_text(run.context(), *result);
  std::fwrite(report.data(), 1, report.size(), stdout);
  return result->missing + result->out_of_order + result->skipped > 0 ? 1 : 0;
}

}  // namespace wharf::bench
