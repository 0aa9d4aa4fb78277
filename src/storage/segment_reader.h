// storage/segment_reader.h: reads one segment's blocks from a Disk, blocking, for opening and for
// tools. Memory: a window of 4 MiB, or one block when that is larger.
#pragma once

#include <cstdint>

#include "storage/block.h"
#include "storage/disk.h"
#include "storage/layout.h"

namespace wharf::storage {

class SegmentReader {
 public:
  struct Block {
    BlockHeader header;
    std::uint64_t offset = 0;
    Bytes bytes;  // the whole block; valid until the next call
    Bytes payload() const { return bytes.subspan(block_header_bytes, header.payload_bytes); }
    std::uint64_t end() const { return offset + header.total_bytes(); }
  };

  SegmentReader(Disk& disk, std::uint64_t segment, const Layout& layout, const ShardKey& key)
      : disk_(disk), segment_(segment), layout_(layout), key_(key) {}

  std::uint64_t segment() const { return segment_; }
  Result<SegmentHeader> header();
  // A block header at `offset` that belongs to this segment. Faults: malformed, io.
  Result<BlockHeader> header_at(std::uint64_t offset);
  // The same with its payload intact.
  Result<Block> block_at(std::uint64_t offset);
  // The next intact block at or behind `offset`, looking at every page. Faults: not_found, io.
  Result<Block> next_block(std::uint64_t offset);
  // Up to `size` bytes at `offset`, fewer at the end of the file; valid until the next call.
  Result<Bytes> bytes_at(std::uint64_t offset, std::uint64_t size);

 private:
  static constexpr std::uint64_t window_bytes = 4 << 20;

  Disk& disk_;
  std::uint64_t segment_;
  Layout layout_;
  ShardKey key_;
  Buffer window_;
  std::uint64_t window_offset_ = 0;
};

}  // namespace wharf::storage
