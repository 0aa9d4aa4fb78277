#include "storage/sequence_set.h"

#include <set>

#include <gtest/gtest.h>

#include "base/random.h"

namespace wharf::storage {
namespace {

TEST(SequenceSet, InOrderCostsNothing) {
  SequenceSet set;
  for (Sequence s = 1; s <= 100'000; ++s) EXPECT_TRUE(set.insert(s));
  EXPECT_EQ(set.page_count(), 0u);
  EXPECT_EQ(set.floor(), 100'001u);
  EXPECT_FALSE(set.insert(7));
}

TEST(SequenceSet, OutOfOrderCostsAPageUntilTheFloorComes) {
  SequenceSet set;
  for (Sequence s = 2; s <= 10'000; ++s) set.insert(s);
  EXPECT_EQ(set.page_count(), 3u);
  EXPECT_EQ(set.floor(), 1u);
  set.insert(1);
  EXPECT_EQ(set.page_count(), 0u);
  EXPECT_EQ(set.floor(), 10'001u);
}

TEST(SequenceSet, FarNumbersCostOnePage) {
  SequenceSet set;
  set.insert(std::uint64_t{1} << 60);
  EXPECT_EQ(set.page_count(), 1u);
  EXPECT_EQ(set.count_in(1, std::uint64_t{1} << 61), 1u);
}

void expect_same(const SequenceSet& set, const std::set<Sequence>& model, Sequence top,
                 SeededRandom& random) {
  set.check();
  for (Sequence s = 1; s <= top; ++s) ASSERT_EQ(set.contains(s), model.contains(s)) << s;
  for (int i = 0; i < 20; ++i) {
    Sequence first = 1 + random.below(top);
    Sequence last = first + random.below(top);
    auto count = std::distance(model.lower_bound(first), model.upper_bound(last));
    ASSERT_EQ(set.count_in(first, last), static_cast<std::uint64_t>(count));
  }
  std::set<Sequence> listed;
  Sequence before = 0;
  set.each_range([&](SequenceRange range) {
    ASSERT_GT(range.first, before + 1);
    for (Sequence s = range.first; s <= range.last; ++s) listed.insert(s);
    before = range.last;
  });
  auto above = model.lower_bound(set.floor());
  ASSERT_TRUE(std::equal(listed.begin(), listed.end(), above, model.end()));
}

TEST(SequenceSet, AgreesWithAPlainSet) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SeededRandom random(seed);
    SequenceSet set;
    std::set<Sequence> model;
    Sequence top = 20'000;
    std::uint64_t near = 1 + random.below(3000);
    for (int step = 0; step < 3000; ++step) {
      std::uint64_t pick = random.below(1000);
      Sequence at = set.floor() + random.below(near);
      if (pick < 960) {
        ASSERT_EQ(set.insert(at), model.insert(at).second);
      } else if (pick < 985) {
        Sequence last = at + random.below(500);
        set.insert_range(at, last);
        for (Sequence s = at; s <= last; ++s) model.insert(s);
      } else if (pick < 997) {
        Sequence last = at + random.below(300);
        Sequence floor = set.floor();
        set.erase_range(at, last);
        model.erase(model.lower_bound(std::max(at, floor)), model.upper_bound(last));
      } else {
        set.raise_floor(at);
        for (Sequence s = 1; s < at; ++s) model.insert(s);
      }
      if (set.floor() > top - 4000) break;
    }
    expect_same(set, model, top, random);
  }
}

}  // namespace
}  // namespace wharf::storage
