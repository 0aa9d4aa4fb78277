#include "broker/lease.h"

#include <map>
#include <utility>

#include <gtest/gtest.h>

#include "base/random.h"

namespace wharf::broker {
namespace {

Entry entry_at(Sequence sequence) {
  Entry entry;
  entry.sequence = sequence;
  entry.stored = true;
  return entry;
}

TEST(LeaseTable, OnlyTheHolderTakesALease) {
  LeaseTable table;
  table.lease(SessionId(1), 2, entry_at(7));
  EXPECT_FALSE(table.take(SessionId(2), {2, 7}).has_value());
  EXPECT_FALSE(table.take(SessionId(1), {0, 7}).has_value());
  EXPECT_FALSE(table.take_transferred({2, 7}).has_value());
  EXPECT_EQ(table.take(SessionId(1), {2, 7})->sequence, 7u);
  EXPECT_FALSE(table.take(SessionId(1), {2, 7}).has_value());
}

TEST(LeaseTable, RecordsInTransferAreNobodysLease) {
  LeaseTable table;
  table.transfer(0, entry_at(7), DeathReason::expired);
  EXPECT_EQ(table.leased(), 0u);
  EXPECT_EQ(table.in_transfer(), 1u);
  EXPECT_FALSE(table.take(SessionId(1), {0, 7}).has_value());
  EXPECT_EQ(table.death_of({0, 7}), DeathReason::expired);
  EXPECT_TRUE(table.take_transferred({0, 7}).has_value());
  EXPECT_FALSE(table.death_of({0, 7}).has_value());
}

TEST(LeaseTable, AgreesWithAPlainMap) {
  SeededRandom random(3);
  LeaseTable table;
  std::map<std::pair<int, Sequence>, SessionId> model;
  Sequence next = 1;
  for (int step = 0; step < 50'000; ++step) {
    SessionId session(1 + random.below(5));
    int lane = static_cast<int>(random.below(3));
    switch (random.below(16)) {
      default:
        model[{lane, next}] = session;
        table.lease(session, static_cast<std::uint8_t>(lane), entry_at(next++));
        break;
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
      case 5:
      case 6: {
        if (model.empty()) break;
        auto it = model.lower_bound({lane, next - std::min<Sequence>(next, random.below(100))});
        if (it == model.end()) it = model.begin();
        RecordRef ref{static_cast<std::uint8_t>(it->first.first), it->first.second};
        auto taken = table.take(session, ref);
        ASSERT_EQ(taken.has_value(), it->second == session);
        if (taken) model.erase(it);
        break;
      }
      case 7: {
        if (random.below(20) != 0) break;
        while (auto taken = table.take_any(session)) {
          auto it = model.find({taken->lane, taken->entry.sequence});
          ASSERT_TRUE(it != model.end());
          ASSERT_EQ(it->second, session);
          model.erase(it);
        }
        for (const auto& [place, holder] : model) ASSERT_NE(holder, session);
        table.forget(session);
        break;
      }
    }
    ASSERT_EQ(table.leased(), model.size());
  }
}

}  // namespace
}  // namespace wharf::broker
