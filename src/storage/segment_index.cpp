#include "storage/segment_index.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "storage/crc32c.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace wharf::storage {

namespace {

constexpr std::uint64_t index_magic = 0x5844494652414857;  // "WHARFIDX"
constexpr std::uint16_t index_version = 1;

// A blob is bound to its place, so that one of another lane cannot be taken for it.
std::uint32_t blob_crc(Bytes blob, LaneId lane, std::uint64_t segment) {
  std::array<std::byte, 16> place;
  put_le(place.data(), lane.value());
  put_le(place.data() + 8, segment);
  return crc32c(blob, crc32c(place));
}

// False when the lane has nothing alive in the segment.
bool note_blob(Lane& lane, std::uint64_t segment, std::uint64_t offset, std::size_t bytes) {
  ASSERT(offset <= UINT32_MAX && bytes <= UINT32_MAX);
  bool any = false;
  for (Extent& extent : lane.extents) {
    if (extent.segment != segment) continue;
    extent.blob_offset = static_cast<std::uint32_t>(offset);
    extent.blob_bytes = static_cast<std::uint32_t>(bytes);
    any = true;
  }
  return any;
}

void write_footer(const IndexFooter& footer, const ShardKey& key, Writer& out, ByteVector& file) {
  std::size_t start = out.offset();
  out.le(index_magic);
  out.le(index_version);
  out.le(std::uint16_t{0});
  out.le(footer.lane_count);
  out.bytes(key.uuid);
  out.le(footer.segment);
  out.le(footer.directory_offset);
  out.le(footer.directory_crc);
  out.le(std::uint64_t{0});
  out.le(crc32c(Bytes(file).subspan(start)));
  ASSERT(out.offset() - start == index_footer_bytes);
}

}  // namespace

ByteVector build_index(const SegmentOffsets& offsets, Catalog& catalog, const ShardKey& key) {
  ByteVector file;
  Writer out(file);
  ByteVector directory;
  Writer entries(directory);
  IndexFooter footer{.segment = offsets.segment()};
  for (const LaneOffsets& lane : offsets.lanes()) {
    Lane* owner = catalog.find(lane.lane);
    if (!owner || !note_blob(*owner, footer.segment, out.offset(), lane.blob.size())) continue;
    entries.le(lane.lane.value());
    entries.le(static_cast<std::uint64_t>(out.offset()));
    entries.le(static_cast<std::uint32_t>(lane.blob.size()));
    entries.le(lane.count);
    entries.le(lane.lowest);
    entries.le(lane.highest);
    out.bytes(lane.blob);
    out.le(blob_crc(lane.blob, lane.lane, footer.segment));
    ++footer.lane_count;
  }
  if (footer.lane_count == 0) return file;
  ASSERT(directory.size() == footer.lane_count * index_entry_bytes);
  footer.directory_offset = out.offset();
  footer.directory_crc = crc32c(directory);
  out.bytes(directory);
  write_footer(footer, key, out, file);
  return file;
}

Result<IndexFooter> decode_index_footer(Bytes bytes, std::uint64_t file_bytes,
                                        const ShardKey& key) {
  if (bytes.size() != index_footer_bytes) return fault(Errc::malformed, "index cut short");
  Reader in(bytes);
  if (in.le<std::uint64_t>() != index_magic) return fault(Errc::malformed, "no index footer");
  if (Reader(bytes.last(4)).le<std::uint32_t>() != crc32c(bytes.first(60))) {
    return fault(Errc::malformed, "index footer fails its checksum");
  }
  if (in.le<std::uint16_t>() != index_version) {
    return fault(Errc::unsupported, "version of an index", 8);
  }
  bool reserved = in.le<std::uint16_t>() != 0;
  IndexFooter footer;
  footer.lane_count = in.le<std::uint32_t>();
  bool ours = std::ranges::equal(in.take(16), key.uuid);
  footer.segment = in.le<std::uint64_t>();
  footer.directory_offset = in.le<std::uint64_t>();
  footer.directory_crc = in.le<std::uint32_t>();
  reserved |= in.le<std::uint64_t>() != 0;
  std::uint64_t directory = footer.lane_count * index_entry_bytes;
  if (!ours || reserved || footer.directory_offset > file_bytes ||
      file_bytes - footer.directory_offset != directory + index_footer_bytes) {
    return fault(Errc::malformed, "index footer out of range");
  }
  return footer;
}

IndexEntry decode_index_entry(Bytes bytes) {
  ASSERT(bytes.size() == index_entry_bytes);
  Reader in(bytes);
  IndexEntry entry;
  entry.lane = LaneId{in.le<std::uint64_t>()};
  entry.blob_offset = in.le<std::uint64_t>();
  entry.blob_bytes = in.le<std::uint32_t>();
  entry.count = in.le<std::uint32_t>();
  entry.lowest = in.le<std::uint64_t>();
  entry.highest = in.le<std::uint64_t>();
  return entry;
}

Result<Bytes> open_blob(Bytes stored, LaneId lane, std::uint64_t segment) {
  if (stored.size() < 4) return fault(Errc::malformed, "offsets of a lane cut short");
  Bytes blob = stored.first(stored.size() - 4);
  if (Reader(stored.last(4)).le<std::uint32_t>() != blob_crc(blob, lane, segment)) {
    return fault(Errc::malformed, "offsets of a lane fail their checksum");
  }
  return blob;
}

}  // namespace wharf::storage
