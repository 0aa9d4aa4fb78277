// Limits of time and length, and dead letters.
#include "broker/queue_test_fixture.h"

namespace wharf::broker::test {
namespace {

// ---- times to live

TEST_F(QueueTest, ExpiresByTimerAtTheHead) {
  QueueSpec spec = dead_lettering();
  spec.message_ttl_ms = 100;
  make(spec);
  publish("a");
  host_.pass(milliseconds(50));
  publish("b");
  host_.pass(milliseconds(49));
  EXPECT_EQ(queue_->ready(), 2u);
  host_.pass(milliseconds(1));
  auto all = dead();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].body(), "a");
  EXPECT_EQ(all[0].reason, DeathReason::expired);
  host_.pass(milliseconds(50));
  EXPECT_EQ(dead().size(), 1u);
  EXPECT_EQ(queue_->ready(), 0u);
}

TEST_F(QueueTest, TheShorterTimeToLiveCounts) {
  QueueSpec spec = dead_lettering();
  spec.message_ttl_ms = 100;
  make(spec);
  publish("short", {.ttl_ms = 10});
  publish("long", {.ttl_ms = 1000});
  host_.pass(milliseconds(10));
  EXPECT_EQ(dead().at(0).body(), "short");
  host_.pass(milliseconds(90));
  EXPECT_EQ(dead().at(0).body(), "long");
}

TEST_F(QueueTest, OnlyHeadsExpire) {
  make(dead_lettering());
  publish("stays");
  publish("waits behind", {.ttl_ms = 10});
  host_.pass(milliseconds(20));
  EXPECT_EQ(queue_->ready(), 2u);
  queue_->get(alice, 1, false);
  EXPECT_EQ(queue_->ready(), 1u);
  auto all = dead();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].body(), "waits behind");
  EXPECT_EQ(queue_->ready(), 0u);
}

TEST_F(QueueTest, NoTimeToLiveMeansNowOrNever) {
  make(dead_lettering());
  publish("nobody there", {.ttl_ms = 0});
  EXPECT_EQ(dead().size(), 1u);
  ASSERT_TRUE(subscribe(alice, 1));
  publish("somebody there", {.ttl_ms = 0});
  publish("no credit", {.ttl_ms = 0});
  auto all = take();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].body(), "somebody there");
  EXPECT_EQ(all[0].what, Told::What::delivered);
  EXPECT_EQ(all[1].body(), "no credit");
  EXPECT_EQ(all[1].what, Told::What::dead);
}

TEST_F(QueueTest, RequeuedKeepsItsDeadline) {
  make(dead_lettering());
  publish("a", {.ttl_ms = 100});
  queue_->get(alice, 1, true);
  host_.pass(milliseconds(100));
  EXPECT_EQ(queue_->leased(), 1u) << "leased ones do not expire";
  settle(alice, {0, 1}, Disposition::requeue);
  ASSERT_EQ(dead().size(), 1u);
  EXPECT_EQ(queue_->in_transfer(), 1u);
}

TEST_F(QueueTest, ExpiredIsNeverDelivered) {
  make();
  publish("a", {.ttl_ms = 5});
  publish("b");
  host_.time.passed += milliseconds(5);
  queue_->get(alice, 1, false);
  EXPECT_EQ(bodies(), Bodies{"b"});
}

TEST_F(QueueTest, HugeTimesToLiveDoNotOverflow) {
  QueueSpec spec;
  spec.message_ttl_ms = std::numeric_limits<std::uint64_t>::max();
  make(spec);
  publish("a", {.ttl_ms = std::numeric_limits<std::uint64_t>::max() - 1});
  publish("b", {.ttl_ms = 3'000'000'000'000});
  host_.pass(seconds(1'000'000));
  EXPECT_EQ(queue_->ready(), 2u);
}

TEST_F(QueueTest, LanesExpireOnTheirOwn) {
  QueueSpec spec = dead_lettering();
  spec.priority_max = 1;
  make(spec);
  publish("high", {.priority = 1});
  publish("low", {.ttl_ms = 10});
  host_.pass(milliseconds(10));
  EXPECT_EQ(dead().at(0).body(), "low");
}

// ---- unused

TEST_F(QueueTest, UnusedForTooLong) {
  QueueSpec spec;
  spec.expires_ms = 100;
  make(spec);
  host_.pass(milliseconds(99));
  queue_->touch();
  host_.pass(milliseconds(99));
  queue_->get(alice, 1, false);
  EXPECT_TRUE(take(Told::What::unused).empty());
  ASSERT_TRUE(subscribe(alice));
  host_.pass(milliseconds(500));
  EXPECT_FALSE(queue_->is_unused());
  queue_->unsubscribe(alice, 1);
  host_.pass(milliseconds(99));
  EXPECT_TRUE(take(Told::What::unused).empty());
  host_.pass(milliseconds(1));
  EXPECT_EQ(take(Told::What::unused).size(), 1u);
  EXPECT_TRUE(queue_->is_unused());
  host_.pass(milliseconds(100));
  EXPECT_EQ(take(Told::What::unused).size(), 1u) << "told again while it is not deleted";
}

