#include "broker/queue.h"

#include <algorithm>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "broker/queue_test_host.h"

namespace wharf::broker::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr SessionId alice{1};
constexpr SessionId bob{2};
constexpr SessionId carol{3};
constexpr std::uint32_t much = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t much_bytes = std::numeric_limits<std::uint64_t>::max();

class QueueTest : public testing::Test {
 protected:
  void make(QueueSpec spec = {}) {
    spec.name = "q";
    queue_.emplace(QueueId(1ULL << 48 | 7), spec, host_);
    host_.add(*queue_);
  }
  static QueueSpec durable() {
    QueueSpec spec;
    spec.durable = true;
    return spec;
  }
  static QueueSpec dead_lettering(QueueSpec spec = {}) {
    spec.dead_letter_exchange = "dead";
    return spec;
  }

  bool publish(std::string_view body, const MessageOptions& options = {}) {
    return host_.publish(*queue_, make_message(host_.time, body, options));
  }
  void publish_many(int count, const MessageOptions& options = {}) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(publish(std::to_string(published_++), options));
  }
  Outcome<void> subscribe(SessionId session, std::uint32_t credit = much,
                          SubscribeSpec spec = {}) {
    if (spec.consumer == 0) spec.consumer = 1;
    spec.credit = credit;
    if (spec.credit_bytes == 0) spec.credit_bytes = much_bytes;
    return queue_->subscribe(session, spec);
  }
  void settle(SessionId session, RecordRef record, Disposition disposition = Disposition::accept) {
    queue_->settle(session, std::span(&record, 1), disposition);
  }
  // Bodies delivered or got since the last call, in order.
  std::vector<std::string> bodies() {
    std::vector<std::string> all;
    for (const Told& one : take()) {
      if (one.delivery) all.push_back(one.body());
    }
    return all;
  }
  std::vector<Told> take() {
    host_.run();
    return std::exchange(host_.told, {});
  }
  std::vector<Told> take(Told::What what) {
    std::vector<Told> all = take();
    std::erase_if(all, [&](const Told& one) { return one.what != what; });
    return all;
  }
  std::vector<Told> dead() { return take(Told::What::dead); }
  // Crashes with everything before `cut` on disk, and recovers.
  void restart(const QueueSpec& spec, storage::Lsn cut) {
    auto store = host_.disk().crash(cut);
    queue_.reset();
    host_.forget();
    host_.replace_store(std::move(store));
    host_.memory = 0;
    make(spec);
    for (const storage::LaneState& state : host_.disk().lanes()) queue_->restore(state);
    queue_->dispatch();
    take();
  }
  using Bodies = std::vector<std::string>;

  TestHost host_;
  std::optional<Queue> queue_;
  int published_ = 0;
};

// ---- names of lanes

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

TEST_F(QueueTest, DropHeadTakesTheLowestLaneFirst) {
  QueueSpec spec = dead_lettering();
  spec.length_max = 2;
  spec.priority_max = 1;
  make(spec);
  publish("high", {.priority = 1});
  publish("low");
  publish("high 2", {.priority = 1});
  EXPECT_EQ(dead().at(0).body(), "low");
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
  EXPECT_TRUE(std::ranges::equal(all, all, {}, [](const std::string& s) { return std::stoi(s); },
                                 [](const std::string& s) { return std::stoi(s); }));
  EXPECT_TRUE(std::ranges::is_sorted(all, {}, [](const std::string& s) { return std::stoi(s); }));
  EXPECT_EQ(host_.memory, 0) << "leases of stored records keep no message while memory is tight";
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

TEST_F(QueueTest, DamagedRecordBlocksAndIsTriedAgainNowAndThen) {
  make();
  publish_many(6000);
  host_.disk().fetch_fault = Errc::malformed;
  ASSERT_TRUE(subscribe(alice));
  EXPECT_EQ(bodies().size(), 4096u);
  std::uint64_t fetches = host_.disk().fetches;
  host_.pass(milliseconds(999));
  EXPECT_EQ(host_.disk().fetches, fetches);
  host_.disk().fetch_fault.reset();
  host_.pass(milliseconds(1));
  EXPECT_EQ(bodies().size(), 6000u - 4096u);
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
  for (std::uint64_t tail : {0ULL, 1ULL, 2ULL, 3ULL, 1000ULL}) {
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

TEST_F(QueueTest, HostMustNotCallBack) {
  make();
  publish("a");
  host_.on_told = [&](const Told&) { queue_->purge(); };
  EXPECT_DEATH(queue_->get(alice, 1, true), "must not call back");
}

}  // namespace
}  // namespace wharf::broker::test
