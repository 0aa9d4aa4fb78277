// broker/lane.h: the ready records of one priority of a queue, in the order of their sequences,
// which are given out from 1 upwards as records arrive.
//
//   returned (in memory)  <  fresh (in memory)  <  cold_from <= cold (in the store, a count)  <
//   next
//
// Fresh records leave from the front only, so all that was ever taken out is below the first fresh
// one, and what comes back finds its place among the returned. Arrivals are fresh while the lane is
// short, and cold as soon as there is a cold one or the fresh part is at its limit; fetches turn
// cold ones into fresh ones. Invariants: the order above; every cold record is stored. Owner: its
// queue, which also accounts for the memory. Cost: O(1), O(log n) for returned ones.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <map>
#include <vector>

#include <boost/container/deque.hpp>

#include "base/assert.h"
#include "broker/api.h"
#include "broker/message.h"
#include "storage/store.h"

namespace wharf::broker {

using storage::LaneId;
using storage::Sequence;

// The store's name of a lane: the queue's shard (16 bits), its number (40 bits), the lane (8 bits).
// One to one as long as queue numbers stay below 2^40, which lane_id asserts.
constexpr std::uint64_t queue_number_bits = 48;
constexpr std::uint64_t lane_bits = 8;
constexpr LaneId lane_id(QueueId queue, std::uint8_t lane) {
  std::uint64_t number = queue.value() & ((1ULL << queue_number_bits) - 1);
  ASSERT(number < 1ULL << (queue_number_bits - lane_bits));
  std::uint64_t shard = queue.value() >> queue_number_bits;
  return LaneId(shard << queue_number_bits | number << lane_bits | lane);
}
constexpr QueueId queue_of(LaneId id) {
  std::uint64_t shard = id.value() >> queue_number_bits;
  std::uint64_t number = (id.value() & ((1ULL << queue_number_bits) - 1)) >> lane_bits;
  return QueueId(shard << queue_number_bits | number);
}
constexpr std::uint8_t lane_index(LaneId id) { return static_cast<std::uint8_t>(id.value()); }

// A record as it is known in memory. Without a message only if it is stored: the message was given
// up for want of memory.
struct Entry {
  Sequence sequence = 0;
  Message message;
  std::uint32_t acquired = 0;  // times handed out, not counting the current one
  std::uint32_t failed = 0;    // times it came back as failed
  std::uint32_t bytes = 0;     // of the body
  bool stored = false;         // the store has it
  bool durable = false;        // and keeps it over a stop
  bool suspect = false;        // may have been delivered before a crash
};
static_assert(sizeof(Entry) == 48);

// Bytes that an entry with this message takes: the block and what is kept beside it.
inline std::int64_t memory_of(const Message& message) {
  constexpr std::int64_t overhead = 96;
  return message ? static_cast<std::int64_t>(message.record().size()) + overhead : 0;
}

// How far records may be delivered without asking the disk. After a crash every record up to the
// noted sequence counts as maybe delivered, so a delivery must be covered by a note that a crash
// cannot lose: one that is durable, or that stands in the log before the record itself. The first
// note is written with the first record of a lane; a new one, early enough, when half of the last
// one is used up.
class Reserve {
 public:
  static constexpr Sequence size = 16384;

  void restore(Sequence noted) { safe_ = noted_ = noted; }
  bool begun() const { return noted_ != 0; }
  bool covers(Sequence sequence, storage::Lsn durable_up_to);
  bool is_half_used(Sequence delivered) const { return delivered + size / 2 > noted_; }
  // Notes `size` more behind `delivered`; records from `next` on are not in the log yet.
  void extend(storage::Store& store, LaneId lane, Sequence delivered, Sequence next);
  // Coverage grows once the log is durable up to here.
  storage::Lsn note_end() const { return note_end_; }
  Sequence noted() const { return noted_; }

 private:
  Sequence safe_ = 0;         // covered, come what may
  Sequence noted_ = 0;        // covered once note_end_ is durable
  Sequence behind_note_ = 0;  // records from here to noted_ stand behind the note
  storage::Lsn note_end_ = 0;
};

// Sequences from `from` up to `to`, excluding it.
struct SequenceRange {
  Sequence from = 0;
  Sequence to = 0;
};

class Lane {
 public:
  explicit Lane(LaneId id) : id_(id) {}

