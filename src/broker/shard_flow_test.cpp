// Shards together, each on a disk in memory: who waits for whom, and that nobody waits for longer.
#include <array>

#include <gtest/gtest.h>

#include "broker/queue_test_host.h"
#include "broker/shard.h"
#include "storage/memory_disk.h"

namespace wharf::broker::test {
namespace {

constexpr ShardIndex shard_count = 2;

class Listener final : public EventListener {
 public:
  void on_events() override {}
};

class ShardFlowTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string culprit;
    auth::AccessSpec spec;
    spec.users.emplace_back().name = "u";
    spec.permissions.emplace_back().user = "u";
    spec.permissions.back().vhost = "/";
    auto access = auth::Access::build(spec, culprit);
    ASSERT_TRUE(access);
    access_ = *access;
    for (ShardIndex index = 0; index < shard_count; ++index) {
      ShardSetup setup;
      setup.index = index;
      setup.count = shard_count;
      setup.post = &post_;
      setup.disk = &disks_[index];
      setup.clock = &clock_;
      setup.random = &random_;
      setup.access = access_.get();
      setup.formats = &formats_;
      setup.store.segment_bytes = 1 << 20;
      setup.store.block_bytes_max = 64 << 10;
      setup.store.free_bytes_min = 1 << 20;
      shards_[index] = std::make_unique<Shard>(setup);
      storage::OpenReport report;
      ASSERT_TRUE(shards_[index]->open(report));
    }
    for (auto& shard : shards_) shard->start(*shards_[0]);
    session_ = shards_[0]->attach(listener_, auth::VhostId(1), {auth::UserId(1), "u", false});
  }

  void TearDown() override {
    shards_[0]->detach(session_, std::nullopt);
    settle();
  }

  void turn(ShardIndex shard) {
    shards_[shard]->begin_turn();
    shards_[shard]->end_turn();
  }
  void settle() {
    for (int i = 0; i < 20; ++i) {
      for (ShardIndex shard = 0; shard < shard_count; ++shard) turn(shard);
    }
  }

  std::vector<Event> events() {
    std::vector<Event> events;
    shards_[0]->take_events(session_, events);
    return events;
  }

  // The name of a queue that lives on that shard, made for this.
  std::string queue_on(ShardIndex shard) {
    for (int number = 0;; ++number) {
      QueueSpec spec;
      spec.name = "q" + std::to_string(number);
      spec.durable = true;
      shards_[0]->declare_queue(session_, 1, spec, false);
      settle();
      for (const Event& event : events()) {
        const auto* reply = std::get_if<Reply>(&event);
        if (!reply || !reply->outcome) continue;
        if (shard_of(std::get<QueueDeclared>(*reply->outcome).queue) == shard) return spec.name;
      }
    }
  }

  void publish(const std::string& queue, std::size_t size, std::optional<Token> receipt = {}) {
    std::array<Key, 1> keys{{{queue, false}}};
    Envelope envelope;
    envelope.keys = keys;
    envelope.persistent = true;
    envelope.arrived = clock_.wall();
    MessageBuilder builder(envelope, size);
    ByteVector body(size);
    builder.append(body);
    ASSERT_TRUE(shards_[0]->publish(session_, builder.finish(), {.receipt = receipt}));
  }

  // The last alarm that the session was told of.
  std::optional<Alarm> told_alarm() {
    std::optional<Alarm> last;
    for (const Event& event : events()) {
      if (const auto* alarm = std::get_if<Alarm>(&event)) last = *alarm;
    }
    return last;
  }

  FakeClock clock_;
  SeededRandom random_{1};
  Formats formats_;
  std::shared_ptr<const auth::Access> access_;
  std::array<storage::MemoryDisk, shard_count> disks_;
  ShardPost post_{shard_count, [](std::size_t) {}};
  std::array<std::unique_ptr<Shard>, shard_count> shards_;
  Listener listener_;
  SessionId session_;
};

TEST_F(ShardFlowTest, WhatTheDiskHasFinishedIsWorkToDo) {
  std::string queue = queue_on(0);
  disks_[0].set_automatic(false);
  publish(queue, 10, Token(7));
  turn(0);
  disks_[0].complete_all();
  turn(0);
  EXPECT_TRUE(shards_[0]->has_work()) << "the loop must not sleep before the receipt is out";
  turn(0);
  bool confirmed = false;
  for (const Event& event : events()) confirmed |= std::holds_alternative<Receipt>(event);
  EXPECT_TRUE(confirmed);
  EXPECT_FALSE(shards_[0]->has_work());
  disks_[0].set_automatic(true);
}

