// protocol/amqp/unacked.h: the deliveries of one channel that wait for an acknowledgement, oldest
// first. Invariants: tags rise strictly from front to back; `live_` entries are not gone; the first
// entry from `begin_` on is live, if any is. Cost: push O(1); take of one O(log n), of many
// O(taken); all amortised over rare compactions. 32 bytes an entry, and no allocation once the
// vector has grown.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "broker/api.h"

namespace wharf::amqp {

class Unacked {
 public:
  struct Entry {
    std::uint64_t tag = 0;
    std::uint64_t sequence = 0;
    broker::QueueId queue;
    broker::ConsumerId consumer = 0;  // 0: handed out by a get
    std::uint8_t lane = 0;
    bool gone = false;

    broker::RecordRef record() const { return {lane, sequence}; }
  };
  static_assert(sizeof(Entry) == 32);

  std::size_t size() const { return live_; }
  bool empty() const { return live_ == 0; }
  // REQUIRES: not empty.
  std::uint64_t oldest_tag() const { return entries_[begin_].tag; }

  // REQUIRES: a tag above all that were pushed.
  void push(const Entry& entry) {
    ASSERT(entries_.empty() || entries_.back().tag < entry.tag);
    if (entries_.size() == entries_.capacity() && live_ <= entries_.size() / 2) compact();
    entries_.push_back(entry);
    ++live_;
  }

  // Takes out the entry of that tag, or all up to it, and calls visit(entry) for each, oldest
  // first. False, and nothing taken, when the tag is not outstanding. Tag 0 with `multiple` means
  // all.
  template <class Visit>
  bool take(std::uint64_t tag, bool multiple, Visit&& visit) {
    if (multiple && tag == 0) {
      take_range(entries_.size(), visit);
      return true;
    }
    auto at = std::lower_bound(
        entries_.begin() + static_cast<std::ptrdiff_t>(begin_), entries_.end(), tag,
        [](const Entry& entry, std::uint64_t value) { return entry.tag < value; });
    if (at == entries_.end() || at->tag != tag || at->gone) return false;
    if (multiple) {
      take_range(static_cast<std::size_t>(at - entries_.begin()) + 1, visit);
      return true;
    }
    at->gone = true;
    --live_;
    Entry taken = *at;
    skip_gone();
    visit(taken);
    return true;
  }

  // Puts back what was taken (the roll-back of a transaction); the order does not matter.
  void put_back(const std::vector<Entry>& taken);

 private:
  template <class Visit>
  void take_range(std::size_t end, Visit& visit) {
    for (; begin_ < end; ++begin_) {
      Entry& entry = entries_[begin_];
      if (entry.gone) continue;
      entry.gone = true;
      --live_;
      visit(static_cast<const Entry&>(entry));
    }
    skip_gone();
  }

  void skip_gone() {
    while (begin_ < entries_.size() && entries_[begin_].gone) ++begin_;
    if (begin_ == entries_.size()) {
      entries_.clear();
      begin_ = 0;
    }
  }

  void compact();

  std::vector<Entry> entries_;
  std::size_t begin_ = 0;
  std::size_t live_ = 0;
};

}  // namespace wharf::amqp
