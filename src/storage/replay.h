// storage/replay.h: reads the log from a point on and applies it to a Catalog, and tells a torn
// tail (writes that were under way when the process died, none of them acknowledged) from
// corruption (data that had been acknowledged and is gone). The rule, with its proof:
// docs/formats/segment.md.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "storage/catalog.h"
#include "storage/layout.h"
#include "storage/offsets.h"
#include "storage/segment_reader.h"
#include "storage/superblock.h"

namespace wharf::storage {

class Replay {
 public:
  // `wal_files`: the numbers of the segments that have a file, ascending.
  Replay(Disk& disk, const Layout& layout, const ShardKey& key, Catalog& catalog,
         RecoverySink& sink, OpenReport& report, const std::vector<std::uint64_t>& wal_files);

  // From `start` (the snapshot's chain, or a fresh one) to the end of the log; `super` knows
  // what had been durable. Damage goes into the report and is stepped over. Faults: io.
  Result<void> run(const Chain& start, const Superblock& super);
  // Reads a segment only for where its records lie; blocks end at `end`. Faults: io.
  Result<void> index_segment(std::uint64_t segment, std::uint64_t end);

  const Chain& chain() const { return chain_; }
  // The segment that the log ends in; 0 when it is empty.
  std::uint64_t last_segment() const { return segment_; }
  std::uint32_t epoch_max() const { return epoch_max_; }
  // A later file holds blocks that were written for it: evidence of a torn tail, to be left alone.
  bool holds_evidence(std::uint64_t segment);
  std::vector<SegmentOffsets> take_offsets();

 private:
  Result<void> replay_segment(SegmentReader& reader, std::uint64_t& offset);
  // Number of the segment that goes on exactly where the log stands; 0 for none.
  std::uint64_t find_link() const;
  Result<bool> was_durable(SegmentReader& reader, std::uint64_t offset, const Superblock& super);
  bool has_hole(std::uint64_t first_of_epoch) const;
  Result<bool> probe(SegmentReader& reader, std::uint64_t offset, std::uint64_t block);
  // Steps over what is lost; the offset to go on from, in segment_, or 0 when nothing follows.
  Result<std::uint64_t> resume(SegmentReader& reader, std::uint64_t offset);
  Result<std::uint64_t> resume_later(std::uint64_t offset, std::uint64_t block);
  void apply_block(const SegmentReader::Block& block, SegmentOffsets& offsets);
  void apply(const Record& record, std::uint64_t offset, SegmentOffsets& offsets);
  void note_places(const Record& record, std::uint64_t offset, SegmentOffsets& offsets);
  void apply_message(const Record& record, std::uint64_t offset, SegmentOffsets& offsets);
  void apply_settled(const Record& record);
  void drop_unfound(std::uint64_t segment, const SegmentOffsets& offsets);
  void enter(std::uint64_t segment);
  SegmentOffsets& offsets_of(std::uint64_t segment);
  void damage(std::uint64_t segment, std::uint64_t offset, std::uint64_t end, const char* reason);

  Disk& disk_;
  const Layout layout_;
  const ShardKey key_;
  Catalog& catalog_;
  RecoverySink& sink_;
  OpenReport& report_;
  std::vector<std::uint64_t> files_;
  std::map<std::uint64_t, SegmentHeader> headers_;  // those that are valid
  std::map<std::uint64_t, SegmentOffsets> offsets_;
  Chain chain_;
  std::uint64_t segment_ = 0;
  std::uint32_t epoch_max_ = 0;
};

}  // namespace wharf::storage
