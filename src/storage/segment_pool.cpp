#include "storage/segment_pool.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "storage/layout.h"

namespace wharf::storage {

void SegmentPool::adopt(std::uint64_t number) {
  free_.push_back(number);
  next_free_ = std::max(next_free_, number + 1);
}

void SegmentPool::want(std::uint64_t segment) { wanted_ = std::max(wanted_, segment); }

void SegmentPool::recycle(std::uint64_t segment) {
  ASSERT(segment < staged_ || segment == staged_);
  if (free_.size() >= options_.spare_segments + kept_extra) {
    io_.submit({.kind = DiskRequest::Kind::remove, .file = wal_name(segment)},
               [](Result<Buffer>) {});
    return;
  }
  std::uint64_t number = next_free_++;
  // When it fails the file stays where it is: the next start tries again.
  io_.submit(
      {.kind = DiskRequest::Kind::rename, .file = wal_name(segment), .target = free_name(number)},
      [this, number](Result<Buffer> done) {
        if (done) free_.push_back(number);
      });
}

bool SegmentPool::sacrifice() {
  if (free_.size() < 2) return false;
  io_.submit({.kind = DiskRequest::Kind::remove, .file = free_name(free_.back())},
             [](Result<Buffer>) {});
  free_.pop_back();
  return true;
}

void SegmentPool::stage(Instant now) {
  if (staging_ || staged_ >= wanted_ || free_.empty() || now < retry_at_) return;
  staging_ = true;
  std::uint64_t number = free_.front();
  free_.pop_front();
  io_.submit({.kind = DiskRequest::Kind::rename,
              .file = free_name(number),
              .target = wal_name(staged_ + 1)},
             [this, number, now](Result<Buffer> done) {
               staging_ = false;
               if (done) {
                 ++staged_;
               } else {
                 free_.push_back(number);
                 retry_at_ = now + check_interval;
               }
             });
}

void SegmentPool::allocate(Instant now) {
  if (allocating_ || free_.size() >= options_.spare_segments) return;
  if (now < retry_at_) return;
  if (io_.disk().free_bytes() < options_.segment_bytes) {
    allocation_failed_ = true;
    retry_at_ = now + check_interval;
    return;
  }
  allocating_ = true;
  std::uint64_t number = next_free_++;
  io_.submit({.kind = DiskRequest::Kind::allocate,
              .file = free_name(number),
              .size = options_.segment_bytes},
             [this, number, now](Result<Buffer> done) {
               allocating_ = false;
               allocation_failed_ = !done;
               if (done) free_.push_back(number);
               if (!done) retry_at_ = now + check_interval;
             });
}

void SegmentPool::pump(Instant now) {
  if (now >= next_check_) {
    next_check_ = now + check_interval;
    low_ = io_.disk().free_bytes() < options_.free_bytes_min;
  }
  stage(now);
  allocate(now);
}

bool SegmentPool::has_space() const {
  return !low_ && !(allocation_failed_ && free_.size() < options_.spare_segments);
}

std::optional<Instant> SegmentPool::next_deadline() const {
  if (!has_space()) return next_check_;
  bool waits = free_.size() < options_.spare_segments || (staged_ < wanted_ && !free_.empty());
  if (!waits || allocating_ || staging_) return std::nullopt;
  return retry_at_;
}

}  // namespace wharf::storage
