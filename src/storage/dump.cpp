#include "storage/dump.h"

#include <algorithm>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "storage/block.h"
#include "storage/record.h"
#include "storage/recovery.h"
#include "storage/superblock.h"

namespace wharf::storage {

namespace {

const char* name_of(RecordType type) {
  switch (type) {
    case RecordType::message:
      return "message";
    case RecordType::relocated:
      return "relocated";
    case RecordType::settled:
      return "settled";
    case RecordType::failures:
      return "failures";
    case RecordType::deliverable:
      return "deliverable";
    case RecordType::drop_lane:
      return "drop_lane";
    case RecordType::settle_below:
      return "settle_below";
    case RecordType::meta:
      return "meta";
    case RecordType::release:
      return "release";
  }
  return "unknown";
}

class Dump {
 public:
  Dump(Disk& disk, std::ostream& out, bool verify_only)
      : disk_(disk), out_(out), verify_only_(verify_only) {}

  Result<DumpSummary> run() {
    for (const char* file : {"super.0", "super.1"}) superblock(file);
    if (!newest_) return fault(Errc::malformed, "no valid superblock");
    Result<std::vector<std::string>> files = disk_.list("wal");
    if (!files) return std::unexpected(files.error());
    std::ranges::sort(*files);
    for (const std::string& file : *files) {
      if (Result<void> one = segment(file); !one) return std::unexpected(one.error());
    }
    if (Result<void> judged = judge(); !judged) return std::unexpected(judged.error());
    return std::move(summary_);
  }

 private:
  void superblock(const std::string& file) {
    Result<Buffer> bytes = disk_.read(file, 0, superblock_bytes);
    Result<Superblock> super =
        bytes ? decode_superblock(bytes->bytes()) : std::unexpected(bytes.error());
    if (!super) {
      ++summary_.bad_superblocks;
      out_ << file << ": " << super.error().why << '\n';
      return;
    }
    out_ << file << ": sequence " << super->sequence << ", epoch " << super->epoch
         << (super->clean ? ", clean" : "") << ", snapshot at " << super->snapshot
         << ", durable to " << super->durable_end << ", block " << super->durable_block
         << ", first segment " << super->first_segment << '\n';
    if (!newest_ || super->sequence > newest_->sequence) newest_ = *super;
  }

  Result<void> segment(const std::string& name) {
    std::string file = "wal/" + name;
    Result<std::uint64_t> size = disk_.file_size(file);
    if (!size) return std::unexpected(size.error());
    Result<Buffer> bytes = disk_.read(file, 0, *size);
    if (!bytes) return std::unexpected(bytes.error());
    Bytes all = bytes->bytes();
    Bytes page = all.first(std::min<std::size_t>(all.size(), segment_header_bytes));
    Result<SegmentHeader> header = decode_segment_header(page, newest_->key);
    bool zeroes = std::ranges::all_of(page, [](std::byte byte) { return byte == std::byte{0}; });
    if (zeroes || (header && parse_hex16(name) != header->number)) {
      out_ << file << ": allocated ahead\n";
      return {};
    }
    if (!header) {
      // Whether that is a loss shows when the log is followed.
      out_ << file << ": " << header.error().why << '\n';
      return {};
    }
    ++summary_.segments;
    out_ << file << ": segment " << header->number << ", epoch " << header->epoch
         << ", goes on behind block " << header->before.block << '\n';
    std::uint64_t end = blocks(all, header->number);
    out_ << "  " << end << " of " << all.size() << " bytes used\n";
    return {};
  }

