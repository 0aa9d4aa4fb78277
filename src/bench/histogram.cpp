#include "bench/histogram.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"

namespace wharf::bench {

Duration Histogram::quantile(double share) const {
  ASSERT(share > 0 && share <= 1);
  auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < bucket_count; ++bucket) {
    seen += counts_[bucket];
    if (seen >= wanted && seen > 0) return Duration(std::min(upper_edge(bucket), max_));
  }
  return {};
}

}  // namespace wharf::bench
