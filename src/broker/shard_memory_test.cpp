// One shard with its store on a disk in memory: what is kept on the disk, what in memory, for how
// long.
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "broker/catalog_testing.h"
#include "broker/queue_test_store.h"
#include "broker/shard.h"
#include "storage/memory_disk.h"

namespace wharf::broker {
namespace {

class ShardMemory : public ::testing::Test, protected EventListener {
 protected:
  ~ShardMemory() override {
    if (shard_) stop();
  }

  void start() {
    ShardSetup setup;
    setup.post = &post_;
    setup.disk = &disk_;
    setup.clock = &time_;
    setup.random = &random_;
    setup.access = access_.get();
    setup.formats = &formats_;
    setup.predeclared = catalog_testing::predeclared();
    setup.store.segment_bytes = 1 << 20;
    setup.store.free_bytes_min = 0;
    setup.limits = limits_;
    storage::OpenReport report;
    shard_ = std::make_unique<Shard>(setup);
    ASSERT_TRUE(shard_->open(report).has_value());
    shard_->start(*shard_);
    session_ = attach("all");
  }
  void stop() {
    shard_->detach(session_, std::nullopt);
    run();
    shard_->close();
    shard_.reset();
  }
  // Whatever was not on its way to the disk is gone.
  void crash() {
    shard_.reset();
    disk_.crash(random_);
    start();
  }
  SessionId attach(std::string_view user) {
    Result<Principal> who = access_->login_external(user, true);
    return shard_->attach(*this, catalog_testing::home, *who);
  }

