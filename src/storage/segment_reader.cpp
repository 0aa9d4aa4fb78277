#include "storage/segment_reader.h"

#include <algorithm>

#include "base/assert.h"

namespace wharf::storage {

Result<Bytes> SegmentReader::bytes_at(std::uint64_t offset, std::uint64_t size) {
  ASSERT(offset <= layout_.segment_bytes);
  size = std::min(size, layout_.segment_bytes - offset);
  bool inside = offset >= window_offset_ && offset + size <= window_offset_ + window_.size();
  if (!inside) {
    std::uint64_t wanted = std::min(std::max(size, window_bytes), layout_.segment_bytes - offset);
    Result<Buffer> read = disk_.read(wal_name(segment_), offset, wanted);
    if (!read) return std::unexpected(read.error());
    window_ = std::move(*read);
    window_offset_ = offset;
  }
  Bytes window = window_.bytes().subspan(offset - window_offset_);
  return window.first(std::min<std::uint64_t>(size, window.size()));
}

Result<SegmentHeader> SegmentReader::header() {
  // Only the page: most callers want nothing else of a file.
  Result<Buffer> page = disk_.read(wal_name(segment_), 0, segment_header_bytes);
  if (!page) return std::unexpected(page.error());
  Result<SegmentHeader> header = decode_segment_header(page->bytes(), key_);
  if (!header) return header;
  if (header->number != segment_ || header->segment_bytes != layout_.segment_bytes) {
    return fault(Errc::malformed, "header of another segment");
  }
  return header;
}

Result<BlockHeader> SegmentReader::header_at(std::uint64_t offset) {
  Result<Bytes> bytes = bytes_at(offset, block_header_bytes);
  if (!bytes) return std::unexpected(bytes.error());
  Result<BlockHeader> header = decode_block_header(*bytes, key_);
  if (!header) return header;
  if (header->generation != segment_) return fault(Errc::malformed, "block of another segment");
  if (header->total_bytes() > layout_.segment_bytes - offset) {
    return fault(Errc::malformed, "block runs past its segment");
  }
  return header;
}

Result<SegmentReader::Block> SegmentReader::block_at(std::uint64_t offset) {
  Result<BlockHeader> header = header_at(offset);
  if (!header) return std::unexpected(header.error());
  Result<Bytes> bytes = bytes_at(offset, header->total_bytes());
  if (!bytes) return std::unexpected(bytes.error());
  if (!payload_intact(*header, *bytes)) {
    return fault(Errc::malformed, "block fails its checksum");
  }
  return Block{*header, offset, *bytes};
}

Result<SegmentReader::Block> SegmentReader::next_block(std::uint64_t offset) {
  ASSERT(offset % page_bytes == 0);
  for (; offset + page_bytes <= layout_.segment_bytes; offset += page_bytes) {
    Result<Block> block = block_at(offset);
    if (block || block.error().code == Errc::io) return block;
  }
  return fault(Errc::not_found, "no more blocks");
}

}  // namespace wharf::storage
