#include "storage/cleaner.h"

#include <algorithm>
#include <array>

#include "base/assert.h"

namespace wharf::storage {

namespace {

constexpr std::uint64_t whole = 1000;
constexpr std::uint64_t nearly_dead = 50;  // worth cleaning whatever the rest looks like
constexpr std::uint64_t mostly_dead = 500;
constexpr std::uint64_t log_is_thin = 600;  // all segments together

}  // namespace

std::uint64_t Cleaner::live_share(const Segment& segment) const {
  if (segment.refs == 0) return 0;
  double share = static_cast<double>(segment.live) / static_cast<double>(segment.refs) *
                 static_cast<double>(segment.end) / static_cast<double>(options_.segment_bytes);
  return std::min(whole, static_cast<std::uint64_t>(share * static_cast<double>(whole)));
}

// A queue that is drained in order leaves segments that are half dead for a moment; copying those
// would be waste. So a half dead one is cleaned only when the log as a whole is thin.
std::uint64_t Cleaner::choose() const {
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
  std::uint64_t victim = 0;
  std::uint64_t victim_share = whole + 1;
  for (const auto& [number, segment] : catalog_.segments()) {
    if (!segment.sealed || segment.live == 0) continue;
    std::uint64_t share = live_share(segment);
    ++count;
    sum += share;
    // Never one in which something is still on its way to the disk.
    bool durable = wal_.is_durable(number, segment.end - 1);
    bool free = durable && !segment.stuck && !segment.releasing;
    if (!free || share >= victim_share) continue;
    victim = number;
    victim_share = share;
  }
  if (count <= options_.clean_segments_min || victim == 0) return 0;
  bool thin = sum / count < log_is_thin;
  return victim_share < nearly_dead || (thin && victim_share < mostly_dead) ? victim : 0;
}

void Cleaner::pump() {
  if (wal_.failed() || wal_.pending_bytes() > backlog_max) return;
  if (walk_) return step();
  Lsn end = wal_.durable_up_to();
  if (looked_at_ > 0 && end < looked_at_ + options_.segment_bytes / 16) return;
  looked_at_ = end;
  // What is copied needs room before what it frees comes back.
  if (pool_.free_count() == 0) return;
  std::uint64_t victim = choose();
  if (victim == 0) return;
  walk_.emplace(io_, catalog_, key_, victim, catalog_.segment(victim)->end);
}

void Cleaner::step() {
  Segment* victim = catalog_.segment(walk_->segment());
  if (!victim || victim->releasing || victim->live == 0) {
    walk_.reset();
    looked_at_ = 0;
    return;
  }
  if (walk_->state() == SegmentWalk::State::window) {
    // A settle that came before must come before in the log too.
    wal_.flush_settles();
    walk_->visit_window(
        [&](const Record& record, std::uint64_t) { move(record, walk_->segment()); });
  }
  SegmentWalk::State state = walk_->state();
  if (state != SegmentWalk::State::done && state != SegmentWalk::State::damaged) return;
  if (victim->live > 0) victim->stuck = true;
  walk_.reset();
  looked_at_ = 0;
}

void Cleaner::move(const Record& record, std::uint64_t from) {
  if (record.type != RecordType::message && record.type != RecordType::relocated) return;
  live_.clear();
  record.each_ref([&](LaneRef ref) {
    const Lane* lane = catalog_.find(ref.lane);
    const Extent* extent = lane ? Catalog::live_extent(*lane, ref.sequence) : nullptr;
    if (extent && extent->segment == from) live_.push_back(ref);
  });
  if (live_.empty()) return;
  std::array<Bytes, 1> payload{record.payload};
  MessageFields fields{live_, payload, record.charge, from, record.is_volatile};
  Wal::Place place = wal_.reserve(message_bytes(fields));
  write_message(fields, place.bytes);
  follow_segments(wal_, catalog_, offsets_);
  for (const LaneRef& ref : live_) {
    bool moved = catalog_.relocate(ref, from, place.segment);
    ASSERT(moved);
    offsets_.add(*catalog_.find(ref.lane), place.segment,
                 {ref.sequence, place.offset, static_cast<std::uint32_t>(place.bytes.size())});
  }
  ++relocated_;
}

}  // namespace wharf::storage
