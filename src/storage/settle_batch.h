// storage/settle_batch.h: the settles of one commit block, merged to ranges per lane until the
// block is closed. Memory: a slot per lane touched, reused from block to block.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "storage/catalog.h"
#include "storage/record.h"

namespace wharf::storage {

class SettleBatch {
 public:
  struct Slot {
    LaneId lane;
    std::uint64_t charge = 0;
    Sequence deliverable = 0;
    std::vector<SequenceRange> ranges;
    bool empty() const { return ranges.empty() && deliverable == 0; }
  };

  // Bytes that the encoded records may take in the worst case for what `settle` will add next: for
  // a slot of its own and a range of its own.
  static constexpr std::uint64_t bytes_max = 80 + 20;

  // `block` names the block: slots of an older one are void.
  void settle(Lane& lane, std::uint64_t block, Sequence sequence, std::uint64_t charge);
  void deliverable(Lane& lane, std::uint64_t block, Sequence sequence);
  // nullptr when the lane has none in this block.
  Slot* find(const Lane& lane, std::uint64_t block);

  std::span<Slot> slots() { return std::span(slots_).first(used_); }
  // Upper bound of the bytes that encoding all slots takes.
  std::uint64_t reserved_bytes() const { return reserved_; }
  std::uint64_t changes() const { return changes_; }
  void clear();

  // Bytes of the slot's records; `out` is as long. Sorts and merges its ranges first.
  static std::uint64_t encoded_bytes(Slot& slot);
  // Returns the number of records.
  static std::uint32_t encode(const Slot& slot, std::span<std::byte> out);

 private:
  Slot& slot_of(Lane& lane, std::uint64_t block);

  std::vector<Slot> slots_;
  std::size_t used_ = 0;
  std::uint64_t reserved_ = 0;
  std::uint64_t changes_ = 0;
};

}  // namespace wharf::storage
