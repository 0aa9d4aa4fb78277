// storage/catalog.h: what the log means: which records of which lane are alive, and in which
// segment each lies. The state is a function of the log's records alone; the running store and
// recovery apply the same calls in the same order.
//
// A lane's live records lie in *extents*: runs of sequences in one segment, disjoint and ascending.
// A record is alive when an extent covers it and it is not settled; gaps inside an extent count as
// settled. A segment counts the live records in it: at 0 nothing of it is needed any more.
//
// Memory: about 250 bytes a lane, 48 an extent, and the pages of SequenceSet. Nothing a record.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "storage/offsets.h"
#include "storage/record.h"
#include "storage/sequence_set.h"
#include "storage/store.h"

namespace wharf::storage {

struct Extent {
  std::uint64_t segment = 0;
  Sequence first = 0;
  Sequence last = 0;
  std::uint32_t live = 0;
  std::uint32_t tag = 0;  // tells extents of one run of the process apart
  std::uint32_t blob_offset =
      0;  // of the lane's offsets in the segment's index file, once there is one
  std::uint32_t blob_bytes = 0;
};

// The records of a lane that recovery will forget.
struct VolatilePart {
  SequenceSet members;  // below its floor: either volatile or not alive
  std::uint64_t count = 0;
  std::uint64_t charge = 0;
};

struct Lane {
  LaneId id;
  Sequence next = 1;
  std::uint64_t count = 0;
  std::uint64_t charge = 0;
  Sequence deliverable = 0;
  SequenceSet settled;  // says nothing about numbers outside the extents
  std::vector<Extent> extents;
  std::map<Sequence, std::uint32_t> failures;
  std::unique_ptr<VolatilePart> transient;  // only while there are such

  // Notes of SegmentOffsets and of SettleBatch: the lane's slot there, valid for that segment,
  // block.
  std::uint64_t offsets_segment = 0;
  std::uint32_t offsets_slot = 0;
  std::uint32_t settles_slot = 0;
  std::uint64_t settles_block = 0;
  // Where the last reader of the lane stopped: behind a record of the extent with this tag.
  std::uint32_t read_tag = 0;
  OffsetCursor read_cursor;
};

struct Segment {
  std::uint64_t number = 0;
  std::uint64_t end = 0;   // bytes in use; of the newest one, so far
  std::uint64_t refs = 0;  // stored in it, dead ones too
  std::uint64_t live = 0;
  // Of this run of the process only:
  std::uint32_t pins = 0;  // reads on their way: the file may not be recycled
  bool sealed = false;     // nothing is added any more
  bool stuck = false;      // holds a damaged record, which cannot be moved
  bool releasing = false;
};

class Catalog {
 public:
  // Gaps between neighbours of an extent cost a bit a number; larger ones start a new extent.
  static constexpr std::uint64_t gap_max = 256;

  enum class Settled : std::uint8_t { not_live, durable, transient };

  Lane* find(LaneId id);
  Lane& ensure(LaneId id);
  void drop(LaneId id);
  // Ascending by id.
  std::vector<const Lane*> sorted_lanes() const;
  std::size_t lane_count() const { return lanes_.size(); }

  // REQUIRES: ref.sequence >= the lane's next; the segment is known.
  Lane& add(LaneRef ref, std::uint64_t charge, bool is_volatile, std::uint64_t segment);
  // The record moved. False, and nothing done, when it is not alive in segment `from`.
  bool relocate(LaneRef ref, std::uint64_t from, std::uint64_t to);
  Settled settle(Lane& lane, Sequence sequence, std::uint64_t charge);
  // Whatever of first..last is alive; returns how many were. The charge is the caller's to
  // subtract.
  std::uint64_t settle_range(Lane& lane, Sequence first, Sequence last);
  // Everything below `end`. The charge goes down in proportion, exactly only when the lane gets
  // empty.
  void settle_below(Lane& lane, Sequence end);
  // The first extent whose last is not below `sequence`, as an index into lane.extents.
  static std::size_t extent_at(const Lane& lane, Sequence sequence);
  // nullptr when the record is not alive.
  static const Extent* live_extent(const Lane& lane, Sequence sequence);

  Segment& add_segment(std::uint64_t number);
  Segment* segment(std::uint64_t number);
  // Forgets the segment, and what is still alive in it.
  void remove_segment(std::uint64_t number);
  // The index file of the segment is void.
  void forget_blobs(std::uint64_t number);
  // Whatever is alive there is lost: settles it.
  void lose_segment(std::uint64_t number);
  std::map<std::uint64_t, Segment>& segments() { return segments_; }
  const std::map<std::uint64_t, Segment>& segments() const { return segments_; }

  // For the snapshot decoder: takes a lane whose extents name known segments. False when the lane
  // contradicts itself or is known already.
  bool adopt(Lane lane);
  void check() const;

 private:
  Segment& known_segment(std::uint64_t number);
  void take_live(Lane& lane, std::size_t index, std::uint64_t count);
  void raise_floor(Lane& lane);
  static std::uint64_t unsettled(const Lane& lane, Sequence first, Sequence last);
  void check_lane(const Lane& lane) const;

  boost::unordered_flat_map<std::uint64_t, std::unique_ptr<Lane>> lanes_;
  std::map<std::uint64_t, Segment> segments_;
  Segment* last_segment_ = nullptr;  // the one asked for last
  std::uint32_t next_tag_ = 1;
};

}  // namespace wharf::storage
