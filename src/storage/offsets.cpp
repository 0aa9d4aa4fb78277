#include "storage/offsets.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "storage/catalog.h"
#include "storage/record.h"
#include "wire/reader.h"

namespace wharf::storage {

namespace {

// A small difference of either sign as a small number.
std::uint64_t zigzag(std::int64_t value) {
  return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}
std::uint64_t unzigzag(std::uint64_t value) { return value >> 1 ^ (~(value & 1) + 1); }

}  // namespace

Result<OffsetEntry> OffsetCursor::next(Bytes blob) {
  ASSERT(at <= blob.size());
  if (at == blob.size()) return fault(Errc::not_found, "no more entries");
  Reader in(blob.subspan(at));
  OffsetEntry entry;
  entry.sequence = sequence + 1 + unzigzag(in.varint());
  entry.offset = end + in.varint();
  std::uint64_t bytes = in.varint();
  if (in.failed() || bytes > UINT32_MAX || entry.offset < end) {
    return fault(Errc::malformed, "entry of an index", static_cast<std::uint32_t>(at));
  }
  entry.bytes = static_cast<std::uint32_t>(bytes);
  at += in.offset();
  sequence = entry.sequence;
  end = entry.offset + bytes;
  return entry;
}

void LaneOffsets::add(const OffsetEntry& entry) {
  ASSERT(entry.offset >= tail.end);
  ASSERT(entry.bytes >= record_header_bytes);
  std::array<std::byte, 30> encoded;
  auto step = static_cast<std::int64_t>(entry.sequence - tail.sequence - 1);
  std::byte* at = put_varint(encoded.data(), zigzag(step));
  at = put_varint(at, entry.offset - tail.end);
  at = put_varint(at, entry.bytes);
  blob.insert(blob.end(), encoded.data(), at);
  tail = {blob.size(), entry.sequence, entry.offset + entry.bytes};
  lowest = count == 0 ? entry.sequence : std::min(lowest, entry.sequence);
  highest = std::max(highest, entry.sequence);
  ++count;
}

void SegmentOffsets::add(Lane& lane, const OffsetEntry& entry) {
  ASSERT(!sealed_);
  if (lane.offsets_segment != segment_) {
    lane.offsets_segment = segment_;
    lane.offsets_slot = static_cast<std::uint32_t>(lanes_.size());
    lanes_.emplace_back().lane = lane.id;
  }
  ASSERT(lanes_[lane.offsets_slot].lane == lane.id);
  lanes_[lane.offsets_slot].add(entry);
}

void SegmentOffsets::add_found(LaneId lane, const OffsetEntry& entry) {
  ASSERT(!sealed_);
  auto [it, added] = found_.emplace(lane.value(), static_cast<std::uint32_t>(lanes_.size()));
  if (added) lanes_.emplace_back().lane = lane;
  lanes_[it->second].add(entry);
}

bool SegmentOffsets::accepts(const Lane& lane, std::uint64_t offset) const {
  const LaneOffsets* known = find(lane);
  return !known || known->tail.end <= offset;
}

void SegmentOffsets::seal() {
  ASSERT(!sealed_);
  sealed_ = true;
  found_ = {};
  std::ranges::sort(lanes_, {}, &LaneOffsets::lane);
}

const LaneOffsets* SegmentOffsets::find(const Lane& lane) const {
  if (!sealed_ && !found_.empty()) {
    auto slot = found_.find(lane.id.value());
    return slot == found_.end() ? nullptr : &lanes_[slot->second];
  }
  if (!sealed_) {
    return lane.offsets_segment == segment_ ? &lanes_[lane.offsets_slot] : nullptr;
  }
  auto it = std::ranges::lower_bound(lanes_, lane.id, {}, &LaneOffsets::lane);
  return it != lanes_.end() && it->lane == lane.id ? &*it : nullptr;
}

}  // namespace wharf::storage
