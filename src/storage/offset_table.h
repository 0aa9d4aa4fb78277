// storage/offset_table.h: the offsets that are in memory: those of the segment being written, and
// of sealed ones until their index file is on disk.
#pragma once

#include <cstdint>
#include <map>

#include "storage/catalog.h"
#include "storage/io.h"
#include "storage/layout.h"
#include "storage/offsets.h"

namespace wharf::storage {

class OffsetTable {
 public:
  OffsetTable(Io& io, Catalog& catalog, const ShardKey& key, std::uint64_t first_segment)
      : io_(io), catalog_(catalog), key_(key), open_(first_segment) {}

  void add(Lane& lane, std::uint64_t segment, const OffsetEntry& entry);
  // The log goes on in `segment`; the index of the one before is written.
  void move_to(std::uint64_t segment);
  // Takes over what a scan of a sealed segment found, and writes its index.
  void restore(SegmentOffsets offsets);
  // The segment is recycled: its index file goes.
  void forget(std::uint64_t segment);
  // nullptr when the offsets are on disk: the extent says where.
  const LaneOffsets* find(const Lane& lane, std::uint64_t segment) const;
  bool holds(std::uint64_t segment) const {
    return segment == open_.segment() || sealed_.contains(segment);
  }
  // The indexes that are not on disk yet, written now.
  void write_blocking(Disk& disk);

 private:
  void write(const SegmentOffsets& offsets);

  Io& io_;
  Catalog& catalog_;
  const ShardKey& key_;
  SegmentOffsets open_;
  std::map<std::uint64_t, SegmentOffsets> sealed_;
};

class Wal;

// Takes note of the segments that the log has left. Called before anything is added to the catalog,
// and before a snapshot is made.
void follow_segments(Wal& wal, Catalog& catalog, OffsetTable& offsets);

}  // namespace wharf::storage