  LaneId id() const { return id_; }
  Sequence next() const { return next_; }
  Sequence cold_from() const { return cold_from_; }
  std::uint64_t ready() const { return returned_.size() + fresh_.size() + cold_count_; }
  std::uint64_t ready_bytes() const { return returned_bytes_ + fresh_bytes_ + cold_bytes_; }
  std::uint64_t cold_count() const { return cold_count_; }
  std::size_t fresh_count() const { return fresh_.size(); }
  std::uint64_t fresh_bytes() const { return fresh_bytes_; }
  // Returned entries without a message.
  std::size_t thin_count() const { return thin_count_; }
  // Whether the store knows this lane, so that it must be told of its end.
  bool in_store() const { return in_store_; }
  void note_in_store() { in_store_ = true; }
  // Records taken out and not settled yet.
  std::uint64_t out_count() const { return out_count_; }
  Reserve& reserve() { return reserve_; }

  void restore(const storage::LaneState& state);

  // An arrival. REQUIRES: entry.sequence == next(), and no cold records for push_fresh; for
  // push_cold the store has it.
  void push_fresh(Entry&& entry);
  void push_cold(std::uint32_t bytes);
  // The first record; none when the lane is empty or begins with cold ones.
  Entry* head();
  // REQUIRES: head(). The record counts as out until it comes back or is `settled`.
  Entry pop_head();
  void give_back(Entry&& entry);
  void settled() {
    ASSERT(out_count_ > 0);
    --out_count_;
  }

  // ---- fetching
  // The next cold record, as the store has it. REQUIRES: cold_from() <= sequence < next(), and no
  // unsettled record between cold_from() and it.
  void warm(Sequence sequence, Message&& message, bool is_durable);
  // The next cold record cannot be had.
  void skip_cold(Sequence sequence);
  // There are no more cold records below `sequence`.
  void pass_cold(Sequence sequence);
  // Gives a returned record its message back; false if there is none that waits for it.
  bool fill_thin(Sequence sequence, const Message& message);
  // Drops such a record, unsettled; false if there is none.
  bool forget_thin(Sequence sequence);
  // REQUIRES: thin_count() > 0.
  Sequence first_thin() const;

  // Makes fresh records cold again, from the end, as long as they are stored and more are there
  // than both limits allow (one may stay in any case); returns the memory that they held. What a
  // fetch is bringing is then no longer what comes next.
  std::int64_t cool(std::size_t count_max, std::uint64_t bytes_max);

  // ---- purging
  // Forgets all ready records and hands those in memory to `each`. Cold ones become a range to
  // sweep if `keep_range`: the caller fetches them and settles each.
  template <class Each>
  void clear(bool keep_range, Each&& each);
  std::vector<SequenceRange>& sweeps() { return sweeps_; }
  const std::vector<SequenceRange>& sweeps() const { return sweeps_; }

  void check() const;

 private:
  using Fresh = boost::container::deque<
      Entry, void, boost::container::deque_options<boost::container::block_size<16>>::type>;

  LaneId id_;
  Sequence next_ = 1;
  Sequence cold_from_ = 1;
  std::uint64_t cold_count_ = 0;
  std::uint64_t cold_bytes_ = 0;
  std::uint64_t fresh_bytes_ = 0;
  std::uint64_t returned_bytes_ = 0;
  std::uint64_t out_count_ = 0;
  std::size_t thin_count_ = 0;
  bool in_store_ = false;
  Sequence suspect_up_to_ = 0;
  Fresh fresh_;
  std::map<Sequence, Entry> returned_;
  // Of cold records, where not 0.
  std::map<Sequence, std::uint32_t> failures_;
  std::vector<SequenceRange> sweeps_;
  Reserve reserve_;
};

template <class Each>
void Lane::clear(bool keep_range, Each&& each) {
  for (auto& [sequence, entry] : returned_) each(std::move(entry));
  for (Entry& entry : fresh_) each(std::move(entry));
  if (!keep_range) {
    sweeps_.clear();
  } else if (cold_count_ > 0) {
    sweeps_.push_back({cold_from_, next_});
  }
  returned_.clear();
  fresh_.clear();
  failures_.clear();
  thin_count_ = 0;
  returned_bytes_ = fresh_bytes_ = cold_bytes_ = cold_count_ = 0;
  cold_from_ = next_;
}

// Which of 256 lanes have something; finds the highest and lowest in a few instructions.
class LaneSet {
 public:
  void set(std::size_t lane, bool on) {
    std::uint64_t bit = 1ULL << (lane % 64);
    if (on) {
      words_[lane / 64] |= bit;
    } else {
      words_[lane / 64] &= ~bit;
    }
  }
  static constexpr std::size_t none = 256;
  std::size_t highest_below(std::size_t end) const;
  std::size_t highest() const { return highest_below(none); }
  std::size_t lowest() const;

 private:
  std::array<std::uint64_t, 4> words_{};
};

}  // namespace wharf::broker
