// bench/live_parties.h: the four kinds of party of the load generator for live messages. All count
// into the Tally of one LiveContext.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "bench/histogram.h"
#include "bench/live_bench.h"
#include "bench/live_connection.h"
#include "bench/live_frames.h"
#include "bench/run_meter.h"

namespace wharf::bench {

struct LiveCounts {
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;  // publishes that the server answered
  std::uint64_t received = 0;  // deliveries; of requests, replies
};

struct LiveTally {
  LiveCounts counts;
  std::uint64_t expected = 0;  // to be received, of what was sent
  MeasuredTime measured;
  Histogram publish_to_answer;
  Histogram publish_to_deliver;  // of requests: to the reply
};

struct LiveContext {
  const LiveProtocol& protocol;
  const LiveBenchOptions& options;
  const Clock& clock;
  LiveTally tally = {};

  // Every message is looked at, not only the last of each read.
  bool each() const {
    return options.check || options.run.rate > 0 || options.mode == LiveMode::request;
  }
  bool stamped() const { return options.body_size >= stamped_size; }
};

// The name that number `index` publishes or subscribes to, and the one that its replies come to.
std::string name_of(const LiveBenchOptions& options, std::uint32_t index);
std::string reply_name_of(const LiveBenchOptions& options, std::uint32_t index);
Frame reply_frame(const LiveContext& context, std::uint32_t requester);

// What publishers and requesters share: when they send, and how much.
class Sender : public LiveParty {
 public:
  // `fan_out`: how many deliveries each message causes; `depth`: how many may be outstanding, 0 for
  // any number.
  Sender(LiveContext& context, const Frame& frame, std::uint32_t index, std::uint32_t fan_out,
         std::uint32_t depth);
  // From now on, in open loop by the clock; `quota` messages in all.
  void start(Instant now, std::uint64_t quota);
  void stop() { quota_ = sent_; }
  bool finished() const { return sent_ == quota_ && (depth_ == 0 || settled_ == sent_); }

  Bytes next_output() override;
  bool has_output() const override { return interval_ == Duration{} && room() > 0; }
  Instant next_due() const override {
    return interval_ > Duration{} && room() > 0 ? due_ : Instant::max();
  }

 protected:
  LiveContext& context() { return context_; }
  std::uint64_t settled() const { return settled_; }
  void settle(std::uint64_t count) { settled_ += count; }
  // REQUIRES: depth > 0 and the message is not yet settled.
  Instant moment_of(std::uint64_t number) const { return moments_[number & (moments_.size() - 1)]; }

 private:
  // How many messages limits allow now, whether or not they are due.
  std::uint64_t room() const;

  LiveContext& context_;
  FrameBlock block_;
  const std::uint32_t index_;
  const std::uint32_t fan_out_;
  const std::uint32_t depth_;
  const Duration interval_;  // between messages; zero: closed loop
  std::uint64_t quota_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t settled_ = 0;
  Instant due_;
  std::vector<Instant> moments_;  // of what is outstanding, round a ring of a power of two
};

// Where a Redis server answers, an answer settles a publish.
class LivePublisher final : public Sender {
 public:
  static Try<std::unique_ptr<LivePublisher>> open(LiveContext& context, const ServerUrl& url,
                                                  std::uint32_t index);
  LivePublisher(LiveContext& context, std::unique_ptr<LiveConnection> connection,
                std::uint32_t index);
  std::vector<LiveConnection*> connections() { return {connection_.get()}; }

  Try<std::size_t> on_input(LiveConnection& from, Bytes input) override;

 private:
  void on_answers(std::uint64_t count);

  std::unique_ptr<LiveConnection> connection_;
};

class LiveSubscriber final : public LiveParty {
 public:
  static Try<std::unique_ptr<LiveSubscriber>> open(LiveContext& context, const ServerUrl& url,
                                                   std::uint32_t index);
  LiveSubscriber(LiveContext& context, std::unique_ptr<LiveConnection> connection, Frame frame);
  std::vector<LiveConnection*> connections() { return {connection_.get()}; }
  const OrderCheck& order() const { return order_; }

  Try<std::size_t> on_input(LiveConnection& from, Bytes input) override;
  Bytes next_output() override { return {}; }
  bool has_output() const override { return false; }

 private:
  void on_messages(Bytes input, std::size_t count);

  LiveContext& context_;
  std::unique_ptr<LiveConnection> connection_;
  FrameReader reader_;
  OrderCheck order_;
};

// The connections of a party that both hears and publishes: one for each where the protocol wants
// it so.
class Pair {
 public:
  static Try<Pair> open(LiveContext& context, const ServerUrl& url, const std::string& hears,
                        std::size_t frame_size);
  LiveConnection& in() { return *in_; }
  LiveConnection& out() { return out_ ? *out_ : *in_; }
  void attach(LiveParty& party);
  std::vector<LiveConnection*> all();

 private:
  std::unique_ptr<LiveConnection> in_;
  std::unique_ptr<LiveConnection> out_;  // null: the same
};

class Requester final : public Sender {
 public:
  static Try<std::unique_ptr<Requester>> open(LiveContext& context, const ServerUrl& url,
                                              std::uint32_t index);
  Requester(LiveContext& context, Pair pair, std::uint32_t index);
  std::vector<LiveConnection*> connections() { return pair_.all(); }
  const OrderCheck& order() const { return order_; }

  Try<std::size_t> on_input(LiveConnection& from, Bytes input) override;

 private:
  void on_reply(Bytes body, Instant now);

  Pair pair_;
  FrameReader reader_;
  OrderCheck order_;
};

// Sends each request's body back to the requester that its serial names.
class Responder final : public LiveParty {
 public:
  static Try<std::unique_ptr<Responder>> open(LiveContext& context, const ServerUrl& url,
                                              std::uint32_t index);
  Responder(LiveContext& context, Pair pair, Frame frame);
  std::vector<LiveConnection*> connections() { return pair_.all(); }

  Try<std::size_t> on_input(LiveConnection& from, Bytes input) override;
  Bytes next_output() override;
  bool has_output() const override { return !replies_.empty(); }

 private:
  Try<void> on_request(Bytes body);

  LiveContext& context_;
  Pair pair_;
  FrameReader reader_;
  std::vector<Frame> frames_;  // of replies, by requester
  std::string replies_;
  std::string replies_written_;  // stands while it is written
};

}  // namespace wharf::bench
