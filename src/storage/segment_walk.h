// storage/segment_walk.h: reads a sealed segment from end to end while the shard serves: a window
// at a time, its records handed out when the disk has answered. For the cleaner and for rebuilding
// an index. Memory: a window of 1 MiB, or one block when that is larger.
#pragma once

#include <cstdint>
#include <memory>

#include "storage/block.h"
#include "storage/catalog.h"
#include "storage/io.h"
#include "storage/layout.h"
#include "storage/record.h"

namespace wharf::storage {

class SegmentWalk {
 public:
  enum class State : std::uint8_t { reading, window, done, damaged };

  // The segment is pinned while a read is on its way. It must stay known until the walk is over.
  SegmentWalk(Io& io, Catalog& catalog, const ShardKey& key, std::uint64_t segment,
              std::uint64_t end);

  std::uint64_t segment() const { return segment_; }
  // `window`: records wait to be visited.
  State state() const { return shared_->state; }
  // Calls `visit(record, offset)` for each record of the window and reads on. REQUIRES: state
  // window. The window, where the payloads point, lives until then.
  template <class Visit>
  void visit_window(Visit visit) {
    std::uint64_t at = 0;
    Buffer window = std::move(shared_->window);
    while (at + block_header_bytes <= window.size() && offset_ < end_) {
      Result<BlockHeader> header = decode_block_header(window.bytes().subspan(at), key_);
      if (!header || header->generation != segment_) return damaged();
      std::uint64_t bytes = header->total_bytes();
      if (bytes > end_ - offset_) return damaged();
      if (bytes > window.size() - at) {
        wanted_ = bytes;
        break;
      }
      Bytes block = window.bytes().subspan(at, bytes);
      if (!payload_intact(*header, block)) return damaged();
      std::uint64_t base = offset_ + block_header_bytes;
      Result<void> read = each_record(
          block.subspan(block_header_bytes, header->payload_bytes), header->record_count, false,
          [&](const Record& record, std::size_t place) { visit(record, base + place); });
      if (!read) return damaged();
      at += bytes;
      offset_ += bytes;
    }
    if (at == 0 && wanted_ <= window.size()) return damaged();
    read_on();
  }

 private:
  static constexpr std::uint64_t window_bytes = 1 << 20;
  // Outlives the walk when a read is under way.
  struct Shared {
    State state = State::reading;
    Buffer window;
  };

  void read_on();
  void damaged() { shared_->state = State::damaged; }

  Io& io_;
  Catalog& catalog_;
  const ShardKey key_;
  const std::uint64_t segment_;
  const std::uint64_t end_;
  std::uint64_t offset_ = segment_header_bytes;
  std::uint64_t wanted_ = window_bytes;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace wharf::storage
