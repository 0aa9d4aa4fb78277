#include "storage/offset_table.h"

#include <utility>

#include "base/assert.h"
#include "storage/segment_index.h"
#include "storage/wal.h"

namespace wharf::storage {

void OffsetTable::add(Lane& lane, std::uint64_t segment, const OffsetEntry& entry) {
  ASSERT(segment == open_.segment());
  open_.add(lane, entry);
}

void OffsetTable::move_to(std::uint64_t segment) {
  ASSERT(segment > open_.segment());
  SegmentOffsets sealed = std::exchange(open_, SegmentOffsets(segment));
  restore(std::move(sealed));
}

void OffsetTable::restore(SegmentOffsets offsets) {
  offsets.seal();
  std::uint64_t segment = offsets.segment();
  auto [it, added] = sealed_.insert_or_assign(segment, std::move(offsets));
  write(it->second);
}

void OffsetTable::write(const SegmentOffsets& offsets) {
  std::uint64_t segment = offsets.segment();
  ByteVector file = build_index(offsets, catalog_, key_);
  if (file.empty()) {
    sealed_.erase(segment);
    return;
  }
  // When it cannot be written the offsets stay in memory, which costs memory only.
  io_.submit({.kind = DiskRequest::Kind::replace,
              .file = index_name(segment),
              .data = Buffer::copy_of(file)},
             [this, segment](Result<Buffer> done) {
               if (done) sealed_.erase(segment);
             });
}

void OffsetTable::forget(std::uint64_t segment) {
  ASSERT(segment != open_.segment());
  sealed_.erase(segment);
  io_.submit({.kind = DiskRequest::Kind::remove, .file = index_name(segment)},
             [](Result<Buffer>) {});
}

const LaneOffsets* OffsetTable::find(const Lane& lane, std::uint64_t segment) const {
  if (segment == open_.segment()) return open_.find(lane);
  auto it = sealed_.find(segment);
  return it == sealed_.end() ? nullptr : it->second.find(lane);
}

void OffsetTable::write_blocking(Disk& disk) {
  for (const auto& [segment, offsets] : sealed_) {
    ByteVector file = build_index(offsets, catalog_, key_);
    if (file.empty()) continue;
    // A missing index costs time at the next start, nothing else.
    (void)disk.execute({.kind = DiskRequest::Kind::replace,
                        .file = index_name(segment),
                        .data = Buffer::copy_of(file)});
  }
}

void follow_segments(Wal& wal, Catalog& catalog, OffsetTable& offsets) {
  if (!wal.has_ended()) return;
  for (const Wal::SegmentEnd& ended : wal.take_ended()) {
    Segment* segment = catalog.segment(ended.segment);
    ASSERT(segment && !segment->sealed);
    segment->end = ended.end;
    segment->sealed = true;
    catalog.add_segment(ended.segment + 1);
    offsets.move_to(ended.segment + 1);
  }
}

}  // namespace wharf::storage
