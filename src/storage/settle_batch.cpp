#include "storage/settle_batch.h"

#include <algorithm>
#include <array>

#include "base/assert.h"

namespace wharf::storage {

namespace {

std::array<std::uint64_t, 2> deliverable_numbers(const SettleBatch::Slot& slot) {
  return {slot.lane.value(), slot.deliverable};
}

}  // namespace

SettleBatch::Slot& SettleBatch::slot_of(Lane& lane, std::uint64_t block) {
  if (lane.settles_block != block) {
    lane.settles_block = block;
    lane.settles_slot = static_cast<std::uint32_t>(used_++);
    if (used_ > slots_.size()) slots_.emplace_back();
    slots_[lane.settles_slot].lane = lane.id;
    reserved_ += 80;
  }
  Slot& slot = slots_[lane.settles_slot];
  ASSERT(slot.lane == lane.id && lane.settles_slot < used_);
  return slot;
}

void SettleBatch::settle(Lane& lane, std::uint64_t block, Sequence sequence, std::uint64_t charge) {
  Slot& slot = slot_of(lane, block);
  slot.charge += charge;
  ++changes_;
  if (!slot.ranges.empty() && slot.ranges.back().last + 1 == sequence) {
    slot.ranges.back().last = sequence;
    return;
  }
  slot.ranges.push_back({sequence, sequence});
  reserved_ += 20;
}

void SettleBatch::deliverable(Lane& lane, std::uint64_t block, Sequence sequence) {
  Slot& slot = slot_of(lane, block);
  slot.deliverable = std::max(slot.deliverable, sequence);
  ++changes_;
}

SettleBatch::Slot* SettleBatch::find(const Lane& lane, std::uint64_t block) {
  return lane.settles_block == block ? &slots_[lane.settles_slot] : nullptr;
}

void SettleBatch::clear() {
  for (Slot& slot : slots()) {
    slot.charge = 0;
    slot.deliverable = 0;
    slot.ranges.clear();
  }
  // What a burst needed is not kept for ever.
  if (slots_.size() > 1024 && slots_.size() > used_ * 4) slots_.resize(used_);
  used_ = 0;
  reserved_ = 0;
  changes_ = 0;
}

std::uint64_t SettleBatch::encoded_bytes(Slot& slot) {
  std::uint64_t bytes = 0;
  if (!slot.ranges.empty()) {
    std::vector<SequenceRange>& ranges = slot.ranges;
    if (!std::ranges::is_sorted(ranges, {}, &SequenceRange::first)) {
      std::ranges::sort(ranges, {}, &SequenceRange::first);
    }
    std::size_t kept = 0;
    for (std::size_t i = 1; i < ranges.size(); ++i) {
      ASSERT(ranges[i].first > ranges[kept].last);  // nothing is settled twice
      if (ranges[i].first == ranges[kept].last + 1) {
        ranges[kept].last = ranges[i].last;
      } else {
        ranges[++kept] = ranges[i];
      }
    }
    ranges.resize(kept + 1);
    bytes += settled_bytes(slot.lane, slot.charge, ranges);
  }
  if (slot.deliverable > 0) bytes += small_bytes(deliverable_numbers(slot));
  return bytes;
}

std::uint32_t SettleBatch::encode(const Slot& slot, std::span<std::byte> out) {
  std::uint32_t records = 0;
  if (!slot.ranges.empty()) {
    std::uint64_t bytes = settled_bytes(slot.lane, slot.charge, slot.ranges);
    write_settled(slot.lane, slot.charge, slot.ranges, out.first(bytes));
    out = out.subspan(bytes);
    ++records;
  }
  if (slot.deliverable > 0) {
    write_small(RecordType::deliverable, deliverable_numbers(slot), out);
    ++records;
  }
  return records;
}

}  // namespace wharf::storage
