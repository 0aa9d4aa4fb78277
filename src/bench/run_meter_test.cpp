#include "bench/run_meter.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace wharf::bench {
namespace {

using namespace std::chrono_literals;

TEST(RunMeter, QuotasAddUp) {
  for (std::uint64_t count : {1u, 2u, 3u, 7u}) {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < count; ++i) sum += quota_of(100, count, i);
    EXPECT_EQ(sum, 100u) << count;
  }
  EXPECT_EQ(quota_of(0, 2, 1), UINT64_MAX);
}

TEST(RunMeter, Intervals) {
  EXPECT_EQ(interval_of({.rate = 0}, 2), Duration{});
  EXPECT_EQ(interval_of({.rate = 1000}, 2), 2ms);
  EXPECT_EQ(interval_of({.rate = 1e12}, 1), 1ns);
}

TEST(RunMeter, WhatIsMeasured) {
  MeasuredTime time;
  EXPECT_FALSE(time.holds(Instant(1s)));
  time.from = Instant(1s);
  EXPECT_TRUE(time.holds(Instant(1s)));
  EXPECT_FALSE(time.holds(Instant(999ms)));
  time.to = Instant(2s);
  EXPECT_FALSE(time.holds(Instant(2s)));
}

TEST(RunMeter, ReadsTheServer) {
  RunMeter meter;
  EXPECT_FALSE(meter.watch_server(1 << 30));
  ASSERT_TRUE(meter.watch_server(getpid()));
  meter.begin(Instant(1s));
  volatile std::uint64_t spent = 0;
  for (int i = 0; i < 50'000'000; ++i) spent = spent + 1;
  meter.end(Instant(3s));
  RunFigures figures = meter.figures();
  EXPECT_EQ(figures.measured, 2s);
  EXPECT_GT(figures.generator_cpu, 1ms);
  ASSERT_TRUE(figures.server);
  EXPECT_GT(figures.server->resident_bytes_peak, 0u);
}

TEST(RunMeter, NothingNegative) {
  EXPECT_EQ(complaint(RunOptions{}), nullptr);
  EXPECT_NE(complaint(RunOptions{.rate = -1}), nullptr);
}

}  // namespace
}  // namespace wharf::bench
