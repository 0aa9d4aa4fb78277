// How records come back from the store: cold ones ahead of need, messages that were given up, and
// purged ones that must be settled one by one.
#include <utility>

#include "base/assert.h"
#include "broker/queue_parts.h"

namespace wharf::broker {

namespace {

struct Amount {
  std::uint32_t count;
  std::uint64_t bytes;
};
constexpr Amount eager_amount{1024, 1 << 20};
constexpr Amount tight_amount{128, 128 << 10};  // fits beside as much below what cool() leaves
constexpr Amount idle_amount{16, 16 << 10};     // somebody must see when the head expires
constexpr Amount idle_tight_amount{1, 16 << 10};

// With so much in memory the next fetch can wait: two more of them fit before it is used up.
constexpr Amount eager_enough{2048, 2 << 20};
constexpr Amount tight_enough{128, 64 << 10};

constexpr Duration retry_after = std::chrono::seconds(1);

}  // namespace

void Queue::plan_fetch() {
  if (outside_ == 0 && dead_unread_.empty()) return;
  if (fetch_ || fetch_not_before_) return;
  if (!dead_unread_.empty()) {
    RecordRef record = *dead_unread_.begin();
    ask(record.lane, record.sequence, tight_amount.count, tight_amount.bytes);
    return;
  }
  bool is_eager = is_wanted() || drains_ || is_over_limit();
  if (plan_drop() || plan_thin(is_eager) || plan_cold(is_eager)) {
    drains_ = false;
    return;
  }
  plan_sweep();
}

// The next head to be dropped, before all that is wanted in other lanes.
bool Queue::plan_drop() {
  if (ready_ == 0 || !is_over_limit()) return false;
  std::size_t index = ready_lanes_.highest();
  const Entry* head = lanes_[index].head();
  if (head && head->message) return false;
  Amount amount = host_.memory_tight() ? tight_amount : eager_amount;
  ask(index, head ? head->sequence : lanes_[index].cold_from(), amount.count, amount.bytes);
  return true;
}

bool Queue::plan_thin(bool is_eager) {
  for (std::size_t index = ready_lanes_.highest(); index != LaneSet::none;
       index = ready_lanes_.highest_below(index)) {
    Lane& lane = lanes_[index];
    if (lane.thin_count() == 0 || (!is_eager && lane.head()->message)) continue;
    Amount amount = is_eager ? tight_amount : idle_tight_amount;
    ask(index, lane.first_thin(), amount.count, amount.bytes);
    return true;
  }
  return false;
}

bool Queue::plan_cold(bool is_eager) {
  bool is_tight = host_.memory_tight();
  Amount enough = is_tight ? tight_enough : eager_enough;
  if (!is_eager) enough = {1, 1};
  Amount amount = is_tight ? tight_amount : eager_amount;
  if (!is_eager) amount = is_tight ? idle_tight_amount : idle_amount;
  for (std::size_t index = ready_lanes_.highest(); index != LaneSet::none;
       index = ready_lanes_.highest_below(index)) {
    Lane& lane = lanes_[index];
    if (lane.cold_count() == 0) continue;
    bool has_head = is_eager ? lane.fresh_count() > 0 : lane.head() != nullptr;
    if (has_head && (lane.fresh_count() >= enough.count || lane.fresh_bytes() >= enough.bytes)) {
      continue;
    }
    if (has_head && !is_eager) continue;
    ask(index, lane.cold_from(), amount.count, amount.bytes);
    return true;
  }
  return false;
}

bool Queue::plan_sweep() {
  for (std::size_t index = 0; index < lanes_.size(); ++index) {
    if (lanes_[index].sweeps().empty()) continue;
    ask(index, lanes_[index].sweeps().front().from, eager_amount.count, eager_amount.bytes);
    return true;
  }
  return false;
}

void Queue::ask(std::size_t lane, storage::Sequence from, std::uint32_t count_max,
                std::uint64_t bytes_max) {
  fetch_ = Fetch{lane, from};
  host_.fetch(id_, lanes_[lane].id(), from, count_max, bytes_max);
}

void Queue::fetched(storage::FetchResult&& result) {
  Call call(*this);
  ASSERT(fetch_.has_value());
  Fetch fetch = *std::exchange(fetch_, std::nullopt);
  if (retired_) return;
  bool is_useful = fetch.is_overtaken;
  {
    Change change(*this, fetch.lane);
    Sequence cold_from = change->cold_from();
    if (result.records) {
      for (const storage::Fetched& fetched : *result.records) is_useful |= take_in(fetch, fetched);
      pass(fetch, result.scanned_to);
    } else if (result.records.error().code == Errc::malformed) {
      is_useful |= pass_damaged(fetch, result.scanned_to);
      pass(fetch, result.scanned_to + 1);
    }
    is_useful |= change->cold_from() != cold_from;
  }
  if (!is_useful) fetch_not_before_ = host_.clock().now() + retry_after;
  expire_heads();
  settle_down(true);
}

bool Queue::take_in(const Fetch& fetch, const storage::Fetched& fetched) {
  Lane& lane = lanes_[fetch.lane];
  Sequence sequence = fetched.sequence;
  Result<Message> message = Message::decode(fetched.payload);
  if (!message) return pass_damaged(fetch, sequence);
  for (const SequenceRange& range : lane.sweeps()) {
    if (fetch.from > range.from || sequence < range.from || sequence >= range.to) continue;
    host_.store().settle({lane.id(), sequence}, charge_of(*message));
    return true;
  }
  if (is_next_cold(fetch, sequence)) {
    if (message->ttl_ms()) ttl_seen_ = true;
    add_memory(*message);
    bool is_kept = is_durable(*message);
    lane.warm(sequence, std::move(*message), is_kept);
    return true;
  }
  RecordRef record{static_cast<std::uint8_t>(fetch.lane), sequence};
  if (dead_unread_.erase(record) > 0) {
    host_.dead_letter(id_, record, *message, *leases_.death_of(record));
    return true;
  }
  if (!lane.fill_thin(sequence, *message)) return false;
  add_memory(*message);
  return true;
}

bool Queue::is_next_cold(const Fetch& fetch, Sequence sequence) const {
  const Lane& lane = lanes_[fetch.lane];
  return fetch.from <= lane.cold_from() && lane.cold_from() <= sequence && sequence < lane.next();
}

// A record that cannot be read is passed over. It is not settled: what the store reports as damaged
// must not vanish, and may be back after a start with a better disk.
bool Queue::pass_damaged(const Fetch& fetch, Sequence sequence) {
  Lane& lane = lanes_[fetch.lane];
  RecordRef record{static_cast<std::uint8_t>(fetch.lane), sequence};
  if (is_next_cold(fetch, sequence)) {
    lane.skip_cold(sequence);
    return true;
  }
  if (dead_unread_.erase(record) > 0) {
    leases_.take_transferred(record);
    lane.settled();
    return true;
  }
  return lane.forget_thin(sequence);
}

void Queue::pass(const Fetch& fetch, storage::Sequence scanned_to) {
  Lane& lane = lanes_[fetch.lane];
  if (fetch.from <= lane.cold_from()) lane.pass_cold(scanned_to);
  for (SequenceRange& range : lane.sweeps()) {
    if (fetch.from <= range.from) range.from = std::clamp(scanned_to, range.from, range.to);
  }
  std::erase_if(lane.sweeps(), [](const SequenceRange& range) { return range.from == range.to; });
}

}  // namespace wharf::broker
