#include "storage/replay.h"

#include <algorithm>

#include "base/assert.h"

namespace wharf::storage {

Replay::Replay(Disk& disk, const Layout& layout, const ShardKey& key, Catalog& catalog,
               RecoverySink& sink, OpenReport& report, const std::vector<std::uint64_t>& wal_files)
    : disk_(disk),
      layout_(layout),
      key_(key),
      catalog_(catalog),
      sink_(sink),
      report_(report),
      files_(wal_files) {
  ASSERT(std::ranges::is_sorted(files_));
  for (std::uint64_t number : files_) {
    Result<SegmentHeader> header = SegmentReader(disk, number, layout, key).header();
    if (!header) continue;
    epoch_max_ = std::max(epoch_max_, header->epoch);
    headers_.emplace(number, *header);
  }
}

void Replay::damage(std::uint64_t segment, std::uint64_t offset, std::uint64_t end,
                    const char* reason) {
  ASSERT(end >= offset);
  report_.damage.push_back({wal_name(segment), offset, end - offset, reason});
}

SegmentOffsets& Replay::offsets_of(std::uint64_t segment) {
  return offsets_.try_emplace(segment, segment).first->second;
}

std::vector<SegmentOffsets> Replay::take_offsets() {
  std::vector<SegmentOffsets> taken;
  for (auto& [number, offsets] : offsets_) {
    Segment* segment = catalog_.segment(number);
    if (segment && segment->live > 0) taken.push_back(std::move(offsets));
  }
  offsets_.clear();
  return taken;
}

// The log goes on in `segment`; the one before ends where the chain stands.
void Replay::enter(std::uint64_t segment) {
  ASSERT(segment > segment_);
  if (Segment* before = catalog_.segment(segment_)) {
    bool here = chain_.end > 0 && layout_.segment_of_end(chain_.end) == segment_;
    before->end = here ? layout_.offset_of_end(chain_.end) : layout_.segment_bytes;
    before->sealed = true;
  }
  segment_ = segment;
  if (!catalog_.segment(segment)) catalog_.add_segment(segment);
}

std::uint64_t Replay::find_link() const {
  // The highest: a later start saw more than an earlier one, and decided anew where to go on.
  for (auto it = headers_.rbegin(); it != headers_.rend() && it->first > segment_; ++it) {
    if (it->second.before == chain_) return it->first;
  }
  return 0;
}

Result<void> Replay::run(const Chain& start, const Superblock& super) {
  chain_ = start;
  std::uint64_t offset = 0;
  if (start.end > 0) {
    segment_ = layout_.segment_of_end(start.end);
    offset = layout_.offset_of_end(start.end);
  }
  for (;;) {
    SegmentReader reader(disk_, segment_, layout_, key_);
    bool has_file = std::ranges::binary_search(files_, segment_);
    if (segment_ > 0 && has_file) {
      if (Result<void> read = replay_segment(reader, offset); !read) return read;
    }
    if (std::uint64_t next = find_link()) {
      enter(next);
      offset = segment_header_bytes;
      continue;
    }
    Result<bool> lost = was_durable(reader, offset, super);
    if (!lost) return std::unexpected(lost.error());
    if (!*lost) break;
    Result<std::uint64_t> from = resume(reader, offset);
    if (!from) return std::unexpected(from.error());
    if (*from == 0) break;
    offset = *from;
  }
  if (Segment* last = catalog_.segment(segment_)) {
    last->end = std::max(offset, segment_header_bytes);
    last->sealed = true;
  }
  return {};
}

// Applies blocks from `offset` on as long as each follows from the one before.
Result<void> Replay::replay_segment(SegmentReader& reader, std::uint64_t& offset) {
  SegmentOffsets& offsets = offsets_of(segment_);
  while (offset + page_bytes <= layout_.segment_bytes) {
    Result<SegmentReader::Block> block = reader.block_at(offset);
    if (!block && block.error().code == Errc::io) return std::unexpected(block.error());
    if (!block) break;
    const BlockHeader& header = block->header;
    if (header.sequence != chain_.block + 1 || header.previous_hash != chain_.hash) break;
    apply_block(*block, offsets);
    offset = block->end();
    chain_ = next_chain(chain_, header, layout_.lsn(segment_, offset));
    epoch_max_ = std::max(epoch_max_, header.epoch);
    report_.replayed_bytes += header.total_bytes();
    report_.clean = (header.flags & BlockHeader::flag_seal) != 0;
  }
  return {};
}

// True when any trace says that the block which should stand at `offset` had been durable.
Result<bool> Replay::was_durable(SegmentReader& reader, std::uint64_t offset,
                                 const Superblock& super) {
  std::uint64_t block = chain_.block + 1;
  if (super.durable_block >= block || has_hole(super.first_of_epoch)) return true;
  for (auto& [number, header] : headers_) {
    if (number > segment_ && header.durable_block >= block) return true;
  }
  if (segment_ > 0 && std::ranges::binary_search(files_, segment_)) {
    Result<bool> found = probe(reader, offset, block);
    if (!found || *found) return found;
  }
  for (std::uint64_t number : files_) {
    if (number <= segment_) continue;
    SegmentReader later(disk_, number, layout_, key_);
    Result<bool> found = probe(later, segment_header_bytes, block);
    if (!found || *found) return found;
  }
  return false;
}

// A file behind the end that has no file before it: the log did not end here.
bool Replay::has_hole(std::uint64_t first_of_epoch) const {
  std::uint64_t next = std::max(segment_ + 1, first_of_epoch);
  return !files_.empty() && files_.back() > next && !std::ranges::binary_search(files_, next);
}

Result<bool> Replay::probe(SegmentReader& reader, std::uint64_t offset, std::uint64_t block) {
  std::uint64_t torn = 0;
  for (; offset + page_bytes <= layout_.segment_bytes; offset += page_bytes) {
    Result<BlockHeader> header = reader.header_at(offset);
    if (!header && header.error().code == Errc::io) return std::unexpected(header.error());
    if (!header || header->sequence < block) continue;
    if (header->durable >= block) return true;
    torn += header->total_bytes();
  }
  report_.torn_bytes += torn;
  return false;
}

Result<std::uint64_t> Replay::resume(SegmentReader& reader, std::uint64_t offset) {
  std::uint64_t lost_block = chain_.block + 1;
  bool has_file = segment_ > 0 && std::ranges::binary_search(files_, segment_);
  std::uint64_t from = std::max(offset, segment_header_bytes);
  while (has_file) {
    Result<SegmentReader::Block> block = reader.next_block(from);
    if (!block && block.error().code == Errc::io) return std::unexpected(block.error());
    if (!block) break;
    from = block->offset + page_bytes;
    if (block->header.sequence < lost_block) continue;
    damage(segment_, offset, block->offset, "acknowledged block lost");
    chain_ = {layout_.lsn(segment_, block->offset), block->header.sequence - 1,
              block->header.previous_hash};
    return block->offset;
  }
  return resume_later(offset, lost_block);
}

// Nothing more in this segment: goes on in the next one that can be read.
Result<std::uint64_t> Replay::resume_later(std::uint64_t offset, std::uint64_t lost_block) {
  for (std::uint64_t number : files_) {
    if (number <= segment_) continue;
    auto header = headers_.find(number);
    if (header != headers_.end() && header->second.before.block + 1 < lost_block) continue;
    if (header != headers_.end()) {
      const Chain& before = header->second.before;
      bool here = before.end > 0 && layout_.segment_of_end(before.end) == segment_;
      std::uint64_t end = here ? layout_.offset_of_end(before.end) : layout_.segment_bytes;
      damage(segment_, offset, std::max(offset, end), "acknowledged blocks lost");
      chain_ = before;
      enter(number);
      return segment_header_bytes;
    }
    SegmentReader later(disk_, number, layout_, key_);
    Result<SegmentReader::Block> block = later.next_block(segment_header_bytes);
    if (!block && block.error().code == Errc::io) return std::unexpected(block.error());
    if (!block || block->header.sequence < lost_block) continue;
    damage(segment_, offset, layout_.segment_bytes, "acknowledged blocks lost");
    damage(number, 0, block->offset, "header of a segment lost");
    enter(number);
    chain_ = {layout_.lsn(number, block->offset), block->header.sequence - 1,
              block->header.previous_hash};
    return block->offset;
  }
  bool missing = !std::ranges::binary_search(files_, segment_ + 1);
  if (missing) damage(segment_ + 1, 0, layout_.segment_bytes, "segment missing");
  if (!missing) damage(segment_, offset, layout_.segment_bytes, "acknowledged end of the log lost");
  return 0;
}

bool Replay::holds_evidence(std::uint64_t segment) {
  if (headers_.contains(segment)) return true;
  SegmentReader reader(disk_, segment, layout_, key_);
  for (std::uint64_t at = page_bytes; at + page_bytes <= layout_.segment_bytes; at += page_bytes) {
    if (reader.header_at(at)) return true;
  }
  return false;
}

void Replay::apply_block(const SegmentReader::Block& block, SegmentOffsets& offsets) {
  Result<void> read = each_record(block.payload(), block.header.record_count, false,
                                  [&](const Record& record, std::size_t at) {
                                    apply(record, block.offset + block_header_bytes + at, offsets);
                                  });
  // The checksums held, so this was written so. What came before the fault has been applied.
  if (!read) damage(segment_, block.offset, block.end(), read.error().why);
}

void Replay::apply(const Record& record, std::uint64_t offset, SegmentOffsets& offsets) {
  Lane* lane = nullptr;
  switch (record.type) {
    case RecordType::message:
    case RecordType::relocated:
      return apply_message(record, offset, offsets);
    case RecordType::settled:
      return apply_settled(record);
    case RecordType::failures:
      lane = catalog_.find(record.ref.lane);
      if (!lane || !Catalog::live_extent(*lane, record.ref.sequence)) return;
      lane->failures[record.ref.sequence] = record.failures;
      return;
    case RecordType::deliverable:
      if (!record.ref.lane) return;
      lane = &catalog_.ensure(record.ref.lane);
      lane->deliverable = std::max(lane->deliverable, record.ref.sequence);
      return;
    case RecordType::drop_lane:
      return catalog_.drop(record.ref.lane);
    case RecordType::settle_below:
      lane = catalog_.find(record.ref.lane);
      if (lane) catalog_.settle_below(*lane, record.ref.sequence);
      return;
    case RecordType::meta:
      return sink_.on_meta(record.payload);
    case RecordType::release:
      if (record.segment < segment_) catalog_.remove_segment(record.segment);
      return;
  }
}

void Replay::apply_message(const Record& record, std::uint64_t offset, SegmentOffsets& offsets) {
  OffsetEntry entry{0, offset, static_cast<std::uint32_t>(record.bytes)};
  bool moved = record.type == RecordType::relocated;
  record.each_ref([&](LaneRef ref) {
    entry.sequence = ref.sequence;
    Lane* known = catalog_.find(ref.lane);
    if (known && !offsets.accepts(*known, offset)) return;
    if (moved) {
      if (record.is_volatile || record.segment == segment_) return;
      if (!catalog_.relocate(ref, record.segment, segment_)) return;
      offsets.add_found(ref.lane, entry);
      return;
    }
    Lane& lane = catalog_.ensure(ref.lane);
    if (ref.sequence < lane.next) return;
    if (record.is_volatile) {
      lane.next = ref.sequence + 1;
    } else {
      catalog_.add(ref, 0, false, segment_);
      lane.charge += record.charge;
      offsets.add_found(ref.lane, entry);
    }
  });
}

void Replay::apply_settled(const Record& record) {
  Lane* lane = catalog_.find(record.ref.lane);
  if (!lane) return;
  std::uint64_t settled = 0;
  record.each_range([&](SequenceRange range) {
    settled += catalog_.settle_range(*lane, range.first, range.last);
  });
  if (settled == 0) return;
  lane->charge = lane->count == 0 ? 0 : lane->charge - std::min(lane->charge, record.charge);
}

Result<void> Replay::index_segment(std::uint64_t segment, std::uint64_t end) {
  ASSERT(end <= layout_.segment_bytes);
  SegmentOffsets& offsets = offsets_of(segment);
  SegmentReader reader(disk_, segment, layout_, key_);
  bool whole = true;
  std::uint64_t offset = segment_header_bytes;
  while (offset < end) {
    Result<SegmentReader::Block> block = reader.next_block(offset);
    if (!block && block.error().code == Errc::io) return std::unexpected(block.error());
    std::uint64_t found = block ? std::min(block->offset, end) : end;
    if (found != offset) {
      damage(segment, offset, found, "acknowledged block lost");
      whole = false;
    }
    if (!block || block->offset >= end) break;
    Result<void> read =
        each_record(block->payload(), block->header.record_count, false,
                    [&](const Record& record, std::size_t at) {
                      note_places(record, block->offset + block_header_bytes + at, offsets);
                    });
    if (!read) {
      damage(segment, block->offset, block->end(), read.error().why);
      whole = false;
    }
    offset = block->end();
  }
  if (!whole) drop_unfound(segment, offsets);
  return {};
}

void Replay::note_places(const Record& record, std::uint64_t offset, SegmentOffsets& offsets) {
  bool stored = record.type == RecordType::message || record.type == RecordType::relocated;
  if (!stored || record.is_volatile) return;
  record.each_ref([&](LaneRef ref) {
    Lane* lane = catalog_.find(ref.lane);
    if (!lane || !offsets.accepts(*lane, offset)) return;
    offsets.add_found(ref.lane, {ref.sequence, offset, static_cast<std::uint32_t>(record.bytes)});
  });
}

// After damage: what should be alive in the segment and is not there is settled, so that no lane
// waits for it.
void Replay::drop_unfound(std::uint64_t segment, const SegmentOffsets& offsets) {
  for (const Lane* known : catalog_.sorted_lanes()) {
    Lane& lane = *catalog_.find(known->id);
    std::vector<Sequence> found;
    if (const LaneOffsets* places = offsets.find(lane)) {
      OffsetCursor cursor;
      while (Result<OffsetEntry> entry = cursor.next(places->blob)) {
        found.push_back(entry->sequence);
      }
    }
    std::ranges::sort(found);
    std::vector<Sequence> lost;
    for (const Extent& extent : lane.extents) {
      if (extent.segment != segment) continue;
      for (Sequence s = extent.first; s <= extent.last; ++s) {
        if (lane.settled.contains(s) || std::ranges::binary_search(found, s)) continue;
        lost.push_back(s);
      }
    }
    for (Sequence s : lost) {
      std::uint64_t mean = lane.count > 0 ? lane.charge / lane.count : 0;
      catalog_.settle(lane, s, mean);
    }
  }
}

}  // namespace wharf::storage
