#include "storage/snapshot.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "storage/crc32c.h"
#include "wire/reader.h"

namespace wharf::storage {

namespace {

constexpr std::uint64_t snapshot_magic = 0x504e534652414857;  // "WHARFSNP"
constexpr std::uint64_t end_magic = 0x444e454652414857;       // "WHARFEND"
constexpr std::uint16_t snapshot_version = 1;
constexpr std::uint64_t head_bytes = 72;
constexpr std::uint64_t footer_bytes = 16;
constexpr std::uint64_t chunk_bytes = 64 << 10;
// An extent lies in one segment: it cannot cover more numbers than its records and their gaps have.
constexpr std::uint64_t extent_length_max = std::uint64_t{1} << 28;

void put_settled(Writer& out, const SequenceSet& settled) {
  out.varint(settled.floor());
  std::uint64_t ranges = 0;
  settled.each_range([&](SequenceRange) { ++ranges; });
  out.varint(ranges);
  Sequence after = settled.floor();
  settled.each_range([&](SequenceRange range) {
    out.varint(range.first - after);
    out.varint(range.last - range.first);
    after = range.last + 1;
  });
}

void put_extents(Writer& out, const std::vector<Extent>& extents) {
  out.varint(extents.size());
  Sequence after = 0;
  for (const Extent& extent : extents) {
    out.varint(extent.segment);
    out.varint(extent.first - after);
    out.varint(extent.last - extent.first);
    out.varint(extent.live);
    out.varint(extent.blob_offset);
    out.varint(extent.blob_bytes);
    after = extent.last + 1;
  }
}

// What of a lane survives: without its volatile records.
struct DurableView {
  SequenceSet settled;
  std::vector<Extent> extents;
};

DurableView durable_view(const Lane& lane) {
  DurableView view{lane.settled, lane.extents};
  if (!lane.transient) return view;
  view.settled.raise_floor(lane.transient->members.floor());
  lane.transient->members.each_range(
      [&](SequenceRange range) { view.settled.insert_range(range.first, range.last); });
  for (Extent& extent : view.extents) {
    std::uint64_t length = extent.last - extent.first + 1;
    std::uint64_t settled = view.settled.count_in(extent.first, extent.last);
    extent.live = static_cast<std::uint32_t>(length - settled);
    if (extent.live == 0) view.settled.erase_range(extent.first, extent.last);
  }
  std::erase_if(view.extents, [](const Extent& extent) { return extent.live == 0; });
  return view;
}

void put_lane(Writer& out, const Lane& lane) {
  std::uint64_t gone = lane.transient ? lane.transient->count : 0;
  std::uint64_t charge_gone = lane.transient ? lane.transient->charge : 0;
  ASSERT(gone <= lane.count);
  out.varint(lane.id.value());
  out.varint(lane.next);
  out.varint(lane.count - gone);
  out.varint(lane.count == gone ? 0 : lane.charge - std::min(lane.charge, charge_gone));
  out.varint(lane.deliverable);
  if (lane.transient) {
    DurableView view = durable_view(lane);
    put_settled(out, view.settled);
    put_extents(out, view.extents);
  } else {
    put_settled(out, lane.settled);
    put_extents(out, lane.extents);
  }
  auto survives = [&](Sequence sequence) {
    return !lane.transient || !lane.transient->members.contains(sequence);
  };
  std::uint64_t failures = 0;
  for (auto [sequence, count] : lane.failures) failures += survives(sequence) ? 1 : 0;
  out.varint(failures);
  for (auto [sequence, count] : lane.failures) {
    if (!survives(sequence)) continue;
    out.varint(sequence);
    out.varint(count);
  }
}

void get_settled(Reader& in, SequenceSet& settled) {
  settled.raise_floor(in.varint());
  std::uint64_t ranges = in.varint();
  Sequence after = settled.floor();
  for (std::uint64_t i = 0; i < ranges && !in.failed(); ++i) {
    std::uint64_t gap = in.varint();
    std::uint64_t length = in.varint();
    if (gap > sequence_max || length > 2 * extent_length_max || after > sequence_max) {
      return in.fail(Errc::malformed, "settled range out of range");
    }
    settled.insert_range(after + gap, after + gap + length);
    after += gap + length + 1;
  }
}

void get_extents(Reader& in, Lane& lane) {
  std::uint64_t count = in.varint();
  Sequence after = 0;
  for (std::uint64_t i = 0; i < count && !in.failed(); ++i) {
    Extent extent;
    extent.segment = in.varint();
    std::uint64_t gap = in.varint();
    std::uint64_t length = in.varint();
    std::uint64_t live = in.varint();
    std::uint64_t offset = in.varint();
    std::uint64_t bytes = in.varint();
    bool fits = gap <= sequence_max && length <= extent_length_max && after <= sequence_max &&
                live <= UINT32_MAX && offset <= UINT32_MAX && bytes <= UINT32_MAX;
    if (!fits) return in.fail(Errc::malformed, "extent out of range");
    extent.first = after + gap;
    extent.last = extent.first + length;
    extent.live = static_cast<std::uint32_t>(live);
    extent.blob_offset = static_cast<std::uint32_t>(offset);
    extent.blob_bytes = static_cast<std::uint32_t>(bytes);
    after = extent.last + 1;
    lane.extents.push_back(extent);
  }
}

void get_lane(Reader& in, Catalog& catalog) {
  Lane lane;
  lane.id = LaneId{in.varint()};
  lane.next = in.varint();
  lane.count = in.varint();
  lane.charge = in.varint();
  lane.deliverable = in.varint();
  get_settled(in, lane.settled);
  get_extents(in, lane);
  std::uint64_t failures = in.varint();
  for (std::uint64_t i = 0; i < failures && !in.failed(); ++i) {
    Sequence sequence = in.varint();
    lane.failures[sequence] = static_cast<std::uint32_t>(in.varint());
  }
  if (in.failed()) return;
  if (!catalog.adopt(std::move(lane))) in.fail(Errc::malformed, "lane contradicts itself");
}

void get_segments(Reader& in, Catalog& catalog) {
  std::uint64_t count = in.varint();
  for (std::uint64_t i = 0; i < count && !in.failed(); ++i) {
    std::uint64_t number = in.varint();
    if (number == 0 || catalog.segment(number)) return in.fail(Errc::malformed, "segment twice");
    Segment& segment = catalog.add_segment(number);
    segment.end = in.varint();
    segment.refs = in.varint();
  }
}

std::uint64_t chunk_count(std::uint64_t payload) {
  return (payload + chunk_bytes - 1) / chunk_bytes;
}

ByteVector encode_payload(const Catalog& catalog, Bytes caller_state) {
  ByteVector payload;
  Writer out(payload);
  out.varint(catalog.segments().size());
  for (const auto& [number, segment] : catalog.segments()) {
    out.varint(number);
    out.varint(segment.end);
    out.varint(segment.refs);
  }
  out.varint(catalog.lane_count());
  for (const Lane* lane : catalog.sorted_lanes()) put_lane(out, *lane);
  out.bytes(caller_state);
  return payload;
}

// The payload out of its chunks, each checked. Faults: malformed.
Result<ByteVector> join_chunks(Bytes chunks, std::uint64_t payload_bytes, std::uint32_t& sum) {
  ByteVector payload;
  payload.reserve(payload_bytes);
  Writer out(payload);
  Reader in(chunks);
  while (payload.size() < payload_bytes) {
    Bytes chunk = in.take(std::min(chunk_bytes, payload_bytes - payload.size()));
    std::uint32_t crc = in.le<std::uint32_t>();
    if (in.failed() || crc32c(chunk) != crc) {
      return fault(Errc::malformed, "chunk of a snapshot fails its checksum");
    }
    sum = crc32c(chunks.subspan(in.offset() - 4, 4), sum);
    out.bytes(chunk);
  }
  return payload;
}

}  // namespace

Buffer encode_snapshot(const SnapshotHead& head, const Catalog& catalog, Bytes caller_state,
                       const ShardKey& key) {
  ByteVector payload = encode_payload(catalog, caller_state);
  std::uint64_t chunks = chunk_count(payload.size());
  Buffer file(head_bytes + payload.size() + chunks * 4 + footer_bytes);
  std::byte* at = file.writable().data();
  put_le(at, snapshot_magic);
  put_le(at + 8, snapshot_version);
  put_le(at + 10, std::uint16_t{0});
  put_le(at + 12, head.epoch);
  std::ranges::copy(key.uuid, at + 16);
  put_le(at + 32, head.chain.end);
  put_le(at + 40, head.chain.block);
  put_le(at + 48, head.chain.hash);
  put_le(at + 56, static_cast<std::uint64_t>(payload.size()));
  put_le(at + 64, std::uint32_t{0});
  put_le(at + 68, crc32c(Bytes(at, 68)));
  at += head_bytes;
  std::uint32_t sum = 0;
  for (std::size_t offset = 0; offset < payload.size(); offset += chunk_bytes) {
    Bytes chunk = Bytes(payload).subspan(offset, std::min(chunk_bytes, payload.size() - offset));
    std::memcpy(at, chunk.data(), chunk.size());
    at += chunk.size();
    put_le(at, crc32c(chunk));
    sum = crc32c(Bytes(at, 4), sum);
    at += 4;
  }
  put_le(at, end_magic);
  put_le(at + 8, static_cast<std::uint32_t>(chunks));
  put_le(at + 12, sum);
  ASSERT(at + footer_bytes == file.bytes().data() + file.size());
  return file;
}

Result<SnapshotHead> decode_snapshot(Bytes file, const ShardKey& key, Catalog& catalog,
                                     ByteVector& caller_state) {
  ASSERT(catalog.lane_count() == 0 && catalog.segments().empty());
  if (file.size() < head_bytes + footer_bytes) return fault(Errc::malformed, "snapshot cut short");
  Reader in(file);
  if (in.le<std::uint64_t>() != snapshot_magic) return fault(Errc::malformed, "no snapshot");
  if (Reader(file.subspan(68)).le<std::uint32_t>() != crc32c(file.first(68))) {
    return fault(Errc::malformed, "head of a snapshot fails its checksum");
  }
  if (in.le<std::uint16_t>() != snapshot_version) {
    return fault(Errc::unsupported, "version of a snapshot", 8);
  }
  in.take(2);
  SnapshotHead head;
  head.epoch = in.le<std::uint32_t>();
  bool ours = std::ranges::equal(in.take(16), key.uuid);
  head.chain.end = in.le<std::uint64_t>();
  head.chain.block = in.le<std::uint64_t>();
  head.chain.hash = in.le<std::uint64_t>();
  std::uint64_t payload_bytes = in.le<std::uint64_t>();
  std::uint64_t framed = file.size() - head_bytes - footer_bytes;
  if (!ours || head.chain.end == 0 || payload_bytes > framed ||
      payload_bytes + chunk_count(payload_bytes) * 4 != framed) {
    return fault(Errc::malformed, "head of a snapshot out of range");
  }
  std::uint32_t sum = 0;
  Result<ByteVector> payload = join_chunks(file.subspan(head_bytes, framed), payload_bytes, sum);
  if (!payload) return std::unexpected(payload.error());
  Reader footer(file.last(footer_bytes));
  bool ends = footer.le<std::uint64_t>() == end_magic;
  ends = footer.le<std::uint32_t>() == chunk_count(payload_bytes) && ends;
  ends = footer.le<std::uint32_t>() == sum && ends;
  if (!ends) return fault(Errc::malformed, "footer of a snapshot");

  Reader body(*payload);
  get_segments(body, catalog);
  std::uint64_t lanes = body.varint();
  for (std::uint64_t i = 0; i < lanes && !body.failed(); ++i) get_lane(body, catalog);
  if (body.failed()) return std::unexpected(*body.why());
  caller_state.assign(body.rest().begin(), body.rest().end());
  return head;
}

}  // namespace wharf::storage
