// What transcripts cannot say: queues of the same name, limits, who may do what, slow readers.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/redis/testing.h"

namespace wharf::redis::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

// A session of another protocol, which has queues.
class Other final : public broker::EventListener {
 public:
  explicit Other(broker::Core& the_core)
      : core(the_core),
        id(core.attach(*this, core.access().vhost("/"),
                       *core.access().login("guest", "guest", true))) {}
  ~Other() override { core.detach(id, std::nullopt); }
  void on_events() override {}

  void declare(const std::string& name) {
    broker::QueueSpec spec;
    spec.name = name;
    spec.durable = true;
    core.declare_queue(id, 1, spec, false);
  }
  std::vector<std::string> get(World& world, const std::string& queue) {
    core.get(id, 2, queue, false);
    for (int i = 0; i < 5; ++i) world.broker.turn();
    std::vector<broker::Event> events;
    core.take_events(id, events);
    std::vector<std::string> bodies;
    for (broker::Event& event : events) {
      auto* reply = std::get_if<broker::Reply>(&event);
      if (!reply || !reply->outcome) continue;
      auto* got = std::get_if<broker::Got>(&*reply->outcome);
      if (got && got->delivery) bodies.emplace_back(text_of(got->delivery->message.body()));
    }
    return bodies;
  }

  broker::Core& core;
  broker::SessionId id;
};

class RedisSessionTest : public ::testing::TestWithParam<std::uint16_t> {};
INSTANTIATE_TEST_SUITE_P(Shards, RedisSessionTest, ::testing::Values(1, 2));

