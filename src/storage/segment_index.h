// storage/segment_index.h: the file beside a sealed segment that says where each lane's records
// lie, so that this need not be kept in memory. Derived: a missing or bad one is rebuilt from the
// segment. Pure: bytes to values and back. Bytes: docs/formats/segment_index.md.
#pragma once

#include <cstdint>

#include "base/fault.h"
#include "storage/catalog.h"
#include "storage/layout.h"
#include "storage/offsets.h"
#include "wire/bytes.h"

namespace wharf::storage {

inline constexpr std::uint64_t index_footer_bytes = 64;
inline constexpr std::uint64_t index_entry_bytes = 40;

// Of the lanes that have something alive in the segment; their extents in `catalog` take note of
// where their offsets are. Empty when there is no such lane. REQUIRES: `offsets` is sealed.
ByteVector build_index(const SegmentOffsets& offsets, Catalog& catalog, const ShardKey& key);

struct IndexFooter {
  std::uint64_t segment = 0;
  std::uint64_t directory_offset = 0;
  std::uint32_t lane_count = 0;
  std::uint32_t directory_crc = 0;
};
// `footer` is the end of a file of `file_bytes`. Faults: malformed.
Result<IndexFooter> decode_index_footer(Bytes footer, std::uint64_t file_bytes,
                                        const ShardKey& key);

struct IndexEntry {
  LaneId lane;
  std::uint64_t blob_offset = 0;
  std::uint32_t blob_bytes = 0;  // without its checksum
  std::uint32_t count = 0;
  Sequence lowest = 0;
  Sequence highest = 0;
};
// `bytes` has index_entry_bytes.
IndexEntry decode_index_entry(Bytes bytes);

// What to read of the file for `extent`, and then what of that are the offsets. Faults: malformed.
constexpr std::uint64_t stored_blob_bytes(std::uint32_t blob_bytes) { return blob_bytes + 4; }
Result<Bytes> open_blob(Bytes stored, LaneId lane, std::uint64_t segment);

}  // namespace wharf::storage
