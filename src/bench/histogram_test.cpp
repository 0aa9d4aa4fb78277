#include "bench/histogram.h"

#include <limits>

#include <gtest/gtest.h>

namespace wharf::bench {
namespace {

using namespace std::chrono_literals;

TEST(Histogram, NothingIsZero) {
  Histogram histogram;
  EXPECT_EQ(histogram.quantile(0.5), Duration{});
  EXPECT_EQ(histogram.max(), Duration{});
}

TEST(Histogram, QuantilesOfAUniformSpread) {
  Histogram histogram;
  for (int i = 1; i <= 100000; ++i) histogram.add(std::chrono::microseconds(i));
  EXPECT_EQ(histogram.count(), 100000u);
  EXPECT_EQ(histogram.max(), 100ms);
  for (double share : {0.001, 0.01, 0.5, 0.9, 0.99, 0.999}) {
    double exact = share * 1e8;
    auto got = static_cast<double>(histogram.quantile(share).count());
    EXPECT_GE(got, exact) << share;
    EXPECT_LE(got, exact * (1 + 1.0 / 128)) << share;
  }
  EXPECT_EQ(histogram.quantile(1), 100ms);
}

// One value alone: its quantile is never below it, and off by one part in 128 at most.
TEST(Histogram, EveryMagnitude) {
  for (unsigned bits = 0; bits < 63; ++bits) {
    for (std::int64_t offset : {-1, 0, 1}) {
      std::int64_t value = (std::int64_t{1} << bits) + offset;
      Histogram histogram;
      histogram.add(Duration(value));
      histogram.add(Duration::max());
      std::int64_t got = histogram.quantile(0.5).count();
      EXPECT_GE(got, value);
      EXPECT_LE(got, value + value / 128) << value;
    }
  }
}

TEST(Histogram, SmallValuesAreExactAndNegativeOnesZero) {
  Histogram histogram;
  histogram.add(-5ns);
  histogram.add(127ns);
  EXPECT_EQ(histogram.quantile(0.5), 0ns);
  EXPECT_EQ(histogram.quantile(1), 127ns);
}

TEST(Histogram, TheTailIsSeen) {
  Histogram histogram;
  for (int i = 0; i < 998; ++i) histogram.add(1us);
  histogram.add(1s);
  histogram.add(2s);
  EXPECT_LT(histogram.quantile(0.99), 1010ns);
  EXPECT_GE(histogram.quantile(0.999), 1s);
  EXPECT_EQ(histogram.max(), 2s);
}

}  // namespace
}  // namespace wharf::bench
