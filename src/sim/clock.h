// sim/clock.h: time that passes only when the scheduler says so.
#pragma once

#include "base/assert.h"
#include "base/time.h"

namespace wharf::sim {

class SimClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  WallTime wall() const override {
    return WallTime(wall_start + std::chrono::duration_cast<std::chrono::milliseconds>(elapsed()));
  }
  Duration elapsed() const { return now_.time_since_epoch() - start; }

  void advance(Duration by) {
    ASSERT(by >= Duration::zero());
    now_ += by;
  }
  void advance_to(Instant moment) {
    if (moment > now_) now_ = moment;
  }

 private:
  static constexpr Duration start = std::chrono::hours(1);
  static constexpr std::chrono::milliseconds wall_start{1'700'000'000'000};
  Instant now_{start};
};

}  // namespace wharf::sim
