#include "bench/amqp_bench.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/amqp_report.h"
#include "bench/amqp_roles.h"
#include "bench/process_usage.h"

namespace wharf::bench {

namespace {

using namespace std::chrono_literals;

constexpr Duration sample_interval = 250ms;

Duration from_seconds(double seconds) { return Duration(static_cast<std::int64_t>(seconds * 1e9)); }

Duration own_cpu() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto of = [](const timeval& time) { return 1s * time.tv_sec + 1us * time.tv_usec; };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

// What a run reads at the edges of the measured time.
struct Reading {
  Instant moment;
  Counts counts;
  Duration generator_cpu{};
  ProcessUsage server;
};

class Run {
 public:
  Run(const AmqpBenchOptions& options, const AmqpUrl& url)
      : options_(options), url_(url), epoll_(epoll_create1(EPOLL_CLOEXEC)) {}
  ~Run() { close(epoll_); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

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
  Reading read() const;

  // ---- The loop ----
  template <class Done>
  Try<void> loop_until(Instant deadline, Done&& done);
  // False when nothing was sent, confirmed or received for as long as patience lasts.
  template <class Done>
  Try<bool> loop_while_moving(Done&& done);
  Try<void> turn(Instant deadline);
  Try<void> handle(Role& role, std::uint32_t events);
  void watch(std::size_t index);
  Instant next_due() const;
  void sample_server(Instant now);
  bool all_published() const;

  const AmqpBenchOptions& options_;
  const AmqpUrl& url_;
  int epoll_;
  SystemClock clock_;
  Tally tally_;
  std::unique_ptr<AmqpPeer> control_;
  std::vector<std::unique_ptr<Publisher>> publishers_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
  std::vector<Role*> roles_;              // all of both
  std::vector<std::uint32_t> interests_;  // what epoll was told of each

  std::vector<pid_t> server_tree_;
  Instant next_sample_;
  std::uint64_t resident_bytes_peak_ = 0;
  std::uint64_t drain_count_ = 0;  // what there was to drain
  Reading begin_;
  Reading end_;
};

Try<AmqpBenchResult> Run::run() {
  // Sleeps end when they should: the usual slack of 50 us is much against a rate of 10000 a second.
  prctl(PR_SET_TIMERSLACK, 1UL);
  if (options_.server_pid != 0) {
    server_tree_ = tree_of(options_.server_pid);
    if (server_tree_.empty()) return std::unexpected("there is no process of that --server-pid");
  }
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
    roles_.push_back(roles.back().get());
    interests_.push_back(0);
    epoll_event event{};
    event.data.u64 = roles_.size() - 1;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, roles_.back()->peer().fd(), &event);
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
  result.measured = end_.moment - begin_.moment;
  result.counts = {.sent = end_.counts.sent - begin_.counts.sent,
                   .confirmed = end_.counts.confirmed - begin_.counts.confirmed,
                   .nacked = end_.counts.nacked - begin_.counts.nacked,
                   .received = end_.counts.received - begin_.counts.received,
                   .received_bytes = end_.counts.received_bytes - begin_.counts.received_bytes};
  result.totals = tally_.counts;
  result.redelivered = tally_.redelivered;
  result.queued_end = *queued;
  std::uint64_t accounted = tally_.counts.received + tally_.counts.nacked + *queued;
  bool all_wanted = options_.mode == BenchMode::throughput && !consumers_.empty();
  if (all_wanted && accounted < tally_.counts.sent) result.missing = tally_.counts.sent - accounted;
  for (auto& publisher : publishers_) result.times_blocked += publisher->peer().times_blocked();
  result.generator_cpu = end_.generator_cpu - begin_.generator_cpu;
  if (!server_tree_.empty()) {
    sample_server(clock_.now());
    result.server = {.resident_bytes_end = usage_of(server_tree_).resident_bytes,
                     .resident_bytes_peak = resident_bytes_peak_,
                     .cpu = end_.server.cpu - begin_.server.cpu};
  }
  if (options_.mode != BenchMode::fill) {
    roles_.clear();
    publishers_.clear();
    consumers_.clear();
    if (Try<void> deleted = delete_queues(); !deleted) return std::unexpected(deleted.error());
  }
  return result;
}

Try<void> Run::run_throughput() {
  bool counted = options_.messages > 0;
  if (counted) begin_measuring();
  start_publishers(options_.messages);
  if (counted) {
    Try<void> ran = settle();
    end_measuring();
    return ran;
  }
  auto never = [] { return false; };
  Instant begin = clock_.now() + from_seconds(options_.warmup_seconds);
  if (Try<void> ran = loop_until(begin, never); !ran) return ran;
  begin_measuring();
  if (Try<void> ran = loop_until(begin + from_seconds(options_.seconds), never); !ran) return ran;
  end_measuring();
  for (auto& publisher : publishers_) publisher->stop();
  return settle();
}

Try<void> Run::run_fill() {
  begin_measuring();
  start_publishers(options_.messages);
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
  std::uint64_t count = publishers_.size();
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t quota = messages / count + (i < messages % count ? 1 : 0);
    publishers_[i]->start(now, messages > 0 ? quota : UINT64_MAX);
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
  begin_ = read();
  tally_.measure_from = begin_.moment;
}

void Run::end_measuring() {
  end_ = read();
  tally_.measure_to = end_.moment;
}

Reading Run::read() const {
  return {clock_.now(), tally_.counts, own_cpu(), usage_of(server_tree_)};
}

template <class Done>
Try<void> Run::loop_until(Instant deadline, Done&& done) {
  while (!done() && clock_.now() < deadline) {
    if (Try<void> turned = turn(deadline); !turned) return turned;
  }
  return {};
}

template <class Done>
Try<bool> Run::loop_while_moving(Done&& done) {
  auto moved = [this] {
    const Counts& counts = tally_.counts;
    return counts.sent + counts.confirmed + counts.nacked + counts.received;
  };
  Duration patience = from_seconds(options_.patience_seconds);
  while (!done()) {
    std::uint64_t before = moved();
    if (Try<void> ran = loop_until(clock_.now() + patience, done); !ran) {
      return std::unexpected(ran.error());
    }
    if (!done() && moved() == before) return false;
  }
  return true;
}

Try<void> Run::turn(Instant deadline) {
  for (std::size_t i = 0; i < roles_.size(); ++i) watch(i);
  Instant wake = std::min({deadline, next_sample_, next_due()});
  Duration wait = std::max(wake - clock_.now(), Duration{});
  timespec timeout{.tv_sec = wait / 1s, .tv_nsec = (wait % 1s).count()};
  std::array<epoll_event, 64> events;
  int count =
      epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
  if (count < 0 && errno != EINTR) return std::unexpected("epoll_pwait2 failed");
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (Try<void> handled = handle(*roles_[event.data.u64], event.events); !handled) return handled;
  }
  Instant now = clock_.now();
  for (auto& publisher : publishers_) {
    if (publisher->next_due() > now) continue;
    if (Try<void> sent = publisher->on_writable(); !sent) return sent;
  }
  if (now >= next_sample_) sample_server(now);
  return {};
}

Try<void> Run::handle(Role& role, std::uint32_t events) {
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
    if (Try<void> done = role.on_readable(); !done) return done;
  }
  if (events & EPOLLOUT) return role.on_writable();
  return {};
}

