#include "storage/sequence_set.h"

#include <algorithm>

namespace wharf::storage {

// Bits first..last of the page that are set.
std::uint32_t SequenceSet::Page::count(std::uint64_t first, std::uint64_t last) const {
  ASSERT(first <= last && last < page_size);
  std::uint32_t sum = 0;
  for (std::uint64_t word = first / 64; word <= last / 64; ++word) {
    std::uint64_t bits = words[word];
    if (word == first / 64) bits &= ~std::uint64_t{0} << (first % 64);
    if (word == last / 64) bits &= ~std::uint64_t{0} >> (63 - last % 64);
    sum += static_cast<std::uint32_t>(std::popcount(bits));
  }
  return sum;
}

bool SequenceSet::contains(Sequence sequence) const {
  if (sequence < floor_) return true;
  if (pages_.empty()) return false;
  auto page = pages_.find(sequence / page_size);
  return page != pages_.end() && page->second.has(sequence % page_size);
}

bool SequenceSet::insert_slow(Sequence sequence) {
  if (sequence < floor_) return false;
  if (sequence == floor_) {
    ++floor_;
    advance();
    return true;
  }
  Page& page = pages_[sequence / page_size];
  std::uint64_t bit = sequence % page_size;
  if (page.has(bit)) return false;
  page.words[bit / 64] |= std::uint64_t{1} << (bit % 64);
  ++page.above;
  return true;
}

// Moves the floor over the numbers that it has reached.
void SequenceSet::advance() {
  while (!pages_.empty()) {
    auto first = pages_.begin();
    if (first->first != floor_ / page_size) break;
    Page& page = first->second;
    while (page.above > 0 && floor_ / page_size == first->first && page.has(floor_ % page_size)) {
      ++floor_;
      --page.above;
    }
    if (page.above > 0) break;
    pages_.erase(first);
  }
}

void SequenceSet::insert_range(Sequence first, Sequence last) {
  ASSERT(first <= last);
  if (last < floor_) return;
  if (first <= floor_) return raise_floor(last + 1);
  while (first <= last) {
    Page& page = pages_[first / page_size];
    Sequence page_last = std::min(last, first / page_size * page_size + page_size - 1);
    for (; first <= page_last; ++first) {
      std::uint64_t bit = first % page_size;
      if (page.has(bit)) continue;
      page.words[bit / 64] |= std::uint64_t{1} << (bit % 64);
      ++page.above;
    }
  }
}

void SequenceSet::erase_range(Sequence first, Sequence last) {
  ASSERT(first <= last);
  first = std::max(first, floor_);
  if (first > last) return;
  auto page = pages_.lower_bound(first / page_size);
  while (page != pages_.end() && page->first * page_size <= last) {
    Sequence start = page->first * page_size;
    std::uint64_t from = std::max(first, start) - start;
    std::uint64_t to = std::min(last, start + page_size - 1) - start;
    page->second.above -= page->second.count(from, to);
    for (std::uint64_t bit = from; bit <= to; ++bit) {
      page->second.words[bit / 64] &= ~(std::uint64_t{1} << (bit % 64));
    }
    page = page->second.above == 0 ? pages_.erase(page) : std::next(page);
  }
}

void SequenceSet::raise_floor(Sequence floor) {
  if (floor <= floor_) return;
  Sequence old = floor_;
  floor_ = floor;
  while (!pages_.empty() && pages_.begin()->first < floor / page_size) {
    pages_.erase(pages_.begin());
  }
  auto first = pages_.begin();
  if (first != pages_.end() && first->first == floor / page_size && floor % page_size != 0) {
    std::uint64_t start = std::max(old, first->first * page_size) % page_size;
    first->second.above -= first->second.count(start, floor % page_size - 1);
    if (first->second.above == 0) pages_.erase(first);
  }
  advance();
}

std::uint64_t SequenceSet::count_in(Sequence first, Sequence last) const {
  ASSERT(first <= last);
  std::uint64_t sum = 0;
  if (first < floor_) {
    sum += std::min(last, floor_ - 1) - first + 1;
    first = floor_;
    if (first > last) return sum;
  }
  for (auto page = pages_.lower_bound(first / page_size); page != pages_.end(); ++page) {
    Sequence start = page->first * page_size;
    if (start > last) break;
    std::uint64_t from = std::max(first, start) - start;
    std::uint64_t to = std::min(last, start + page_size - 1) - start;
    sum += page->second.count(from, to);
  }
  return sum;
}

void SequenceSet::check() const {
  ASSERT(!contains(floor_) && floor_ >= 1);
  for (const auto& [index, page] : pages_) {
    Sequence start = index * page_size;
    ASSERT(start + page_size > floor_);
    std::uint64_t from = std::max(floor_, start) - start;
    ASSERT(page.above > 0 && page.count(from, page_size - 1) == page.above);
  }
}

}  // namespace wharf::storage
