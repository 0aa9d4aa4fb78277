#include "storage/recovery.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/assert.h"
#include "storage/replay.h"
#include "storage/segment_index.h"
#include "storage/snapshot.h"

namespace wharf::storage {

namespace {

constexpr std::uint64_t snapshot_bytes_max = std::uint64_t{4} << 30;

// A new store: its name exists before anything else does.
Result<Superblock> create(Disk& disk, Random& random, const StoreOptions& options) {
  Superblock super;
  std::array<std::byte, 16> uuid;
  random.fill(uuid);
  super.key = ShardKey::of(uuid);
  super.segment_bytes = options.segment_bytes;
  super.sequence = 1;
  super.epoch = 0;
  super.first_segment = 1;
  Buffer page(superblock_bytes);
  encode_superblock(super, page.writable());
  Result<void> written = disk.execute(
      {.kind = DiskRequest::Kind::replace, .file = super_name(1), .data = std::move(page)});
  if (!written) return std::unexpected(written.error());
  return super;
}

Result<Buffer> read_whole(Disk& disk, const std::string& file, std::uint64_t bytes_max) {
  Result<std::uint64_t> size = disk.file_size(file);
  if (!size) return std::unexpected(size.error());
  if (*size > bytes_max) return fault(Errc::malformed, "file too large");
  Result<Buffer> read = disk.read(file, 0, *size);
  if (read && read->size() != *size) return fault(Errc::malformed, "file cut short");
  return read;
}

struct Loaded {
  Catalog catalog;
  SnapshotHead head;
  ByteVector caller_state;
};

// Faults: malformed and not_found when there is no good snapshot, io.
Result<Loaded> load_snapshot(Disk& disk, const Superblock& super) {
  Loaded loaded;
  if (super.snapshot == 0) return loaded;
  Result<Buffer> file = read_whole(disk, snapshot_name(super.snapshot), snapshot_bytes_max);
  if (!file) return std::unexpected(file.error());
  Result<SnapshotHead> head =
      decode_snapshot(file->bytes(), super.key, loaded.catalog, loaded.caller_state);
  if (!head) return std::unexpected(head.error());
  if (head->chain.end != super.snapshot) return fault(Errc::malformed, "snapshot of another place");
  loaded.head = *head;
  return loaded;
}

bool index_is_good(Disk& disk, std::uint64_t segment, const ShardKey& key) {
  std::string file = index_name(segment);
  Result<std::uint64_t> size = disk.file_size(file);
  if (!size || *size < index_footer_bytes) return false;
  Result<Buffer> footer = disk.read(file, *size - index_footer_bytes, index_footer_bytes);
  if (!footer) return false;
  Result<IndexFooter> decoded = decode_index_footer(footer->bytes(), *size, key);
  return decoded && decoded->segment == segment;
}

// Segments of the snapshot that hold something alive and have no index to find it by.
std::set<std::uint64_t> segments_without_index(Disk& disk, const Catalog& catalog,
                                               const ShardKey& key) {
  std::set<std::uint64_t> missing;
  for (const auto& [number, segment] : catalog.segments()) {
    if (segment.live > 0 && !index_is_good(disk, number, key)) missing.insert(number);
  }
  for (const Lane* lane : catalog.sorted_lanes()) {
    for (const Extent& extent : lane->extents) {
      if (extent.blob_bytes == 0) missing.insert(extent.segment);
    }
  }
  return missing;
}

// Every segment that something alive lies in must be there, whole.
Result<void> check_segments(Disk& disk, const Layout& layout, Catalog& catalog,
                            OpenReport& report) {
  std::vector<std::uint64_t> gone;
  for (const auto& [number, segment] : catalog.segments()) {
    Result<std::uint64_t> size = disk.file_size(wal_name(number));
    if (!size && size.error().code != Errc::not_found) return std::unexpected(size.error());
    if (size && *size == layout.segment_bytes) continue;
    gone.push_back(number);
    if (segment.live == 0) continue;
    report.damage.push_back({wal_name(number), 0, layout.segment_bytes,
                             size ? "segment of the wrong size" : "segment missing"});
  }
  for (std::uint64_t number : gone) catalog.remove_segment(number);
  return {};
}

Result<void> replay_log(Disk& disk, const Layout& layout, const Chain& start,
                        const Superblock& newest, RecoverySink& sink, OpenReport& report,
                        Recovered& state) {
  Replay replay(disk, layout, state.super.key, state.catalog, sink, report, state.wal_files);
  std::uint64_t last = start.end > 0 ? layout.segment_of_end(start.end) : 0;
  for (std::uint64_t number : segments_without_index(disk, state.catalog, state.super.key)) {
    bool open = number == last;
    std::uint64_t end = open ? layout.offset_of_end(start.end) : state.catalog.segment(number)->end;
    if (end > layout.segment_bytes) return fault(Errc::malformed, "segment end out of range");
    // One without a file is reported with the rest.
    if (!std::ranges::binary_search(state.wal_files, number)) continue;
    if (Result<void> read = replay.index_segment(number, end); !read) return read;
  }
  if (Result<void> run = replay.run(start, newest); !run) return run;
  if (Result<void> whole = check_segments(disk, layout, state.catalog, report); !whole)
    return whole;
  state.tail = replay.chain();
  state.last_segment = std::max(last, replay.last_segment());
  state.epoch_max = replay.epoch_max();
  state.offsets = replay.take_offsets();
  for (std::uint64_t number : state.wal_files) {
    bool needed = state.catalog.segment(number) != nullptr;
    bool later = number > state.last_segment && replay.holds_evidence(number);
    if (!needed && !later) state.idle_files.push_back(number);
  }
  return {};
}

}  // namespace

Result<std::vector<std::uint64_t>> numbered_files(Disk& disk, const std::string& directory) {
  Result<std::vector<std::string>> names = disk.list(directory);
  std::vector<std::uint64_t> numbers;
  if (!names && names.error().code == Errc::not_found) return numbers;
  if (!names) return std::unexpected(names.error());
  for (const std::string& name : *names) {
    std::optional<std::uint64_t> number = parse_hex16(name);
    if (number) numbers.push_back(*number);
  }
  std::ranges::sort(numbers);
  return numbers;
}

Result<std::vector<Superblock>> read_superblocks(Disk& disk) {
  std::vector<Superblock> valid;
  for (unsigned which : {0u, 1u}) {
    Result<Buffer> page = disk.read(super_name(which), 0, superblock_bytes);
    if (!page && page.error().code == Errc::io) return std::unexpected(page.error());
    if (!page) continue;
    Result<Superblock> super = decode_superblock(page->bytes());
    if (super) valid.push_back(*super);
    if (!super && super.error().code == Errc::unsupported) return std::unexpected(super.error());
  }
  std::ranges::sort(valid, std::greater{}, &Superblock::sequence);
  if (valid.size() == 2 && !(valid[0].key == valid[1].key)) valid.pop_back();
  return valid;
}

Result<Recovered> recover(Disk& disk, Random& random, const StoreOptions& options,
                          RecoverySink& sink, OpenReport& report) {
  Recovered state;
  Result<std::vector<Superblock>> supers = read_superblocks(disk);
  if (!supers) return std::unexpected(supers.error());
  Result<std::vector<std::uint64_t>> wal_files = numbered_files(disk, "wal");
  if (!wal_files) return std::unexpected(wal_files.error());
  state.wal_files = *wal_files;
  if (supers->empty()) {
    if (!wal_files->empty()) {
      report.damage.push_back({super_name(0), 0, superblock_bytes, "no valid superblock"});
      return fault(Errc::malformed, "no valid superblock");
    }
    Result<Superblock> created = create(disk, random, options);
    if (!created) return std::unexpected(created.error());
    state.super = *created;
    report.created = true;
    return state;
  }
  std::optional<Loaded> loaded;
  for (const Superblock& super : *supers) {
    Result<Loaded> attempt = load_snapshot(disk, super);
    if (!attempt && attempt.error().code == Errc::io) return std::unexpected(attempt.error());
    if (attempt) {
      loaded = std::move(*attempt);
      state.super = super;
      break;
    }
    report.damage.push_back({snapshot_name(super.snapshot), 0, 0, attempt.error().why});
  }
  if (!loaded) return fault(Errc::malformed, "no valid snapshot");
  // The other snapshot and the log behind it say the same: nothing is lost.
  report.damage.clear();
  if (supers->size() == 2 && supers->front().sequence == state.super.sequence) {
    state.older_snapshot = supers->back().snapshot;
  }
  state.catalog = std::move(loaded->catalog);
  if (state.super.snapshot > 0) sink.on_snapshot(loaded->caller_state);
  Layout layout{state.super.segment_bytes};
  Result<void> read =
      replay_log(disk, layout, loaded->head.chain, supers->front(), sink, report, state);
  if (!read) return std::unexpected(read.error());
  report.clean = supers->front().clean && state.tail.end == supers->front().durable_end;
  if (!report.damage.empty() && !options.accept_damage) {
    return fault(Errc::malformed, "the log is damaged; the report has the ranges");
  }
  return state;
}

}  // namespace wharf::storage
