// protocol/amqp/timers.h: the moments at which a session has something to do without input, and the
// heartbeat's two monitors (RabbitMQ's rabbit_heartbeat: the sender looks every half interval, the
// receiver every interval and gives up at the second look in a row that saw nothing).
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/time.h"

namespace wharf::amqp {

enum class Timer : std::uint8_t {
  end,      // handshake, silence before a refusal, close: the connection ends
  send,     // has anything been sent?
  receive,  // has anything been received?
  overdue,  // deliveries that nobody acknowledges
};

class Timers {
 public:
  void set(Timer timer, Instant at) { at_[index(timer)] = at; }
  void clear(Timer timer) { at_[index(timer)] = never; }
  bool due(Timer timer, Instant now) const { return at_[index(timer)] <= now; }
  std::optional<Instant> next() const {
    Instant first = *std::ranges::min_element(at_);
    if (first == never) return std::nullopt;
    return first;
  }

 private:
  static constexpr Instant never = Instant::max();
  static std::size_t index(Timer timer) { return static_cast<std::size_t>(timer); }

  std::array<Instant, 4> at_{never, never, never, never};
};

class Heartbeat {
 public:
  // 0: none in either direction.
  void start(Duration interval) { interval_ = interval; }
  bool active() const { return interval_ > Duration::zero(); }
  Duration interval() const { return interval_; }

  void sent() { sent_ = true; }
  void received() { received_ = true; }
  // True when a heartbeat is to be sent now.
  bool look_at_sending() { return !std::exchange(sent_, false); }
  // True when the peer is to be given up. While it is held back, its silence means nothing.
  bool look_at_receiving(bool held_back) {
    bool heard = std::exchange(received_, false) || held_back;
    silent_looks_ = heard ? 0 : silent_looks_ + 1;
    return silent_looks_ >= 2;
  }

 private:
  Duration interval_{};
  bool sent_ = false;
  bool received_ = false;
  int silent_looks_ = 0;
};

}  // namespace wharf::amqp
