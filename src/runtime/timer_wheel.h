// runtime/timer_wheel.h: many timers, few of which ever fire: add and cancel are O(1), whatever
// their number. Four wheels of 256 slots, each 256 times coarser; a tick is one millisecond, so a
// timer fires up to one tick late and never early. Later than 49 days is kept in the last slot and
// re-added. Shard: owner only. Each shard has one; the payload says whom to tell.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/time.h"

namespace wharf::runtime {

// Names a timer; stays safe to use after it fired.
struct TimerId {
  std::uint32_t slot = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t generation = 0;
  friend bool operator==(TimerId, TimerId) = default;
};

template <class Payload>
class TimerWheel {
 public:
  explicit TimerWheel(Instant start) : start_(start) {
    for (auto& wheel : wheels_) wheel.fill(none);
  }

  TimerId add(Instant deadline, Payload payload) {
    std::uint32_t index = allocate();
    Timer& timer = timers_[index];
    timer.payload.emplace(std::move(payload));
    timer.tick = std::max(tick_of(deadline), now_tick_ + 1);
    link(index);
    ++count_;
    return {index, timer.generation};
  }

  // False when it has fired or was cancelled before.
  bool cancel(TimerId id) {
    if (id.slot >= timers_.size()) return false;
    Timer& timer = timers_[id.slot];
    if (timer.generation != id.generation || !timer.payload) return false;
    unlink(id.slot);
    release(id.slot);
    return true;
  }

  // Calls fire(payload) for all timers due at `now`. `fire` may add and cancel timers.
  template <class Fire>
  void advance(Instant now, Fire&& fire) {
    std::uint64_t target = now < start_ ? 0 : elapsed_ticks(now);
    while (now_tick_ < target) {
      std::uint64_t next_tick = count_ == 0 ? target : next_turn();
      now_tick_ = std::min(next_tick, target);
      if (next_tick > target) return;
      cascade();
      run_slot(fire);
    }
  }

  // The moment of the next tick at which something may be due; none when there is no timer. Exact
  // within the finest wheel, else the next turn of a coarser one: waking early is harmless.
  std::optional<Instant> next() const {
    if (count_ == 0) return std::nullopt;
    std::uint64_t tick = next_turn();
    while (tick % slots != 0 && wheels_[0][tick % slots] == none) ++tick;
    return start_ + Duration(static_cast<std::int64_t>(tick) * tick_ns);
  }

  std::size_t size() const { return count_; }

 private:
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();
  static constexpr std::uint64_t slots = 256;
  static constexpr std::uint64_t levels = 4;
  static constexpr std::int64_t tick_ns = 1'000'000;

  struct Timer {
    std::optional<Payload> payload;
    std::uint64_t tick = 0;
    std::uint32_t previous = none;
    std::uint32_t next = none;
    std::uint32_t generation = 0;
    std::uint32_t list = none;  // level * slots + slot
  };

  // The next tick at which the finest wheel that holds a timer turns. REQUIRES: count_ > 0.
  std::uint64_t next_turn() const {
    std::uint64_t level = 0;
    while (in_level_[level] == 0) ++level;
    std::uint64_t step = std::uint64_t{1} << (8 * level);
    return (now_tick_ / step + 1) * step;
  }

  std::uint64_t elapsed_ticks(Instant moment) const {
    return static_cast<std::uint64_t>((moment - start_).count() / tick_ns);
  }

  // Rounded up, so that a timer is never early.
  std::uint64_t tick_of(Instant moment) const {
    if (moment <= start_) return 0;
    std::int64_t distance_ns = (moment - start_).count();
    return static_cast<std::uint64_t>(distance_ns / tick_ns + (distance_ns % tick_ns != 0 ? 1 : 0));
  }

  std::uint32_t allocate() {
    if (free_ != none) {
      std::uint32_t index = free_;
      free_ = timers_[index].next;
      return index;
    }
    timers_.emplace_back();
    return static_cast<std::uint32_t>(timers_.size() - 1);
  }

  void release(std::uint32_t index) {
    Timer& timer = timers_[index];
    timer.payload.reset();
    ++timer.generation;
    timer.next = free_;
    free_ = index;
    --count_;
  }

  void link(std::uint32_t index) {
    Timer& timer = timers_[index];
    std::uint64_t distance = timer.tick - now_tick_;
    std::uint64_t level = 0;
    while (level + 1 < levels && distance >= (std::uint64_t{1} << (8 * (level + 1)))) ++level;
    std::uint64_t horizon = (std::uint64_t{1} << (8 * levels)) - 1;
    std::uint64_t tick = now_tick_ + std::min(distance, horizon);
    std::uint64_t slot = (tick >> (8 * level)) % slots;
    timer.list = static_cast<std::uint32_t>(level * slots + slot);
    ++in_level_[level];
    std::uint32_t& head = wheels_[level][slot];
    timer.previous = none;
    timer.next = head;
    if (head != none) timers_[head].previous = index;
    head = index;
  }

  void unlink(std::uint32_t index) {
    Timer& timer = timers_[index];
    --in_level_[timer.list / slots];
    if (timer.previous != none) {
      timers_[timer.previous].next = timer.next;
    } else {
      wheels_[timer.list / slots][timer.list % slots] = timer.next;
    }
    if (timer.next != none) timers_[timer.next].previous = timer.previous;
  }

  // When a finer wheel has turned once, the slot of the coarser one that now begins is spread over
  // it.
  void cascade() {
    for (std::uint64_t level = 1; level < levels; ++level) {
      if (now_tick_ % (std::uint64_t{1} << (8 * level)) != 0) return;
      std::uint64_t slot = (now_tick_ >> (8 * level)) % slots;
      std::uint32_t index = std::exchange(wheels_[level][slot], none);
      while (index != none) {
        std::uint32_t next = timers_[index].next;
        --in_level_[level];
        link(index);
        index = next;
      }
    }
  }

  template <class Fire>
  void run_slot(Fire& fire) {
    std::uint64_t slot = now_tick_ % slots;
    while (wheels_[0][slot] != none) {
      std::uint32_t index = wheels_[0][slot];
      ASSERT(timers_[index].tick <= now_tick_);
      unlink(index);
      Payload payload = std::move(*timers_[index].payload);
      release(index);
      fire(std::move(payload));
    }
  }

  Instant start_;
  std::uint64_t now_tick_ = 0;
  std::size_t count_ = 0;
  std::array<std::size_t, levels> in_level_{};
  std::uint32_t free_ = none;
  std::vector<Timer> timers_;
  std::array<std::array<std::uint32_t, slots>, levels> wheels_;
};

}  // namespace wharf::runtime
