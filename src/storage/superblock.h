// storage/superblock.h: the root of a shard's directory, in two files written in turn. Pure: bytes
// to values and back. Bytes: docs/formats/superblock.md.
#pragma once

#include <cstdint>
#include <span>

#include "base/fault.h"
#include "storage/layout.h"
#include "wire/bytes.h"

namespace wharf::storage {

inline constexpr std::uint64_t superblock_bytes = page_bytes;

struct Superblock {
  ShardKey key;
  std::uint64_t segment_bytes = 0;
  std::uint64_t sequence = 0;       // the higher of two valid ones counts
  std::uint32_t epoch = 0;          // of the process that wrote it
  bool clean = false;               // written by a clean stop; the log ends at durable.end
  Lsn snapshot = 0;                 // names the snapshot file; 0 for none
  std::uint64_t first_segment = 0;  // the lowest that is still needed
  std::uint64_t last_segment = 0;   // no number up to here is free for a new segment
  Lsn durable_end = 0;              // the log is known to reach here
  std::uint64_t durable_block = 0;
  // From here on segments got their files one after the other, so a hole means that one is gone.
  std::uint64_t first_of_epoch = 0;
};

// `out` has superblock_bytes.
void encode_superblock(const Superblock& super, std::span<std::byte> out);
Result<Superblock> decode_superblock(Bytes bytes);

}  // namespace wharf::storage
