// protocol/redis/output_guard.h: when a subscriber that does not read is cut off, as Redis's
// client-output-buffer-limit has it: at once beyond the hard limit, after some time beyond the soft
// one. And before that, when publishers should be told that it is behind: while it has much to read
// and does read. Pure; time is passed in.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>

#include "base/time.h"

namespace wharf::redis {

struct OutputLimits {
  std::size_t hard = 32 << 20;  // bytes; 0: none
  std::size_t soft = 8 << 20;   // 0: none
  Duration soft_time = std::chrono::seconds(60);
};

class OutputGuard {
 public:
  // `limits` must outlive it.
  explicit OutputGuard(const OutputLimits& limits) : limits_(&limits) {}

  // `unsent` is all that the subscriber has not taken, `blocked` whether some of it was offered and
  // left. False when it is to be cut off.
  bool look(std::size_t unsent, bool blocked, Instant now) {
    if (unsent < last_unsent_ || unsent == 0) progress_at_ = now;
    last_unsent_ = unsent;
    if (limits_->soft == 0 || unsent <= limits_->soft) {
      soft_since_.reset();
    } else if (!soft_since_) {
      soft_since_ = now;
    }
    update_slow(unsent, now);
    if (limits_->hard > 0 && blocked && unsent > limits_->hard) return false;
    return !soft_since_ || now - *soft_since_ < limits_->soft_time;
  }
  // More has been written for it.
  void added(std::size_t unsent) { last_unsent_ = unsent; }

  bool slow() const { return slow_; }
  // When to look again without an occasion.
  std::optional<Instant> next_look() const {
    if (slow_) return progress_at_ + stuck_after;
    if (soft_since_) return *soft_since_ + limits_->soft_time;
    return std::nullopt;
  }

 private:
  // Who has read nothing for so long is stuck, and holds nobody up.
  static constexpr Duration stuck_after = std::chrono::milliseconds(250);

  void update_slow(std::size_t unsent, Instant now) {
    std::size_t least = std::min(limits_->soft ? limits_->soft : SIZE_MAX,
                                 limits_->hard ? limits_->hard : SIZE_MAX);
    if (unsent > least / 2) slow_ = true;
    if (unsent <= least / 4 || now - progress_at_ >= stuck_after) slow_ = false;
  }

  const OutputLimits* limits_;
  std::size_t last_unsent_ = 0;
  Instant progress_at_{};
  std::optional<Instant> soft_since_;
  bool slow_ = false;
};

}  // namespace wharf::redis
