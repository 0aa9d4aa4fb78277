// base/time.h: the two times of the broker and the seam they come through. Nothing outside base and
// the real clock's own file asks the operating system for the time; the simulator has its own
// Clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace wharf {

using Duration = std::chrono::nanoseconds;

// A moment on the monotonic clock, for intervals and deadlines that die with the process.
struct MonotonicTag {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = Duration;
  static constexpr bool is_steady = true;
};
using Instant = std::chrono::time_point<MonotonicTag, Duration>;

// Milliseconds since 1970 UTC, for what is stored or shown.
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  virtual WallTime wall() const = 0;
};

// The operating system's clocks.
class SystemClock final : public Clock {
 public:
  Instant now() const override;
  WallTime wall() const override;
};

}  // namespace wharf
