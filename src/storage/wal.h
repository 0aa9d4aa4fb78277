// storage/wal.h: the commit path. Changes are written straight into the block that is open; a block
// is closed and sent to the disk when the disk is idle and somebody waits, when enough has
// gathered, or when the block is full. A block is the unit of durability: it survives whole or not
// at all.
//
// Positions are given when a record is written, so a record's place is known before it is on disk.
// Invariants: blocks are numbered without gaps; at most blocks_in_flight_max are on their way, and
// more than one only of full ones; what is durable is a prefix. Memory: two or three buffers of
// block_bytes_max, and what waits (StoreOptions::pending_bytes_max).
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/time.h"
#include "storage/block.h"
#include "storage/io.h"
#include "storage/layout.h"
#include "storage/segment_pool.h"
#include "storage/settle_batch.h"

namespace wharf::storage {

class Wal {
 public:
  struct Setup {
    ShardKey key;
    Layout layout;
    std::uint32_t epoch = 0;
    Chain tail;                       // where the log ends
    std::uint64_t first_segment = 0;  // the segment to go on in, with no block in it yet
  };
  struct Place {
    std::uint64_t segment = 0;
    std::uint64_t offset = 0;
    std::span<std::byte> bytes;  // to be written before the next call
  };

  Wal(Io& io, SegmentPool& pool, const Clock& clock, const StoreOptions& options,
      const Setup& setup);

  // Room for one record of `bytes`. REQUIRES: bytes <= layout.record_bytes_max().
  Place reserve(std::uint64_t bytes);
  void settle(Lane& lane, Sequence sequence, std::uint64_t charge);
  void deliverable(Lane& lane, Sequence sequence);
  // Writes out what is merged so far, so that it comes before the next record: of a lane, of all.
  void flush_settles(Lane& lane);
  void flush_settles();
  // Forgets what is merged for the lane: it goes.
  void discard_settles(Lane& lane);

  // What comes next goes into another block. Does nothing when the open one is empty and no flag
  // asks.
  void close_block(std::uint8_t flags = 0);
  // All changes so far are in `tail()`. REQUIRES: the open block is empty (close_block).
  const Chain& tail() const { return tail_; }
  const Chain& durable_chain() const { return durable_chain_; }

  Lsn end() const;
  Lsn durable_up_to() const;
  bool is_durable(std::uint64_t segment, std::uint64_t offset) const {
    return layout_.lsn(segment, offset) < durable_up_to();
  }
  std::uint64_t open_segment() const { return open_.segment; }
  void request_sync() { sync_requested_ = !open_empty(); }
  void pump(Instant now);
  std::optional<Instant> next_deadline() const;
  bool failed() const { return failed_; }
  bool idle() const { return in_flight_.empty() && waiting_.empty() && open_empty(); }

  // Empty unless those bytes of the log are still in memory; valid until the next call that is not
  // const.
  Bytes in_memory(std::uint64_t segment, std::uint64_t offset, std::uint64_t bytes) const;
  // Segments that the log has left since the last call, and where each ends.
  struct SegmentEnd {
    std::uint64_t segment = 0;
    std::uint64_t end = 0;
  };
  std::vector<SegmentEnd> take_ended() { return std::exchange(ended_, {}); }
  bool has_ended() const { return !ended_.empty(); }

  std::uint64_t pending_bytes() const { return pending_bytes_ + open_.used; }
  std::uint64_t commits() const { return commits_; }
  std::uint64_t committed_bytes() const { return committed_bytes_; }

 private:
  static constexpr std::uint8_t blocks_in_flight_max = 2;
  static constexpr std::uint64_t gathered_bytes = 64 << 10;
  static constexpr Duration mark_after = std::chrono::milliseconds(20);

  struct Block {
    std::uint64_t serial = 0;
    std::uint64_t segment = 0;
    std::uint64_t offset = 0;    // of its header
    Buffer buffer;               // a page for the segment header, then the block
    std::byte* bytes = nullptr;  // the block in it
    std::uint64_t capacity = 0;
    std::uint64_t used = 0;  // its own header included, or 0 when nothing was written
    std::uint32_t records = 0;
    std::uint8_t flags = 0;
    Chain chain;  // behind it, once closed
    Instant first_change{};
  };

  bool open_empty() const { return open_.used == 0 && batch_.changes() == 0; }
  void make_room(std::uint64_t bytes);
  void start_block(std::uint64_t bytes);
  void move_on();
  std::byte* take(std::uint64_t bytes);
  void encode_slot(SettleBatch::Slot& slot);
  void finish(Block& block);
  bool due(Instant now) const;
  void submit_front();
  void on_written(const Result<Buffer>& outcome);
  Buffer take_buffer(std::uint64_t capacity);

  Io& io_;
  SegmentPool& pool_;
  const Clock& clock_;
  const StoreOptions& options_;
  const ShardKey key_;
  const Layout layout_;
  const std::uint32_t epoch_;

  Block open_;
  SettleBatch batch_;          // of the open block
  std::deque<Block> waiting_;  // closed
  std::deque<Block> in_flight_;
  Chain tail_;
  Chain durable_chain_;
  std::vector<Buffer> buffers_;      // for the next blocks
  std::uint64_t pending_bytes_ = 0;  // closed, not durable
  std::uint64_t commits_ = 0;
  std::uint64_t committed_bytes_ = 0;
  bool sync_requested_ = false;
  bool failed_ = false;
  std::optional<Instant> mark_at_;
  std::vector<SegmentEnd> ended_;
};

}  // namespace wharf::storage
