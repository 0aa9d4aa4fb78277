// bench/amqp_roles.h: the two kinds of connection of the AMQP load generator. Both are driven by
// the loop of amqp_bench.cpp and count into one Tally.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "bench/amqp_bench.h"
#include "bench/amqp_peer.h"
#include "bench/event_loop.h"
#include "bench/histogram.h"
#include "bench/run_meter.h"

namespace wharf::bench {

// Bodies begin with the moment of sending, in nanoseconds of the monotonic clock.
inline constexpr std::size_t stamp_size = 8;

struct Counts {
  std::uint64_t sent = 0;
  std::uint64_t confirmed = 0;
  std::uint64_t nacked = 0;
  std::uint64_t received = 0;
  std::uint64_t received_bytes = 0;  // of bodies
};

struct Tally {
  Counts counts;
  std::uint64_t redelivered = 0;
  Histogram publish_to_confirm;
  Histogram publish_to_deliver;
  MeasuredTime measured;
};

std::string queue_name(const AmqpBenchOptions& options, std::uint32_t index);
// Which queues the role number `index` of `count` works on: shared out when there are more queues
// than roles, else one each.
std::vector<std::string> queues_of(const AmqpBenchOptions& options, std::uint32_t index,
                                   std::uint32_t count);

class Publisher final : public Role {
 public:
  Publisher(std::unique_ptr<AmqpPeer> peer, const AmqpBenchOptions& options, std::uint32_t index,
            Tally& tally, const Clock& clock);
  // Turns confirms on when they are wanted.
  Try<void> prepare();
  // From now on, in open loop by the clock; `quota` messages in all.
  void start(Instant now, std::uint64_t quota);

  AmqpPeer& peer() { return *peer_; }
  int fd() const override { return peer_->fd(); }
  // Sends what window, rate and quota allow and the socket takes.
  Try<void> on_writable() override;
  Try<void> on_readable() override;
  bool wants_to_write() const override { return !peer_->out().empty() || may_send_now_; }
  // In open loop: when the next message is due. Never, when something else is waited for.
  Instant next_due() const override;
  void stop() { quota_ = sent_; }
  bool finished() const {
    return sent_ == quota_ && peer_->out().empty() && (window_ == 0 || unconfirmed() == 0);
  }

 private:
  struct Pending {
    Instant sent;
    bool done = false;
  };

  std::uint64_t unconfirmed() const { return sent_ - settled_; }
  bool has_room() const { return sent_ < quota_ && (window_ == 0 || unconfirmed() < window_); }
  void fill_out();
  void send(Instant moment);
  void on_confirm(const amqp::Frame& frame);
  // True when it was not yet confirmed.
  bool confirm_one(std::uint64_t tag, Instant now);
  void settle_in_order();

  std::unique_ptr<AmqpPeer> peer_;
  const std::uint32_t window_;
  const Duration interval_;  // between messages; zero: closed loop
  const Duration phase_;     // of this publisher within the interval of all
  Tally& tally_;
  const Clock& clock_;
  std::vector<std::string> templates_;  // whole messages, one for each queue
  std::size_t stamp_from_end_ = 0;  // where the stamp is, counted from the end; 0: no room for one
  std::size_t next_template_ = 0;

  std::uint64_t quota_ = 0;
  std::uint64_t sent_ = 0;     // the delivery tag of the last one
  std::uint64_t settled_ = 0;  // all up to this tag are confirmed
  Instant due_;
  bool may_send_now_ = false;
  std::vector<Pending> pending_;  // by tag, round a ring of a power of two
};

class Consumer final : public Role {
 public:
  Consumer(std::unique_ptr<AmqpPeer> peer, const AmqpBenchOptions& options, std::uint32_t index,
           Tally& tally, const Clock& clock);
  // Sets the prefetch and subscribes; deliveries may follow at once.
  Try<void> prepare();

  AmqpPeer& peer() { return *peer_; }
  int fd() const override { return peer_->fd(); }
  Try<void> on_readable() override;
  Try<void> on_writable() override { return peer_->flush(); }
  bool wants_to_write() const override { return !peer_->out().empty(); }
  // Acknowledges what ack_every has left over.
  Try<void> finish();

 private:
  void on_frame(const amqp::Frame& frame);
  void on_deliver(const amqp::Frame& frame);
  void on_body(Bytes part);
  void on_message();

  std::unique_ptr<AmqpPeer> peer_;
  const AmqpBenchOptions& options_;
  const std::vector<std::string> queues_;
  Tally& tally_;
  const Clock& clock_;

  std::uint64_t tag_ = 0;           // of the delivery that is under way
  std::uint64_t body_missing_ = 0;  // of it
  bool stamped_ = false;            // its stamp was read
  Instant stamp_;
  std::uint64_t acked_tag_ = 0;
};

}  // namespace wharf::bench
