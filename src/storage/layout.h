// storage/layout.h: where things lie: names of files, positions, and what a shard's bytes are
// signed with. The formats themselves: docs/formats/.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/store.h"

namespace wharf::storage {

// The unit of every write to the log: no page that holds acknowledged data is written twice.
inline constexpr std::uint64_t page_bytes = 4096;

constexpr std::uint64_t round_to_page(std::uint64_t bytes) {
  return (bytes + page_bytes - 1) / page_bytes * page_bytes;
}

// Names one shard's files. The checksums of blocks start from it, so that bytes inside a peer's
// message can never pass for a block: whoever writes them would have to know the uuid.
struct ShardKey {
  std::array<std::byte, 16> uuid{};
  std::uint32_t seed = 0;

  static ShardKey of(const std::array<std::byte, 16>& uuid);
  friend bool operator==(const ShardKey&, const ShardKey&) = default;
};

// How positions are counted.
struct Layout {
  std::uint64_t segment_bytes = 0;

  Lsn lsn(std::uint64_t segment, std::uint64_t offset) const {
    return segment * segment_bytes + offset;
  }
  // An end lies in the segment whose bytes come before it, also where that segment is full.
  // REQUIRES: end > 0.
  std::uint64_t segment_of_end(Lsn end) const { return (end - 1) / segment_bytes; }
  std::uint64_t offset_of_end(Lsn end) const { return (end - 1) % segment_bytes + 1; }
  // The largest record: alone in its block, alone in its segment.
  std::uint64_t record_bytes_max() const { return segment_bytes - page_bytes - 64; }
};

// Where the log ends, and what the next block must name as the one before it.
struct Chain {
  Lsn end = 0;              // behind the last block; 0 before the first
  std::uint64_t block = 0;  // its sequence
  std::uint64_t hash = 0;
  friend bool operator==(const Chain&, const Chain&) = default;
};

std::string hex16(std::uint64_t number);
std::optional<std::uint64_t> parse_hex16(std::string_view text);

std::string wal_name(std::uint64_t segment);
std::string index_name(std::uint64_t segment);
std::string snapshot_name(Lsn lsn);
std::string free_name(std::uint64_t number);
std::string super_name(unsigned which);

}  // namespace wharf::storage
