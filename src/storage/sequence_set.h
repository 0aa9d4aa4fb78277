// storage/sequence_set.h: a set of numbers that mostly grows from below: everything under a floor,
// and above it bitmap pages of 4096 only where numbers came out of order. Memory: nothing while
// numbers come in order; 0.5 KiB a page else. Invariants: the floor itself is not in the set; every
// page holds at least one number above the floor.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <map>

#include "base/assert.h"
#include "storage/record.h"

namespace wharf::storage {

class SequenceSet {
 public:
  static constexpr std::uint64_t page_size = 4096;

  // Everything below is in the set. Starts at 1: there is no number 0.
  Sequence floor() const { return floor_; }
  bool contains(Sequence sequence) const;
  // False when it was there already. Cost: O(1) in order, else a look-up of the page.
  bool insert(Sequence sequence) {
    if (sequence == floor_ && pages_.empty()) {
      ++floor_;
      return true;
    }
    return insert_slow(sequence);
  }
  // Cost: by pages, so the caller bounds the range.
  void insert_range(Sequence first, Sequence last);
  // Takes first..last out again, to save memory; what is below the floor stays. The floor stays
  // too.
  void erase_range(Sequence first, Sequence last);
  // Everything below `floor` is in the set from now on.
  void raise_floor(Sequence floor);
  // How many of first..last are in the set.
  std::uint64_t count_in(Sequence first, Sequence last) const;

  // For each maximal SequenceRange above the floor, ascending.
  template <class Visit>
  void each_range(Visit visit) const {
    SequenceRange run;
    for (const auto& [index, page] : pages_) {
      for (std::uint64_t bit = 0; bit < page_size; ++bit) {
        if (bit % 64 == 0 && page.words[bit / 64] == 0) {
          bit += 63;
          continue;
        }
        Sequence sequence = index * page_size + bit;
        if (sequence < floor_ || !page.has(bit)) continue;
        if (run.first != 0 && run.last + 1 == sequence) {
          run.last = sequence;
          continue;
        }
        if (run.first != 0) visit(run);
        run = {sequence, sequence};
      }
    }
    if (run.first != 0) visit(run);
  }

  std::size_t page_count() const { return pages_.size(); }
  void check() const;

 private:
  struct Page {
    std::array<std::uint64_t, page_size / 64> words{};
    std::uint32_t above = 0;  // bits set at or above the floor
    bool has(std::uint64_t bit) const { return (words[bit / 64] >> (bit % 64) & 1) != 0; }
    std::uint32_t count(std::uint64_t first, std::uint64_t last) const;
  };

  bool insert_slow(Sequence sequence);
  void advance();

  Sequence floor_ = 1;
  std::map<std::uint64_t, Page> pages_;
};

}  // namespace wharf::storage