  void turn() {
    shard_->begin_turn();
    shard_->end_turn();
    time_.passed += std::chrono::milliseconds(1);
  }
  // Until nothing happens any more. The log has something to do by itself up to 20 ms after the
  // last change: it commits what waits for company, then marks how far it is durable.
  void run() {
    for (int quiet = 0, turns = 0; quiet < 50; ++turns) {
      ASSERT_LT(turns, 100'000) << "does not come to rest";
      quiet = shard_->has_work() ? 0 : quiet + 1;
      turn();
    }
  }
  void on_events() override {}
  Outcome<ReplyBody> reply(SessionId session) {
    for (int turns = 0; turns < 1000; ++turns) {
      std::vector<Event> events;
      shard_->take_events(session, events);
      for (Event& event : events) {
        auto* reply = std::get_if<Reply>(&event);
        if (reply && reply->request == request_) return std::move(reply->outcome);
      }
      turn();
    }
    ADD_FAILURE() << "no reply";
    return Done{};
  }
  Outcome<ReplyBody> get(SessionId session, const std::string& queue) {
    shard_->get(session, ++request_, queue, true);
    return reply(session);
  }

  void declare(QueueSpec spec) {
    spec.durable = true;
    shard_->declare_queue(session_, ++request_, spec, false);
    ASSERT_TRUE(reply(session_).has_value());
  }
  static QueueSpec counted(const std::string& name) {
    QueueSpec spec = catalog_testing::queue(name);
    spec.kind = QueueKind::counted;
    return spec;
  }
  void bind(const std::string& exchange, const std::string& queue) {
    shard_->bind(session_, ++request_, catalog_testing::to_queue(exchange, queue));
    ASSERT_TRUE(reply(session_).has_value());
  }
  void publish(const std::string& exchange, const std::string& key, const std::string& body,
               bool persistent) {
    Envelope envelope;
    envelope.persistent = persistent;
    envelope.exchange = exchange;
    Key only{key};
    envelope.keys = std::span(&only, 1);
    envelope.arrived = time_.wall();
    MessageBuilder builder(envelope, body.size());
    builder.append(bytes_of(body));
    ASSERT_TRUE(shard_->publish(session_, builder.finish(), {}).has_value());
  }
  // All that is ready, in order; settled.
  std::vector<std::string> drain(const std::string& queue) {
    std::vector<std::string> bodies;
    for (;;) {
      Outcome<ReplyBody> answer = get(session_, queue);
      auto* got = answer ? std::get_if<Got>(&*answer) : nullptr;
      if (!got || !got->delivery) return bodies;
      const Delivery& delivery = *got->delivery;
      bodies.emplace_back(text_of(delivery.message.body()));
      shard_->settle(session_, delivery.queue, std::span(&delivery.record, 1), Disposition::accept,
                     std::nullopt);
    }
  }

  storage::MemoryDisk disk_;
  test::FakeClock time_;
  SeededRandom random_{1};
  Formats formats_;
  ShardPost post_{1, [](std::size_t) {}};
  std::shared_ptr<const auth::Access> access_ = catalog_testing::open_access();
  ShardLimits limits_;
  std::unique_ptr<Shard> shard_;
  SessionId session_;
  RequestId request_ = 0;
};

// A counted queue keeps all that it has, whatever its publisher says; beside it, in the same
// publish, a standard one keeps its transient messages only as long as the process lives, also
// where they had to leave memory.
TEST_F(ShardMemory, TransientMessagesOutliveACrashInCountedQueuesOnly) {
  start();
  declare(counted("counted"));
  declare(catalog_testing::queue("standard"));
  bind("std.fanout", "counted");
  bind("std.fanout", "standard");
  std::vector<std::string> all;
  for (int i = 0; i < 5000; ++i) {
    all.push_back(std::to_string(i));
    publish("std.fanout", "", all.back(), false);
  }
  publish("", "standard", "kept", true);
  run();
  crash();
  EXPECT_EQ(drain("counted"), all);
  EXPECT_EQ(drain("standard"), std::vector<std::string>{"kept"});
}

TEST_F(ShardMemory, GetAtACountedSingleActiveQueueIsRefused) {
  start();
  QueueSpec spec = counted("q");
  spec.single_active = true;
  declare(spec);
  spec = catalog_testing::queue("standard");
  spec.single_active = true;
  declare(spec);
  Outcome<ReplyBody> answer = get(session_, "q");
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().fault.code, Errc::not_allowed);
  EXPECT_STREQ(answer.error().fault.why, "single active");
  EXPECT_EQ(answer.error().resource, Resource::queue);
  EXPECT_EQ(answer.error().name, "q");
  EXPECT_TRUE(get(session_, "standard").has_value());
  // Who may not read at all is not told what kind of queue it is.
  SessionId stranger = attach("none");
  answer = get(stranger, "q");
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().fault.code, Errc::refused);
  shard_->detach(stranger, std::nullopt);
}

// ---- memory of idle queues

TEST_F(ShardMemory, IdleQueuesGiveUpMemoryWhenItIsTight) {
  constexpr int queues = 500;
  constexpr int messages = 20;
  const std::string body(1000, 'x');
  limits_.memory_bytes_max = queues * messages * 1000 * 3;
  start();
  for (int i = 0; i < queues; ++i) declare(catalog_testing::queue("q" + std::to_string(i)));
  for (int i = 0; i < queues * messages; ++i) {
    publish("", "q" + std::to_string(i % queues), body, true);
  }
  run();
  std::uint64_t held = shard_->stats().memory_bytes;
  ASSERT_GT(held, queues * messages * 1000u) << "not tight yet";

  for (int i = 0; i < 20; ++i) declare(catalog_testing::queue("more" + std::to_string(i)));
  for (int i = 0; i < 5000; ++i) publish("", "more" + std::to_string(i % 20), body, false);
  shard_->begin_turn();
  std::uint64_t left = shard_->stats().memory_bytes;
  EXPECT_GT(left, limits_.memory_bytes_max / 2 - held / 4) << "all of it in one turn";
  ASSERT_TRUE(shard_->has_work()) << "the rest follows unasked";
  run();
  EXPECT_LE(shard_->stats().memory_bytes, limits_.memory_bytes_max / 2);
  EXPECT_EQ(drain("q0"), std::vector<std::string>(messages, body));
  EXPECT_EQ(drain("q499"), std::vector<std::string>(messages, body));
}

// Nothing can be given up: the shard looks once, then rests until more has come.
TEST_F(ShardMemory, MemoryThatCannotBeGivenUpDoesNotKeepTheShardBusy) {
  limits_.memory_bytes_max = 1 << 20;
  start();
  declare(catalog_testing::queue("q"));
  for (int i = 0; i < 6; ++i) publish("", "q", std::string(100'000, 'x'), false);
  run();
  EXPECT_GT(shard_->stats().memory_bytes, limits_.memory_bytes_max / 2);
  EXPECT_FALSE(shard_->has_work());
}

TEST_F(ShardMemory, QueuesThatAreDeletedMeanwhileAreNotLookedFor) {
  limits_.memory_bytes_max = 1 << 20;
  start();
  for (int i = 0; i < 200; ++i) declare(catalog_testing::queue("q" + std::to_string(i)));
  for (int i = 0; i < 600; ++i) {
    publish("", "q" + std::to_string(i % 200), std::string(1000, 'x'), true);
  }
  turn();
  for (int i = 0; i < 200; i += 2) {
    shard_->delete_queue(session_, ++request_, "q" + std::to_string(i), {});
    turn();
  }
  run();
  EXPECT_EQ(shard_->stats().queues, 100u);
  EXPECT_EQ(drain("q1").size(), 3u);
  EXPECT_EQ(drain("q199").size(), 3u);
}

}  // namespace
}  // namespace wharf::broker