TEST_F(QueueTest, AutoDeleteAfterTheLastConsumerOnly) {
  QueueSpec spec;
  spec.auto_delete = true;
  make(spec);
  EXPECT_FALSE(queue_->is_unused());
  ASSERT_TRUE(subscribe(alice));
  ASSERT_TRUE(subscribe(bob));
  queue_->unsubscribe(alice, 1);
  EXPECT_TRUE(take(Told::What::unused).empty());
  queue_->session_gone(bob);
  EXPECT_EQ(take(Told::What::unused).size(), 1u);
  EXPECT_TRUE(queue_->is_unused());
}

// ---- limits of length

TEST_F(QueueTest, DropHeadKeepsTheNewest) {
  QueueSpec spec = dead_lettering();
  spec.length_max = 2;
  make(spec);
  publish_many(4);
  EXPECT_EQ(queue_->ready(), 2u);
  auto all = dead();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].body(), "0");
  EXPECT_EQ(all[0].reason, DeathReason::max_length);
  queue_->get(alice, 1, false);
  EXPECT_EQ(bodies(), Bodies{"2"});
}

TEST_F(QueueTest, LengthCountsReadyOnly) {
  QueueSpec spec;
  spec.length_max = 1;
  make(spec);
  publish("a");
  queue_->get(alice, 1, true);
  publish("b");
  EXPECT_EQ(queue_->ready(), 1u);
  EXPECT_EQ(queue_->leased(), 1u);
}

TEST_F(QueueTest, LengthZeroDeliversOrDrops) {
  QueueSpec spec;
  spec.length_max = 0;
  make(spec);
  publish("dropped");
  EXPECT_EQ(queue_->ready(), 0u);
  ASSERT_TRUE(subscribe(alice, 1));
  publish("delivered");
  EXPECT_EQ(bodies(), Bodies{"delivered"});
}

TEST_F(QueueTest, ByteLimitCountsBodies) {
  QueueSpec spec;
  spec.length_bytes_max = 10;
  make(spec);
  publish("12345");
  publish("12345");
  EXPECT_EQ(queue_->ready(), 2u);
  publish("1");
  EXPECT_EQ(queue_->ready(), 2u);
  EXPECT_EQ(queue_->ready_bytes(), 6u);
}

TEST_F(QueueTest, DropHeadTakesWhatWouldBeDeliveredNext) {
  QueueSpec spec = dead_lettering();
  spec.length_max = 2;
  spec.priority_max = 1;
  make(spec);
  publish("high", {.priority = 1});
  publish("low");
  publish("high 2", {.priority = 1});
  EXPECT_EQ(dead().at(0).body(), "high");
}

TEST_F(QueueTest, RejectPublishRefusesTheNewest) {
  QueueSpec spec = dead_lettering();
  spec.length_max = 1;
  spec.overflow = Overflow::reject_publish;
  make(spec);
  EXPECT_TRUE(publish("a"));
  EXPECT_FALSE(publish("b"));
  EXPECT_TRUE(dead().empty());
  ASSERT_TRUE(subscribe(alice));
  EXPECT_TRUE(publish("c")) << "room as soon as a waiting consumer takes the first";
  EXPECT_EQ(bodies(), (Bodies{"a", "c"}));
}

TEST_F(QueueTest, RejectPublishMayDeadLetterTheNewest) {
  QueueSpec spec = dead_lettering();
  spec.length_bytes_max = 4;
  spec.overflow = Overflow::reject_publish_dead_letter;
  make(spec);
  EXPECT_TRUE(publish("1234"));
  EXPECT_FALSE(publish("5"));
  auto all = dead();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].body(), "5");
  EXPECT_FALSE(all[0].record.has_value());
  EXPECT_EQ(all[0].reason, DeathReason::max_length);
}

// ---- dead letters

TEST_F(QueueTest, DeadRecordStaysInTransferUntilItIsSafe) {
  make(dead_lettering(durable()));
  publish("a", {.persistent = true});
  queue_->get(alice, 1, true);
  settle(alice, {0, 1}, Disposition::dead_letter);
  auto all = dead();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].reason, DeathReason::rejected);
  EXPECT_EQ(queue_->ready() + queue_->leased(), 0u);
  EXPECT_EQ(queue_->in_transfer(), 1u);
  EXPECT_EQ(host_.disk().record_count(lane_id(queue_->id(), 0)), 1u);
  queue_->dead_lettered(*all[0].record);
  queue_->dead_lettered(*all[0].record);
  EXPECT_EQ(queue_->in_transfer(), 0u);
  EXPECT_EQ(host_.disk().record_count(lane_id(queue_->id(), 0)), 0u);
}

TEST_F(QueueTest, WithoutADeadLetterExchangeDeadIsDone) {
  make(durable());
  publish("a", {.persistent = true});
  queue_->get(alice, 1, true);
  settle(alice, {0, 1}, Disposition::dead_letter);
  EXPECT_TRUE(dead().empty());
  EXPECT_EQ(queue_->in_transfer(), 0u);
  EXPECT_EQ(host_.disk().record_count(lane_id(queue_->id(), 0)), 0u);
}

TEST_F(QueueTest, DeadRecordWhoseMessageWasGivenUpIsFetchedFirst) {
  make(dead_lettering(durable()));
  publish("a", {.persistent = true});
  host_.tight = true;
  queue_->get(alice, 1, true);
  EXPECT_EQ(host_.memory, 0);
  take();
  settle(alice, {0, 1}, Disposition::dead_letter);
  EXPECT_TRUE(host_.told.empty());
  auto all = dead();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].body(), "a");
}

}  // namespace
}  // namespace wharf::broker::test
