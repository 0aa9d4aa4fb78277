// storage/block.h: the frame of the log: segment headers and commit blocks. Pure: bytes to values
// and back. Bytes: docs/formats/segment.md.
#pragma once

#include <cstdint>
#include <span>

#include "base/fault.h"
#include "storage/layout.h"
#include "wire/bytes.h"

namespace wharf::storage {

inline constexpr std::uint64_t block_header_bytes = 64;
inline constexpr std::uint64_t segment_header_bytes = page_bytes;

// The first page of a segment. It says where the log stood when the segment was begun, so that the
// end of the segment before is known and not guessed.
struct SegmentHeader {
  std::uint64_t number = 0;  // also the generation of its blocks; never used twice
  std::uint32_t epoch = 0;
  std::uint64_t segment_bytes = 0;
  Chain before;
  std::uint64_t durable_block = 0;
};

// `out` is one page.
void encode_segment_header(const SegmentHeader& header, const ShardKey& key,
                           std::span<std::byte> out);
Result<SegmentHeader> decode_segment_header(Bytes page, const ShardKey& key);

struct BlockHeader {
  static constexpr std::uint8_t flag_mark = 1;  // written when idle, to vouch for the block before
  static constexpr std::uint8_t flag_seal = 2;  // clean stop: nothing follows in this segment

  std::uint64_t generation = 0;
  std::uint64_t sequence = 0;  // of the block: 1, 2, 3, ... over all segments
  std::uint64_t durable = 0;   // highest block known to be durable when this one was closed
  std::uint32_t payload_bytes = 0;
  std::uint32_t record_count = 0;
  std::uint32_t payload_crc = 0;
  std::uint32_t epoch = 0;
  std::uint64_t previous_hash = 0;
  std::uint8_t flags = 0;
  std::uint8_t depth = 0;        // blocks that may be in flight at once
  std::uint32_t header_crc = 0;  // set by encode and decode

  std::uint64_t total_bytes() const { return round_to_page(block_header_bytes + payload_bytes); }
};

// `out` has block_header_bytes. Sets header.header_crc.
void encode_block_header(BlockHeader& header, const ShardKey& key, std::span<std::byte> out);
// Checks magic, version, checksum and that reserved bytes are 0. `bytes` may be longer.
Result<BlockHeader> decode_block_header(Bytes bytes, const ShardKey& key);
// `block` is a whole block: the payload's checksum holds and the padding is zero.
bool payload_intact(const BlockHeader& header, Bytes block);

// The chain behind `header`, whose block ends at `end`.
Chain next_chain(const Chain& before, const BlockHeader& header, Lsn end);

}  // namespace wharf::storage
