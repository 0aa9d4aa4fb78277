// What lies in the store to save memory, and what comes back after a crash.
#include "broker/queue_test_fixture.h"

namespace wharf::broker::test {
namespace {

// ---- memory

TEST_F(QueueTest, LongBacklogLiesInTheStore) {
  make();
  publish_many(20'000);
  EXPECT_EQ(queue_->ready(), 20'000u);
  EXPECT_LT(host_.memory, 4200 * 160);
  EXPECT_EQ(host_.disk().record_count(lane_id(queue_->id(), 0)), 20'000u - 4096u);
  ASSERT_TRUE(subscribe(alice, much));
  Bodies all = bodies();
  ASSERT_EQ(all.size(), 20'000u);
  for (int i = 0; i < 20'000; ++i) ASSERT_EQ(all[static_cast<std::size_t>(i)], std::to_string(i));
  queue_->session_gone(alice);
  queue_->purge();
  EXPECT_EQ(host_.memory, 0);
  EXPECT_EQ(host_.disk().record_count(lane_id(queue_->id(), 0)), 0u);
}

TEST_F(QueueTest, ArrivalsBehindColdOnesStayInOrder) {
  make(durable());
  host_.disk().fetch_delay = 3;
  publish_many(5000, {.persistent = true});
  ASSERT_TRUE(subscribe(alice));
  Bodies all;
  for (int i = 0; i < 50; ++i) {
    host_.turn();
    publish_many(10, {.persistent = i % 2 == 0});
  }
  for (const std::string& body : bodies()) all.push_back(body);
  ASSERT_EQ(all.size(), 5500u);
  for (int i = 0; i < 5500; ++i) ASSERT_EQ(all[static_cast<std::size_t>(i)], std::to_string(i));
  EXPECT_TRUE(publish("hot again"));
  EXPECT_EQ(queue_->ready(), 0u + 1u);
  EXPECT_EQ(bodies(), Bodies{"hot again"});
}

TEST_F(QueueTest, TightMemoryMakesStoredRecordsCold) {
  make(durable());
  publish_many(4000, {.persistent = true});
  std::int64_t before = host_.memory;
  host_.tight = true;
  queue_->shed();
  EXPECT_LT(host_.memory, before / 10);
  EXPECT_EQ(queue_->ready(), 4000u);
  ASSERT_TRUE(subscribe(alice));
  Bodies all = bodies();
  ASSERT_EQ(all.size(), 4000u);
  EXPECT_TRUE(std::ranges::equal(
      all, all, {}, [](const std::string& s) { return std::stoi(s); },
      [](const std::string& s) { return std::stoi(s); }));
  EXPECT_TRUE(std::ranges::is_sorted(all, {}, [](const std::string& s) { return std::stoi(s); }));
  EXPECT_EQ(host_.memory, 0) << "leases of stored records keep no message while memory is tight";
}

TEST_F(QueueTest, VeryManyLeasesComeBackBitByBitAndInOrder) {
  make();
  ASSERT_TRUE(subscribe(alice));
  publish_many(10'000);
  ASSERT_EQ(bodies().size(), 10'000u);
  ASSERT_TRUE(subscribe(bob));
  queue_->session_gone(alice);
  EXPECT_LT(queue_->ready(), 5'000u) << "all at once would stop the shard";
  EXPECT_TRUE(publish("behind them"));
  Bodies all = bodies();
  ASSERT_EQ(all.size(), 10'001u);
  for (int i = 0; i < 10'000; ++i) ASSERT_EQ(all[static_cast<std::size_t>(i)], std::to_string(i));
  queue_->session_gone(bob);
  EXPECT_EQ(queue_->purge(), 10'001u) << "what is on its way back is ready";
}

TEST_F(QueueTest, LimitOfLengthWaitsForLeasesThatComeBack) {
  QueueSpec spec;
  spec.length_max = 10'000;
  make(spec);
  ASSERT_TRUE(subscribe(alice));
  publish_many(10'000);
  ASSERT_EQ(bodies().size(), 10'000u);
  publish_many(5'000);
  bodies();
  queue_->unsubscribe(alice, 1);
  queue_->session_gone(alice);
  host_.run();
  EXPECT_EQ(queue_->ready(), 10'000u);
  ASSERT_TRUE(subscribe(bob));
  Bodies all = bodies();
  ASSERT_EQ(all.size(), 10'000u);
  EXPECT_EQ(all.front(), "5000") << "the oldest are the ones to go";
}

TEST_F(QueueTest, TightMemoryIsNotHeldByLeasesOfTransientMessages) {
  make();
  ASSERT_TRUE(subscribe(alice));
  publish_many(100);
  ASSERT_EQ(bodies().size(), 100u);
  std::int64_t before = host_.memory;
  EXPECT_GT(before, 0);
  host_.tight = true;
  publish_many(1000);
  ASSERT_EQ(bodies().size(), 1000u);
  EXPECT_EQ(host_.memory, before) << "what comes from now on is leased without its message";
  queue_->session_gone(alice);
  ASSERT_TRUE(subscribe(bob));
  EXPECT_EQ(bodies().size(), 1100u);
}

// What is on its way from the disk is no longer what comes next.
TEST_F(QueueTest, FetchOvertakenByCoolingIsNotTaken) {
  make(durable());
  host_.disk().fetch_delay = 2;
  publish_many(5000, {.persistent = true});
  ASSERT_TRUE(subscribe(alice, 2500));
  host_.turn();
  ASSERT_TRUE(host_.disk().is_reading()) << "ahead of need, though credit is used up";
  host_.tight = true;
  queue_->shed();
  Bodies all = bodies();
  queue_->grant(alice, 1, much, 0);
  for (const std::string& body : bodies()) all.push_back(body);
  ASSERT_EQ(all.size(), 5000u);
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(all[static_cast<std::size_t>(i)], std::to_string(i));
}

TEST_F(QueueTest, ReturnedWithoutAMessageIsFetchedAgain) {
  make(durable());
  publish_many(3000, {.persistent = true});
  host_.tight = true;
  ASSERT_TRUE(subscribe(alice));
  ASSERT_EQ(bodies().size(), 3000u);
  for (Sequence at = 3000; at >= 1; at -= 2) settle(alice, {0, at});
  queue_->session_gone(alice);
  EXPECT_EQ(queue_->ready(), 1500u);
  EXPECT_EQ(host_.memory, 0);
  ASSERT_TRUE(subscribe(bob));
  Bodies all = bodies();
  ASSERT_EQ(all.size(), 1500u);
  for (int i = 0; i < 1500; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)], std::to_string(2 * i));
}

TEST_F(QueueTest, PurgeOfColdRecordsSparesTheLeased) {
  make(durable());
  publish_many(10'000, {.persistent = true});
  queue_->get(alice, 1, true);
  EXPECT_EQ(queue_->purge(), 9999u);
  EXPECT_EQ(queue_->ready(), 0u);
  publish_many(3, {.persistent = true});
  host_.run();
  EXPECT_EQ(host_.disk().record_count(lane_id(queue_->id(), 0)), 4u);
  settle(alice, {0, 1}, Disposition::requeue);
  ASSERT_TRUE(subscribe(bob));
  take(Told::What::got);
  EXPECT_EQ(queue_->leased(), 4u);
}

TEST_F(QueueTest, FailedReadIsTriedAgainAfterASecond) {
  make();
  publish_many(6000);
  host_.disk().fails_reads = true;
  ASSERT_TRUE(subscribe(alice));
  EXPECT_EQ(bodies().size(), 4096u);
  std::uint64_t fetches = host_.disk().fetches;
  host_.pass(milliseconds(999));
  EXPECT_EQ(host_.disk().fetches, fetches);
  host_.disk().fails_reads = false;
  host_.pass(milliseconds(1));
  EXPECT_EQ(bodies().size(), 6000u - 4096u);
}

TEST_F(QueueTest, DamagedRecordIsPassedOverAndLeftUnsettled) {
  make(durable());
  publish_many(6000, {.persistent = true});
  host_.disk().damaged = {4097, 5000, 5001, 6000};
  SubscribeSpec spec;
  spec.leased = false;
  ASSERT_TRUE(subscribe(alice, much, spec));
  EXPECT_EQ(bodies().size(), 5996u);
  EXPECT_EQ(queue_->ready(), 0u);
  EXPECT_EQ(queue_->ready_bytes(), 0u);
  EXPECT_EQ(host_.disk().record_count(lane_id(queue_->id(), 0)), 4u);
}

TEST_F(QueueTest, DamagedReturnedAndDeadRecordsArePassedOver) {
  make(dead_lettering(durable()));
  publish_many(4, {.persistent = true});
  host_.tight = true;
  ASSERT_TRUE(subscribe(alice, 4));
  EXPECT_EQ(bodies().size(), 4u);
  host_.disk().damaged = {1, 3};
  settle(alice, {0, 1}, Disposition::requeue);
  settle(alice, {0, 2}, Disposition::requeue);
  settle(alice, {0, 3}, Disposition::dead_letter);
  settle(alice, {0, 4}, Disposition::dead_letter);
  auto all = dead();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].body(), "3");
  queue_->grant(alice, 1, 4, 0);
  EXPECT_EQ(bodies(), Bodies{"1"});
  EXPECT_EQ(queue_->ready(), 0u);
  EXPECT_EQ(queue_->in_transfer(), 1u);
}

TEST_F(QueueTest, FullLogRefusesButKeepsTheNumber) {
  make(durable());
  host_.disk().full = true;
  EXPECT_FALSE(publish("a", {.persistent = true}));
  host_.disk().full = false;
  EXPECT_TRUE(publish("b", {.persistent = true}));
  EXPECT_EQ(queue_->ready(), 1u);
}

TEST_F(QueueTest, ColdHeadIsFetchedToBeDropped) {
  QueueSpec spec = dead_lettering();
  spec.length_bytes_max = 6 << 20;
  make(spec);
  std::string body(1 << 20, 'x');
  for (int i = 0; i < 12; ++i) publish(body);
  host_.run();
  EXPECT_EQ(queue_->ready(), 6u);
  EXPECT_EQ(dead().size(), 6u);
}

// ---- recovery

TEST_F(QueueTest, DurableRecordsComeBackAndTransientOnesDoNot) {
  make(durable());
  publish("kept", {.persistent = true});
  publish("lost");
  publish("kept too", {.persistent = true});
  restart(durable(), host_.disk().end());
  EXPECT_EQ(queue_->ready(), 2u);
  EXPECT_EQ(queue_->ready_bytes(), 12u);
  ASSERT_TRUE(subscribe(alice));
  EXPECT_EQ(bodies(), (Bodies{"kept", "kept too"}));
}

TEST_F(QueueTest, CountedQueuesKeepTransientRecordsToo) {
  QueueSpec spec = durable();
  spec.kind = QueueKind::counted;
  make(spec);
  publish("a");
  publish("b", {.persistent = true});
  ASSERT_TRUE(subscribe(alice, 1));
  EXPECT_EQ(bodies(), Bodies{"a"});
  queue_->session_gone(alice);
  restart(spec, host_.disk().end());
  EXPECT_EQ(queue_->ready(), 2u);
  ASSERT_TRUE(subscribe(alice));
  std::vector<Told> all = take();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].body(), "a");
  EXPECT_TRUE(all[0].delivery->redelivered);
  EXPECT_EQ(all[0].delivery->failed, 1u);
  EXPECT_EQ(all[1].body(), "b");
}

TEST_F(QueueTest, RecoveredHeadExpiresWithNobodyThere) {
  QueueSpec spec = dead_lettering(durable());
  make(spec);
  for (int i = 0; i < 100; ++i) publish("a", {.persistent = true, .ttl_ms = 100});
  restart(spec, host_.disk().end());
  EXPECT_EQ(queue_->ready(), 100u);
  host_.pass(milliseconds(100));
  EXPECT_EQ(dead().size(), 100u);
}

TEST_F(QueueTest, FirstRecordIsCoveredByTheReserveOfItsLane) {
  make(durable());
  host_.flushes = false;
  ASSERT_TRUE(subscribe(alice));
  publish("a", {.persistent = true});
  EXPECT_EQ(bodies(), Bodies{"a"}) << "without waiting for the disk";
  EXPECT_EQ(host_.disk().deliverable(lane_id(queue_->id(), 0)), Reserve::size);
  restart(durable(), host_.disk().end());
  ASSERT_TRUE(subscribe(bob));
  auto all = take();
  EXPECT_TRUE(all.at(0).delivery->redelivered);
  EXPECT_EQ(all[0].delivery->acquired, 0u);
}

TEST_F(QueueTest, ArrivalsAfterACrashAreNotSuspected) {
  make(durable());
  publish("a", {.persistent = true});
  restart(durable(), host_.disk().end());
  publish("b", {.persistent = true});
  ASSERT_TRUE(subscribe(alice));
  auto all = take();
  EXPECT_TRUE(all.at(0).delivery->redelivered);
  EXPECT_FALSE(all.at(1).delivery->redelivered);
}

TEST_F(QueueTest, DeliveryBeyondTheReserveWaitsForTheDisk) {
  make(durable());
  publish_many(3 * static_cast<int>(Reserve::size), {.persistent = true});
  host_.run();
  host_.flushes = false;
  ASSERT_TRUE(subscribe(alice));
  EXPECT_EQ(bodies().size(), Reserve::size);
  host_.disk().flush();
  EXPECT_GE(bodies().size(), Reserve::size / 2);
  host_.flushes = true;
  bodies();
  EXPECT_EQ(queue_->ready(), 0u);
}

TEST_F(QueueTest, SteadyFlowNeverWaitsForTheDisk) {
  make(durable());
  host_.flushes = false;
  ASSERT_TRUE(subscribe(alice));
  for (Sequence i = 1; i <= 3 * Reserve::size; ++i) {
    publish("x", {.persistent = true});
    host_.turn();
    ASSERT_EQ(host_.told.size(), 1u) << i;
    settle(alice, host_.told[0].delivery->record);
    host_.told.clear();
  }
}

// Whatever part of the log survives, a record that a consumer saw comes back flagged.
TEST_F(QueueTest, NoSecondDeliveryIsUnflagged) {
  for (std::uint64_t tail : {0ULL, 1000ULL}) {
    published_ = 0;
    queue_.reset();
    host_.forget();
    host_.replace_store(std::make_unique<FakeStore>());
    host_.memory = 0;
    make(durable());
    publish_many(2 * static_cast<int>(Reserve::size) + 100, {.persistent = true});
    ASSERT_TRUE(subscribe(alice, 20'000));
    Bodies seen = bodies();
    ASSERT_EQ(seen.size(), 20'000u);
    host_.flushes = false;
    queue_->grant(alice, 1, 20'000, 0);
    for (const std::string& body : bodies()) seen.push_back(body);
    std::ranges::sort(seen);
    restart(durable(), std::max(host_.disk().durable_up_to(), host_.disk().end() - 10 * tail));
    host_.flushes = true;
    ASSERT_TRUE(subscribe(bob));
    std::size_t unseen_flagged = 0;
    for (const Told& one : take()) {
      bool is_seen = std::ranges::binary_search(seen, one.body());
      EXPECT_TRUE(!is_seen || one.delivery->redelivered) << one.body();
      if (!is_seen && one.delivery->redelivered) ++unseen_flagged;
    }
    EXPECT_LE(unseen_flagged, Reserve::size);
  }
}

}  // namespace
}  // namespace wharf::broker::test
