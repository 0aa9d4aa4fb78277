// sim/chance.h: seeded decisions. Each part of a run has a stream of its own, so that a change in
// what one part asks for leaves the decisions of the others as they were.
#pragma once

#include <cstdint>
#include <span>

#include "base/assert.h"
#include "base/random.h"
#include "base/time.h"

namespace wharf::sim {

enum class Stream : std::uint64_t { plan = 1, schedule, workload, disk, broker };

class Chance {
 public:
  Chance(std::uint64_t seed, Stream stream, std::uint64_t index = 0)
      : random_(seed * 0x9e3779b97f4a7c15 + static_cast<std::uint64_t>(stream) * 0x100000001b3 +
                index * 0xd6e8feb86659fd93) {}

  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
  // Both ends included.
  std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    return low + below(high - low + 1);
  }
  bool permille(std::uint64_t rate) { return below(1000) < rate; }
  bool coin() { return below(2) == 0; }
  Duration between(Duration low, Duration high) {
    return low + Duration(static_cast<std::int64_t>(
                     below(static_cast<std::uint64_t>((high - low).count()) + 1)));
  }
  template <class T>
  T& pick(std::span<T> items) {
    ASSERT(!items.empty());
    return items[below(items.size())];
  }
  // Mostly small numbers, now and then a large one: the lengths of chunks and bursts.
  std::uint64_t skewed(std::uint64_t high) {
    std::uint64_t bound = high;
    for (std::uint64_t halvings = below(16); halvings > 0 && bound > 1; --halvings) bound /= 2;
    return between(1, bound < 1 ? 1 : bound);
  }

  Random& random() { return random_; }

 private:
  SeededRandom random_;
};

}  // namespace wharf::sim
