#include "storage/store_impl.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"

namespace wharf::storage {

StoreImpl::StoreImpl(const Parts& parts, Recovered& state, std::function<void(ByteVector&)> source)
    : clock_(parts.clock),
      options_(parts.options),
      layout_{parts.options.segment_bytes},
      key_(state.super.key),
      io_(parts.disk, parts.first_token),
      catalog_(std::move(state.catalog)),
      pool_(io_, options_, parts.first_segment - 1),
      wal_(io_, pool_, clock_, options_,
           {.key = key_,
            .layout = layout_,
            .epoch = state.super.epoch,
            .tail = state.tail,
            .first_segment = parts.first_segment}),
      offsets_(io_, catalog_, key_, parts.first_segment),
      checkpointer_(io_, catalog_, wal_, pool_, offsets_, options_, state.super,
                    state.older_snapshot, std::move(source)),
      cleaner_(io_, catalog_, wal_, pool_, offsets_, options_, key_),
      fetcher_(io_, catalog_, wal_, offsets_, key_) {
  // A start goes on in a new segment, whatever room the last one has.
  for (auto& [number, segment] : catalog_.segments()) segment.sealed = true;
  catalog_.add_segment(parts.first_segment);
}

std::vector<LaneState> StoreImpl::lanes() const {
  std::vector<LaneState> states;
  for (const Lane* lane : catalog_.sorted_lanes()) {
    states.push_back(
        {lane->id, lane->next, lane->count, lane->charge, lane->deliverable, lane->failures});
  }
  return states;
}

Result<void> StoreImpl::append(std::span<const LaneRef> refs, std::span<const Bytes> payload,
                               std::uint32_t charge_bytes, bool is_volatile) {
  ASSERT(!refs.empty());
  if (failed()) return fault(Errc::io, "the disk refused a commit earlier");
  MessageFields fields{refs, payload, charge_bytes, 0, is_volatile};
  std::uint64_t bytes = message_bytes(fields);
  // The few bytes that a relocated record has more must fit as well.
  if (bytes + 10 > layout_.record_bytes_max()) {
    return fault(Errc::too_large, "record larger than a segment");
  }
  Wal::Place place = wal_.reserve(bytes);
  write_message(fields, place.bytes);
  follow_segments(wal_, catalog_, offsets_);
  for (const LaneRef& ref : refs) {
    Lane& lane = catalog_.add(ref, charge_bytes, is_volatile, place.segment);
    offsets_.add(lane, place.segment,
                 {ref.sequence, place.offset, static_cast<std::uint32_t>(bytes)});
  }
  return {};
}

void StoreImpl::settle(LaneRef ref, std::uint32_t charge_bytes) {
  Lane* lane = catalog_.find(ref.lane);
  ASSERT(lane != nullptr);
  Catalog::Settled settled = catalog_.settle(*lane, ref.sequence, charge_bytes);
  ASSERT(settled != Catalog::Settled::not_live);
  // Recovery forgets a volatile record anyway.
  if (settled == Catalog::Settled::transient) return;
  wal_.settle(*lane, ref.sequence, charge_bytes);
}

void StoreImpl::write_small_record(RecordType type, std::span<const std::uint64_t> numbers) {
  Wal::Place place = wal_.reserve(small_bytes(numbers));
  write_small(type, numbers, place.bytes);
}

void StoreImpl::note_failures(LaneRef ref, std::uint32_t failures) {
  Lane* lane = catalog_.find(ref.lane);
  if (!lane || !Catalog::live_extent(*lane, ref.sequence)) return;
  lane->failures[ref.sequence] = failures;
  if (lane->transient && lane->transient->members.contains(ref.sequence)) return;
  std::array<std::uint64_t, 3> numbers{ref.lane.value(), ref.sequence, failures};
  write_small_record(RecordType::failures, numbers);
}

void StoreImpl::note_deliverable(LaneId id, Sequence sequence) {
  Lane& lane = catalog_.ensure(id);
  if (sequence <= lane.deliverable) return;
  lane.deliverable = sequence;
  wal_.deliverable(lane, sequence);
}

void StoreImpl::drop_lane(LaneId id) {
  Lane* lane = catalog_.find(id);
  if (!lane) return;
  std::array<std::uint64_t, 1> numbers{id.value()};
  write_small_record(RecordType::drop_lane, numbers);
  // Not before: making room may have closed a block that has to tell of them.
  wal_.discard_settles(*lane);
  catalog_.drop(id);
}

void StoreImpl::settle_below(LaneId id, Sequence end) {
  Lane* lane = catalog_.find(id);
  if (!lane || lane->extents.empty() || lane->extents.front().first >= end) return;
  // The settles before it must come before it in the log: their charge is known, its is estimated.
  wal_.flush_settles(*lane);
  std::array<std::uint64_t, 2> numbers{id.value(), std::min(end, sequence_max)};
  write_small_record(RecordType::settle_below, numbers);
  catalog_.settle_below(*lane, end);
}

void StoreImpl::append_meta(Bytes record) {
  ASSERT(meta_bytes(record) <= layout_.record_bytes_max());
  Wal::Place place = wal_.reserve(meta_bytes(record));
  write_meta(record, place.bytes);
}

void StoreImpl::fetch(LaneId lane, Sequence from, std::uint32_t count_max, std::uint64_t bytes_max,
                      std::uint64_t token) {
  fetcher_.fetch(lane, from, count_max, bytes_max, token);
}

void StoreImpl::take_fetched(std::vector<FetchResult>& results) { fetcher_.take_fetched(results); }

void StoreImpl::on_turn_end() {
  io_.poll();
  Instant now = clock_.now();
  follow_segments(wal_, catalog_, offsets_);
  checkpointer_.pump(now);
  cleaner_.pump();
  wal_.pump(now);
  follow_segments(wal_, catalog_, offsets_);
  fetcher_.pump();
  pool_.pump(now);
}

std::optional<Instant> StoreImpl::next_deadline() const {
  if (fetcher_.has_work()) return Instant{};
  std::optional<Instant> first = wal_.next_deadline();
  std::optional<Instant> pool = pool_.next_deadline();
  if (pool && (!first || *pool < *first)) first = pool;
  return first;
}

bool StoreImpl::has_space() const { return !failed() && pool_.has_space(); }

bool StoreImpl::is_behind() const { return wal_.pending_bytes() > options_.pending_bytes_max; }

Store::Stats StoreImpl::stats() const {
  return {.commits = wal_.commits(),
          .committed_bytes = wal_.committed_bytes(),
          .segments = catalog_.segments().size(),
          .free_segments = pool_.free_count(),
          .snapshots = checkpointer_.snapshots(),
          .relocated_records = cleaner_.relocated(),
          .pending_bytes = wal_.pending_bytes()};
}

// Each round waits behind what was submitted; a thousand are enough unless the disk is full or
// fails.
bool StoreImpl::drain() {
  for (int round = 0; round < 1000 && !failed(); ++round) {
    wal_.request_sync();
    on_turn_end();
    if (wal_.idle() && !checkpointer_.busy() && io_.in_flight() == 0) return true;
    (void)io_.disk().execute({.kind = DiskRequest::Kind::remove, .file = "barrier"});
  }
  return false;
}

void StoreImpl::close() {
  if (!drain()) return;
  wal_.close_block(BlockHeader::flag_seal);
  if (!drain()) return;
  offsets_.move_to(wal_.open_segment() + 1);
  offsets_.write_blocking(io_.disk());
  (void)checkpointer_.write_blocking(true);
}

}  // namespace wharf::storage
