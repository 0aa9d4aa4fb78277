#include "storage/checkpointer.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "storage/record.h"
#include "storage/snapshot.h"

namespace wharf::storage {

namespace {

constexpr Duration retry_interval = std::chrono::seconds(1);

}  // namespace

// Both superblocks' snapshots must stay usable, so that one that rots is no loss. When the disk is
// full, space is worth more.
Lsn Checkpointer::release_below() const {
  return pool_.has_space() ? std::min(older_snapshot_, super_.snapshot) : super_.snapshot;
}

bool Checkpointer::due(Instant now) {
  if (wal_.failed() || now < retry_at_) return false;
  std::uint64_t log_bytes = wal_.durable_up_to() - std::min(wal_.durable_up_to(), super_.snapshot);
  // A snapshot larger than the log that it saves to read is not worth writing.
  if (log_bytes >= std::max(options_.snapshot_interval_bytes, 2 * snapshot_bytes_)) return true;
  if (pool_.has_space()) return false;
  std::uint64_t reached = super_.snapshot / options_.segment_bytes;
  return std::ranges::any_of(catalog_.segments(), [&](const auto& entry) {
    const Segment& segment = entry.second;
    return segment.number >= reached && segment.sealed && segment.live == 0;
  });
}

Buffer Checkpointer::encode() {
  wal_.close_block();
  follow_segments(wal_, catalog_, offsets_);
  target_ = wal_.tail();
  ByteVector caller_state;
  source_(caller_state);
  Buffer file = encode_snapshot({target_, super_.epoch}, catalog_, caller_state, super_.key);
  snapshot_bytes_ = file.size();
  return file;
}

void Checkpointer::begin() {
  Buffer file = encode();
  if (target_.end == super_.snapshot) return;
  stage_ = Stage::snapshot;
  io_.submit({.kind = DiskRequest::Kind::replace,
              .file = snapshot_name(target_.end),
              .data = std::move(file)},
             [this](Result<Buffer> done) {
               stage_ = done ? Stage::waiting : Stage::idle;
               if (!done && done.error().code == Errc::overloaded) pool_.sacrifice();
             });
}

Superblock Checkpointer::next_super(bool clean) {
  Superblock next = super_;
  ++next.sequence;
  next.clean = clean;
  next.snapshot = target_.end;
  const auto& segments = catalog_.segments();
  next.first_segment = segments.empty() ? wal_.open_segment() : segments.begin()->first;
  next.last_segment = std::max(wal_.open_segment(), pool_.last_segment());
  next.durable_end = wal_.durable_chain().end;
  next.durable_block = wal_.durable_chain().block;
  return next;
}

void Checkpointer::write_super() {
  ASSERT(stage_ == Stage::waiting && wal_.durable_chain().block >= target_.block);
  stage_ = Stage::superblock;
  next_super_ = next_super(false);
  Buffer page(superblock_bytes);
  encode_superblock(next_super_, page.writable());
  io_.submit({.kind = DiskRequest::Kind::replace,
              .file = super_name(static_cast<unsigned>(next_super_.sequence % 2)),
              .data = std::move(page)},
             [this](Result<Buffer> done) { on_super_written(done.has_value()); });
}

void Checkpointer::on_super_written(bool done) {
  stage_ = Stage::idle;
  if (!done) return;
  older_snapshot_ = super_.snapshot;
  super_ = next_super_;
  ++snapshots_;
  looked_at_ = 0;
  kept_.push_back(super_.snapshot);
  while (kept_.size() > 2) {
    Lsn old = kept_.front();
    kept_.erase(kept_.begin());
    if (old == 0 || std::ranges::find(kept_, old) != kept_.end()) continue;
    io_.submit({.kind = DiskRequest::Kind::remove, .file = snapshot_name(old)},
               [](Result<Buffer>) {});
  }
}

void Checkpointer::pump(Instant now) {
  if (wal_.failed()) return;
  if (stage_ == Stage::idle && due(now)) {
    retry_at_ = now + (pool_.has_space() ? Duration{0} : retry_interval);
    begin();
    if (stage_ == Stage::idle) retry_at_ = now + retry_interval;
  }
  if (stage_ == Stage::waiting && wal_.durable_chain().block >= target_.block) write_super();
  give_back();
  release();
}

// Writes down that dead segments will be recycled. Replay must not miss them: they lie below every
// snapshot that may still be used.
void Checkpointer::release() {
  // Not at every commit: a long log has many segments.
  Lsn durable = wal_.durable_up_to();
  std::uint64_t step = pool_.has_space() ? options_.segment_bytes / 16 : 1;
  if (looked_at_ > 0 && durable < looked_at_ + step) return;
  looked_at_ = durable;
  Lsn below = release_below();
  if (below == 0) return;
  std::uint64_t first_kept = (below - 1) / options_.segment_bytes;
  for (auto& [number, segment] : catalog_.segments()) {
    if (number >= first_kept) break;
    bool dead = segment.sealed && segment.live == 0 && segment.pins == 0 && !segment.releasing;
    if (!dead) continue;
    segment.releasing = true;
    std::array<std::uint64_t, 1> numbers{number};
    Wal::Place place = wal_.reserve(small_bytes(numbers));
    write_small(RecordType::release, numbers, place.bytes);
    released_.push_back({number, wal_.end()});
  }
}

void Checkpointer::give_back() {
  std::erase_if(released_, [&](const Released& released) {
    if (wal_.durable_up_to() < released.recorded) return false;
    if (catalog_.segment(released.segment)->pins > 0) return false;
    catalog_.remove_segment(released.segment);
    offsets_.forget(released.segment);
    pool_.recycle(released.segment);
    return true;
  });
}

Result<void> Checkpointer::write_blocking(bool clean) {
  ASSERT(stage_ == Stage::idle);
  Buffer file = encode();
  ASSERT(wal_.durable_chain().block == target_.block);
  if (target_.end > 0) {
    Result<void> written = io_.disk().execute({.kind = DiskRequest::Kind::replace,
                                               .file = snapshot_name(target_.end),
                                               .data = std::move(file)});
    if (!written) return written;
  }
  // When nothing has come since the last snapshot, into the place of the one that counts, so that
  // the other goes on naming the older snapshot.
  bool is_same = target_.end == super_.snapshot;
  next_super_ = next_super(clean);
  if (is_same) ++next_super_.sequence;
  Buffer page(superblock_bytes);
  encode_superblock(next_super_, page.writable());
  Result<void> written =
      io_.disk().execute({.kind = DiskRequest::Kind::replace,
                          .file = super_name(static_cast<unsigned>(next_super_.sequence % 2)),
                          .data = std::move(page)});
  if (written && is_same) {
    super_ = next_super_;
  } else if (written) {
    on_super_written(true);
  }
  return written;
}

Result<void> Checkpointer::write_super_blocking() {
  ASSERT(stage_ == Stage::idle);
  target_.end = super_.snapshot;
  Superblock next = next_super(false);
  // Into the place of the one that counts, so that the other goes on naming the older snapshot.
  ++next.sequence;
  Buffer page(superblock_bytes);
  encode_superblock(next, page.writable());
  Result<void> written =
      io_.disk().execute({.kind = DiskRequest::Kind::replace,
                          .file = super_name(static_cast<unsigned>(next.sequence % 2)),
                          .data = std::move(page)});
  if (written) super_ = next;
  return written;
}

}  // namespace wharf::storage
