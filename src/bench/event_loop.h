// bench/event_loop.h: one thread's epoll over a few connections. Each turn asks every role what it
// waits for, so a turn costs in proportion to their number: a tool for tens, not for thousands.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/time.h"
#include "bench/socket.h"

namespace wharf::bench {

// A connection as the loop sees it. An error ends the run.
class Role {
 public:
  virtual ~Role() = default;
  virtual int fd() const = 0;
  virtual Try<void> on_readable() = 0;
  virtual Try<void> on_writable() = 0;
  virtual bool wants_to_read() const { return true; }
  // There is more to write as soon as the socket takes it.
  virtual bool wants_to_write() const = 0;
  // When on_writable is called without the socket's asking. Never, when something else is awaited.
  virtual Instant next_due() const { return Instant::max(); }
};

class EventLoop {
 public:
  explicit EventLoop(const Clock& clock);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // The role stays the caller's and outlives the loop, or is removed before.
  void add(Role& role);
  // REQUIRES: no role is being called.
  void remove(Role& role);
  // `tick` is called after the turns, whenever so much time has passed; the first time at once.
  void set_tick(Duration interval, std::function<void()> tick);

  // One wait for events, until `deadline` at most, and their handling.
  Try<void> turn(Instant deadline);

  template <class Done>
  Try<void> run_until(Instant deadline, Done&& done) {
    while (!done() && clock_.now() < deadline) {
      if (Try<void> turned = turn(deadline); !turned) return turned;
    }
    return {};
  }

  // False when `moved()`, a sum of what was done so far, stays as it is for as long as `patience`.
  template <class Done, class Moved>
  Try<bool> run_while_moving(Duration patience, Done&& done, Moved&& moved) {
    while (!done()) {
      std::uint64_t before = moved();
      if (Try<void> ran = run_until(clock_.now() + patience, done); !ran) {
        return std::unexpected(ran.error());
      }
      if (!done() && moved() == before) return false;
    }
    return true;
  }

 private:
  struct Watched {
    Role* role;
    std::uint32_t interest;  // what epoll was told
  };

  void watch(Watched& watched);
  Try<void> handle(Role& role, std::uint32_t events);
  Try<void> serve_due();

  const Clock& clock_;
  int epoll_;
  std::vector<std::unique_ptr<Watched>> watched_;
  std::function<void()> tick_;
  Duration tick_interval_{};
  Instant next_tick_ = Instant::max();
};

}  // namespace wharf::bench
