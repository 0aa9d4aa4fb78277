#include "broker/lane.h"

#include <gtest/gtest.h>

namespace wharf::broker {
namespace {

TEST(LaneId, IsOneToOne) {
  for (std::uint64_t shard : {0ULL, 1ULL, 255ULL, 256ULL, 65535ULL}) {
    for (std::uint64_t number : {1ULL, 255ULL, 256ULL, (1ULL << 40) - 1}) {
      for (int lane : {0, 1, 255}) {
        QueueId queue(shard << 48 | number);
        LaneId id = lane_id(queue, static_cast<std::uint8_t>(lane));
        EXPECT_EQ(queue_of(id), queue);
        EXPECT_EQ(lane_index(id), lane);
      }
    }
  }
}

TEST(LaneSet, FindsHighestAndLowest) {
  LaneSet set;
  EXPECT_EQ(set.highest(), LaneSet::none);
  EXPECT_EQ(set.lowest(), LaneSet::none);
  for (std::size_t lane : {0uL, 63uL, 64uL, 200uL, 255uL}) set.set(lane, true);
  EXPECT_EQ(set.highest(), 255u);
  EXPECT_EQ(set.highest_below(255), 200u);
  EXPECT_EQ(set.highest_below(200), 64u);
  EXPECT_EQ(set.highest_below(64), 63u);
  EXPECT_EQ(set.highest_below(63), 0u);
  EXPECT_EQ(set.highest_below(0), LaneSet::none);
  set.set(0, false);
  EXPECT_EQ(set.lowest(), 63u);
}

}  // namespace
}  // namespace wharf::broker
