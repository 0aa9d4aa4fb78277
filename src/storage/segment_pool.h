// storage/segment_pool.h: the files of the log. Zeroed ones are kept ahead, so that a full disk is
// met here and not in a commit; the next segment's file is renamed into its place before it is
// needed; segments that nobody needs come back and are used again. Memory: a number a spare file.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "base/time.h"
#include "storage/io.h"
#include "storage/store.h"

namespace wharf::storage {

class SegmentPool {
 public:
  // `last_segment`: the highest number that has a file, or had one.
  SegmentPool(Io& io, const StoreOptions& options, std::uint64_t last_segment)
      : io_(io), options_(options), staged_(last_segment), wanted_(last_segment) {}

  // A spare file that was found at the start.
  void adopt(std::uint64_t number);
  // Segments up to `segment` will be written soon.
  void want(std::uint64_t segment);
  // Its file is there to be written.
  bool ready(std::uint64_t segment) const { return segment <= staged_; }
  // REQUIRES: nobody reads the segment's file any more, and recovery knows not to look for it.
  void recycle(std::uint64_t segment);
  // Gives a spare file back to the file system; false when there is none to spare.
  bool sacrifice();

  void pump(Instant now);
  std::optional<Instant> next_deadline() const;
  // False while producers should be held back.
  bool has_space() const;
  std::uint64_t free_count() const { return free_.size(); }
  // Highest number with a file.
  std::uint64_t last_segment() const { return staged_; }

 private:
  static constexpr Duration check_interval = std::chrono::seconds(1);
  // Beyond the spares this many recycled files are kept; the rest goes back to the file system.
  static constexpr std::uint64_t kept_extra = 4;

  void stage(Instant now);
  void allocate(Instant now);

  Io& io_;
  const StoreOptions& options_;
  std::deque<std::uint64_t> free_;
  std::uint64_t next_free_ = 1;  // names of spare files
  std::uint64_t staged_;
  std::uint64_t wanted_;
  bool staging_ = false;
  bool allocating_ = false;
  bool allocation_failed_ = false;
  bool low_ = false;  // the file system has less than free_bytes_min
  Instant next_check_{};
  Instant retry_at_{};
};

}  // namespace wharf::storage
