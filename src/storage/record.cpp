#include "storage/record.h"

#include <cstring>

#include "base/assert.h"
#include "storage/crc32c.h"

namespace wharf::storage {

namespace {

constexpr std::uint8_t flag_volatile = 1;

void write_header(RecordType type, std::uint8_t flags, std::uint32_t count,
                  std::span<std::byte> out) {
  std::byte* at = out.data();
  put_le(at + 4, static_cast<std::uint32_t>(out.size()));
  put_le(at + 8, static_cast<std::uint8_t>(type));
  put_le(at + 9, flags);
  put_le(at + 10, std::uint16_t{0});
  put_le(at + 12, count);
}

void write_checksum(std::span<std::byte> out) { put_le(out.data(), crc32c(Bytes(out).subspan(4))); }

// Reads `record.count` refs, so that later readers of the list need no checks.
void check_refs(Reader& in, Record& record) {
  Bytes start = in.rest();
  if (record.count == 0) return in.fail(Errc::malformed, "message of no lane");
  if (record.count > in.left() / 2) return in.fail(Errc::malformed, "more refs than bytes");
  for (std::uint32_t i = 0; i < record.count && !in.failed(); ++i) {
    std::uint64_t lane = in.varint();
    std::uint64_t sequence = in.varint();
    if (in.failed()) return;
    if (lane == 0 || sequence == 0 || sequence > sequence_max) {
      return in.fail(Errc::malformed, "ref out of range");
    }
  }
  if (!in.failed()) record.list = start.first(start.size() - in.left());
}

void check_ranges(Reader& in, Record& record) {
  Bytes start = in.rest();
  if (record.count == 0) return in.fail(Errc::malformed, "settles nothing");
  if (record.count > in.left() / 2) return in.fail(Errc::malformed, "more ranges than bytes");
  Sequence next = 0;
  for (std::uint32_t i = 0; i < record.count && !in.failed(); ++i) {
    Sequence first = 0;
    Sequence last = 0;
    bool over = __builtin_add_overflow(next, in.varint(), &first);
    over |= __builtin_add_overflow(first, in.varint(), &last);
    if (in.failed()) return;
    if (over || first == 0 || last > sequence_max) {
      return in.fail(Errc::malformed, "range beyond the numbers");
    }
    next = last + 1;
  }
  if (!in.failed()) record.list = start;
}

void read_body(Reader& in, Record& record) {
  switch (record.type) {
    case RecordType::relocated:
    case RecordType::message:
      record.charge = in.varint();
      if (record.type == RecordType::relocated) record.segment = in.varint();
      check_refs(in, record);
      record.payload = in.take(in.left());
      break;
    case RecordType::settled:
      record.ref.lane = LaneId{in.varint()};
      record.charge = in.varint();
      check_ranges(in, record);
      break;
    case RecordType::failures: {
      record.ref.lane = LaneId{in.varint()};
      record.ref.sequence = in.varint();
      std::uint64_t failures = in.varint();
      if (failures > UINT32_MAX) in.fail(Errc::malformed, "failures beyond 32 bits");
      record.failures = static_cast<std::uint32_t>(failures);
      break;
    }
    case RecordType::deliverable:
    case RecordType::settle_below:
      record.ref.lane = LaneId{in.varint()};
      record.ref.sequence = in.varint();
      if (record.ref.sequence > sequence_max) in.fail(Errc::malformed, "sequence out of range");
      break;
    case RecordType::drop_lane:
      record.ref.lane = LaneId{in.varint()};
      break;
    case RecordType::meta:
      record.payload = in.take(in.left());
      break;
    case RecordType::release:
      record.segment = in.varint();
      break;
    default:
      in.fail(Errc::malformed, "unknown type of record");
      break;
  }
}

}  // namespace

Result<Record> decode_record(Bytes bytes, bool verify) {
  Reader head(bytes);
  std::uint32_t checksum = head.le<std::uint32_t>();
  Record record;
  record.bytes = head.le<std::uint32_t>();
  record.type = static_cast<RecordType>(head.le<std::uint8_t>());
  std::uint8_t flags = head.le<std::uint8_t>();
  std::uint16_t reserved = head.le<std::uint16_t>();
  record.count = head.le<std::uint32_t>();
  if (head.failed()) return fault(Errc::malformed, "record header cut short");
  if (record.bytes < record_header_bytes || record.bytes > bytes.size()) {
    return fault(Errc::malformed, "length of a record", 4);
  }
  Bytes whole = bytes.first(record.bytes);
  if (verify && crc32c(whole.subspan(4)) != checksum) {
    return fault(Errc::malformed, "record fails its checksum");
  }
  if (flags > flag_volatile || reserved != 0) return fault(Errc::malformed, "record flags", 9);
  record.is_volatile = flags == flag_volatile;
  Reader in(whole.subspan(record_header_bytes));
  read_body(in, record);
  if (in.failed()) return std::unexpected(*in.why());
  bool has_list = !record.list.empty();
  if (has_list != (record.count > 0)) return fault(Errc::malformed, "record count", 12);
  if (record.type != RecordType::settled && in.left() > 0) {
    return fault(Errc::malformed, "bytes after the last field of a record");
  }
  return record;
}

std::uint64_t message_bytes(const MessageFields& message) {
  std::uint64_t bytes = record_header_bytes + varint_bytes(message.charge);
  if (message.from_segment != 0) bytes += varint_bytes(message.from_segment);
  for (const LaneRef& ref : message.refs) {
    bytes += varint_bytes(ref.lane.value()) + varint_bytes(ref.sequence);
  }
  for (Bytes piece : message.payload) bytes += piece.size();
  return bytes;
}

void write_message(const MessageFields& message, std::span<std::byte> out) {
  ASSERT(!message.refs.empty());
  bool moved = message.from_segment != 0;
  write_header(moved ? RecordType::relocated : RecordType::message,
               message.is_volatile ? flag_volatile : 0,
               static_cast<std::uint32_t>(message.refs.size()), out);
  std::byte* at = put_varint(out.data() + record_header_bytes, message.charge);
  if (moved) at = put_varint(at, message.from_segment);
  for (const LaneRef& ref : message.refs) {
    at = put_varint(at, ref.lane.value());
    at = put_varint(at, ref.sequence);
  }
  for (Bytes piece : message.payload) {
    if (piece.empty()) continue;
    std::memcpy(at, piece.data(), piece.size());
    at += piece.size();
  }
  ASSERT(at == out.data() + out.size());
  write_checksum(out);
}

std::uint64_t settled_bytes(LaneId lane, std::uint64_t charge,
                            std::span<const SequenceRange> ranges) {
  std::uint64_t bytes = record_header_bytes + varint_bytes(lane.value()) + varint_bytes(charge);
  Sequence next = 0;
  for (const SequenceRange& range : ranges) {
    ASSERT(range.first >= next && range.last >= range.first);
    bytes += varint_bytes(range.first - next) + varint_bytes(range.last - range.first);
    next = range.last + 1;
  }
  return bytes;
}

void write_settled(LaneId lane, std::uint64_t charge, std::span<const SequenceRange> ranges,
                   std::span<std::byte> out) {
  ASSERT(!ranges.empty());
  write_header(RecordType::settled, 0, static_cast<std::uint32_t>(ranges.size()), out);
  std::byte* at = put_varint(out.data() + record_header_bytes, lane.value());
  at = put_varint(at, charge);
  Sequence next = 0;
  for (const SequenceRange& range : ranges) {
    at = put_varint(at, range.first - next);
    at = put_varint(at, range.last - range.first);
    next = range.last + 1;
  }
  ASSERT(at == out.data() + out.size());
  write_checksum(out);
}

std::uint64_t small_bytes(std::span<const std::uint64_t> numbers) {
  std::uint64_t bytes = record_header_bytes;
  for (std::uint64_t number : numbers) bytes += varint_bytes(number);
  return bytes;
}

void write_small(RecordType type, std::span<const std::uint64_t> numbers,
                 std::span<std::byte> out) {
  ASSERT(numbers.size() <= 3);
  write_header(type, 0, 0, out);
  std::byte* at = out.data() + record_header_bytes;
  for (std::uint64_t number : numbers) at = put_varint(at, number);
  ASSERT(at == out.data() + out.size());
  write_checksum(out);
}

std::uint64_t meta_bytes(Bytes record) { return record_header_bytes + record.size(); }

void write_meta(Bytes record, std::span<std::byte> out) {
  ASSERT(out.size() == meta_bytes(record));
  write_header(RecordType::meta, 0, 0, out);
  if (!record.empty()) std::memcpy(out.data() + record_header_bytes, record.data(), record.size());
  write_checksum(out);
}

}  // namespace wharf::storage