void Run::watch(std::size_t index) {
  std::uint32_t wanted = EPOLLIN | (roles_[index]->wants_to_write() ? EPOLLOUT : 0u);
  if (interests_[index] == wanted) return;
  interests_[index] = wanted;
  epoll_event event{};
  event.events = wanted;
  event.data.u64 = index;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, roles_[index]->peer().fd(), &event);
}

Instant Run::next_due() const {
  Instant due = Instant::max();
  for (const auto& publisher : publishers_) due = std::min(due, publisher->next_due());
  return due;
}

void Run::sample_server(Instant now) {
  next_sample_ = now + sample_interval;
  std::uint64_t bytes = usage_of(server_tree_).resident_bytes;
  resident_bytes_peak_ = std::max(resident_bytes_peak_, bytes);
}

const char* complaint(const AmqpBenchOptions& options) {
  if (options.queues == 0) return "--queues must be at least 1";
  bool publish = options.mode != BenchMode::drain;
  if (publish && options.publishers == 0) return "--publishers must be at least 1";
  if (options.mode == BenchMode::drain && options.consumers == 0) {
    return "--consumers must be at least 1";
  }
  if (options.mode == BenchMode::fill && options.messages == 0) return "fill needs --messages";
  if (options.ack_every == 0) return "--ack-every must be at least 1";
  bool manual = options.ack == AckMode::manual;
  if (manual && options.prefetch > 0 && options.ack_every > options.prefetch) {
    return "--ack-every above --prefetch would stall";
  }
  if (std::min({options.rate, options.seconds, options.warmup_seconds, options.patience_seconds}) <
      0) {
    return "times and rates cannot be negative";
  }
  return nullptr;
}

}  // namespace

int run_amqp_bench(const AmqpBenchOptions& options) {
  const char* wrong = complaint(options);
  Try<AmqpUrl> url = AmqpUrl::parse(options.url);
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
  std::string text = options.json ? as_json(options, *result, run.tally())
                                  : as_text(options, *result, run.tally());
  std::fwrite(text.data(), 1, text.size(), stdout);
  return 0;
}

}  // namespace wharf::bench
