#include "storage/segment_walk.h"

#include <algorithm>

#include "base/assert.h"

namespace wharf::storage {

SegmentWalk::SegmentWalk(Io& io, Catalog& catalog, const ShardKey& key, std::uint64_t segment,
                         std::uint64_t end)
    : io_(io), catalog_(catalog), key_(key), segment_(segment), end_(end) {
  ASSERT(catalog.segment(segment) && catalog.segment(segment)->sealed);
  read_on();
}

void SegmentWalk::read_on() {
  if (offset_ >= end_) {
    shared_->state = State::done;
    return;
  }
  shared_->state = State::reading;
  ++catalog_.segment(segment_)->pins;
  std::uint64_t size = std::min(wanted_, end_ - offset_);
  wanted_ = window_bytes;
  io_.submit({.kind = DiskRequest::Kind::read,
              .file = wal_name(segment_),
              .offset = offset_,
              .size = size},
             [shared = shared_, &catalog = catalog_, number = segment_, size](Result<Buffer> read) {
               Segment* segment = catalog.segment(number);
               ASSERT(segment && segment->pins > 0);
               --segment->pins;
               bool whole = read && read->size() == size;
               shared->state = whole ? State::window : State::damaged;
               if (whole) shared->window = std::move(*read);
             });
}

}  // namespace wharf::storage
