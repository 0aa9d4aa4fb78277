// Limits of length and of time. Both look at the heads of lanes only.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "broker/queue_parts.h"

namespace wharf::broker {

namespace {

// Longer is for ever; keeps sums of times within their types.
constexpr std::chrono::milliseconds time_max = std::chrono::hours(24 * 365 * 100);

}  // namespace

bool Queue::is_over_limit() const {
  if (spec_.overflow != Overflow::drop_head) return false;
  return (spec_.length_max && ready_ > *spec_.length_max) ||
         (spec_.length_bytes_max && ready_bytes_ > *spec_.length_bytes_max);
}

// Heads that are not in memory are fetched, and dropped then: settling needs their sequence and
// size, a dead letter the message.
void Queue::drop_heads() {
  while (ready_ > 0 && is_over_limit()) {
    // The head of the queue is what would be delivered next.
    std::size_t lane = ready_lanes_.highest();
    const Entry* head = lanes_[lane].head();
    if (!head || !head->message) return;
    kill_head(lane, DeathReason::max_length);
  }
}

std::optional<WallTime> Queue::deadline_of(const Message& message) const {
  std::optional<std::uint64_t> ttl = message.ttl_ms();
  if (spec_.message_ttl_ms)
    ttl = std::min(*spec_.message_ttl_ms, ttl.value_or(*spec_.message_ttl_ms));
  if (!ttl || *ttl > static_cast<std::uint64_t>(time_max.count())) return std::nullopt;
  std::chrono::milliseconds arrived = message.arrived().time_since_epoch();
  if (arrived > 10 * time_max || arrived < -10 * time_max) return std::nullopt;
  return message.arrived() + std::chrono::milliseconds(*ttl);
}

bool Queue::is_expired(std::size_t lane, const Entry& entry) const {
  if (!ttl_seen_ || !entry.message) return false;
  std::optional<WallTime> deadline = deadline_of(entry.message);
  if (!deadline || host_.clock().wall() < *deadline) return false;
  return unexpiring_ != RecordRef{static_cast<std::uint8_t>(lane), entry.sequence};
}

void Queue::expire_heads() {
  if (!ttl_seen_ || retired_) return;
  for (std::size_t lane = ready_lanes_.highest(); lane != LaneSet::none;
       lane = ready_lanes_.highest_below(lane)) {
    while (Entry* head = lanes_[lane].head()) {
      if (!is_expired(lane, *head)) break;
      kill_head(lane, DeathReason::expired);
      drains_ = true;
    }
  }
}

std::optional<WallTime> Queue::next_expiry() {
  std::optional<WallTime> next;
  for (std::size_t lane = ready_lanes_.highest(); lane != LaneSet::none;
       lane = ready_lanes_.highest_below(lane)) {
    Entry* head = lanes_[lane].head();
    if (!head || !head->message) continue;
    std::optional<WallTime> deadline = deadline_of(head->message);
    if (deadline && (!next || *deadline < *next)) next = deadline;
  }
  return next;
}

void Queue::arm_timer() {
  if (retired_) return;
  std::optional<Instant> at;
  auto earliest = [&](Instant one) {
    if (!at || one < *at) at = one;
  };
  if (ttl_seen_ && ready_ > 0) {
    std::optional<WallTime> expiry = next_expiry();
    if (expiry && (!timer_expiry_ || *expiry < *timer_expiry_)) {
      timer_expiry_ = expiry;
      auto left = std::clamp<std::chrono::milliseconds>(*expiry - host_.clock().wall(),
                                                        std::chrono::milliseconds(0), time_max);
      earliest(host_.clock().now() + left);
    }
  }
  if (spec_.expires_ms && consumers_.count() == 0) earliest(report_unused_at_);
  if (fetch_not_before_) earliest(*fetch_not_before_);
  if (!at || (timer_at_ && *timer_at_ <= *at)) return;
  timer_at_ = at;
  host_.set_timer(id_, *at);
}

void Queue::on_timer() {
  Call call(*this);
  timer_at_.reset();
  timer_expiry_.reset();
  if (retired_) return;
  Instant now = host_.clock().now();
  if (fetch_not_before_ && *fetch_not_before_ <= now) fetch_not_before_.reset();
  expire_heads();
  if (spec_.expires_ms && consumers_.count() == 0 && report_unused_at_ <= now) {
    report_unused_at_ = now + std::chrono::milliseconds(*spec_.expires_ms);
    host_.unused(id_);
  }
  settle_down(true);
}

}  // namespace wharf::broker
