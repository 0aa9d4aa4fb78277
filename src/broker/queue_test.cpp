// Delivering, settling, getting, purging, deleting.
#include "broker/queue_test_fixture.h"

namespace wharf::broker::test {
namespace {

// ---- delivering

TEST_F(QueueTest, DeliversInOrderOfArrival) {
  make();
  publish_many(5);
  EXPECT_EQ(queue_->ready(), 5u);
  ASSERT_TRUE(subscribe(alice));
  EXPECT_EQ(bodies(), (Bodies{"0", "1", "2", "3", "4"}));
  EXPECT_EQ(queue_->ready(), 0u);
  EXPECT_EQ(queue_->leased(), 5u);
}

TEST_F(QueueTest, NothingIsDeliveredBeforeSubscribeReturns) {
  make();
  publish_many(3);
  ASSERT_TRUE(subscribe(alice));
  EXPECT_TRUE(host_.told.empty());
}

TEST_F(QueueTest, CreditInMessagesHoldsDeliveriesBack) {
  make();
  publish_many(5);
  ASSERT_TRUE(subscribe(alice, 2));
  EXPECT_EQ(bodies(), (Bodies{"0", "1"}));
  settle(alice, {0, 1});
  EXPECT_EQ(bodies(), Bodies{}) << "settling gives no credit";
  queue_->grant(alice, 1, 1, 0);
  EXPECT_EQ(bodies(), Bodies{"2"});
}

TEST_F(QueueTest, CreditInBytesMayBeOverdrawnByOneMessage) {
  make();
  for (int i = 0; i < 3; ++i) publish(std::string(100, 'x'));
  SubscribeSpec spec;
  spec.credit_bytes = 101;
  ASSERT_TRUE(subscribe(alice, 10, spec));
  EXPECT_EQ(bodies().size(), 2u);
  queue_->grant(alice, 1, 0, 99);
  EXPECT_EQ(bodies().size(), 0u);
  queue_->grant(alice, 1, 0, 1);
  EXPECT_EQ(bodies().size(), 1u);
}

TEST_F(QueueTest, CreditDoesNotOverflow) {
  make();
  ASSERT_TRUE(subscribe(alice, much));
  queue_->grant(alice, 1, much, much_bytes);
  publish("a");
  EXPECT_EQ(bodies(), Bodies{"a"});
}

TEST_F(QueueTest, UnleasedDeliveriesAreSettledAsTheyLeave) {
  make(durable());
  SubscribeSpec spec;
  spec.leased = false;
  ASSERT_TRUE(subscribe(alice, much, spec));
  publish("a", {.persistent = true});
  auto all = take();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_FALSE(all[0].delivery->leased);
  EXPECT_EQ(queue_->leased(), 0u);
  EXPECT_EQ(host_.disk().record_count(lane_id(queue_->id(), 0)), 0u);
  EXPECT_EQ(host_.memory, 0);
}

TEST_F(QueueTest, RoundRobinAmongEquals) {
  make();
  ASSERT_TRUE(subscribe(alice));
  ASSERT_TRUE(subscribe(bob));
  ASSERT_TRUE(subscribe(carol));
  publish_many(7);
  std::vector<std::uint64_t> order;
  for (const Told& one : take()) order.push_back(one.session.value());
  EXPECT_EQ(order, (std::vector<std::uint64_t>{1, 2, 3, 1, 2, 3, 1}));
}

TEST_F(QueueTest, HighestConsumerPriorityWithCreditFirst) {
  make();
  SubscribeSpec high;
  high.priority = 5;
  SubscribeSpec low;
  low.priority = -5;
  ASSERT_TRUE(subscribe(alice, much, low));
  ASSERT_TRUE(subscribe(bob));
  ASSERT_TRUE(subscribe(carol, 2, high));
  publish_many(4);
  std::vector<std::uint64_t> order;
  for (const Told& one : take()) order.push_back(one.session.value());
  EXPECT_EQ(order, (std::vector<std::uint64_t>{3, 3, 2, 2}));
}

TEST_F(QueueTest, ExclusiveKeepsOthersOut) {
  make();
  SubscribeSpec exclusive;
  exclusive.exclusive = true;
  ASSERT_TRUE(subscribe(alice, much, exclusive));
  auto refused = subscribe(bob);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault.code, Errc::not_allowed);
  EXPECT_STREQ(refused.error().fault.why, "in exclusive use");
  queue_->unsubscribe(alice, 1);
  ASSERT_TRUE(subscribe(bob));
  EXPECT_FALSE(subscribe(alice, much, exclusive));
  EXPECT_EQ(queue_->consumers(), 1u);
}

TEST_F(QueueTest, SingleActiveConsumerIsTheFirstToRegister) {
  QueueSpec spec;
  spec.single_active = true;
  make(spec);
  SubscribeSpec high;
  high.priority = 10;
  ASSERT_TRUE(subscribe(alice, 2));
  ASSERT_TRUE(subscribe(bob));
  ASSERT_TRUE(subscribe(carol, much, high));
  publish_many(5);
  for (const Told& one : take()) EXPECT_EQ(one.session, alice);
  queue_->unsubscribe(alice, 1);
  auto all = take();
  ASSERT_EQ(all.size(), 3u);
  for (const Told& one : all) EXPECT_EQ(one.session, bob);
  SubscribeSpec exclusive;
  exclusive.exclusive = true;
  queue_->session_gone(bob);
  queue_->session_gone(carol);
  auto refused = subscribe(alice, much, exclusive);
  ASSERT_FALSE(refused);
  EXPECT_STREQ(refused.error().fault.why, "single active");
}

TEST_F(QueueTest, HigherLanesFirst) {
  QueueSpec spec;
  spec.priority_max = 3;
  make(spec);
  publish("low");
  publish("high", {.priority = 2});
  publish("higher than there is", {.priority = 200});
  publish("high again", {.priority = 2});
  ASSERT_TRUE(subscribe(alice));
  EXPECT_EQ(bodies(), (Bodies{"higher than there is", "high", "high again", "low"}));
}

// ---- settling

TEST_F(QueueTest, AcceptEndsARecord) {
  make(durable());
  publish("a", {.persistent = true});
  ASSERT_TRUE(subscribe(alice));
  auto all = take();
  settle(alice, all.at(0).delivery->record);
  EXPECT_EQ(queue_->leased(), 0u);
  EXPECT_EQ(host_.disk().record_count(lane_id(queue_->id(), 0)), 0u);
  EXPECT_EQ(host_.memory, 0);
}

TEST_F(QueueTest, SettlingWhatIsNotYoursIsIgnored) {
  make();
  publish("a");
  ASSERT_TRUE(subscribe(alice));
  take();
  settle(bob, {0, 1});
  settle(alice, {0, 2});
  settle(alice, {3, 1});
  EXPECT_EQ(queue_->leased(), 1u);
  settle(alice, {0, 1});
  settle(alice, {0, 1});
  EXPECT_EQ(queue_->leased(), 0u);
}

TEST_F(QueueTest, RequeueReturnsToItsOwnPlace) {
  make();
  publish_many(6);
  ASSERT_TRUE(subscribe(alice, 4));
  take();
  settle(alice, {0, 3}, Disposition::requeue);
  settle(alice, {0, 1}, Disposition::requeue);
  ASSERT_TRUE(subscribe(bob));
  auto all = take();
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].body(), "0");
  EXPECT_EQ(all[1].body(), "2");
  EXPECT_EQ(all[2].body(), "4");
  EXPECT_TRUE(all[0].delivery->redelivered);
  EXPECT_EQ(all[0].delivery->acquired, 1u);
  EXPECT_EQ(all[0].delivery->failed, 1u);
  EXPECT_FALSE(all[2].delivery->redelivered);
}

