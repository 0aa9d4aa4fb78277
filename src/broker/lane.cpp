#include "broker/lane.h"

#include <algorithm>
#include <utility>

namespace wharf::broker {

// ---- Reserve

bool Reserve::covers(Sequence sequence, storage::Lsn durable_up_to) {
  if (sequence <= safe_) return true;
  if (sequence > noted_) return false;
  if (sequence >= behind_note_) return true;
  if (durable_up_to < note_end_) return false;
  safe_ = noted_;
  return true;
}

void Reserve::extend(storage::Store& store, LaneId lane, Sequence delivered, Sequence next) {
  ASSERT(delivered + size > noted_);
  // What lies before `delivered` was handed out, so it was covered, and that stays so.
  safe_ = std::max(safe_, delivered - std::min<Sequence>(delivered, 1));
  if (behind_note_ <= safe_ + 1 || store.durable_up_to() >= note_end_) {
    safe_ = std::max(safe_, noted_);
  }
  noted_ = delivered + size;
  behind_note_ = next;
  store.note_deliverable(lane, noted_);
  note_end_ = store.end();
}

// ---- Lane

void Lane::restore(const storage::LaneState& state) {
  ASSERT(state.lane == id_ && next_ == 1);
  next_ = std::max<Sequence>(state.next, 1);
  cold_count_ = state.count;
  cold_bytes_ = state.charge_bytes;
  if (cold_count_ == 0) cold_from_ = next_;
  suspect_up_to_ = std::min(state.maybe_delivered, next_ - 1);
  failures_ = state.failures;
  reserve_.restore(state.maybe_delivered);
  in_store_ = true;
}

void Lane::push_fresh(Entry&& entry) {
  ASSERT(entry.sequence == next_ && cold_count_ == 0);
  ASSERT(entry.message);
  fresh_bytes_ += entry.bytes;
  fresh_.push_back(std::move(entry));
  cold_from_ = ++next_;
}

void Lane::push_cold(std::uint32_t bytes) {
  ASSERT(in_store_);
  ++next_;
  ++cold_count_;
  cold_bytes_ += bytes;
}

Entry* Lane::head() {
  if (!returned_.empty()) return &returned_.begin()->second;
  return fresh_.empty() ? nullptr : &fresh_.front();
}

Entry Lane::pop_head() {
  ++out_count_;
  if (!returned_.empty()) {
    Entry entry = std::move(returned_.begin()->second);
    returned_.erase(returned_.begin());
    returned_bytes_ -= entry.bytes;
    if (!entry.message) --thin_count_;
    return entry;
  }
  ASSERT(!fresh_.empty());
  Entry entry = std::move(fresh_.front());
  fresh_.pop_front();
  fresh_bytes_ -= entry.bytes;
  return entry;
}

void Lane::give_back(Entry&& entry) {
  ASSERT(out_count_ > 0);
  ASSERT(entry.message || entry.stored);
  ASSERT(entry.sequence < (fresh_.empty() ? cold_from_ : fresh_.front().sequence));
  --out_count_;
  returned_bytes_ += entry.bytes;
  if (!entry.message) ++thin_count_;
  Sequence sequence = entry.sequence;
  bool is_new = returned_.emplace(sequence, std::move(entry)).second;
  ASSERT(is_new);
}

void Lane::warm(Sequence sequence, Message&& message, bool is_durable) {
  ASSERT(cold_from_ <= sequence && sequence < next_);
  Entry entry;
  entry.sequence = sequence;
  entry.bytes = static_cast<std::uint32_t>(message.body_size());
  entry.message = std::move(message);
  entry.stored = true;
  entry.durable = is_durable;
  entry.suspect = sequence <= suspect_up_to_;
  if (auto it = failures_.find(sequence); it != failures_.end()) {
    entry.failed = entry.acquired = it->second;
    failures_.erase(it);
  }
  // Counts that come from a disk are not taken for proven.
  if (cold_count_ > 0) --cold_count_;
  cold_bytes_ -= std::min<std::uint64_t>(cold_bytes_, entry.bytes);
  fresh_bytes_ += entry.bytes;
  fresh_.push_back(std::move(entry));
  cold_from_ = sequence + 1;
}

void Lane::skip_cold(Sequence sequence) {
  if (cold_count_ > 0) --cold_count_;
  failures_.erase(sequence);
  pass_cold(sequence + 1);
}

void Lane::pass_cold(Sequence sequence) {
  cold_from_ = std::clamp(sequence, cold_from_, next_);
  if (cold_from_ == next_) cold_count_ = 0;
  if (cold_count_ == 0) {
    cold_bytes_ = 0;
    failures_.clear();
    cold_from_ = next_;
  }
}

bool Lane::fill_thin(Sequence sequence, const Message& message) {
  auto it = returned_.find(sequence);
  if (it == returned_.end() || it->second.message) return false;
  it->second.message = message;
  --thin_count_;
  return true;
}

bool Lane::forget_thin(Sequence sequence) {
  auto it = returned_.find(sequence);
  if (it == returned_.end() || it->second.message) return false;
  returned_bytes_ -= it->second.bytes;
  --thin_count_;
  returned_.erase(it);
  return true;
}

Sequence Lane::first_thin() const {
  for (const auto& [sequence, entry] : returned_) {
    if (!entry.message) return sequence;
  }
  ASSERT(false && "thin_count() > 0");
  return 0;
}

std::int64_t Lane::cool(std::size_t count_max, std::uint64_t bytes_max) {
  std::int64_t freed = 0;
  while (fresh_.size() > 1 && (fresh_.size() > count_max || fresh_bytes_ > bytes_max) &&
         fresh_.back().stored) {
    Entry& entry = fresh_.back();
    freed += memory_of(entry.message);
    fresh_bytes_ -= entry.bytes;
    ++cold_count_;
    cold_bytes_ += entry.bytes;
    cold_from_ = entry.sequence;
    if (entry.failed > 0) failures_.emplace(entry.sequence, entry.failed);
    fresh_.pop_back();
  }
  return freed;
}

void Lane::check() const {
  ASSERT(cold_from_ <= next_);
  ASSERT(cold_count_ <= next_ - cold_from_);
  ASSERT(cold_count_ == 0 || in_store_);
  // The walk is taken every time while it is short, else now and then.
  if (fresh_.size() + returned_.size() > 64 && (next_ + out_count_) % 256 != 0) return;
  Sequence before = 0;
  std::uint64_t bytes = 0;
  std::size_t thin = 0;
  for (const auto& [sequence, entry] : returned_) {
    ASSERT(sequence == entry.sequence && before < sequence);
    ASSERT(entry.message || entry.stored);
    before = sequence;
    bytes += entry.bytes;
    if (!entry.message) ++thin;
  }
  ASSERT(bytes == returned_bytes_ && thin == thin_count_);
  bytes = 0;
  for (const Entry& entry : fresh_) {
    ASSERT(before < entry.sequence && entry.message);
    before = entry.sequence;
    bytes += entry.bytes;
  }
  ASSERT(bytes == fresh_bytes_ && before < cold_from_);
}

// ---- LaneSet

std::size_t LaneSet::highest_below(std::size_t end) const {
  for (std::size_t word = (end + 63) / 64; word-- > 0;) {
    std::uint64_t bits = words_[word];
    if (end < (word + 1) * 64) bits &= (1ULL << (end % 64)) - 1;
    if (bits != 0) return word * 64 + 63 - static_cast<std::size_t>(std::countl_zero(bits));
  }
  return none;
}

std::size_t LaneSet::lowest() const {
  for (std::size_t word = 0; word < words_.size(); ++word) {
    if (words_[word] != 0) {
      return word * 64 + static_cast<std::size_t>(std::countr_zero(words_[word]));
    }
  }
  return none;
}

}  // namespace wharf::broker
