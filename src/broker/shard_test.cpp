// Shards over disks in memory: what one shard does when its own log, or another's, has failed.
#include "broker/shard.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "auth/access.h"
#include "base/random.h"
#include "storage/memory_disk.h"

namespace wharf::broker {
namespace {

class StillClock final : public Clock {
 public:
  Instant now() const override { return Instant(std::chrono::seconds(1)); }
  WallTime wall() const override { return WallTime(std::chrono::seconds(1'000'000)); }
};

class ShardTest : public ::testing::Test, protected EventListener {
 protected:
  ShardTest() {
    auth::AccessSpec spec;
    spec.vhosts = {"/"};
    auth::UserSpec user;
    user.name = "u";
    spec.users.push_back(user);
    spec.permissions.push_back({"u", "/"});
    std::string why;
    access_ = auth::Access::build(spec, why).value();
    start();
  }
  ~ShardTest() override { stop(); }

  void start() {
    open();
    connect();
  }
  void open() {
    post_ = std::make_unique<ShardPost>(count, [](std::size_t) {});
    for (ShardIndex i = 0; i < count; ++i) {
      ShardSetup setup;
      setup.index = i;
      setup.count = count;
      setup.post = post_.get();
      setup.disk = &disks_[i];
      setup.clock = &clock_;
      setup.random = &random_;
      setup.access = access_.get();
      setup.formats = &formats_;
      setup.store.segment_bytes = 256 << 10;
      setup.store.block_bytes_max = 64 << 10;
      setup.store.free_bytes_min = 0;
      shards_.push_back(std::make_unique<Shard>(setup));
      storage::OpenReport report;
      ASSERT_TRUE(shards_.back()->open(report));
    }
    for (auto& shard : shards_) shard->start(*shards_[0]);
  }
  void connect() {
    turns();
    session_ = shards_[0]->attach(*this, VhostId(1), {auth::UserId(1), "u", false});
    if (other_.empty()) other_ = declare(0).name;
  }
  // The process dies.
  void stop() {
    if (shards_.empty()) return;
    shards_[0]->forget(session_);
    shards_.clear();
    for (auto& disk : disks_) disk.crash(random_);
  }
  void on_events() override {}

  // Enough for mail to go around and for disks to answer.
  void turns() {
    for (int turn = 0; turn < 20; ++turn) {
      for (auto& shard : shards_) {
        shard->begin_turn();
        shard->end_turn();
      }
    }
    if (session_) shards_[0]->take_events(session_, events_);
  }

  // A durable queue that lives on that shard.
  QueueSpec declare(ShardIndex home, std::optional<std::string> dead_letter_key = {}) {
    for (int attempt = 0; attempt < 20; ++attempt) {
      QueueSpec spec;
      spec.name = "q" + std::to_string(next_name_++);
      spec.durable = true;
      if (dead_letter_key) spec.dead_letter_exchange = "";
      spec.dead_letter_key = dead_letter_key;
      shards_[0]->declare_queue(session_, 1, spec, false);
      auto declared = take_reply<QueueDeclared>();
      if (declared && shard_of(declared->queue) == home) return spec;
    }
    ADD_FAILURE() << "no queue comes to that shard";
    return {};
  }
  template <class T>
  std::optional<T> take_reply() {
    turns();
    std::optional<T> found;
    for (const Event& event : std::exchange(events_, {})) {
      const auto* reply = std::get_if<Reply>(&event);
      if (!reply || !reply->outcome) continue;
      if (const T* body = std::get_if<T>(&*reply->outcome)) found = *body;
    }
    return found;
  }

  void publish(const std::string& queue) {
    Key key{queue};
    Envelope envelope;
    envelope.keys = std::span(&key, 1);
    envelope.persistent = true;
    envelope.arrived = clock_.wall();
    MessageBuilder builder(envelope, 4);
    builder.append(bytes_of("body"));
    (void)shards_[0]->publish(session_, builder.finish(), {.receipt = 1});
    turns();
  }
  std::optional<Delivery> get(const std::string& queue) {
    shards_[0]->get(session_, 2, queue, true);
    std::optional<Got> got = take_reply<Got>();
    return got ? got->delivery : std::nullopt;
  }
  void refuse(const Delivery& delivery) {
    shards_[0]->settle(session_, delivery.queue, std::span(&delivery.record, 1),
                       Disposition::dead_letter, {});
    turns();
    // Settles wait for company.
    publish(other_);
  }
  // Its log fails at the next commit.
  void break_log(ShardIndex shard, const std::string& queue_there) {
    disks_[shard].fail_syncs();
    publish(queue_there);
    ASSERT_TRUE(shards_[shard]->failed());
  }

  static constexpr ShardIndex count = 2;
  StillClock clock_;
  SeededRandom random_{1};
  Formats formats_;
  std::shared_ptr<const auth::Access> access_;
  std::array<storage::MemoryDisk, count> disks_;
  std::unique_ptr<ShardPost> post_;
  std::vector<std::unique_ptr<Shard>> shards_;
  SessionId session_;
  std::vector<Event> events_;
  int next_name_ = 0;
  std::string other_;
};

TEST_F(ShardTest, ADeadLetterThatAFailedLogCannotTakeIsNotTriedAgainAndAgain) {
  std::string dead = declare(0).name;
  std::string queue = declare(0, dead).name;
  publish(queue);
  std::optional<Delivery> delivery = get(queue);
  ASSERT_TRUE(delivery);
  break_log(0, dead);
  refuse(*delivery);
  EXPECT_FALSE(shards_[0]->has_work());

  stop();
  start();
  EXPECT_TRUE(get(queue)) << "the message is in its old queue again";
}

TEST_F(ShardTest, ARecordStaysUntilTheOtherLogHasItsDeadLetter) {
  std::string dead = declare(1).name;
  std::string queue = declare(0, dead).name;
  publish(queue);
  std::optional<Delivery> delivery = get(queue);
  ASSERT_TRUE(delivery);
  refuse(*delivery);
  EXPECT_TRUE(get(dead));
  EXPECT_FALSE(get(queue));

  publish(queue);
  delivery = get(queue);
  ASSERT_TRUE(delivery);
  break_log(1, dead);
  refuse(*delivery);
  stop();
  start();
  EXPECT_TRUE(get(queue)) << "neither queue has the message";
}

// The commit under way when the log fails holds the dead letter.
TEST_F(ShardTest, ARecordStaysWhenTheOtherLogFailsWithItsDeadLetter) {
  std::string dead = declare(1).name;
  std::string queue = declare(0, dead).name;
  publish(queue);
  std::optional<Delivery> delivery = get(queue);
  ASSERT_TRUE(delivery);
  disks_[1].fail_syncs();
  refuse(*delivery);
  ASSERT_TRUE(shards_[1]->failed());
  stop();
  start();
  EXPECT_TRUE(get(queue)) << "neither queue has the message";
}

// The bit flips where the record lies, after the log was read and found good.
TEST_F(ShardTest, AMessageThatCannotBeReadAnyMoreIsCounted) {
  std::string queue = declare(0).name;
  publish(queue);
  stop();
  open();
  for (auto& [name, bytes] : disks_[0].files()) {
    std::string_view text = text_of(bytes);
    if (std::size_t at = text.find("body"); at != text.npos) disks_[0].flip_bit(name, at, 0);
  }
  connect();
  EXPECT_FALSE(get(queue));
  EXPECT_EQ(shards_[0]->unreadable_records(), 1u);
}

}  // namespace
}  // namespace wharf::broker
