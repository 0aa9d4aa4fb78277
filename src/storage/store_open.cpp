// storage/store_open.cpp: the start of a store, from recovery to the first turn.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "storage/store_impl.h"

namespace wharf::storage {

namespace {

// What recovery has read may be in the page cache only. It is acted upon from now on, so it must
// not get lost any more.
Result<void> sync_tail(Disk& disk, const Recovered& state) {
  for (std::uint64_t number : state.wal_files) {
    bool tail = number <= state.last_segment && number + 2 > state.last_segment;
    if (!tail) continue;
    Result<void> synced =
        disk.execute({.kind = DiskRequest::Kind::write_sync, .file = wal_name(number)});
    if (!synced) return synced;
  }
  return {};
}

Result<void> remove_file(Disk& disk, const std::string& file) {
  return disk.execute({.kind = DiskRequest::Kind::remove, .file = file});
}

}  // namespace

// Files that nobody needs become spare ones; what is left over from an earlier run goes.
Result<void> StoreImpl::adopt_files(const Recovered& state) {
  Disk& disk = io_.disk();
  Result<std::vector<std::uint64_t>> free_files = numbered_files(disk, "free");
  if (!free_files) return std::unexpected(free_files.error());
  std::uint64_t next_free = free_files->empty() ? 1 : free_files->back() + 1;
  auto whole = [&](const std::string& file) {
    Result<std::uint64_t> size = disk.file_size(file);
    return size && *size == options_.segment_bytes;
  };
  for (std::uint64_t number : *free_files) {
    if (whole(free_name(number))) {
      pool_.adopt(number);
    } else if (Result<void> gone = remove_file(disk, free_name(number)); !gone) {
      return gone;
    }
  }
  for (std::uint64_t number : state.idle_files) {
    if (!whole(wal_name(number)) || pool_.free_count() >= options_.spare_segments + 4) {
      if (Result<void> gone = remove_file(disk, wal_name(number)); !gone) return gone;
      continue;
    }
    Result<void> moved = disk.execute({.kind = DiskRequest::Kind::rename,
                                       .file = wal_name(number),
                                       .target = free_name(next_free)});
    if (!moved) return moved;
    pool_.adopt(next_free++);
  }
  for (const char* directory : {"idx", "snap"}) {
    bool index = std::string_view(directory) == "idx";
    Result<std::vector<std::string>> names = disk.list(directory);
    if (!names) continue;
    for (const std::string& name : *names) {
      std::optional<std::uint64_t> number = parse_hex16(name);
      bool needed =
          number && (index ? catalog_.segment(*number) != nullptr
                           : *number == state.super.snapshot || *number == state.older_snapshot);
      if (needed) continue;
      if (Result<void> gone = remove_file(disk, std::string(directory) + "/" + name); !gone) {
        return gone;
      }
    }
  }
  return {};
}

Result<void> StoreImpl::start(Recovered& state, bool damaged) {
  if (Result<void> synced = sync_tail(io_.disk(), state); !synced) return synced;
  // The new epoch is on disk before anything is written under it, or moved away for it.
  if (Result<void> written = checkpointer_.write_super_blocking(); !written) return written;
  if (Result<void> adopted = adopt_files(state); !adopted) return adopted;
  for (SegmentOffsets& offsets : state.offsets) offsets_.restore(std::move(offsets));
  if (damaged) {
    // The next start must not meet the damage again: it starts behind it.
    offsets_.write_blocking(io_.disk());
    if (Result<void> written = checkpointer_.write_blocking(false); !written) return written;
  }
  ASSERT_SLOW((catalog_.check(), true));
  return {};
}

Result<std::unique_ptr<Store>> Store::open(Disk& disk, const Clock& clock, Random& random,
                                           const StoreOptions& options, RecoverySink& sink,
                                           std::function<void(ByteVector&)> snapshot_source,
                                           OpenReport& report) {
  bool sizes = options.segment_bytes % page_bytes == 0 && options.segment_bytes >= 4 * page_bytes &&
               options.segment_bytes <= std::uint64_t{1} << 29 &&
               options.block_bytes_max >= page_bytes && options.block_bytes_max % page_bytes == 0;
  if (!sizes) return fault(Errc::precondition, "sizes of segments and blocks");
  report = {};
  Result<Recovered> state = recover(disk, random, options, sink, report);
  if (!state) return std::unexpected(state.error());
  StoreImpl::Parts parts{.disk = disk, .clock = clock, .options = options};
  parts.options.segment_bytes = state->super.segment_bytes;
  // Answers to a store that was on this disk before must not be taken for ours.
  parts.first_token = random.next() << 20;
  std::uint64_t last = std::max(state->super.last_segment, state->last_segment);
  if (!state->wal_files.empty()) last = std::max(last, state->wal_files.back());
  parts.first_segment = last + 1;
  state->super.epoch = std::max(state->super.epoch, state->epoch_max) + 1;
  state->super.first_of_epoch = parts.first_segment;
  auto store = std::make_unique<StoreImpl>(parts, *state, std::move(snapshot_source));
  bool damaged = !report.damage.empty();
  if (Result<void> started = store->start(*state, damaged); !started) {
    return std::unexpected(started.error());
  }
  return store;
}

}  // namespace wharf::storage