TEST_F(QueueTest, ReleaseLeavesNoTrace) {
  make();
  publish("a");
  ASSERT_TRUE(subscribe(alice, 1));
  take();
  settle(alice, {0, 1}, Disposition::release);
  ASSERT_TRUE(subscribe(bob));
  auto all = take();
  EXPECT_FALSE(all.at(0).delivery->redelivered);
  EXPECT_EQ(all[0].delivery->acquired, 0u);
  EXPECT_EQ(all[0].delivery->failed, 0u);
}

TEST_F(QueueTest, FailuresAreKeptInTheStore) {
  make(durable());
  publish("a", {.persistent = true});
  for (int i = 0; i < 3; ++i) {
    queue_->get(alice, 1, true);
    settle(alice, {0, 1}, Disposition::requeue);
  }
  EXPECT_EQ(host_.disk().failures_of({lane_id(queue_->id(), 0), 1}), 3u);
  take();
  restart(durable(), host_.disk().end());
  ASSERT_TRUE(subscribe(bob));
  auto all = take();
  EXPECT_EQ(all.at(0).delivery->failed, 3u);
  EXPECT_TRUE(all[0].delivery->redelivered);
}

TEST_F(QueueTest, DeliveryLimit) {
  QueueSpec spec = dead_lettering();
  spec.delivery_limit = 2;
  make(spec);
  publish("a");
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(queue_->ready(), 1u);
    queue_->get(alice, 1, true);
    settle(alice, {0, 1}, Disposition::requeue);
  }
  auto all = dead();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].reason, DeathReason::delivery_limit);
  EXPECT_EQ(queue_->ready(), 0u);
}

