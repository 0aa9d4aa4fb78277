// storage/store.h: everything that one shard keeps on disk. Callers see *lanes*: a lane is a
// sequence of records of one work view, numbered from 1 in the order of arrival. A record is stored
// once, whatever number of lanes refer to it. Below stands one write-ahead log (wal.h) of commit
// blocks; formats are in docs/formats/. What a record's payload means is the caller's business.
//
// Durability is a number: every change moves end(); durable_up_to() follows it. A change at or past
// durable_up_to() may be lost by a crash, one below may not. Changes become durable in their order,
// and those of one turn become durable together or in order, never later ones without earlier ones.
//
// Memory: nothing per stored record. A lane costs its extents (one per segment that holds records
// of it) and a bitmap page of 4096 where records were settled out of order. Shard: owner only;
// nothing blocks after open. Not polled, nothing moves: call on_turn_end every turn. Faults: io
// once the disk has refused a commit: from then on nothing becomes durable any more, for good (a
// failed fsync must not be retried).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/fault.h"
#include "base/id.h"
#include "base/random.h"
#include "base/time.h"
#include "storage/disk.h"
#include "wire/buffer.h"
#include "wire/bytes.h"
#include "wire/writer.h"

namespace wharf::storage {

using LaneId = StrongId<struct LaneTag, std::uint64_t>;
using Sequence = std::uint64_t;  // 1, 2, 3, ... within a lane; 0 is "none"
using Lsn = std::uint64_t;  // a byte position in the log: segment number * segment size + offset

struct LaneRef {
  LaneId lane;
  Sequence sequence = 0;
};

// What survived of a lane.
struct LaneState {
  LaneId lane;
  Sequence next = 1;               // the first sequence never used
  std::uint64_t count = 0;         // records stored and not settled
  std::uint64_t charge_bytes = 0;  // sum of their charges
  Sequence maybe_delivered = 0;    // records up to here may have been delivered before the crash
  std::map<Sequence, std::uint32_t> failures;  // of unsettled records, where not 0
};

// A range of the log that is lost to corruption, for the report.
struct Damage {
  std::string file;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::string reason;
};

struct StoreOptions {
  std::uint64_t segment_bytes = 64 << 20;
  std::uint64_t block_bytes_max = 1
                                  << 20;  // soft: a record larger than this has a block of its own
  std::uint64_t snapshot_interval_bytes = 256 << 20;
  std::uint64_t pending_bytes_max = 64 << 20;  // written by callers, not yet by the disk
  std::uint64_t free_bytes_min = 512 << 20;    // below this has_space() is false
  std::uint32_t spare_segments =
      2;  // allocated ahead; consumers live on them when the disk is full
  std::uint32_t clean_segments_min = 8;  // the cleaner leaves logs of fewer segments alone
  Duration lazy_commit_after =
      std::chrono::milliseconds(10);  // settles alone wait this long for company
  bool accept_damage = false;         // open in spite of corruption, without the damaged records
};

// Called during open, in the order in which things happened.
class RecoverySink {
 public:
  virtual ~RecoverySink() = default;
  // The caller's own state as snapshot_source gave it; at most once, and first.
  virtual void on_snapshot(Bytes state) = 0;
  // A record of append_meta that is newer than the snapshot.
  virtual void on_meta(Bytes record) = 0;
};

struct OpenReport {
  bool created = false;  // the directory was empty
  bool clean = false;    // the last stop sealed the log
  std::uint64_t replayed_bytes = 0;
  std::uint64_t torn_bytes = 0;  // of a block that was never acknowledged
  std::vector<Damage> damage;    // why open refused, or with accept_damage what it did without
};

// One record that fetch found.
struct Fetched {
  Sequence sequence = 0;
  Buffer payload;
};

struct FetchResult {
  std::uint64_t token = 0;
  // Unsettled records in order of sequence, complete from the asked one up to `scanned_to`.
  Result<std::vector<Fetched>> records;
  Sequence scanned_to = 0;  // every unsettled stored record below this is in `records`
};

class Store {
 public:
  virtual ~Store() = default;

