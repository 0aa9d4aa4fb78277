// runtime/loop.h: the heartbeat of one thread. A turn is: run the handlers that are ready, let
// every client work, let every client hand over what it produced, then sleep until the next
// deadline or wake. What happens in a turn is thereby batched: one commit, one write a connection,
// one batch a shard. Threads: wake and stop from any thread; everything else on the thread that
// calls run, or before it.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "base/time.h"

namespace wharf::runtime {

// Something that lives on a loop. Owned by others; outlives the last turn.
class TurnClient {
 public:
  virtual ~TurnClient() = default;
  // Takes in what other threads and the clock have brought.
  virtual void turn() = 0;
  // Hands over what the turn produced. Runs after turn() of all clients of the loop.
  virtual void turn_end() = 0;
  // When a turn is needed although nobody wakes the loop; a past moment means at once.
  virtual std::optional<Instant> next_deadline() const = 0;
};

class Loop {
 public:
  // `clock` must be the operating system's: the loop sleeps in its time.
  explicit Loop(const Clock& clock);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Clients have their turns in the order in which they were added.
  void add(TurnClient& client) { clients_.push_back(&client); }
  // Takes no locks: only the loop's own thread may use it and what is made with it.
  boost::asio::io_context& io() { return io_; }

  // Turns until stop. Ends the process when a handler throws: that can only be memory running out.
  void run() noexcept;
  // One turn, with at most `sleep_max` of sleep at its end.
  void run_turn(Duration sleep_max);

  // Causes a turn of the loop. Many wakes before that turn cost one system call at most, and none
  // while the loop is at work.
  void wake();
  // Ends run() after the present turn.
  void stop();

 private:
  enum class State : std::uint8_t { running, woken, sleeping };
  // For longer, handlers would keep the clients waiting.
  static constexpr Duration handlers_time_max = std::chrono::microseconds(500);
  static constexpr Duration sleep_max_default = std::chrono::seconds(1);

  void listen_for_wakes();
  Duration sleep_time(Duration sleep_max) const;

  const Clock& clock_;
  boost::asio::io_context io_;
  boost::asio::posix::stream_descriptor wakes_;
  std::vector<TurnClient*> clients_;
  std::atomic<State> state_{State::running};
  std::atomic<bool> stopped_{false};
};

}  // namespace wharf::runtime