TEST_F(ShardFlowTest, PublisherWaitsForAShardThatIsSlow) {
  std::string queue = queue_on(1);
  constexpr std::size_t size = 1 << 20;
  std::size_t sent = 0;
  std::optional<Alarm> alarm;
  for (; sent < 100 && !alarm; ++sent) {
    publish(queue, size);
    turn(0);
    alarm = told_alarm();
  }
  ASSERT_TRUE(alarm) << "100 MiB may pile up between two shards";
  EXPECT_TRUE(alarm->behind);
  EXPECT_FALSE(alarm->memory || alarm->disk);
  EXPECT_LE(sent, 10u);
  settle();
  alarm = told_alarm();
  ASSERT_TRUE(alarm) << "held for ever";
  EXPECT_FALSE(alarm->any());
}

TEST_F(ShardFlowTest, AnotherAlarmDoesNotReleaseAPublisherThatWaits) {
  std::string queue = queue_on(1);
  for (int i = 0; i < 20; ++i) publish(queue, 1 << 20);
  ASSERT_TRUE(told_alarm()->behind);
  disks_[0].set_free_bytes(0);
  std::optional<Alarm> alarm;
  for (int i = 0; i < 10 && !alarm; ++i) {
    clock_.passed += std::chrono::seconds(10);
    turn(0);
    alarm = told_alarm();
  }
  ASSERT_TRUE(alarm && alarm->disk);
  EXPECT_TRUE(alarm->behind);
}

// ---- queues whose consumers keep up, but not quite

struct CrowdTest : ShardFlowTest, testing::WithParamInterface<ShardIndex> {
  void subscribe(const std::string& queue) {
    SubscribeSpec spec;
    spec.queue = queue;
    spec.consumer = 1;
    spec.leased = false;
    shards_[0]->subscribe(session_, 9, spec);
    settle();
    for (const Event& event : events()) {
      const auto* reply = std::get_if<Reply>(&event);
      if (reply && reply->outcome) queue_ = std::get<Subscribed>(*reply->outcome).queue;
    }
  }
  void take(std::uint32_t count) {
    shards_[0]->grant(session_, queue_, 1, count, 1 << 20);
    settle();
  }
  // How many went out until the publisher was told to wait; none: it never was.
  std::optional<std::size_t> publish_until_told(const std::string& queue) {
    for (std::size_t sent = 1; sent <= 20'000; ++sent) {
      publish(queue, 10);
      if (sent % 16 == 0) settle();
      std::optional<Alarm> alarm = told_alarm();
      if (alarm && alarm->behind) return sent;
    }
    return std::nullopt;
  }
  QueueId queue_;
};

TEST_P(CrowdTest, PublishersWaitUntilConsumersHaveTaken) {
  std::string queue = queue_on(GetParam());
  subscribe(queue);
  std::optional<std::size_t> sent = publish_until_told(queue);
  ASSERT_TRUE(sent);
  EXPECT_GT(*sent, 2000U);
  take(100);
  EXPECT_FALSE(told_alarm()) << "too early";
  take(static_cast<std::uint32_t>(*sent));
  publish(queue, 10);
  settle();
  std::optional<Alarm> alarm = told_alarm();
  ASSERT_TRUE(alarm) << "held for ever";
  EXPECT_FALSE(alarm->any());
}

TEST_P(CrowdTest, PublishersWaitOnlyBrieflyForConsumersThatCrawl) {
  std::string queue = queue_on(GetParam());
  subscribe(queue);
  ASSERT_TRUE(publish_until_told(queue));
  clock_.passed += std::chrono::milliseconds(2);
  settle();
  std::optional<Alarm> alarm = told_alarm();
  ASSERT_TRUE(alarm);
  EXPECT_FALSE(alarm->any());
  std::optional<std::size_t> sent = publish_until_told(queue);
  ASSERT_TRUE(sent);
  EXPECT_GT(*sent, 200U) << "a moment for each message";
}

TEST_P(CrowdTest, NobodyWaitsForAQueueWithoutConsumers) {
  EXPECT_FALSE(publish_until_told(queue_on(GetParam())));
}

INSTANTIATE_TEST_SUITE_P(NearAndFar, CrowdTest, testing::Values(0, 1));

}  // namespace
}  // namespace wharf::broker::test
