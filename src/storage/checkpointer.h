// storage/checkpointer.h: writes snapshots and superblocks, and gives segments back that neither a
// live record nor a replay needs. In order: snapshot on disk, log durable up to it, superblock;
// then RELEASE records for dead segments, and when those are durable, the files. Memory: the
// snapshot being written.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "storage/catalog.h"
#include "storage/offset_table.h"
#include "storage/superblock.h"
#include "storage/wal.h"

namespace wharf::storage {

class Checkpointer {
 public:
  using StateSource = std::function<void(ByteVector&)>;

  // `super` is the one that counts; `older_snapshot` that of the other one.
  Checkpointer(Io& io, Catalog& catalog, Wal& wal, SegmentPool& pool, OffsetTable& offsets,
               const StoreOptions& options, const Superblock& super, Lsn older_snapshot,
               StateSource source)
      : io_(io),
        catalog_(catalog),
        wal_(wal),
        pool_(pool),
        offsets_(offsets),
        options_(options),
        source_(std::move(source)),
        super_(super),
        older_snapshot_(older_snapshot),
        kept_{older_snapshot, super.snapshot} {}

  void pump(Instant now);
  // A snapshot and superblock now. REQUIRES: the log is durable and nothing is under way.
  Result<void> write_blocking(bool clean);
  // A superblock with the old snapshot. REQUIRES: nothing is under way.
  Result<void> write_super_blocking();
  std::uint64_t snapshots() const { return snapshots_; }
  bool busy() const { return stage_ != Stage::idle; }
  const Superblock& super() const { return super_; }

 private:
  enum class Stage : std::uint8_t { idle, snapshot, waiting, superblock };
  struct Released {
    std::uint64_t segment = 0;
    Lsn recorded = 0;  // its RELEASE record is durable when the log is durable up to here
  };

  bool due(Instant now);
  void begin();
  Buffer encode();
  Superblock next_super(bool clean);
  void write_super();
  void on_super_written(bool done);
  void release();
  void give_back();
  Lsn release_below() const;

  Io& io_;
  Catalog& catalog_;
  Wal& wal_;
  SegmentPool& pool_;
  OffsetTable& offsets_;
  const StoreOptions& options_;
  StateSource source_;
  Superblock super_;       // the last one written
  Superblock next_super_;  // the one being written
  Lsn older_snapshot_;
  std::vector<Lsn> kept_;  // snapshot files that stay
  Stage stage_ = Stage::idle;
  Chain target_;  // of the snapshot under way
  std::uint64_t snapshot_bytes_ = 0;
  std::uint64_t snapshots_ = 0;
  std::vector<Released> released_;
  Lsn looked_at_ = 0;  // durable end when dead segments were last looked for
  Instant retry_at_{};
};

}  // namespace wharf::storage
