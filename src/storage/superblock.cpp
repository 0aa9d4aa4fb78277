#include "storage/superblock.h"

#include <algorithm>

#include "base/assert.h"
#include "storage/crc32c.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace wharf::storage {

namespace {

constexpr std::uint64_t super_magic = 0x5055534652414857;  // "WHARFSUP"
constexpr std::uint16_t super_version = 1;
constexpr std::uint32_t flag_clean = 1;

}  // namespace

void encode_superblock(const Superblock& super, std::span<std::byte> out) {
  ASSERT(out.size() == superblock_bytes);
  ASSERT(super.segment_bytes % page_bytes == 0 && super.sequence > 0);
  std::ranges::fill(out, std::byte{0});
  std::byte* at = out.data();
  put_le(at, super_magic);
  put_le(at + 8, super_version);
  put_le(at + 12, super.clean ? flag_clean : 0);
  std::ranges::copy(super.key.uuid, at + 16);
  put_le(at + 32, super.segment_bytes);
  put_le(at + 40, super.sequence);
  put_le(at + 48, super.epoch);
  put_le(at + 56, super.snapshot);
  put_le(at + 64, super.first_segment);
  put_le(at + 72, super.last_segment);
  put_le(at + 80, super.durable_end);
  put_le(at + 88, super.durable_block);
  put_le(at + 96, super.first_of_epoch);
  put_le(at + superblock_bytes - 4, crc32c(Bytes(out).first(superblock_bytes - 4)));
}

Result<Superblock> decode_superblock(Bytes bytes) {
  if (bytes.size() != superblock_bytes) return fault(Errc::malformed, "superblock cut short");
  Reader in(bytes);
  if (in.le<std::uint64_t>() != super_magic) return fault(Errc::malformed, "no superblock");
  std::uint32_t checksum = crc32c(bytes.first(superblock_bytes - 4));
  if (Reader(bytes.last(4)).le<std::uint32_t>() != checksum) {
    return fault(Errc::malformed, "superblock fails its checksum");
  }
  if (in.le<std::uint16_t>() != super_version) {
    return fault(Errc::unsupported, "version of the superblock", 8);
  }
  bool reserved = in.le<std::uint16_t>() != 0;
  std::uint32_t flags = in.le<std::uint32_t>();
  Superblock super;
  std::array<std::byte, 16> uuid;
  std::ranges::copy(in.take(16), uuid.begin());
  super.key = ShardKey::of(uuid);
  super.clean = (flags & flag_clean) != 0;
  super.segment_bytes = in.le<std::uint64_t>();
  super.sequence = in.le<std::uint64_t>();
  super.epoch = in.le<std::uint32_t>();
  reserved |= in.le<std::uint32_t>() != 0;
  super.snapshot = in.le<std::uint64_t>();
  super.first_segment = in.le<std::uint64_t>();
  super.last_segment = in.le<std::uint64_t>();
  super.durable_end = in.le<std::uint64_t>();
  super.durable_block = in.le<std::uint64_t>();
  super.first_of_epoch = in.le<std::uint64_t>();
  Bytes rest = in.take(superblock_bytes - 4 - in.offset());
  reserved |= std::ranges::any_of(rest, [](std::byte b) { return b != std::byte{0}; });
  bool sizes = super.segment_bytes % page_bytes == 0 && super.segment_bytes >= 4 * page_bytes &&
               super.segment_bytes <= std::uint64_t{1} << 29;
  if (reserved || flags > flag_clean || !sizes || super.sequence == 0) {
    return fault(Errc::malformed, "superblock out of range");
  }
  return super;
}

}  // namespace wharf::storage
