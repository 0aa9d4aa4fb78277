// protocol/amqp/confirms.h: publishes of one channel that wait for their confirm, in order of
// number. Numbers are dense from 1. A publish is complete when all its receipts have come; what is
// complete is told at the end of the turn: one acknowledgement with `multiple` for the run below
// the first that is still open, single ones beyond it, refused ones singly (RabbitMQ's own
// grouping). Cost: O(1) each, 4 bytes an open publish, no allocation once the ring has grown.
#pragma once

#include <cstdint>
#include <vector>

#include "base/assert.h"

namespace wharf::amqp {

class Confirms {
 public:
  // The number that the next publish gets.
  std::uint64_t next() const { return first_ + count_; }
  std::size_t open() const { return count_; }

  // With 0 receipts it is complete at once. `refused`: complete, and to be told as refused.
  void add(std::uint32_t receipts, bool refused = false);
  // One receipt for that publish; unknown numbers are ignored.
  void receipt(std::uint64_t number, bool stored);

  bool has_news() const { return news_; }
  // Calls tell(number, multiple, accepted) for all that has become complete since.
  template <class Tell>
  void flush(Tell&& tell) {
    news_ = false;
    flush_front(tell);
    for (std::uint64_t number : late_) {
      if (number < first_) continue;
      Entry& entry = at(number);
      if (entry.told) continue;
      entry.told = true;
      tell(number, false, !entry.refused);
    }
    late_.clear();
  }

 private:
  struct Entry {
    std::uint16_t missing = 0;
    bool refused = false;
    bool told = false;
  };

  // Everything complete below the first open one. A run of accepted ones is told together; those
  // that were told before need no telling, but do no harm inside a run.
  template <class Tell>
  void flush_front(Tell& tell) {
    std::uint64_t run = 0;  // accepted ones not yet told
    std::uint64_t run_last = 0;
    while (count_ > 0 && ring_[head_].missing == 0) {
      const Entry& entry = ring_[head_];
      if (!entry.told && entry.refused) {
        if (run > 0) tell(run_last, run > 1, true);
        run = 0;
        tell(first_, false, false);
      } else if (!entry.told) {
        ++run;
        run_last = first_;
      }
      head_ = (head_ + 1) & (ring_.size() - 1);
      ++first_;
      --count_;
    }
    if (run > 0) tell(run_last, run > 1, true);
  }

  Entry& at(std::uint64_t number) {
    ASSERT(number >= first_ && number < next());
    return ring_[(head_ + (number - first_)) & (ring_.size() - 1)];
  }
  void grow();

  std::vector<Entry> ring_;  // its size is a power of two
  std::size_t head_ = 0;
  std::uint64_t count_ = 0;
  std::uint64_t first_ = 1;
  std::vector<std::uint64_t> late_;  // complete in this turn, behind an open one
  bool news_ = false;
};

}  // namespace wharf::amqp
