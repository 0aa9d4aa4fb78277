// storage/record.h: the records inside a commit block. Pure: bytes to values and back. Each has its
// own checksum, so that one record can be verified when it is fetched alone. Bytes:
// docs/formats/segment.md.
#pragma once

#include <cstdint>
#include <span>

#include "base/fault.h"
#include "storage/store.h"
#include "wire/bytes.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace wharf::storage {

enum class RecordType : std::uint8_t {
  message = 1,    // stored for one or more lanes
  relocated = 2,  // a message again, moved here from an older segment
  settled = 3,    // ranges of one lane
  failures = 4,
  deliverable = 5,
  drop_lane = 6,
  settle_below = 7,
  meta = 8,     // the caller's
  release = 9,  // a segment is about to be recycled
};

inline constexpr std::uint64_t record_header_bytes = 16;
// Sequences beyond are refused when read, so that sums of them cannot wrap.
inline constexpr Sequence sequence_max = std::uint64_t{1} << 62;

// Both ends belong to it.
struct SequenceRange {
  Sequence first = 0;
  Sequence last = 0;
  friend bool operator==(const SequenceRange&, const SequenceRange&) = default;
};

// A decoded record; the views point into the input.
struct Record {
  RecordType type = RecordType::meta;
  bool is_volatile = false;
  std::uint32_t count = 0;    // of refs or ranges
  std::uint64_t bytes = 0;    // of the whole record
  std::uint64_t charge = 0;   // message, relocated, settled
  std::uint64_t segment = 0;  // relocated: where it was; release: which
  LaneRef ref;                // settled (lane only), failures, deliverable, drop_lane, settle_below
  std::uint32_t failures = 0;
  Bytes list;     // encoded refs or ranges, checked
  Bytes payload;  // message, relocated, meta

  // For each LaneRef of a message or a relocated one.
  template <class Visit>
  void each_ref(Visit visit) const {
    Reader in(list);
    for (std::uint32_t i = 0; i < count; ++i) {
      LaneId lane{in.varint()};
      visit(LaneRef{lane, in.varint()});
    }
  }
  // For each SequenceRange of a settled one, ascending.
  template <class Visit>
  void each_range(Visit visit) const {
    Reader in(list);
    Sequence next = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      Sequence first = next + in.varint();
      Sequence last = first + in.varint();
      visit(SequenceRange{first, last});
      next = last + 1;
    }
  }
};

// The record that `bytes` starts with. `verify` checks its checksum; a reader that has just checked
// the block's need not. Faults: malformed.
Result<Record> decode_record(Bytes bytes, bool verify);

// Calls `visit(record, offset in payload)` for every record of a block. Faults: malformed; what
// came before the fault has then been visited.
template <class Visit>
Result<void> each_record(Bytes payload, std::uint32_t count, bool verify, Visit visit) {
  std::size_t offset = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    Result<Record> record = decode_record(payload.subspan(offset), verify);
    if (!record) return std::unexpected(record.error());
    visit(*record, offset);
    offset += record->bytes;
  }
  if (offset != payload.size()) return fault(Errc::malformed, "bytes after the last record");
  return {};
}

constexpr std::size_t varint_bytes(std::uint64_t value) {
  std::size_t bytes = 1;
  for (; value >= 0x80; value >>= 7) ++bytes;
  return bytes;
}
// Returns the byte behind.
inline std::byte* put_varint(std::byte* at, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<std::byte>(value | 0x80);
  *at++ = static_cast<std::byte>(value);
  return at;
}

// What is to be written; `from_segment` is 0 for a message, else it is a relocated one.
struct MessageFields {
  std::span<const LaneRef> refs;
  std::span<const Bytes> payload;
  std::uint64_t charge = 0;
  std::uint64_t from_segment = 0;
  bool is_volatile = false;
};
std::uint64_t message_bytes(const MessageFields& message);
// `out` is as long as the size function says; the same holds below.
void write_message(const MessageFields& message, std::span<std::byte> out);

// `ranges` ascend and do not touch each other.
std::uint64_t settled_bytes(LaneId lane, std::uint64_t charge,
                            std::span<const SequenceRange> ranges);
void write_settled(LaneId lane, std::uint64_t charge, std::span<const SequenceRange> ranges,
                   std::span<std::byte> out);

// The small ones: up to three numbers. Faults never; `numbers` has as many as the type asks for:
// failures {lane, sequence, count}, deliverable and settle_below {lane, sequence}, drop_lane
// {lane}, release {segment}.
std::uint64_t small_bytes(std::span<const std::uint64_t> numbers);
void write_small(RecordType type, std::span<const std::uint64_t> numbers, std::span<std::byte> out);

std::uint64_t meta_bytes(Bytes record);
void write_meta(Bytes record, std::span<std::byte> out);

}  // namespace wharf::storage
