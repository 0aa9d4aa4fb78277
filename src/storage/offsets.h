// storage/offsets.h: where the records of a lane lie inside one segment, as a byte string that
// grows by three or four bytes a record. In memory for the segment that is being written and until
// its index file (segment_index.h) is on disk; loaded from there when a lane is read.
#pragma once

#include <cstdint>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/fault.h"
#include "storage/store.h"
#include "wire/bytes.h"
#include "wire/writer.h"

namespace wharf::storage {

struct OffsetEntry {
  Sequence sequence = 0;
  std::uint64_t offset = 0;  // of the record in its segment
  std::uint32_t bytes = 0;   // of the whole record
};

// Walks the entries of one lane in order of place. Copy it to come back to a point.
struct OffsetCursor {
  std::size_t at = 0;
  Sequence sequence = 0;  // of the entry before
  std::uint64_t end = 0;  // of the record before

  // The next entry of `blob`; Errc::not_found behind the last one, malformed when it is cut.
  Result<OffsetEntry> next(Bytes blob);
};

struct LaneOffsets {
  LaneId lane;
  ByteVector blob;
  OffsetCursor tail;  // where the next entry is written from
  std::uint32_t count = 0;
  Sequence lowest = 0;
  Sequence highest = 0;

  // REQUIRES: the record lies behind the one added before.
  void add(const OffsetEntry& entry);
};

struct Lane;

// All lanes of one segment.
class SegmentOffsets {
 public:
  explicit SegmentOffsets(std::uint64_t segment) : segment_(segment) {}

  std::uint64_t segment() const { return segment_; }
  // The lane itself notes its slot, which is fast and serves one segment at a time: the one that is
  // being written. A segment that is read again uses the other form.
  void add(Lane& lane, const OffsetEntry& entry);
  void add_found(LaneId lane, const OffsetEntry& entry);
  // False when a record of the lane lies at or behind `offset` already, which only bad bytes can
  // say.
  bool accepts(const Lane& lane, std::uint64_t offset) const;
  // Nothing is added any more; find then works without the lane's own note of its slot.
  void seal();
  // nullptr when the segment holds nothing of the lane.
  const LaneOffsets* find(const Lane& lane) const;
  const std::vector<LaneOffsets>& lanes() const { return lanes_; }

 private:
  std::uint64_t segment_;
  bool sealed_ = false;
  std::vector<LaneOffsets> lanes_;
  boost::unordered_flat_map<std::uint64_t, std::uint32_t> found_;  // slots, for add_found
};

}  // namespace wharf::storage
