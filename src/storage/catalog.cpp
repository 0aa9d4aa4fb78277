#include "storage/catalog.h"

#include <algorithm>

#include "base/assert.h"

namespace wharf::storage {

Lane* Catalog::find(LaneId id) {
  auto it = lanes_.find(id.value());
  return it == lanes_.end() ? nullptr : it->second.get();
}

Lane& Catalog::ensure(LaneId id) {
  ASSERT(id);
  std::unique_ptr<Lane>& lane = lanes_[id.value()];
  if (!lane) {
    lane = std::make_unique<Lane>();
    lane->id = id;
  }
  return *lane;
}

void Catalog::drop(LaneId id) {
  auto it = lanes_.find(id.value());
  if (it == lanes_.end()) return;
  for (const Extent& extent : it->second->extents) {
    Segment& home = known_segment(extent.segment);
    ASSERT(home.live >= extent.live);
    home.live -= extent.live;
  }
  lanes_.erase(it);
}

std::vector<const Lane*> Catalog::sorted_lanes() const {
  std::vector<const Lane*> sorted;
  sorted.reserve(lanes_.size());
  for (const auto& [id, lane] : lanes_) sorted.push_back(lane.get());
  std::ranges::sort(sorted, {}, [](const Lane* lane) { return lane->id; });
  return sorted;
}

Segment& Catalog::add_segment(std::uint64_t number) {
  ASSERT(number > 0 && !segments_.contains(number));
  Segment& added = segments_[number];
  added.number = number;
  return added;
}

Segment* Catalog::segment(std::uint64_t number) {
  if (last_segment_ && last_segment_->number == number) return last_segment_;
  auto it = segments_.find(number);
  if (it == segments_.end()) return nullptr;
  return last_segment_ = &it->second;
}

Segment& Catalog::known_segment(std::uint64_t number) {
  Segment* found = segment(number);
  ASSERT(found != nullptr);
  return *found;
}

void Catalog::remove_segment(std::uint64_t number) {
  lose_segment(number);
  last_segment_ = nullptr;
  segments_.erase(number);
}

void Catalog::lose_segment(std::uint64_t number) {
  Segment* lost = segment(number);
  if (!lost || lost->live == 0) return;
  for (auto& [id, lane] : lanes_) {
    for (std::size_t i = 0; i < lane->extents.size();) {
      Extent extent = lane->extents[i];
      if (extent.segment != number) {
        ++i;
        continue;
      }
      std::uint64_t charge = lane->charge / std::max<std::uint64_t>(lane->count, 1);
      std::uint64_t gone = settle_range(*lane, extent.first, extent.last);
      lane->charge = lane->count == 0 ? 0 : lane->charge - std::min(lane->charge, gone * charge);
    }
  }
  ASSERT(lost->live == 0);
}

void Catalog::forget_blobs(std::uint64_t number) {
  for (auto& [id, lane] : lanes_) {
    for (Extent& extent : lane->extents) {
      if (extent.segment == number) extent.blob_bytes = 0;
    }
  }
}

std::size_t Catalog::extent_at(const Lane& lane, Sequence sequence) {
  // Nearly always the first one: queues are read from the front.
  if (!lane.extents.empty() && lane.extents.front().last >= sequence) return 0;
  auto it = std::ranges::lower_bound(lane.extents, sequence, {}, &Extent::last);
  return static_cast<std::size_t>(it - lane.extents.begin());
}

const Extent* Catalog::live_extent(const Lane& lane, Sequence sequence) {
  std::size_t index = extent_at(lane, sequence);
  if (index == lane.extents.size() || lane.extents[index].first > sequence) return nullptr;
  return lane.settled.contains(sequence) ? nullptr : &lane.extents[index];
}

std::uint64_t Catalog::unsettled(const Lane& lane, Sequence first, Sequence last) {
  return first > last ? 0 : last - first + 1 - lane.settled.count_in(first, last);
}

Lane& Catalog::add(LaneRef ref, std::uint64_t charge, bool is_volatile, std::uint64_t segment) {
  Lane& lane = ensure(ref.lane);
  ASSERT(ref.sequence >= lane.next && ref.sequence <= sequence_max);
  Segment& home = known_segment(segment);
  ++home.refs;
  ++home.live;
  Extent* tail = lane.extents.empty() ? nullptr : &lane.extents.back();
  if (tail && tail->segment == segment && ref.sequence - tail->last <= gap_max) {
    if (ref.sequence > tail->last + 1) {
      lane.settled.insert_range(tail->last + 1, ref.sequence - 1);
    }
    tail->last = ref.sequence;
    ++tail->live;
  } else {
    if (!tail) lane.settled.raise_floor(ref.sequence);
    lane.extents.push_back({.segment = segment,
                            .first = ref.sequence,
                            .last = ref.sequence,
                            .live = 1,
                            .tag = next_tag_++});
  }
  lane.next = ref.sequence + 1;
  ++lane.count;
  lane.charge += charge;
  if (is_volatile) {
    if (!lane.transient) {
      lane.transient = std::make_unique<VolatilePart>();
      lane.transient->members.raise_floor(lane.extents.front().first);
    }
    lane.transient->members.insert(ref.sequence);
    ++lane.transient->count;
    lane.transient->charge += charge;
  }
  return lane;
}

// Below the first extent nothing is alive, so nothing need be remembered.
void Catalog::raise_floor(Lane& lane) {
  Sequence floor = lane.extents.empty() ? lane.next : lane.extents.front().first;
  lane.settled.raise_floor(floor);
  if (lane.transient) {
    lane.transient->members.raise_floor(floor);
    if (lane.transient->count == 0) lane.transient.reset();
  }
}

void Catalog::take_live(Lane& lane, std::size_t index, std::uint64_t count) {
  Extent& extent = lane.extents[index];
  Segment& home = known_segment(extent.segment);
  ASSERT(extent.live >= count && home.live >= count && lane.count >= count);
  extent.live -= static_cast<std::uint32_t>(count);
  home.live -= count;
  lane.count -= count;
  if (extent.live > 0) return;
  // Nothing covers these numbers any more, so nobody asks. At the front, the floor does the same.
  if (index > 0) {
    lane.settled.erase_range(extent.first, extent.last);
    if (lane.transient) lane.transient->members.erase_range(extent.first, extent.last);
  }
  lane.extents.erase(lane.extents.begin() + static_cast<std::ptrdiff_t>(index));
}

Catalog::Settled Catalog::settle(Lane& lane, Sequence sequence, std::uint64_t charge) {
  std::size_t index = extent_at(lane, sequence);
  if (index == lane.extents.size() || lane.extents[index].first > sequence) {
    return Settled::not_live;
  }
  if (!lane.settled.insert(sequence)) return Settled::not_live;
  Settled result = Settled::durable;
  if (lane.transient && lane.transient->members.contains(sequence)) {
    VolatilePart& part = *lane.transient;
    ASSERT(part.count > 0);
    --part.count;
    part.charge -= std::min(part.charge, charge);
    result = Settled::transient;
  }
  if (!lane.failures.empty()) lane.failures.erase(sequence);
  lane.charge -= std::min(lane.charge, charge);
  std::size_t extents = lane.extents.size();
  take_live(lane, index, 1);
  bool last_transient = lane.transient && lane.transient->count == 0;
  if (lane.extents.size() != extents || last_transient) raise_floor(lane);
  return result;
}

std::uint64_t Catalog::settle_range(Lane& lane, Sequence first, Sequence last) {
  ASSERT(first <= last);
  std::uint64_t settled = 0;
  std::size_t index = extent_at(lane, first);
  while (index < lane.extents.size() && lane.extents[index].first <= last) {
    Sequence from = std::max(first, lane.extents[index].first);
    Sequence to = std::min(last, lane.extents[index].last);
    std::uint64_t fresh = unsettled(lane, from, to);
    if (lane.transient) {
      // What is below the members' floor and alive is volatile, so this counts exactly what is
      // both.
      for (Sequence s = from; s <= to; ++s) {
        if (lane.settled.contains(s) || !lane.transient->members.contains(s)) continue;
        std::uint64_t mean = lane.transient->charge / lane.transient->count;
        lane.transient->charge -= mean;
        --lane.transient->count;
      }
    }
    lane.settled.insert_range(from, to);
    std::size_t extents = lane.extents.size();
    take_live(lane, index, fresh);
    if (lane.extents.size() == extents) ++index;
    settled += fresh;
  }
  lane.failures.erase(lane.failures.lower_bound(first), lane.failures.upper_bound(last));
  raise_floor(lane);
  return settled;
}

void Catalog::settle_below(Lane& lane, Sequence end) {
  if (lane.extents.empty() || lane.extents.front().first >= end) return;
  std::uint64_t count = lane.count;
  std::uint64_t charge = lane.charge;
  std::uint64_t gone = settle_range(lane, lane.extents.front().first, end - 1);
  if (gone == 0) return;
  // 128 bits, because both factors may be large.
  auto share = static_cast<unsigned __int128>(charge) * (count - gone) / count;
  lane.charge = static_cast<std::uint64_t>(share);
}

bool Catalog::relocate(LaneRef ref, std::uint64_t from, std::uint64_t to) {
  ASSERT(from != to);
  Lane* lane = find(ref.lane);
  if (!lane) return false;
  std::size_t index = extent_at(*lane, ref.sequence);
  if (index == lane->extents.size() || lane->extents[index].first > ref.sequence) return false;
  if (lane->extents[index].segment != from || lane->settled.contains(ref.sequence)) return false;
  Extent source = lane->extents[index];
  // Records move in order, so nothing alive stays below, except after damage that lost a settle.
  std::uint64_t below = unsettled(*lane, source.first, ref.sequence - 1);
  std::vector<Extent> pieces;
  if (below > 0) {
    pieces.push_back(source);
    pieces.back().last = ref.sequence - 1;
    pieces.back().live = static_cast<std::uint32_t>(below);
  }
  Extent* before = index > 0 && below == 0 ? &lane->extents[index - 1] : nullptr;
  bool joins = before && before->segment == to && ref.sequence - before->last <= gap_max * 16 &&
               unsettled(*lane, before->last + 1, ref.sequence - 1) == 0;
  if (joins) {
    before->last = ref.sequence;
    ++before->live;
  } else {
    pieces.push_back({.segment = to,
                      .first = ref.sequence,
                      .last = ref.sequence,
                      .live = 1,
                      .tag = next_tag_++});
  }
  if (source.live > below + 1) {
    pieces.push_back(source);
    pieces.back().first = ref.sequence + 1;
    pieces.back().live = static_cast<std::uint32_t>(source.live - below - 1);
  }
  auto at = lane->extents.erase(lane->extents.begin() + static_cast<std::ptrdiff_t>(index));
  lane->extents.insert(at, pieces.begin(), pieces.end());
  --known_segment(from).live;
  Segment& home = known_segment(to);
  ++home.live;
  ++home.refs;
  return true;
}

bool Catalog::adopt(Lane lane) {
  if (!lane.id || lanes_.contains(lane.id.value())) return false;
  std::uint64_t count = 0;
  Sequence after = 1;
  for (Extent& extent : lane.extents) {
    if (extent.first < after || extent.last < extent.first || extent.live == 0) return false;
    if (extent.last >= lane.next || lane.next > sequence_max + 1) return false;
    if (!segment(extent.segment)) return false;
    if (unsettled(lane, extent.first, extent.last) != extent.live) return false;
    extent.tag = next_tag_++;
    after = extent.last + 1;
    count += extent.live;
  }
  if (count != lane.count) return false;
  for (const Extent& extent : lane.extents) known_segment(extent.segment).live += extent.live;
  raise_floor(lane);
  lanes_[lane.id.value()] = std::make_unique<Lane>(std::move(lane));
  return true;
}

void Catalog::check_lane(const Lane& lane) const {
  std::uint64_t count = 0;
  Sequence after = 1;
  for (const Extent& extent : lane.extents) {
    ASSERT(extent.first >= after && extent.first <= extent.last && extent.last < lane.next);
    ASSERT(extent.live > 0 && unsettled(lane, extent.first, extent.last) == extent.live);
    after = extent.last + 1;
    count += extent.live;
  }
  ASSERT(count == lane.count);
  if (lane.transient) ASSERT(lane.transient->count > 0 && lane.transient->count <= lane.count);
  lane.settled.check();
}

void Catalog::check() const {
  std::map<std::uint64_t, std::uint64_t> live;
  for (const auto& [id, lane] : lanes_) {
    ASSERT(lane->id.value() == id);
    check_lane(*lane);
    for (const Extent& extent : lane->extents) live[extent.segment] += extent.live;
  }
  for (const auto& [number, segment] : segments_) ASSERT(segment.live == live[number]);
  for (const auto& [number, count] : live) ASSERT(segments_.contains(number));
}

}  // namespace wharf::storage
