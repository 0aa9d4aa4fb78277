// storage/cleaner.h: keeps a few old records from holding whole segments: copies the live records
// of segments that are mostly dead to the head of the log, a window a turn, so that the segments
// die and are recycled. Safe at every crash point by the rule in docs/formats/segment.md: a record
// lies where the last record of the log that names it says. Memory: one window.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "storage/catalog.h"
#include "storage/io.h"
#include "storage/offset_table.h"
#include "storage/segment_pool.h"
#include "storage/segment_walk.h"
#include "storage/wal.h"

namespace wharf::storage {

class Cleaner {
 public:
  Cleaner(Io& io, Catalog& catalog, Wal& wal, SegmentPool& pool, OffsetTable& offsets,
          const StoreOptions& options, const ShardKey& key)
      : io_(io),
        catalog_(catalog),
        wal_(wal),
        pool_(pool),
        offsets_(offsets),
        options_(options),
        key_(key) {}

  void pump();
  std::uint64_t relocated() const { return relocated_; }

 private:
  // What waits for the disk before the cleaner adds to it.
  static constexpr std::uint64_t backlog_max = 2 << 20;

  // The segment to clean next; 0 for none.
  std::uint64_t choose() const;
  // Live bytes of a segment, in thousandths of a whole one, if records are of one size.
  std::uint64_t live_share(const Segment& segment) const;
  void step();
  void move(const Record& record, std::uint64_t from);

  Io& io_;
  Catalog& catalog_;
  Wal& wal_;
  SegmentPool& pool_;
  OffsetTable& offsets_;
  const StoreOptions& options_;
  const ShardKey key_;
  std::optional<SegmentWalk> walk_;
  std::vector<LaneRef> live_;  // of the record at hand
  std::uint64_t relocated_ = 0;
  Lsn looked_at_ = 0;
};

}  // namespace wharf::storage
