#include "storage/wal.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "storage/crc32c.h"

namespace wharf::storage {

Wal::Wal(Io& io, SegmentPool& pool, const Clock& clock, const StoreOptions& options,
         const Setup& setup)
    : io_(io),
      pool_(pool),
      clock_(clock),
      options_(options),
      key_(setup.key),
      layout_(setup.layout),
      epoch_(setup.epoch),
      tail_(setup.tail),
      durable_chain_(setup.tail) {
  ASSERT(setup.first_segment > 0 && layout_.segment_bytes == options.segment_bytes);
  ASSERT(layout_.lsn(setup.first_segment, segment_header_bytes) > tail_.end);
  open_.serial = 1;
  open_.segment = setup.first_segment;
  open_.offset = segment_header_bytes;
}

// The open block, still empty, goes to the start of the next segment.
void Wal::move_on() {
  ASSERT(open_empty());
  ended_.push_back({open_.segment, open_.offset});
  ++open_.segment;
  open_.offset = segment_header_bytes;
}

Buffer Wal::take_buffer(std::uint64_t capacity) {
  std::uint64_t standard = page_bytes + options_.block_bytes_max;
  if (page_bytes + capacity > standard) return Buffer(page_bytes + capacity);
  if (buffers_.empty()) return Buffer(standard);
  Buffer buffer = std::move(buffers_.back());
  buffers_.pop_back();
  return buffer;
}

// Gives the open block a buffer with room for `bytes` at least.
void Wal::start_block(std::uint64_t bytes) {
  ASSERT(open_empty() && bytes <= layout_.record_bytes_max());
  std::uint64_t needed = block_header_bytes + bytes;
  if (needed > layout_.segment_bytes - open_.offset) move_on();
  std::uint64_t left = layout_.segment_bytes - open_.offset;
  open_.capacity = std::min(std::max(options_.block_bytes_max, round_to_page(needed)), left);
  ASSERT(open_.capacity >= needed && open_.capacity % page_bytes == 0);
  open_.buffer = take_buffer(open_.capacity);
  open_.bytes = open_.buffer.writable().data() + page_bytes;
  open_.used = block_header_bytes;
  open_.records = 0;
  open_.first_change = clock_.now();
  mark_at_.reset();
}

void Wal::make_room(std::uint64_t bytes) {
  if (open_.used == 0) return start_block(bytes);
  if (open_.used + batch_.reserved_bytes() + bytes <= open_.capacity) return;
  close_block();
  start_block(bytes);
}

std::byte* Wal::take(std::uint64_t bytes) {
  ASSERT(open_.used > 0 && open_.used + bytes <= open_.capacity);
  std::byte* at = open_.bytes + open_.used;
  open_.used += bytes;
  return at;
}

Wal::Place Wal::reserve(std::uint64_t bytes) {
  make_room(bytes);
  Place place{open_.segment, open_.offset + open_.used, {take(bytes), bytes}};
  ++open_.records;
  return place;
}

void Wal::settle(Lane& lane, Sequence sequence, std::uint64_t charge) {
  make_room(SettleBatch::bytes_max);
  batch_.settle(lane, open_.serial, sequence, charge);
}

void Wal::deliverable(Lane& lane, Sequence sequence) {
  make_room(SettleBatch::bytes_max);
  batch_.deliverable(lane, open_.serial, sequence);
}

void Wal::encode_slot(SettleBatch::Slot& slot) {
  if (slot.empty()) return;
  std::uint64_t bytes = SettleBatch::encoded_bytes(slot);
  open_.records += SettleBatch::encode(slot, {take(bytes), bytes});
}

// The slot's reserve stays reserved until the block is closed: a little room is lost, no count is.
void Wal::flush_settles(Lane& lane) {
  SettleBatch::Slot* slot = batch_.find(lane, open_.serial);
  if (!slot || slot->empty()) return;
  std::uint64_t bytes = SettleBatch::encoded_bytes(*slot);
  make_room(bytes);
  // Making room may have closed the block, and the slot with it.
  slot = batch_.find(lane, open_.serial);
  if (!slot) return;
  encode_slot(*slot);
  discard_settles(lane);
}

void Wal::flush_settles() {
  if (batch_.changes() == 0) return;
  for (SettleBatch::Slot& slot : batch_.slots()) encode_slot(slot);
  batch_.clear();
  // No lane's note of its slot holds any more.
  ++open_.serial;
}

void Wal::discard_settles(Lane& lane) {
  SettleBatch::Slot* slot = batch_.find(lane, open_.serial);
  if (!slot) return;
  slot->charge = 0;
  slot->deliverable = 0;
  slot->ranges.clear();
}

void Wal::close_block(std::uint8_t flags) {
  if (open_empty() && flags == 0) return;
  if (open_.used == 0) start_block(0);
  flush_settles();
  open_.flags = flags;
  finish(open_);
  std::uint64_t segment = open_.segment;
  std::uint64_t end = layout_.offset_of_end(tail_.end);
  std::uint64_t serial = open_.serial;
  pending_bytes_ += open_.used;
  waiting_.push_back(std::exchange(open_, Block{}));
  open_.serial = serial + 1;
  open_.segment = segment;
  open_.offset = end;
  if (layout_.segment_bytes - end < page_bytes) move_on();
  sync_requested_ = false;
}

// Pads the block, fills in its header and links it to the chain.
void Wal::finish(Block& block) {
  ASSERT(block.used >= block_header_bytes);
  BlockHeader header;
  header.generation = block.segment;
  header.sequence = tail_.block + 1;
  header.durable = durable_chain_.block;
  header.payload_bytes = static_cast<std::uint32_t>(block.used - block_header_bytes);
  header.record_count = block.records;
  header.payload_crc = crc32c(Bytes(block.bytes + block_header_bytes, header.payload_bytes));
  header.epoch = epoch_;
  header.previous_hash = tail_.hash;
  header.flags = block.flags;
  header.depth = blocks_in_flight_max;
  if (block.offset == segment_header_bytes) {
    SegmentHeader first{.number = block.segment,
                        .epoch = epoch_,
                        .segment_bytes = layout_.segment_bytes,
                        .before = tail_,
                        .durable_block = durable_chain_.block};
    encode_segment_header(first, key_, {block.bytes - page_bytes, page_bytes});
  }
  std::uint64_t total = header.total_bytes();
  ASSERT(total <= block.capacity);
  std::memset(block.bytes + block.used, 0, total - block.used);
  block.used = total;
  encode_block_header(header, key_, {block.bytes, block_header_bytes});
  tail_ = next_chain(tail_, header, layout_.lsn(block.segment, block.offset + total));
  block.chain = tail_;
}

Lsn Wal::end() const {
  Lsn start = layout_.lsn(open_.segment, open_.offset);
  if (open_empty()) return start;
  // At most where the block will end, whatever the settles merge to: the header's room covers them.
  std::uint64_t records = open_.used > 0 ? open_.used - block_header_bytes : 0;
  return start + records + std::min<std::uint64_t>(batch_.changes(), block_header_bytes - 1);
}

Lsn Wal::durable_up_to() const {
  const Block& first = !in_flight_.empty() ? in_flight_.front()
                       : !waiting_.empty() ? waiting_.front()
                                           : open_;
  return layout_.lsn(first.segment, first.offset);
}

bool Wal::due(Instant now) const {
  if (open_empty()) return false;
  return sync_requested_ || open_.used + batch_.reserved_bytes() >= gathered_bytes ||
         now >= open_.first_change + options_.lazy_commit_after;
}

void Wal::pump(Instant now) {
  pool_.want(open_.segment + 1);
  if (failed_) return;
  bool mark = mark_at_ && now >= *mark_at_ && idle() && pool_.ready(open_.segment);
  if (mark) close_block(BlockHeader::flag_mark);
  while (in_flight_.size() < blocks_in_flight_max) {
    if (waiting_.empty()) {
      if (!in_flight_.empty() || !due(now)) break;
      close_block();
    }
    if (!pool_.ready(waiting_.front().segment)) break;
    submit_front();
  }
  if (mark) mark_at_.reset();
}

void Wal::submit_front() {
  Block& block = waiting_.front();
  bool first = block.offset == segment_header_bytes;
  std::uint64_t header = first ? page_bytes : 0;
  DiskRequest request{.kind = DiskRequest::Kind::write_sync,
                      .file = wal_name(block.segment),
                      .offset = block.offset - header,
                      .data = block.buffer.slice(page_bytes - header, header + block.used)};
  in_flight_.push_back(std::move(block));
  waiting_.pop_front();
  io_.submit(std::move(request), [this](Result<Buffer> done) { on_written(done); });
}

void Wal::on_written(const Result<Buffer>& outcome) {
  // After a failure nothing counts any more, not even a later write that succeeded.
  if (!outcome) failed_ = true;
  if (failed_) return;
  ASSERT(!in_flight_.empty());
  Block block = std::move(in_flight_.front());
  in_flight_.pop_front();
  ASSERT(block.chain.block == durable_chain_.block + 1);
  durable_chain_ = block.chain;
  pending_bytes_ -= block.used;
  ++commits_;
  committed_bytes_ += block.used;
  bool standard = block.buffer.size() == page_bytes + options_.block_bytes_max;
  if (standard && buffers_.size() <= blocks_in_flight_max) {
    buffers_.push_back(std::move(block.buffer));
  }
  if (idle() && block.flags == 0) mark_at_ = clock_.now() + mark_after;
}

std::optional<Instant> Wal::next_deadline() const {
  // While a write is on its way or a file is missing, the disk's answer wakes us.
  if (failed_ || !in_flight_.empty() || !waiting_.empty()) return std::nullopt;
  if (!open_empty()) return open_.first_change + options_.lazy_commit_after;
  return pool_.ready(open_.segment) ? mark_at_ : std::nullopt;
}

Bytes Wal::in_memory(std::uint64_t segment, std::uint64_t offset, std::uint64_t bytes) const {
  auto within = [&](const Block& block) {
    return block.used > 0 && block.segment == segment && offset >= block.offset &&
           offset + bytes <= block.offset + block.used;
  };
  auto view = [&](const Block& block) { return Bytes(block.bytes + offset - block.offset, bytes); };
  if (within(open_)) return view(open_);
  for (const Block& block : waiting_) {
    if (within(block)) return view(block);
  }
  for (const Block& block : in_flight_) {
    if (within(block)) return view(block);
  }
  return {};
}

}  // namespace wharf::storage
