// storage/fetcher.h: reads records back, in rounds: find the extent, have its offsets (from memory
// or from the index file), read the records in few large reads, verify, answer. Memory: what is
// being read, and up to blob_cache_bytes of offsets of segments that are being read.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "storage/catalog.h"
#include "storage/io.h"
#include "storage/layout.h"
#include "storage/offset_table.h"
#include "storage/segment_walk.h"
#include "storage/wal.h"

namespace wharf::storage {

class Fetcher {
 public:
  Fetcher(Io& io, Catalog& catalog, Wal& wal, OffsetTable& offsets, const ShardKey& key)
      : io_(io), catalog_(catalog), wal_(wal), offsets_(offsets), key_(key) {}

  void fetch(LaneId lane, Sequence from, std::uint32_t count_max, std::uint64_t bytes_max,
             std::uint64_t token);
  void take_fetched(std::vector<FetchResult>& results);
  void pump();
  // Something to do or to take that no answer of the disk will wake us for.
  bool has_work() const { return fresh_ || !results_.empty(); }

 private:
  static constexpr std::uint64_t blob_cache_bytes = 16 << 20;
  static constexpr std::uint64_t blob_overhead_bytes = 256;  // of one in the cache, about
  static constexpr std::uint64_t round_bytes_max = 2 << 20;
  static constexpr std::uint64_t read_bytes_max = 1 << 20;
  static constexpr std::uint64_t hole_bytes_max = 32 << 10;  // read over rather than around
  static constexpr std::size_t pieces_max = 64;              // of one round

  // One read, and the records in it.
  struct Piece {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    std::vector<OffsetEntry> wanted;
    Result<Buffer> data;
  };
  struct Job {
    LaneId lane;
    Sequence from = 0;
    std::uint32_t count_left = 0;
    std::uint64_t bytes_left = 0;
    std::uint64_t token = 0;
    std::vector<Fetched> records;
    std::uint64_t segment = 0;  // of the round
    std::vector<Piece> pieces;  // of the round, in order of sequence
    std::size_t reads_out = 0;
    bool waiting_blob = false;
    Buffer blob;  // of blob_segment, where it is not in memory anyway
    std::uint64_t blob_segment = 0;
    bool stop_after = false;  // the round reaches a limit
    bool done = false;
  };
  using BlobKey = std::pair<std::uint64_t, std::uint64_t>;  // segment, lane
  struct CachedBlob {
    BlobKey key;
    Buffer blob;
  };

  void advance(const std::shared_ptr<Job>& job);
  // False when it waits for the disk.
  bool plan_round(const std::shared_ptr<Job>& job, Lane& lane, const Extent& extent);
  bool have_blob(const std::shared_ptr<Job>& job, Lane& lane, const Extent& extent, Bytes& blob);
  bool choose(Job& job, Lane& lane, const Extent& extent, Bytes blob);
  bool check_none_left(Job& job, const Lane& lane, const Extent& extent);
  void add_wanted(Job& job, const OffsetEntry& entry);
  void start_reads(const std::shared_ptr<Job>& job);
  // False when the job has come to its end.
  bool collect(Job& job);
  bool take_record(Job& job, const Piece& piece, const OffsetEntry& entry, const Lane& lane);
  void load_blob(const std::shared_ptr<Job>& job, Lane& lane, const Extent& extent);
  void remember_blob(BlobKey key, const Buffer& blob);
  struct Rebuild {
    SegmentWalk walk;
    SegmentOffsets offsets;
  };
  void rebuild(std::uint64_t segment);
  bool rebuilding(std::uint64_t segment) const;
  void pump_rebuilds();
  void read_window(Rebuild& rebuild);
  void finish_rebuild(Rebuild& rebuild, Segment& segment);
  void finish(Job& job, Sequence scanned_to);
  void fail(Job& job, const Fault& why, Sequence at);

  Io& io_;
  Catalog& catalog_;
  Wal& wal_;
  OffsetTable& offsets_;
  const ShardKey key_;
  std::list<std::shared_ptr<Job>> jobs_;
  std::vector<FetchResult> results_;
  std::list<CachedBlob> blobs_;  // the one used last in front
  std::map<BlobKey, std::list<CachedBlob>::iterator> blob_places_;
  std::uint64_t blob_bytes_ = 0;
  bool fresh_ = false;  // a job has not had its first turn
  std::list<Rebuild> rebuilds_;
};

}  // namespace wharf::storage
