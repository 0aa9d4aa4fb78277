#include "storage/block.h"

#include <algorithm>

#include "base/assert.h"
#include "storage/crc32c.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace wharf::storage {

namespace {

constexpr std::uint64_t segment_magic = 0x4745534652414857;  // "WHARFSEG"
constexpr std::uint16_t segment_version = 1;
constexpr std::uint32_t block_magic = 0x4b4c4257;  // "WBLK"
constexpr std::uint8_t block_version = 1;

bool all_zero(Bytes bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

void encode_segment_header(const SegmentHeader& header, const ShardKey& key,
                           std::span<std::byte> out) {
  ASSERT(out.size() == segment_header_bytes);
  ASSERT(header.number > 0 && header.segment_bytes % page_bytes == 0);
  std::ranges::fill(out, std::byte{0});
  std::byte* at = out.data();
  put_le(at, segment_magic);
  put_le(at + 8, segment_version);
  put_le(at + 12, header.epoch);
  std::ranges::copy(key.uuid, at + 16);
  put_le(at + 32, header.number);
  put_le(at + 40, header.before.end);
  put_le(at + 48, header.before.block);
  put_le(at + 56, header.before.hash);
  put_le(at + 64, header.durable_block);
  put_le(at + 72, header.segment_bytes);
  put_le(at + page_bytes - 4, crc32c(Bytes(out).first(page_bytes - 4)));
}

Result<SegmentHeader> decode_segment_header(Bytes page, const ShardKey& key) {
  if (page.size() != segment_header_bytes)
    return fault(Errc::malformed, "segment header cut short");
  Reader in(page);
  if (in.le<std::uint64_t>() != segment_magic) return fault(Errc::malformed, "no segment header");
  if (in.le<std::uint16_t>() != segment_version) {
    return fault(Errc::unsupported, "version of a segment", 8);
  }
  if (in.le<std::uint16_t>() != 0) return fault(Errc::malformed, "reserved bytes in use", 10);
  SegmentHeader header;
  header.epoch = in.le<std::uint32_t>();
  bool ours = std::ranges::equal(in.take(16), key.uuid);
  header.number = in.le<std::uint64_t>();
  header.before.end = in.le<std::uint64_t>();
  header.before.block = in.le<std::uint64_t>();
  header.before.hash = in.le<std::uint64_t>();
  header.durable_block = in.le<std::uint64_t>();
  header.segment_bytes = in.le<std::uint64_t>();
  bool padded = all_zero(in.take(page_bytes - 4 - in.offset()));
  if (in.le<std::uint32_t>() != crc32c(page.first(page_bytes - 4))) {
    return fault(Errc::malformed, "segment header fails its checksum");
  }
  if (!ours) return fault(Errc::malformed, "segment of another shard", 16);
  if (!padded || header.number == 0) return fault(Errc::malformed, "segment header out of range");
  return header;
}

void encode_block_header(BlockHeader& header, const ShardKey& key, std::span<std::byte> out) {
  ASSERT(out.size() == block_header_bytes);
  ASSERT(header.sequence > header.durable);
  std::byte* at = out.data();
  put_le(at, block_magic);
  put_le(at + 8, header.generation);
  put_le(at + 16, header.sequence);
  put_le(at + 24, header.durable);
  put_le(at + 32, header.payload_bytes);
  put_le(at + 36, header.record_count);
  put_le(at + 40, header.payload_crc);
  put_le(at + 44, header.epoch);
  put_le(at + 48, header.previous_hash);
  put_le(at + 56, block_version);
  put_le(at + 57, header.flags);
  put_le(at + 58, header.depth);
  put_le(at + 59, std::uint8_t{0});
  put_le(at + 60, std::uint32_t{0});
  header.header_crc = crc32c(Bytes(out).subspan(8), key.seed);
  put_le(at + 4, header.header_crc);
}

Result<BlockHeader> decode_block_header(Bytes bytes, const ShardKey& key) {
  if (bytes.size() < block_header_bytes) return fault(Errc::malformed, "block header cut short");
  bytes = bytes.first(block_header_bytes);
  Reader in(bytes);
  if (in.le<std::uint32_t>() != block_magic) return fault(Errc::malformed, "no block header");
  BlockHeader header;
  header.header_crc = in.le<std::uint32_t>();
  if (header.header_crc != crc32c(bytes.subspan(8), key.seed)) {
    return fault(Errc::malformed, "block header fails its checksum");
  }
  header.generation = in.le<std::uint64_t>();
  header.sequence = in.le<std::uint64_t>();
  header.durable = in.le<std::uint64_t>();
  header.payload_bytes = in.le<std::uint32_t>();
  header.record_count = in.le<std::uint32_t>();
  header.payload_crc = in.le<std::uint32_t>();
  header.epoch = in.le<std::uint32_t>();
  header.previous_hash = in.le<std::uint64_t>();
  if (in.le<std::uint8_t>() != block_version) {
    return fault(Errc::unsupported, "version of a block", 56);
  }
  header.flags = in.le<std::uint8_t>();
  header.depth = in.le<std::uint8_t>();
  bool reserved = !all_zero(in.take(5));
  if (reserved || header.sequence <= header.durable) {
    return fault(Errc::malformed, "block header out of range");
  }
  return header;
}

bool payload_intact(const BlockHeader& header, Bytes block) {
  if (block.size() != header.total_bytes()) return false;
  Bytes payload = block.subspan(block_header_bytes, header.payload_bytes);
  if (crc32c(payload) != header.payload_crc) return false;
  return all_zero(block.subspan(block_header_bytes + header.payload_bytes));
}

Chain next_chain(const Chain& before, const BlockHeader& header, Lsn end) {
  ASSERT(header.sequence == before.block + 1);
  ASSERT(end > before.end);
  std::uint64_t sum = static_cast<std::uint64_t>(header.header_crc) << 32 | header.payload_crc;
  // The finishing steps of splitmix64: every bit of the sum reaches every bit of the hash.
  std::uint64_t z = before.hash ^ sum;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return {end, header.sequence, z ^ (z >> 31)};
}

}  // namespace wharf::storage