TEST_F(QueueTest, SessionGoneReturnsItsLeasesAsFailed) {
  make();
  publish_many(4);
  ASSERT_TRUE(subscribe(alice, 2));
  ASSERT_TRUE(subscribe(bob, 2));
  take();
  queue_->session_gone(alice);
  EXPECT_EQ(queue_->consumers(), 1u);
  EXPECT_EQ(queue_->ready(), 2u);
  EXPECT_EQ(queue_->leased(), 2u);
  queue_->grant(bob, 1, 10, 0);
  auto all = take();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].body(), "0");
  EXPECT_EQ(all[1].body(), "2");
  EXPECT_EQ(all[0].delivery->failed, 1u);
}

TEST_F(QueueTest, UnsubscribingKeepsLeases) {
  make();
  publish("a");
  ASSERT_TRUE(subscribe(alice));
  take();
  queue_->unsubscribe(alice, 1);
  EXPECT_EQ(queue_->leased(), 1u);
  settle(alice, {0, 1});
  EXPECT_EQ(queue_->leased(), 0u);
}

// ---- get, purge, delete

TEST_F(QueueTest, GetTakesOneAndSaysWhatIsLeft) {
  make();
  publish_many(3);
  queue_->get(alice, 11, true);
  queue_->get(alice, 12, false);
  auto all = take();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].request, 11u);
  EXPECT_EQ(all[0].ready, 2u);
  EXPECT_TRUE(all[0].delivery->leased);
  EXPECT_EQ(all[0].delivery->consumer, 0u);
  EXPECT_EQ(all[1].ready, 1u);
  EXPECT_EQ(queue_->leased(), 1u);
  queue_->get(alice, 13, false);
  queue_->get(alice, 14, false);
  all = take();
  EXPECT_TRUE(all.at(0).delivery.has_value());
  EXPECT_EQ(all.at(1).request, 14u);
  EXPECT_FALSE(all[1].delivery.has_value());
}

TEST_F(QueueTest, PurgeDropsWhatIsReadyOnly) {
  make(durable());
  publish_many(5, {.persistent = true});
  queue_->get(alice, 1, true);
  queue_->get(alice, 2, true);
  settle(alice, {0, 2}, Disposition::requeue);
  EXPECT_EQ(queue_->purge(), 4u);
  EXPECT_EQ(queue_->ready(), 0u);
  EXPECT_EQ(queue_->leased(), 1u);
  EXPECT_EQ(host_.disk().record_count(lane_id(queue_->id(), 0)), 1u);
  settle(alice, {0, 1}, Disposition::requeue);
  EXPECT_EQ(queue_->ready(), 1u);
  EXPECT_EQ(queue_->purge(), 1u);
  EXPECT_EQ(host_.disk().record_count(lane_id(queue_->id(), 0)), 0u);
  EXPECT_EQ(host_.memory, 0);
}

TEST_F(QueueTest, RetireEndsServiceAndDropRemovesRecords) {
  make(durable());
  publish_many(3, {.persistent = true});
  ASSERT_TRUE(subscribe(alice, 1));
  take();
  EXPECT_EQ(queue_->retire(), 2u);
  auto all = take();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].what, Told::What::cancelled);
  EXPECT_EQ(all[0].consumer, 1u);
  EXPECT_TRUE(publish("late")) << "nobody is to complain";
  EXPECT_EQ(queue_->ready(), 2u);
  queue_->get(bob, 9, true);
  EXPECT_FALSE(take().at(0).delivery.has_value());
  settle(alice, {0, 1}, Disposition::requeue);
  queue_->drop();
  EXPECT_FALSE(host_.disk().has_lane(lane_id(queue_->id(), 0)));
  EXPECT_EQ(host_.memory, 0);
}

TEST_F(QueueTest, HostMustNotCallBack) {
  make();
  publish("a");
  host_.on_told = [&](const Told&) { queue_->purge(); };
  EXPECT_DEATH(queue_->get(alice, 1, true), "must not call back");
}

}  // namespace
}  // namespace wharf::broker::test
