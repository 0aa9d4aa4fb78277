#include "bench/amqp_bench.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "bench/amqp_report.h"
#include "bench/amqp_roles.h"
#include "bench/event_loop.h"

namespace wharf::bench {

namespace {

using namespace std::chrono_literals;

constexpr Duration sample_interval = 250ms;

class Run {
 public:
  Run(const AmqpBenchOptions& options, const ServerUrl& url)
      : options_(options), url_(url), loop_(clock_) {}

  Try<AmqpBenchResult> run();
  const Tally& tally() const { return tally_; }

 private:
  // ---- Before and after ----
  Try<void> prepare_queues();
  Try<std::uint64_t> count_queued();
  Try<void> delete_queues();
  Try<void> connect_roles();
  Try<AmqpBenchResult> result();

  // ---- The three modes ----
  Try<void> run_throughput();
  Try<void> run_fill();
  Try<void> run_drain();
  void start_publishers(std::uint64_t messages);
  // Until all is confirmed and received, or nothing moves any more.
  Try<void> settle();
  void begin_measuring();
  void end_measuring();

  // False when nothing was sent, confirmed or received for as long as patience lasts.
  template <class Done>
  Try<bool> loop_while_moving(Done&& done);
  bool all_published() const;

  const AmqpBenchOptions& options_;
  const ServerUrl& url_;
  SystemClock clock_;
  Tally tally_;
  std::unique_ptr<AmqpPeer> control_;
  std::vector<std::unique_ptr<Publisher>> publishers_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
  EventLoop loop_;
  RunMeter meter_;
  std::uint64_t drain_count_ = 0;  // what there was to drain
  Counts begin_;
  Counts end_;
};

Try<AmqpBenchResult> Run::run() {
  if (Try<void> watched = meter_.watch_server(options_.run.server_pid); !watched) {
    return std::unexpected(watched.error());
  }
  loop_.set_tick(sample_interval, [this] { meter_.sample(); });
  Try<std::unique_ptr<AmqpPeer>> control = AmqpPeer::connect(url_);
  if (!control) return std::unexpected(control.error());
  control_ = std::move(*control);
  if (Try<void> prepared = prepare_queues(); !prepared) return std::unexpected(prepared.error());
  if (Try<void> connected = connect_roles(); !connected) return std::unexpected(connected.error());
  Try<void> ran;
  switch (options_.mode) {
    case BenchMode::throughput:
      ran = run_throughput();
      break;
    case BenchMode::fill:
      ran = run_fill();
      break;
    case BenchMode::drain:
      ran = run_drain();
      break;
  }
  if (!ran) return std::unexpected(ran.error());
  return result();
}

Try<void> Run::prepare_queues() {
  if (options_.mode == BenchMode::drain) {
    Try<std::uint64_t> queued = count_queued();
    if (!queued) return std::unexpected(queued.error());
    drain_count_ = *queued;
    begin_measuring();
    return {};
  }
  // Anew, so that nothing of an earlier run is measured.
  if (Try<void> deleted = delete_queues(); !deleted) return deleted;
  for (std::uint32_t i = 0; i < options_.queues; ++i) {
    std::string name = queue_name(options_, i);
    amqp::QueueDeclare declare{.queue = name, .durable = options_.queue_durable};
    auto declared = control_->call<amqp::QueueDeclareOk>(declare);
    if (!declared) return std::unexpected(declared.error());
  }
  return {};
}

Try<std::uint64_t> Run::count_queued() {
  std::uint64_t count = 0;
  for (std::uint32_t i = 0; i < options_.queues; ++i) {
    std::string name = queue_name(options_, i);
    amqp::QueueDeclare declare{.queue = name, .passive = true};
    auto declared = control_->call<amqp::QueueDeclareOk>(declare);
    if (!declared) return std::unexpected(declared.error());
    count += declared->message_count;
  }
  return count;
}

Try<void> Run::delete_queues() {
  for (std::uint32_t i = 0; i < options_.queues; ++i) {
    std::string name = queue_name(options_, i);
    auto deleted = control_->call<amqp::QueueDeleteOk>(amqp::QueueDelete{.queue = name});
    if (!deleted) return std::unexpected(deleted.error());
  }
  return {};
}

Try<void> Run::connect_roles() {
  bool publish = options_.mode != BenchMode::drain;
  bool consume = options_.mode != BenchMode::fill;
  auto add = [&](auto& roles, std::uint32_t index) -> Try<void> {
    Try<std::unique_ptr<AmqpPeer>> peer = AmqpPeer::connect(url_);
    if (!peer) return std::unexpected(peer.error());
    using RoleType = typename std::decay_t<decltype(roles)>::value_type::element_type;
    roles.push_back(std::make_unique<RoleType>(std::move(*peer), options_, index, tally_, clock_));
    loop_.add(*roles.back());
    return roles.back()->prepare();
  };
  for (std::uint32_t i = 0; publish && i < options_.publishers; ++i) {
    if (Try<void> added = add(publishers_, i); !added) return added;
  }
  for (std::uint32_t i = 0; consume && i < options_.consumers; ++i) {
    if (Try<void> added = add(consumers_, i); !added) return added;
  }
  return {};
}

Try<AmqpBenchResult> Run::result() {
  for (auto& consumer : consumers_) {
    if (Try<void> finished = consumer->finish(); !finished)
      return std::unexpected(finished.error());
  }
  Try<std::uint64_t> queued = count_queued();
  if (!queued) return std::unexpected(queued.error());
  AmqpBenchResult result;
  result.run = meter_.figures();
  result.counts = {.sent = end_.sent - begin_.sent,
                   .confirmed = end_.confirmed - begin_.confirmed,
                   .nacked = end_.nacked - begin_.nacked,
                   .received = end_.received - begin_.received,
                   .received_bytes = end_.received_bytes - begin_.received_bytes};
  result.totals = tally_.counts;
  result.redelivered = tally_.redelivered;
  result.queued_end = *queued;
  std::uint64_t accounted = tally_.counts.received + tally_.counts.nacked + *queued;
  bool all_wanted = options_.mode == BenchMode::throughput && !consumers_.empty();
  if (all_wanted && accounted < tally_.counts.sent) result.missing = tally_.counts.sent - accounted;
  for (auto& publisher : publishers_) result.times_blocked += publisher->peer().times_blocked();
  if (options_.mode != BenchMode::fill) {
    for (auto& publisher : publishers_) loop_.remove(*publisher);
    for (auto& consumer : consumers_) loop_.remove(*consumer);
    publishers_.clear();
    consumers_.clear();
    if (Try<void> deleted = delete_queues(); !deleted) return std::unexpected(deleted.error());
  }
  return result;
}

Try<void> Run::run_throughput() {
  bool counted = options_.run.messages > 0;
  if (counted) begin_measuring();
  start_publishers(options_.run.messages);
  if (counted) {
    Try<void> ran = settle();
    end_measuring();
    return ran;
  }
  auto never = [] { return false; };
  Instant begin = clock_.now() + from_seconds(options_.run.warmup_seconds);
  if (Try<void> ran = loop_.run_until(begin, never); !ran) return ran;
  begin_measuring();
  if (Try<void> ran = loop_.run_until(begin + from_seconds(options_.run.seconds), never); !ran)
    return ran;
  end_measuring();
  for (auto& publisher : publishers_) publisher->stop();
  return settle();
}

Try<void> Run::run_fill() {
  begin_measuring();
  start_publishers(options_.run.messages);
  Try<bool> done = loop_while_moving([this] { return all_published(); });
  if (!done) return std::unexpected(done.error());
  if (!*done) return std::unexpected("the server takes no more messages");
  // Without confirms, any answer on the channel says that all before it was taken.
  for (auto& publisher : publishers_) {
    auto answered = publisher->peer().call<amqp::BasicQosOk>(amqp::BasicQos{});
    if (!answered) return std::unexpected(answered.error());
  }
  end_measuring();
  return {};
}

Try<void> Run::run_drain() {
  Try<bool> done = loop_while_moving([this] { return tally_.counts.received >= drain_count_; });
  if (!done) return std::unexpected(done.error());
  if (!*done) return std::unexpected("the server sends no more messages, though it had them");
  end_measuring();
  return {};
}

void Run::start_publishers(std::uint64_t messages) {
  Instant now = clock_.now();
  for (std::size_t i = 0; i < publishers_.size(); ++i) {
    publishers_[i]->start(now, quota_of(messages, publishers_.size(), i));
  }
}

Try<void> Run::settle() {
  auto done = [this] {
    const Counts& counts = tally_.counts;
    bool received = consumers_.empty() || counts.received + counts.nacked >= counts.sent;
    return all_published() && received;
  };
  Try<bool> settled = loop_while_moving(done);
  if (!settled) return std::unexpected(settled.error());
  return {};
}

bool Run::all_published() const {
  return std::ranges::all_of(publishers_, [](const auto& each) { return each->finished(); });
}

void Run::begin_measuring() {
  begin_ = tally_.counts;
  meter_.begin(clock_.now());
  tally_.measured = meter_.measured();
}

void Run::end_measuring() {
  end_ = tally_.counts;
  meter_.end(clock_.now());
  tally_.measured = meter_.measured();
}

template <class Done>
Try<bool> Run::loop_while_moving(Done&& done) {
  auto moved = [this] {
    const Counts& counts = tally_.counts;
    return counts.sent + counts.confirmed + counts.nacked + counts.received;
  };
  return loop_.run_while_moving(from_seconds(options_.run.patience_seconds), done, moved);
}

const char* complaint(const AmqpBenchOptions& options) {
  if (options.queues == 0) return "--queues must be at least 1";
  bool publish = options.mode != BenchMode::drain;
  if (publish && options.publishers == 0) return "--publishers must be at least 1";
  if (options.mode == BenchMode::drain && options.consumers == 0) {
    return "--consumers must be at least 1";
  }
  if (options.mode == BenchMode::fill && options.run.messages == 0) return "fill needs --messages";
  if (options.ack_every == 0) return "--ack-every must be at least 1";
  bool manual = options.ack == AckMode::manual;
  if (manual && options.prefetch > 0 && options.ack_every > options.prefetch) {
    return "--ack-every above --prefetch would stall";
  }
  return complaint(options.run);
}

}  // namespace

int run_amqp_bench(const AmqpBenchOptions& options) {
  const char* wrong = complaint(options);
  Try<ServerUrl> url = parse_amqp_url(options.url);
  if (wrong || !url) {
    fmt::print(stderr, "wharf bench amqp: {}\n", wrong ? wrong : url.error());
    return 2;
  }
  Run run(options, *url);
  Try<AmqpBenchResult> result = run.run();
  if (!result) {
    fmt::print(stderr, "wharf bench amqp: {}\n", result.error());
    return 1;
  }
  std::string text = options.run.json ? as_json(options, *result, run.tally())
                                      : as_text(options, *result, run.tally());
  std::fwrite(text.data(), 1, text.size(), stdout);
  return 0;
}

}  // namespace wharf::bench
