// storage/store_impl.h: the Store that stands on a Disk: puts the parts together and gives each its
// turn. What each part does is in its own header:
//   wal.h            changes into blocks, blocks to the disk
//   catalog.h        what is alive, and where
//   offset_table.h   where exactly, for the segments at hand
//   fetcher.h        records back into memory
//   checkpointer.h   snapshots; segments given back
//   cleaner.h        few old records moved out of many segments
//   segment_pool.h   files ahead of need
//   recovery.h       all of it again after a start
#pragma once

#include <functional>
#include <memory>

#include "storage/catalog.h"
#include "storage/checkpointer.h"
#include "storage/cleaner.h"
#include "storage/fetcher.h"
#include "storage/io.h"
#include "storage/offset_table.h"
#include "storage/recovery.h"
#include "storage/segment_pool.h"
#include "storage/store.h"
#include "storage/wal.h"

namespace wharf::storage {

class StoreImpl final : public Store {
 public:
  struct Parts {
    Disk& disk;
    const Clock& clock;
    StoreOptions options;  // segment_bytes is that of the directory
    std::uint64_t first_token = 0;
    std::uint64_t first_segment = 0;
  };
  StoreImpl(const Parts& parts, Recovered& state, std::function<void(ByteVector&)> source);

  // Makes the recovered state the store's own on disk. Faults: io.
  Result<void> start(Recovered& state, bool damaged);

  std::vector<LaneState> lanes() const override;
  Result<void> append(std::span<const LaneRef> refs, std::span<const Bytes> payload,
                      std::uint32_t charge_bytes, bool is_volatile) override;
  void settle(LaneRef ref, std::uint32_t charge_bytes) override;
  void note_failures(LaneRef ref, std::uint32_t failures) override;
  void note_deliverable(LaneId lane, Sequence sequence) override;
  void drop_lane(LaneId lane) override;
  void settle_below(LaneId lane, Sequence end) override;
  void append_meta(Bytes record) override;
  Lsn end() const override { return wal_.end(); }
  Lsn durable_up_to() const override { return wal_.durable_up_to(); }
  void request_sync() override { wal_.request_sync(); }
  void fetch(LaneId lane, Sequence from, std::uint32_t count_max, std::uint64_t bytes_max,
             std::uint64_t token) override;
  void take_fetched(std::vector<FetchResult>& results) override;
  void on_turn_end() override;
  std::optional<Instant> next_deadline() const override;
  bool has_space() const override;
  bool is_behind() const override;
  bool failed() const override { return wal_.failed(); }
  void close() override;
  Stats stats() const override;

 private:
  void write_small_record(RecordType type, std::span<const std::uint64_t> numbers);
  Result<void> adopt_files(const Recovered& state);
  // False when the disk does not come to rest.
  bool drain();

  const Clock& clock_;
  const StoreOptions options_;
  const Layout layout_;
  const ShardKey key_;
  Io io_;
  Catalog catalog_;
  SegmentPool pool_;
  Wal wal_;
  OffsetTable offsets_;
  Checkpointer checkpointer_;
  Cleaner cleaner_;
  Fetcher fetcher_;
};

}  // namespace wharf::storage