TEST_P(RedisSessionTest, AQueueOfTheNameTakesItAndCounts) {
  World world(GetParam());
  Other other(world.broker.core());
  other.declare("task_queue");
  world.settle();
  EXPECT_EQ(world.ask("A", {"SUBSCRIBE", "task_queue"}),
            "*3\r\n$9\r\nsubscribe\r\n$10\r\ntask_queue\r\n:1\r\n");
  EXPECT_EQ(world.ask("B", {"PUBLISH", "task_queue", "hello"}), ":2\r\n");
  EXPECT_THAT(world["A"].take(), HasSubstr("$5\r\nhello\r\n"));
  EXPECT_EQ(other.get(world, "task_queue"), std::vector<std::string>{"hello"});
  // The answers behind one that waits for the disk wait, too.
  world["B"].input = "PUBLISH task_queue 1\r\nPING\r\nPUBLISH nobody 2\r\n";
  world["B"].move();
  world["B"].move();
  EXPECT_EQ(world["B"].take(), "");
  world.settle();
  EXPECT_EQ(world["B"].take(), ":2\r\n+PONG\r\n:0\r\n");
  // And a transaction is answered whole.
  world["B"].input =
      "MULTI\r\nPING\r\nPUBLISH task_queue 3\r\nPUBLISH nobody 4\r\nEXEC\r\nPING\r\n";
  world.settle();
  EXPECT_EQ(world["B"].take(),
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+PONG\r\n:2\r\n:0\r\n+PONG\r\n");
}

TEST_P(RedisSessionTest, LastWordsWaitForTheDisk) {
  World world(GetParam());
  Other other(world.broker.core());
  other.declare("q");
  world.settle();
  world["B"].input = "PUBLISH q 1\r\nQUIT\r\n";
  world["B"].move();
  EXPECT_FALSE(world["B"].closed);
  world.settle();
  EXPECT_EQ(world["B"].take(), ":1\r\n+OK\r\n");
  EXPECT_TRUE(world["B"].closed);
}

TEST_P(RedisSessionTest, WhatOthersPublishIsHeard) {
  World world(GetParam());
  Other other(world.broker.core());
  world.ask("A", {"PSUBSCRIBE", "news.*"});
  Bytes none;
  broker::LiveMessage message{.name = "news.today",
                              .format = broker::Format{2},
                              .properties = std::span(&none, 1),
                              .body = bytes_of("from afar")};
  auto published = other.core.publish_live(other.id, message, {});
  ASSERT_TRUE(published.has_value());
  EXPECT_EQ(published->listeners, 1u);
  world.settle();
  EXPECT_EQ(world["A"].take(),
            "*4\r\n$8\r\npmessage\r\n$6\r\nnews.*\r\n$10\r\nnews.today\r\n$9\r\nfrom afar\r\n");
}

TEST_P(RedisSessionTest, WhatWasHeardBeforeAnUnsubscribeComesBeforeIt) {
  World world(GetParam());
  world.ask("A", {"SUBSCRIBE", "a"});
  // B lives on the next shard if there is one; A2 on A's. The mailbox has it, A was not woken yet.
  world["A"].input = "UNSUBSCRIBE a\r\n";
  world["B"].input = "PUBLISH a x\r\n";
  world["B"].move();
  for (int i = 0; i < 2; ++i) world.broker.turn();
  world["A"].move();
  EXPECT_EQ(world["A"].take(),
            "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n"
            "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n");
  world.settle();
  EXPECT_EQ(world["A"].take(), "");
}

TEST_P(RedisSessionTest, ThousandsOfChannelsInOneRequest) {
  World world(GetParam());
  std::vector<std::string> words{"SUBSCRIBE"};
  for (int i = 0; i < 5000; ++i) words.push_back("channel." + std::to_string(i));
  std::string answer = world.ask("A", words);
  EXPECT_EQ(std::ranges::count(answer, '*'), 5000);
  EXPECT_THAT(answer, HasSubstr("$12\r\nchannel.4999\r\n:5000\r\n"));
  EXPECT_EQ(world.ask("B", {"PUBLISH", "channel.4321", "x"}), ":1\r\n");
  world["A"].take();
  EXPECT_EQ(std::ranges::count(world.ask("A", {"UNSUBSCRIBE"}), '*'), 5000);
  EXPECT_EQ(world.listeners(), 0u);
}

TEST_P(RedisSessionTest, LargeBodiesAreSharedAndWhole) {
  World world(GetParam());
  world.ask("A", {"SUBSCRIBE", "a"});
  std::string body(100'000, 'x');
  EXPECT_EQ(world.ask("B", {"PUBLISH", "a", body}), ":1\r\n");
  EXPECT_EQ(world["A"].take(), "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$100000\r\n" + body + "\r\n");
}

TEST_P(RedisSessionTest, NamesHaveALimit) {
  World world(GetParam());
  std::string name(65'536, 'n');
  EXPECT_EQ(world.ask("A", {"PUBLISH", name, "x"}), "-ERR channel name is too long\r\n");
  EXPECT_EQ(world.ask("A", {"SUBSCRIBE", "a", name}), "-ERR channel name is too long\r\n");
  EXPECT_EQ(world.listeners(), 0u);
  name.pop_back();
  EXPECT_EQ(world.ask("A", {"PUBLISH", name, "x"}), ":0\r\n");
}

TEST_P(RedisSessionTest, ATransactionHasALimit) {
  RedisOptions options;
  options.transaction_bytes_max = 1000;
  World world(GetParam(), options);
  world.ask("A", {"MULTI"});
  EXPECT_EQ(world.ask("A", {"PUBLISH", "a", std::string(2000, 'x')}),
            "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
  EXPECT_EQ(world.ask("A", {"EXEC"}),
            "-EXECABORT Transaction discarded because of previous errors.\r\n");
}

// ---- rights

broker::TestBroker::Options with_users() {
  auth::AccessSpec spec;
  spec.vhosts = {"/"};
  spec.users.push_back({"guest", auth::Secret("guest"), {}, true, false});
  spec.users.push_back({"bob", auth::Secret("secret"), {}, false, false});
  spec.permissions.push_back({"guest", "/", ".*", ".*", ".*"});
  spec.permissions.push_back({"bob", "/", "", "^out\\.", "^[^s]"});
  std::string culprit;
  broker::TestBroker::Options options;
  options.access = *auth::Access::build(spec, culprit);
  return options;
}

TEST_P(RedisSessionTest, WhoMayHearAndSayWhat) {
  World world(GetParam(), {}, with_users());
  constexpr std::string_view refused = "-NOPERM No permissions to access a channel\r\n";
  EXPECT_EQ(world.ask("A", {"AUTH", "bob", "secret"}), "+OK\r\n");
  EXPECT_EQ(world.ask("A", {"ACL", "WHOAMI"}), "$3\r\nbob\r\n");
  EXPECT_EQ(world.ask("A", {"PUBLISH", "in.x", "x"}), refused);
  EXPECT_EQ(world.ask("A", {"PUBLISH", "out.x", "x"}), ":0\r\n");
  // One that may not be heard refuses all.
  EXPECT_EQ(world.ask("A", {"SUBSCRIBE", "a", "secret"}), refused);
  EXPECT_EQ(world.listeners(), 0u);
  // A pattern is allowed by its text, and hears only what may be read.
  world.ask("A", {"PSUBSCRIBE", "[s]ecret", "*"});
  world.ask("B", {"PUBLISH", "secret", "x"});
  EXPECT_EQ(world["A"].take(), "");
  world.ask("B", {"PUBLISH", "open", "x"});
  EXPECT_THAT(world["A"].take(), HasSubstr("$4\r\nopen\r\n"));
}

TEST_P(RedisSessionTest, OthersMustLogInFromAfar) {
  World world(GetParam(), {}, with_users());
  Peer peer = loopback_peer(0);
  peer.loopback = false;
  world.connect("A", peer);
  EXPECT_EQ(world.ask("A", {"PING"}), "-NOAUTH Authentication required.\r\n");
  EXPECT_THAT(world.ask("A", {"AUTH", "guest", "guest"}), HasSubstr("-WRONGPASS"));
  EXPECT_THAT(world.ask("A", {"AUTH", "default", "x"}), HasSubstr("-WRONGPASS"));
  EXPECT_EQ(world.ask("A", {"AUTH", "bob", "secret"}), "+OK\r\n");
  EXPECT_EQ(world.ask("A", {"PING"}), "+PONG\r\n");
}

TEST_P(RedisSessionTest, AnotherUserKeepsTheSubscriptionsItMayHave) {
  World world(GetParam(), {}, with_users());
  world.ask("A", {"HELLO", "3"});
  world.ask("A", {"SUBSCRIBE", "a", "secret"});
  EXPECT_EQ(world.ask("A", {"AUTH", "bob", "secret"}), "+OK\r\n");
  EXPECT_EQ(world.ask("B", {"PUBLISH", "a", "x"}), ":1\r\n");
  EXPECT_THAT(world["A"].take(), HasSubstr("message"));
  EXPECT_EQ(world.ask("B", {"PUBLISH", "secret", "x"}), ":0\r\n");
}

TEST_P(RedisSessionTest, OnlyManagersSeeAndEndOthers) {
  World world(GetParam(), {}, with_users());
  world.ask("A", {"AUTH", "bob", "secret"});
  world.ask("B", {"PING"});
  EXPECT_EQ(world.ask("A", {"CLIENT", "KILL", "ID", "2"}), ":0\r\n");
  std::string seen = world.ask("A", {"CLIENT", "LIST"});
  EXPECT_EQ(std::ranges::count(seen, '='), 30) << seen;
  std::string all = world.ask("B", {"CLIENT", "LIST"});
  EXPECT_THAT(all, HasSubstr("id=1 "));
  EXPECT_THAT(all, HasSubstr("id=2 "));
  EXPECT_LT(all.find("id=1 "), all.find("id=2 "));
  EXPECT_EQ(world.ask("B", {"CLIENT", "KILL", "USER", "bob"}), ":1\r\n");
  EXPECT_TRUE(world["A"].closed);
}

// ---- readers that do not read

TEST_P(RedisSessionTest, WhoReadsNothingIsCutOffAndHurtsNobody) {
  RedisOptions options;
  options.output = {.hard = 4 << 20, .soft = 0};
  World world(GetParam(), options);
  world.ask("slow", {"SUBSCRIBE", "a"});
  world.ask("good", {"SUBSCRIBE", "a"});
  TestClient& slow = world["slow"];
  slow.reads = false;
  std::string body(100'000, 'x');
  int taken = 0;
  for (int i = 0; i < 100 && !slow.closed; ++i) {
    world.ask("B", {"PUBLISH", "a", body});
    world.pass(milliseconds(300));
    EXPECT_GT(world["good"].take().size(), body.size());
    ++taken;
  }
  EXPECT_TRUE(slow.closed);
  EXPECT_GE(taken, 40);
  EXPECT_LE(taken, 45);
  EXPECT_TRUE(slow.chain.empty());
}

TEST_P(RedisSessionTest, TheSoftLimitNeedsItsTime) {
  RedisOptions options;
  options.output = {.hard = 0, .soft = 1 << 20, .soft_time = seconds(60)};
  World world(GetParam(), options);
  world.ask("slow", {"SUBSCRIBE", "a"});
  world["slow"].reads = false;
  world.ask("B", {"PUBLISH", "a", std::string(2 << 20, 'x')});
  world["slow"].host.wake();
  world.settle();
  world.pass(seconds(59));
  EXPECT_FALSE(world["slow"].closed);
  world.pass(seconds(2));
  EXPECT_TRUE(world["slow"].closed);
}

// All of it comes, in order, though little is encoded ahead of the reader.
TEST_P(RedisSessionTest, WhoReadsLateGetsAll) {
  RedisOptions options;
  options.output = {.hard = 0, .soft = 0};
  World world(GetParam(), options);
  world.ask("late", {"SUBSCRIBE", "a"});
  world["late"].reads = false;
  std::string filler(10'000, 'x');
  for (int i = 0; i < 500; ++i) world.ask("B", {"PUBLISH", "a", std::to_string(i) + filler});
  EXPECT_LT(world["late"].chain.size(), 2u << 20);
  world["late"].reads = true;
  for (int i = 0; i < 20; ++i) {
    world["late"].host.wake();
    world.settle();
  }
  std::string all = world["late"].take();
  std::size_t at = 0;
  for (int i = 0; i < 500; ++i) {
    at = all.find("\r\n" + std::to_string(i) + "x", at);
    ASSERT_NE(at, std::string::npos) << i;
  }
}

TEST_P(RedisSessionTest, APublisherPausesForWhoIsBehind) {
  RedisOptions options;
  options.output = {.hard = 100'000, .soft = 0};
  World world(GetParam(), options);
  world.ask("slow", {"SUBSCRIBE", "a"});
  TestClient& slow = world["slow"];
  slow.reads = false;
  world.ask("B", {"PUBLISH", "a", std::string(60'000, 'x')});
  slow.host.wake();
  world.settle();
  TestClient& publisher = world["B"];
  for (int i = 0; i < 8; ++i) publisher.input += "PUBLISH a x\r\n";
  publisher.move();
  EXPECT_FALSE(publisher.session->wants_input());
  EXPECT_EQ(publisher.take(), ":1\r\n");
  for (int i = 0; i < 5; ++i) world.pass(milliseconds(2));
  EXPECT_EQ(publisher.take(), ":1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n");
}

TEST_P(RedisSessionTest, Information) {
  World world(GetParam());
  world.ask("A", {"SUBSCRIBE", "a"});
  std::string info = world.ask("B", {"INFO"});
  for (const char* part : {"redis_version:7.2.4\r\n", "redis_mode:standalone\r\n", "loading:0\r\n",
                           "tcp_port:6379\r\n", "connected_clients:2\r\n", "pubsub_clients:1\r\n",
                           "pubsub_channels:1\r\n", "role:master\r\n", "cluster_enabled:0\r\n"}) {
    EXPECT_THAT(info, HasSubstr(part));
  }
  EXPECT_THAT(world.ask("B", {"INFO", "Server"}), ::testing::Not(HasSubstr("loading")));
  EXPECT_EQ(world.ask("B", {"CONFIG", "GET", "sav*", "databases"}),
            "*4\r\n$9\r\ndatabases\r\n$2\r\n16\r\n$4\r\nsave\r\n$0\r\n\r\n");
  EXPECT_EQ(world.ask("B", {"CONFIG", "SET", "notify-keyspace-events", "KEA"}), "+OK\r\n");
  EXPECT_THAT(world.ask("B", {"CONFIG", "SET", "save", "1 1"}), HasSubstr("immutable"));
  EXPECT_EQ(world.ask("B", {"COMMAND", "INFO", "nope"}), "*1\r\n$-1\r\n");
  EXPECT_THAT(world.ask("B", {"COMMAND", "DOCS", "client|list"}), HasSubstr("summary"));
  EXPECT_THAT(world.ask("B", {"COMMAND"}), HasSubstr("publish"));
  EXPECT_THAT(world.ask("B", {"PUBSUB", "HELP"}), HasSubstr("+NUMSUB"));
  EXPECT_THAT(world.ask("B", {"TIME"}), ::testing::StartsWith("*2\r\n$10\r\n"));
}

}  // namespace
}  // namespace wharf::redis::testing
