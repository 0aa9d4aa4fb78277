#include "storage/fetcher.h"

#include <algorithm>
#include <iterator>

#include "base/assert.h"
#include "storage/segment_index.h"

namespace wharf::storage {

void Fetcher::fetch(LaneId lane, Sequence from, std::uint32_t count_max, std::uint64_t bytes_max,
                    std::uint64_t token) {
  auto job = std::make_shared<Job>();
  job->lane = lane;
  job->from = std::max<Sequence>(from, 1);
  job->count_left = count_max;
  job->bytes_left = bytes_max;
  job->token = token;
  jobs_.push_back(std::move(job));
  fresh_ = true;
}

void Fetcher::take_fetched(std::vector<FetchResult>& results) {
  std::ranges::move(results_, std::back_inserter(results));
  results_.clear();
}

void Fetcher::finish(Job& job, Sequence scanned_to) {
  ASSERT(!job.done && job.reads_out == 0);
  job.done = true;
  results_.push_back({job.token, std::move(job.records), scanned_to});
}

// What was found before the fault is worth an answer; the next fetch meets the fault first.
void Fetcher::fail(Job& job, const Fault& why, Sequence at) {
  if (!job.records.empty()) return finish(job, at);
  job.done = true;
  results_.push_back({job.token, std::unexpected(why), at});
}

void Fetcher::pump() {
  fresh_ = false;
  pump_rebuilds();
  for (const std::shared_ptr<Job>& job : jobs_) advance(job);
  std::erase_if(jobs_, [](const std::shared_ptr<Job>& job) { return job->done; });
}

void Fetcher::advance(const std::shared_ptr<Job>& job) {
  while (!job->done && job->reads_out == 0 && !job->waiting_blob) {
    if (!collect(*job)) return;
    Lane* lane = catalog_.find(job->lane);
    if (!lane || job->count_left == 0 || job->stop_after) return finish(*job, job->from);
    std::size_t index = Catalog::extent_at(*lane, job->from);
    if (index == lane->extents.size()) return finish(*job, std::max(job->from, lane->next));
    if (!plan_round(job, *lane, lane->extents[index])) return;
  }
}

bool Fetcher::plan_round(const std::shared_ptr<Job>& job, Lane& lane, const Extent& extent) {
  Bytes blob;
  if (!have_blob(job, lane, extent, blob)) return false;
  job->segment = extent.segment;
  if (!choose(*job, lane, extent, blob)) return false;
  // All of the extent that is wanted is settled.
  if (job->pieces.empty() && !job->stop_after) job->from = extent.last + 1;
  start_reads(job);
  return true;
}

bool Fetcher::have_blob(const std::shared_ptr<Job>& job, Lane& lane, const Extent& extent,
                        Bytes& blob) {
  if (const LaneOffsets* offsets = offsets_.find(lane, extent.segment)) {
    blob = offsets->blob;
    return true;
  }
  if (offsets_.holds(extent.segment)) {
    fail(*job, {Errc::malformed, 0, "record not found in its segment"}, job->from);
    return false;
  }
  if (job->blob && job->blob_segment == extent.segment) {
    blob = job->blob.bytes();
    return true;
  }
  auto cached = blob_places_.find({extent.segment, lane.id.value()});
  if (cached != blob_places_.end()) {
    blobs_.splice(blobs_.begin(), blobs_, cached->second);
    job->blob = cached->second->blob;
    job->blob_segment = extent.segment;
    blob = job->blob.bytes();
    return true;
  }
  load_blob(job, lane, extent);
  return false;
}

void Fetcher::load_blob(const std::shared_ptr<Job>& job, Lane& lane, const Extent& extent) {
  std::uint64_t segment = extent.segment;
  if (extent.blob_bytes == 0 && catalog_.segment(segment)->stuck) {
    return fail(*job, {Errc::malformed, 0, "record lost with its segment"}, job->from);
  }
  if (extent.blob_bytes == 0 || rebuilding(segment)) return rebuild(segment);
  job->waiting_blob = true;
  std::uint64_t bytes = stored_blob_bytes(extent.blob_bytes);
  io_.submit({.kind = DiskRequest::Kind::read,
              .file = index_name(segment),
              .offset = extent.blob_offset,
              .size = bytes},
             [this, job, segment, lane = lane.id](Result<Buffer> read) {
               job->waiting_blob = false;
               Result<Bytes> blob = fault(Errc::malformed, "no index");
               if (read) blob = open_blob(read->bytes(), lane, segment);
               if (!blob) return rebuild(segment);
               job->blob = read->slice(0, blob->size());
               job->blob_segment = segment;
               remember_blob({segment, lane.value()}, job->blob);
             });
}

void Fetcher::remember_blob(BlobKey key, const Buffer& blob) {
  if (blob_places_.contains(key)) return;
  blobs_.push_front({key, blob});
  blob_places_[key] = blobs_.begin();
  blob_bytes_ += blob.size() + blob_overhead_bytes;
  while (blob_bytes_ > blob_cache_bytes && blobs_.size() > 1) {
    blob_bytes_ -= blobs_.back().blob.size() + blob_overhead_bytes;
    blob_places_.erase(blobs_.back().key);
    blobs_.pop_back();
  }
}

// Picks records for this round from the lane's offsets; false when these are no good.
bool Fetcher::choose(Job& job, Lane& lane, const Extent& extent, Bytes blob) {
  ASSERT(job.pieces.empty());
  OffsetCursor cursor;
  bool goes_on = lane.read_tag == extent.tag && lane.read_cursor.sequence < job.from;
  if (goes_on && lane.read_cursor.at <= blob.size()) cursor = lane.read_cursor;
  std::uint64_t bytes = 0;
  std::uint32_t count = 0;
  for (;;) {
    Result<OffsetEntry> entry = cursor.next(blob);
    if (!entry && entry.error().code == Errc::not_found) {
      return count > 0 || check_none_left(job, lane, extent);
    }
    if (!entry) {
      rebuild(extent.segment);
      return false;
    }
    bool outside =
        entry->sequence < std::max(job.from, extent.first) || entry->sequence > extent.last;
    if (outside || lane.settled.contains(entry->sequence)) continue;
    bool first = job.records.empty() && count == 0;
    if (!first && entry->bytes > job.bytes_left) {
      job.stop_after = true;
      break;
    }
    if (bytes + entry->bytes > round_bytes_max && count > 0) break;
    add_wanted(job, *entry);
    bytes += entry->bytes;
    lane.read_tag = extent.tag;
    lane.read_cursor = cursor;
    --job.count_left;
    job.bytes_left -= std::min<std::uint64_t>(entry->bytes, job.bytes_left);
    ++count;
    if (job.count_left == 0 || job.pieces.size() == pieces_max) break;
  }
  return true;
}

// The offsets know nothing more of the extent: is that so? What was lost with a part of the segment
// must be answered for, not skipped.
bool Fetcher::check_none_left(Job& job, const Lane& lane, const Extent& extent) {
  for (Sequence s = std::max(job.from, extent.first); s <= extent.last; ++s) {
    if (lane.settled.contains(s)) continue;
    fail(job, {Errc::malformed, 0, "record not found in its segment"}, s);
    return false;
  }
  return true;
}

// Into the read before, where that is near and on disk as this is.
void Fetcher::add_wanted(Job& job, const OffsetEntry& entry) {
  if (!job.pieces.empty() && wal_.is_durable(job.segment, entry.offset)) {
    Piece& last = job.pieces.back();
    std::uint64_t end = last.offset + last.bytes;
    bool near = entry.offset >= end && entry.offset - end <= hole_bytes_max;
    if (near && entry.offset + entry.bytes - last.offset <= read_bytes_max) {
      last.bytes = entry.offset + entry.bytes - last.offset;
      last.wanted.push_back(entry);
      return;
    }
  }
  job.pieces.push_back({entry.offset, entry.bytes, {entry}, Buffer()});
}

void Fetcher::start_reads(const std::shared_ptr<Job>& job) {
  for (std::size_t i = 0; i < job->pieces.size(); ++i) {
    Piece& piece = job->pieces[i];
    if (!wal_.is_durable(job->segment, piece.offset)) {
      Bytes memory = wal_.in_memory(job->segment, piece.offset, piece.bytes);
      ASSERT(memory.size() == piece.bytes);
      piece.data = Buffer::copy_of(memory);
      continue;
    }
    ++job->reads_out;
    std::uint64_t number = job->segment;
    ++catalog_.segment(number)->pins;
    io_.submit({.kind = DiskRequest::Kind::read,
                .file = wal_name(number),
                .offset = piece.offset,
                .size = piece.bytes},
               [this, job, i, number](Result<Buffer> read) {
                 Segment* segment = catalog_.segment(number);
                 ASSERT(segment && segment->pins > 0 && job->reads_out > 0);
                 --segment->pins;
                 --job->reads_out;
                 job->pieces[i].data = std::move(read);
               });
  }
}

bool Fetcher::collect(Job& job) {
  if (job.pieces.empty()) return true;
  std::vector<Piece> pieces = std::exchange(job.pieces, {});
  Lane* lane = catalog_.find(job.lane);
  if (!lane) {
    finish(job, job.from);
    return false;
  }
  for (const Piece& piece : pieces) {
    for (const OffsetEntry& entry : piece.wanted) {
      // Settled while the disk was reading.
      if (!Catalog::live_extent(*lane, entry.sequence)) continue;
      if (!take_record(job, piece, entry, *lane)) return false;
    }
  }
  job.from = std::max(job.from, pieces.back().wanted.back().sequence + 1);
  return true;
}

bool Fetcher::take_record(Job& job, const Piece& piece, const OffsetEntry& entry,
                          const Lane& lane) {
  if (!piece.data) {
    fail(job, piece.data.error(), entry.sequence);
    return false;
  }
  std::uint64_t at = entry.offset - piece.offset;
  Result<Record> record = fault(Errc::malformed, "record cut short");
  if (piece.data->size() == piece.bytes) {
    record = decode_record(piece.data->bytes().subspan(at, entry.bytes), true);
  }
  bool ours = false;
  bool stored =
      record && (record->type == RecordType::message || record->type == RecordType::relocated);
  if (stored) {
    record->each_ref(
        [&](LaneRef ref) { ours |= ref.lane == lane.id && ref.sequence == entry.sequence; });
  }
  if (!ours) {
    fail(job, record ? Fault{Errc::malformed, 0, "another record in its place"} : record.error(),
         entry.sequence);
    return false;
  }
  // A share of a large read would keep all of it in memory; only what is most of it is shared.
  Bytes payload = record->payload;
  Buffer buffer;
  if (payload.size() * 2 >= piece.bytes) {
    auto start = static_cast<std::size_t>(payload.data() - piece.data->bytes().data());
    buffer = piece.data->slice(payload.empty() ? 0 : start, payload.size());
  } else {
    buffer = Buffer::copy_of(payload);
  }
  job.records.push_back({entry.sequence, std::move(buffer)});
  return true;
}

bool Fetcher::rebuilding(std::uint64_t segment) const {
  return std::ranges::any_of(rebuilds_,
                             [&](const Rebuild& known) { return known.walk.segment() == segment; });
}

void Fetcher::rebuild(std::uint64_t segment) {
  Segment* home = catalog_.segment(segment);
  if (rebuilding(segment) || !home || home->releasing || offsets_.holds(segment)) return;
  rebuilds_.push_back(
      {SegmentWalk(io_, catalog_, key_, segment, home->end), SegmentOffsets(segment)});
}

void Fetcher::pump_rebuilds() {
  for (auto it = rebuilds_.begin(); it != rebuilds_.end();) {
    Segment* segment = catalog_.segment(it->walk.segment());
    SegmentWalk::State state = it->walk.state();
    if (state == SegmentWalk::State::window && segment && !segment->releasing) {
      read_window(*it);
      state = it->walk.state();
    }
    bool over = state == SegmentWalk::State::done || state == SegmentWalk::State::damaged;
    if (segment && !segment->releasing && !over) {
      ++it;
      continue;
    }
    if (segment && over) finish_rebuild(*it, *segment);
    it = rebuilds_.erase(it);
  }
}

void Fetcher::read_window(Rebuild& rebuild) {
  rebuild.walk.visit_window([&](const Record& record, std::uint64_t offset) {
    if (record.type != RecordType::message && record.type != RecordType::relocated) return;
    record.each_ref([&](LaneRef ref) {
      Lane* lane = catalog_.find(ref.lane);
      if (!lane || !rebuild.offsets.accepts(*lane, offset)) return;
      OffsetEntry entry{ref.sequence, offset, static_cast<std::uint32_t>(record.bytes)};
      rebuild.offsets.add_found(ref.lane, entry);
    });
  });
}

void Fetcher::finish_rebuild(Rebuild& rebuild, Segment& segment) {
  if (rebuild.walk.state() == SegmentWalk::State::damaged) {
    // What lies behind the damage is not found; asked for, it is answered with a fault.
    segment.stuck = true;
    catalog_.forget_blobs(segment.number);
  }
  offsets_.restore(std::move(rebuild.offsets));
}

}  // namespace wharf::storage
