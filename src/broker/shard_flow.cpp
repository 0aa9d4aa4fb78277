// Publishers do not run away: from other shards, whose mail would grow, nor from consumers that are
// at work, whose queue would leave memory and be slower for it. Who publishes too much waits,
// unread, until there is room again.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "broker/shard.h"

namespace wharf::broker {

namespace {

// Publishes on their way to other shards: above this, those who publish more of them wait until
// half of it is taken.
constexpr std::uint64_t mail_bytes_high = 2 << 20;

// A session that publishes to a crowded queue waits after so many messages, until the crowd is gone
// or for so long. Consumers that are slow by nature so cost publishers little: some hundred
// thousand messages a second are still taken from each.
constexpr std::uint32_t crowded_publishes_max = 256;
constexpr Duration crowd_wait = std::chrono::milliseconds(1);

}  // namespace

// ---- sessions that wait

bool Shard::must_wait(SessionId session, SessionState& state) {
  if (state.held) return true;
  bool has_enough = placed_in_crowd_ && ++state.crowded_publishes >= crowded_publishes_max;
  if (mail_bytes_ <= mail_bytes_high && !has_enough) return false;
  state.crowded_publishes = 0;
  state.held = true;
  if (held_.empty()) held_since_ = setup_.clock->now();
  held_.push_back(session);
  tell_to_wait(session);
  return true;
}

void Shard::release() {
  if (held_.empty() || mail_bytes_ > mail_bytes_high / 2) return;
  bool is_crowded = !crowds_.empty() || std::ranges::find(crowded_, true) != crowded_.end();
  if (is_crowded && setup_.clock->now() - held_since_ < crowd_wait) return;
  for (SessionId session : std::exchange(held_, {})) {
    SessionState* state = sessions_.find(session);
    if (!state) continue;
    state->held = false;
    sessions_.tell(session, alarm());
  }
}

std::optional<Instant> Shard::next_release() const {
  if (held_.empty() || mail_bytes_ > mail_bytes_high / 2) return std::nullopt;
  return held_since_ + crowd_wait;
}

// ---- crowds

bool Shard::is_in_crowd(const Queue& queue) {
  if (!queue.is_crowded()) return false;
  if (std::ranges::find(crowds_, queue.id()) == crowds_.end()) crowds_.push_back(queue.id());
  return true;
}

void Shard::watch_crowds() {
  std::erase_if(crowds_, [&](QueueId id) {
    Queue* queue = find_local(id);
    return !queue || queue->is_eased();
  });
  release();
}

// ---- mail

void Shard::report_taken() {
  for (ShardIndex shard = 0; shard < setup_.count; ++shard) {
    if (taken_[shard] == 0) continue;
    send_to(shard, PublishesTaken{setup_.index, !crowds_.empty(), std::exchange(taken_[shard], 0)});
  }
}

void Shard::on(PublishesTaken& message) {
  ASSERT(message.bytes <= mail_bytes_);
  mail_bytes_ -= message.bytes;
  crowded_[message.shard] = message.is_crowded;
  release();
}

}  // namespace wharf::broker
