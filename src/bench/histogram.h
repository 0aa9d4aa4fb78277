// bench/histogram.h: how often each duration was seen, to within one part in 128, over the whole
// range of nanoseconds in 64 bits. Buckets are linear inside each power of two, as in Gil Tene's
// HdrHistogram. Memory: 59 KiB, fixed. Cost of add: a few instructions.
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstdint>
#include <vector>

#include "base/time.h"

namespace wharf::bench {

class Histogram {
 public:
  Histogram() : counts_(bucket_count) {}

  // Negative durations count as zero.
  void add(Duration value) {
    auto ns = static_cast<std::uint64_t>(value.count() < 0 ? 0 : value.count());
    ++counts_[bucket_of(ns)];
    ++count_;
    if (ns > max_) max_ = ns;
  }

  std::uint64_t count() const { return count_; }
  Duration max() const { return Duration(max_); }
  // The smallest duration that at least `share` of all are no longer than: the upper edge of its
  // bucket, so never below the truth. REQUIRES: 0 < share <= 1. Zero when nothing was added.
  Duration quantile(double share) const;

 private:
  static constexpr unsigned linear_bits = 7;
  static constexpr std::size_t linear_count = std::size_t{1} << linear_bits;
  static constexpr std::size_t bucket_count = (64 - linear_bits + 1) * linear_count;

  // Values below 128 have a bucket each; above, the seven bits below the leading one choose.
  static constexpr std::size_t bucket_of(std::uint64_t ns) {
    if (ns < linear_count) return ns;
    unsigned shift = static_cast<unsigned>(std::bit_width(ns)) - 1 - linear_bits;
    return (shift + 1) * linear_count + ((ns >> shift) - linear_count);
  }
  static constexpr std::uint64_t upper_edge(std::size_t bucket) {
    if (bucket < linear_count) return bucket;
    std::size_t shift = bucket / linear_count - 1;
    std::uint64_t lower = (linear_count + bucket % linear_count) << shift;
    return lower + ((std::uint64_t{1} << shift) - 1);
  }

  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace wharf::bench
