#include "runtime/loop.h"

#include <algorithm>

#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/system/error_code.hpp>

#include "base/assert.h"

namespace wharf::runtime {

Loop::Loop(const Clock& clock)
    : clock_(clock),
      io_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE),
      wakes_(io_, ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  listen_for_wakes();
}

Loop::~Loop() = default;

void Loop::run() noexcept {
  while (!stopped_.load(std::memory_order_acquire)) run_turn(sleep_max_default);
}

void Loop::run_turn(Duration sleep_max) {
  // Before anything is looked at: a wake from here on is for the next turn.
  state_.exchange(State::running);
  Instant enough = clock_.now() + handlers_time_max;
  while (io_.poll_one() > 0 && clock_.now() < enough) continue;
  for (TurnClient* client : clients_) client->turn();
  for (TurnClient* client : clients_) client->turn_end();

  Duration sleep = sleep_time(sleep_max);
  if (sleep <= Duration::zero()) return;
  State expected = State::running;
  if (!state_.compare_exchange_strong(expected, State::sleeping)) return;
  io_.run_one_for(sleep);
}

void Loop::wake() {
  if (state_.exchange(State::woken) != State::sleeping) return;
  std::uint64_t one = 1;
  ASSERT(::write(wakes_.native_handle(), &one, sizeof(one)) == static_cast<ssize_t>(sizeof(one)));
}

void Loop::stop() {
  stopped_.store(true, std::memory_order_release);
  wake();
}

void Loop::listen_for_wakes() {
  wakes_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                    [this](const boost::system::error_code& error) {
                      if (error) return;
                      std::uint64_t count = 0;
                      ssize_t size = ::read(wakes_.native_handle(), &count, sizeof(count));
                      ASSERT(size == static_cast<ssize_t>(sizeof(count)) || size < 0);
                      listen_for_wakes();
                    });
}

Duration Loop::sleep_time(Duration sleep_max) const {
  std::optional<Instant> first;
  for (const TurnClient* client : clients_) {
    std::optional<Instant> deadline = client->next_deadline();
    if (deadline && (!first || *deadline < *first)) first = deadline;
  }
  if (!first) return sleep_max;
  Instant now = clock_.now();
  return *first <= now ? Duration::zero() : std::min(sleep_max, *first - now);
}

}  // namespace wharf::runtime
