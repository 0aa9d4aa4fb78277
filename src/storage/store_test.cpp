// What the store promises, each promise in a few lines. Crashes at every step:
// store_crash_test.cpp.
#include <gtest/gtest.h>

#include "storage/layout.h"
#include "storage/store_rig.h"

namespace wharf::storage {
namespace {

TEST(Store, AnEmptyDirectoryBecomesAStore) {
  StoreRig rig;
  rig.open();
  EXPECT_TRUE(rig.report.created);
  EXPECT_TRUE(rig.store->lanes().empty());
  EXPECT_TRUE(rig.store->has_space());
  EXPECT_EQ(rig.store->end(), rig.store->durable_up_to());
  rig.close();
  rig.open();
  EXPECT_FALSE(rig.report.created);
  EXPECT_TRUE(rig.report.clean);
}

TEST(Store, WhatIsDurableComesBack) {
  StoreRig rig;
  rig.open();
  rig.append(1, 1, "one");
  rig.append(1, 2, "two");
  rig.append(2, 1, "other");
  rig.meta("queue");
  rig.sync();
  rig.append(1, 3, "too late");
  rig.reopen();
  EXPECT_EQ(rig.all(1), "1:one 2:two");
  EXPECT_EQ(rig.all(2), "1:other");
  EXPECT_EQ(rig.lane(1).next, 3u);
  EXPECT_EQ(rig.lane(1).count, 2u);
  EXPECT_EQ(rig.lane(1).charge_bytes, 6u);
  EXPECT_EQ(rig.sink.texts, std::vector<std::string>{"queue"});
  EXPECT_FALSE(rig.report.clean);
}

TEST(Store, EveryChangeMovesTheEnd) {
  StoreRig rig;
  rig.open();
  Lsn before = rig.store->end();
  rig.append(1, 1, "one");
  Lsn appended = rig.store->end();
  EXPECT_GT(appended, before);
  rig.settle(1, 1, "one");
  EXPECT_GT(rig.store->end(), appended);
  EXPECT_LT(rig.store->durable_up_to(), appended);
  rig.sync();
  EXPECT_EQ(rig.store->end(), rig.store->durable_up_to());
}

TEST(Store, SettlesAreKept) {
  StoreRig rig;
  rig.open();
  for (Sequence s = 1; s <= 10; ++s) rig.append(1, s, "x");
  for (Sequence s : {1, 2, 5, 9}) rig.settle(1, s, "x");
  rig.sync();
  rig.reopen();
  EXPECT_EQ(rig.all(1), "3:x 4:x 6:x 7:x 8:x 10:x");
  EXPECT_EQ(rig.lane(1).count, 6u);
  EXPECT_EQ(rig.lane(1).charge_bytes, 6u);
  rig.store->settle_below(LaneId{1}, 8);
  rig.sync();
  rig.reopen();
  EXPECT_EQ(rig.all(1), "8:x 10:x");
  EXPECT_EQ(rig.lane(1).charge_bytes, 2u);
}

TEST(Store, OneRecordInManyLanesIsStoredOnce) {
  StoreRig rig;
  rig.open();
  std::vector<LaneRef> refs;
  for (std::uint64_t lane = 1; lane <= 500; ++lane) refs.push_back({LaneId{lane}, 1});
  Bytes payload = bytes_of("fan out");
  ASSERT_TRUE(rig.store->append(refs, {&payload, 1}, 7, false));
  rig.sync();
  EXPECT_LE(rig.store->stats().committed_bytes, 8192u);
  rig.store->drop_lane(LaneId{1});
  rig.settle(2, 1, "fan out");
  rig.sync();
  rig.reopen();
  EXPECT_EQ(rig.all(1), "");
  EXPECT_EQ(rig.all(2), "");
  EXPECT_EQ(rig.all(3), "1:fan out");
  EXPECT_EQ(rig.all(500), "1:fan out");
  EXPECT_EQ(rig.store->lanes().size(), 499u);
}

TEST(Store, VolatileRecordsLiveUntilTheNextStart) {
  StoreRig rig;
  rig.open();
  rig.append(1, 1, "stays");
  rig.append(1, 2, "goes", true);
  rig.append(2, 1, "goes", true);
  rig.append(1, 3, "stays");
  rig.sync();
  EXPECT_EQ(rig.all(1), "1:stays 2:goes 3:stays");
  EXPECT_EQ(rig.all(2), "1:goes");
  rig.reopen();
  EXPECT_EQ(rig.all(1), "1:stays 3:stays");
  EXPECT_EQ(rig.all(2), "");
  EXPECT_EQ(rig.lane(1).count, 2u);
  EXPECT_EQ(rig.lane(2).next, 2u);
}

TEST(Store, FailuresAndDeliveriesAreKept) {
  StoreRig rig;
  rig.open();
  for (Sequence s = 1; s <= 4; ++s) rig.append(1, s, "x");
  rig.store->note_deliverable(LaneId{1}, 3);
  rig.store->note_failures({LaneId{1}, 2}, 5);
  rig.store->note_failures({LaneId{1}, 3}, 1);
  rig.settle(1, 3, "x");
  rig.sync();
  rig.reopen();
  EXPECT_EQ(rig.lane(1).maybe_delivered, 3u);
  EXPECT_EQ(rig.lane(1).failures, (std::map<Sequence, std::uint32_t>{{2, 5}}));
}

TEST(Store, FetchStopsAtItsLimits) {
  StoreRig rig;
  rig.open();
  for (Sequence s = 1; s <= 20; ++s) rig.append(1, s, std::string(1000, 'x'));
  EXPECT_EQ(rig.fetch(1, 1, 5).records->size(), 5u);
  rig.sync();
  FetchResult some = rig.fetch(1, 3, 5);
  EXPECT_EQ(some.records->size(), 5u);
  EXPECT_EQ(some.records->front().sequence, 3u);
  EXPECT_EQ(some.scanned_to, 8u);
  FetchResult bytes = rig.fetch(1, 1, 100, 3500);
  EXPECT_EQ(bytes.records->size(), 3u);
  EXPECT_EQ(bytes.scanned_to, 4u);
  EXPECT_EQ(rig.fetch(1, 7, 100, 1).records->size(), 1u);
  FetchResult rest = rig.fetch(1, 15);
  EXPECT_EQ(rest.records->size(), 6u);
  EXPECT_EQ(rest.scanned_to, 21u);
  EXPECT_TRUE(rig.fetch(9, 1).records->empty());
}

TEST(Store, LargeRecordsHaveABlockOfTheirOwnAndTooLargeOnesAreRefused) {
  StoreRig rig;
  rig.open();
  std::string large(50'000, 'y');
  rig.append(1, 1, "small");
  rig.append(1, 2, large);
  rig.append(1, 3, large);
  rig.append(1, 4, "small");
  std::string huge(64 << 10, 'z');
  LaneRef ref{LaneId{1}, 5};
  Bytes payload = bytes_of(huge);
  Result<void> refused = rig.store->append({&ref, 1}, {&payload, 1}, 1, false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::too_large);
  rig.sync();
  rig.reopen();
  EXPECT_EQ(rig.all(1), "1:small 2:" + large + " 3:" + large + " 4:small");
}

TEST(Store, ALogOfManySegmentsIsReadBack) {
  StoreRig rig;
  rig.open();
  std::string text(900, 'm');
  for (Sequence s = 1; s <= 1000; ++s) {
    rig.append(1 + s % 3, s, text);
    if (s % 10 == 0) rig.sync();
  }
  EXPECT_GT(rig.store->stats().segments, 10u);
  EXPECT_GT(rig.store->stats().snapshots, 1u);
  for (int round = 0; round < 2; ++round) {
    std::uint64_t seen = 0;
    for (std::uint64_t lane = 1; lane <= 3; ++lane) {
      for (Sequence from = 1;;) {
        FetchResult result = rig.fetch(lane, from, 64);
        ASSERT_TRUE(result.records);
        for (const Fetched& record : *result.records) {
          EXPECT_EQ(1 + record.sequence % 3, lane);
          EXPECT_EQ(text_of(record.payload.bytes()), text);
          ++seen;
        }
        if (result.records->empty()) break;
        from = result.scanned_to;
      }
    }
    EXPECT_EQ(seen, 1000u);
    rig.reopen();
  }
}

TEST(Store, ConsumedSegmentsAreUsedAgain) {
  StoreRig rig;
  rig.open();
  std::string text(900, 'm');
  for (Sequence s = 1; s <= 5000; ++s) {
    rig.append(1, s, text);
    if (s > 50) rig.settle(1, s - 50, text);
    if (s % 10 == 0) rig.sync();
  }
  EXPECT_LT(rig.store->stats().segments, 16u);
  EXPECT_LT(rig.disk.files().size(), 40u);
  rig.reopen();
  EXPECT_EQ(rig.lane(1).count, 50u);
}

TEST(Store, OneOldRecordDoesNotHoldTheLog) {
  StoreRig rig;
  rig.open();
  std::string text(900, 'm');
  for (std::uint64_t lane = 100; lane < 120; ++lane) {
    rig.append(lane, 1, "old" + std::to_string(lane));
    for (Sequence s = 1; s <= 200; ++s) {
      Sequence sequence = (lane - 100) * 200 + s;
      rig.append(1, sequence, text);
      rig.settle(1, sequence, text);
      if (s % 10 == 0) rig.sync();
    }
  }
  EXPECT_GT(rig.store->stats().relocated_records, 0u);
  EXPECT_LT(rig.store->stats().segments, 20u);
  for (int round = 0; round < 2; ++round) {
    for (std::uint64_t lane = 100; lane < 120; ++lane) {
      EXPECT_EQ(rig.all(lane), "1:old" + std::to_string(lane));
    }
    rig.reopen();
  }
}

TEST(Store, ACleanStopIsKnownAsOne) {
  StoreRig rig;
  rig.open();
  rig.append(1, 1, "one");
  rig.meta("state");
  rig.close();
  rig.open();
  EXPECT_TRUE(rig.report.clean);
  EXPECT_EQ(rig.report.replayed_bytes, 0u);
  EXPECT_EQ(rig.all(1), "1:one");
  EXPECT_EQ(rig.sink.texts, std::vector<std::string>{"state"});
  rig.append(1, 2, "two");
  rig.sync();
  rig.reopen();
  EXPECT_FALSE(rig.report.clean);
  EXPECT_EQ(rig.all(1), "1:one 2:two");
}

TEST(Store, SettlesAloneWaitForCompany) {
  StoreRig rig;
  rig.open();
  rig.append(1, 1, "one");
  rig.sync();
  rig.settle(1, 1, "one");
  rig.turns(5);
  EXPECT_LT(rig.store->durable_up_to(), rig.store->end());
  ASSERT_TRUE(rig.store->next_deadline());
  rig.clock.advance(rig.options.lazy_commit_after);
  EXPECT_LE(*rig.store->next_deadline(), rig.clock.now());
  rig.turns(3);
  EXPECT_EQ(rig.store->durable_up_to(), rig.store->end());
}

TEST(Store, AnIdleLogIsMarkedOnce) {
  StoreRig rig;
  rig.open();
  rig.append(1, 1, "one");
  rig.sync();
  std::uint64_t commits = rig.store->stats().commits;
  for (int i = 0; i < 10; ++i) {
    rig.clock.advance(std::chrono::milliseconds(25));
    rig.turns(2);
  }
  EXPECT_EQ(rig.store->stats().commits, commits + 1);
  EXPECT_EQ(rig.store->next_deadline(), std::nullopt);
}

}  // namespace
}  // namespace wharf::storage