  // Recovers what `disk` holds, or lays out an empty store. Blocking. `snapshot_source` must write
  // the caller's whole durable state; it is called on the owner's turn, when a snapshot is due.
  // Faults: malformed for corruption (see `damage` in the report), io.
  static Result<std::unique_ptr<Store>> open(Disk& disk, const Clock& clock, Random& random,
                                             const StoreOptions& options, RecoverySink& sink,
                                             std::function<void(ByteVector&)> snapshot_source,
                                             OpenReport& report);

  // The lanes that recovery found. Those that the caller does not want any more it drops.
  virtual std::vector<LaneState> lanes() const = 0;

  // Adds one record to one or more lanes. Each sequence must be higher than any stored in its lane
  // before; gaps are allowed. `charge_bytes` is what the caller counts the record as. A volatile
  // record is stored only to leave memory: recovery forgets it. Copies; `payload` may die on
  // return.
  virtual Result<void> append(std::span<const LaneRef> refs, std::span<const Bytes> payload,
                              std::uint32_t charge_bytes, bool is_volatile) = 0;
  // The lane is done with this record. REQUIRES: stored in it and not settled yet.
  virtual void settle(LaneRef ref, std::uint32_t charge_bytes) = 0;
  // The record was handed out and came back a failure, `failures` times by now.
  virtual void note_failures(LaneRef ref, std::uint32_t failures) = 0;
  // Records up to `sequence` may be delivered from now on.
  virtual void note_deliverable(LaneId lane, Sequence sequence) = 0;
  // All records of the lane go, at once and for good; the lane id may not be used again.
  virtual void drop_lane(LaneId lane) = 0;
  // Settles every stored record of the lane below `end`; the lane stays.
  virtual void settle_below(LaneId lane, Sequence end) = 0;
  // A change of the caller's own state, given back by recovery until a snapshot holds it.
  virtual void append_meta(Bytes record) = 0;

  // Behind the last change.
  virtual Lsn end() const = 0;
  virtual Lsn durable_up_to() const = 0;
  // Somebody waits for all changes so far: the next on_turn_end starts a commit if the disk is
  // idle.
  virtual void request_sync() = 0;

  // Reads unsettled records of `lane` from `from` on: at most `count_max`, stopping once their
  // payloads pass `bytes_max` (one record always fits). The answer comes through take_fetched, also
  // for what is still on its way to the disk. Faults in the answer: malformed for a record that
  // fails its checksum.
  virtual void fetch(LaneId lane, Sequence from, std::uint32_t count_max, std::uint64_t bytes_max,
                     std::uint64_t token) = 0;
  virtual void take_fetched(std::vector<FetchResult>& results) = 0;

  // End of the owner's turn: collects what the disk finished, starts what is due (commit, snapshot,
  // cleaning, allocation).
  virtual void on_turn_end() = 0;
  // When on_turn_end has something to do although nobody calls.
  virtual std::optional<Instant> next_deadline() const = 0;

  // False while producers must be held back because the disk is nearly full.
  virtual bool has_space() const = 0;
  // True while producers must be held back until the disk has caught up. Nothing is refused
  // meanwhile, so that what they sent before they were told is not lost: it takes memory.
  virtual bool is_behind() const = 0;
  // True once a commit has failed; nothing will be durable again.
  virtual bool failed() const = 0;

  // Seals the log: commits, writes a snapshot and a mark of the clean stop. Blocking, last call.
  virtual void close() = 0;

  struct Stats {
    std::uint64_t commits = 0;
    std::uint64_t committed_bytes = 0;
    std::uint64_t segments = 0;
    std::uint64_t free_segments = 0;
    std::uint64_t snapshots = 0;
    std::uint64_t relocated_records = 0;
    std::uint64_t pending_bytes = 0;
  };
  virtual Stats stats() const = 0;
};

}  // namespace wharf::storage