  // Recovers, and throws the result away.
  Result<void> judge() {
    class Nobody final : public RecoverySink {
      void on_snapshot(Bytes) override {}
      void on_meta(Bytes) override {}
    } nobody;
    SeededRandom unused(0);
    StoreOptions options{.segment_bytes = newest_->segment_bytes, .accept_damage = true};
    OpenReport report;
    Result<Recovered> state = recover(disk_, unused, options, nobody, report);
    for (const Damage& damage : report.damage) {
      out_ << "DAMAGED " << damage.file << ": " << damage.size << " bytes at " << damage.offset
           << ", " << damage.reason << '\n';
    }
    if (!state) return std::unexpected(state.error());
    std::set<std::string> files;
    for (const Damage& damage : report.damage) files.insert(damage.file);
    summary_.unreadable_segments = files.size();
    summary_.torn_bytes = report.torn_bytes;
    summary_.clean = report.clean;
    summary_.damage = std::move(report.damage);
    out_ << "log ends behind block " << state->tail.block << ", "
         << (summary_.clean ? "clean stop" : "no clean stop") << ", " << summary_.torn_bytes
         << " bytes torn, " << summary_.damage.size() << " ranges lost\n";
    return {};
  }

  // Returns where the blocks of this generation end.
  std::uint64_t blocks(Bytes segment, std::uint64_t generation) {
    std::uint64_t at = segment_header_bytes;
    while (at + block_header_bytes <= segment.size()) {
      Result<BlockHeader> header = decode_block_header(segment.subspan(at), newest_->key);
      if (!header || header->generation != generation) break;
      std::uint64_t bytes = header->total_bytes();
      if (bytes > segment.size() - at) break;
      bool intact = payload_intact(*header, segment.subspan(at, bytes));
      if (!verify_only_ || !intact) block(*header, at, intact);
      if (!intact) break;
      ++summary_.blocks;
      records(*header, segment.subspan(at + block_header_bytes, header->payload_bytes), at);
      at += bytes;
    }
    return at;
  }

  void block(const BlockHeader& header, std::uint64_t at, bool intact) {
    out_ << "  block " << header.sequence << " at " << at << ": " << header.record_count
         << " records, " << header.payload_bytes << " bytes, durable " << header.durable
         << (header.flags & BlockHeader::flag_mark ? ", mark" : "")
         << (header.flags & BlockHeader::flag_seal ? ", seal" : "")
         << (intact ? "" : ", PAYLOAD DOES NOT MATCH ITS CHECKSUM") << '\n';
  }

  void records(const BlockHeader& header, Bytes payload, std::uint64_t block_at) {
    Result<void> read =
        each_record(payload, header.record_count, true, [&](const Record& found, std::size_t at) {
          ++summary_.records;
          if (!verify_only_) record(found, block_at + block_header_bytes + at);
        });
    if (!read) out_ << "  block " << header.sequence << ": " << read.error().why << '\n';
  }

  void record(const Record& found, std::uint64_t at) {
    out_ << "    " << name_of(found.type) << " at " << at << ", " << found.bytes << " bytes";
    switch (found.type) {
      case RecordType::relocated:
        out_ << ", from segment " << found.segment;
        [[fallthrough]];
      case RecordType::message:
        if (found.is_volatile) out_ << ", volatile";
        out_ << ", charge " << found.charge << ", in";
        found.each_ref(
            [&](LaneRef ref) { out_ << " lane " << ref.lane.value() << " #" << ref.sequence; });
        break;
      case RecordType::settled:
        out_ << ", lane " << found.ref.lane.value() << ", charge " << found.charge << ":";
        found.each_range(
            [&](SequenceRange range) { out_ << " #" << range.first << "-" << range.last; });
        break;
      case RecordType::failures:
      case RecordType::deliverable:
      case RecordType::settle_below:
      case RecordType::drop_lane:
        out_ << ", lane " << found.ref.lane.value() << " #" << found.ref.sequence;
        if (found.type == RecordType::failures) out_ << ", " << found.failures << " times";
        break;
      case RecordType::release:
        out_ << ", segment " << found.segment;
        break;
      case RecordType::meta:
        out_ << ", " << found.payload.size() << " bytes of the caller";
        break;
    }
    out_ << '\n';
  }

  Disk& disk_;
  std::ostream& out_;
  bool verify_only_;
  std::optional<Superblock> newest_;
  DumpSummary summary_;
};

}  // namespace

Result<DumpSummary> dump_log(Disk& disk, std::ostream& out, bool verify_only) {
  return Dump(disk, out, verify_only).run();
}

}  // namespace wharf::storage
