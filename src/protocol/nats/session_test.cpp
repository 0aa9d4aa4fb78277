#include "protocol/nats/session.h"

#include <string>

#include <gtest/gtest.h>

#include "protocol/nats/testing.h"

namespace wharf::nats {
namespace {

using testing::Client;
using testing::World;

TEST(NatsSession, GreetsWithInfo) {
  World world;
  std::string info = world.connect().take();
  EXPECT_TRUE(info.starts_with("INFO {\"server_id\":\"N")) << info;
  EXPECT_TRUE(info.ends_with("} \r\n"));
  for (std::string_view field :
       {"\"headers\":true", "\"max_payload\":1048576", "\"auth_required\":false",
        "\"tls_required\":false", "\"proto\":1", "\"client_id\":1", "\"port\":4222",
        "\"client_ip\":\"127.0.0.1\"", "\"version\":\"2.12.1\""}) {
    EXPECT_NE(info.find(field), std::string::npos) << field << info;
  }
}

TEST(NatsSession, WithoutConnectItIsVerbose) {
  World world;
  Client& client = world.connect();
  client.take();
  EXPECT_EQ(world.say(client, "SUB a 1\r\n"), "+OK\r\n");
  EXPECT_EQ(world.say(client, "PUB a 2\r\nhi\r\n"), "+OK\r\nMSG a 1 2\r\nhi\r\n");
  EXPECT_EQ(world.say(client, "UNSUB 1\r\n"), "+OK\r\n");
  EXPECT_EQ(world.say(client, "PUB a 2\r\nhi\r\n"), "+OK\r\n");
  EXPECT_EQ(world.say(client, "PING\r\n"), "PONG\r\n");
}

TEST(NatsSession, DeliversByNameAndPattern) {
  World world;
  Client& sub = world.open();
  Client& pub = world.open();
  EXPECT_EQ(world.say(sub, "SUB a.b 1\r\nSUB a.* 2\r\nsub > 3\r\nSUB a.b.> 4\r\nPING\r\n"),
            "PONG\r\n");
  world.say(pub, "PUB a.b reply.to 5\r\nhello\r\n");
  std::string got = sub.take();
  EXPECT_NE(got.find("MSG a.b 1 reply.to 5\r\nhello\r\n"), std::string::npos) << got;
  EXPECT_NE(got.find("MSG a.b 2 reply.to 5\r\nhello\r\n"), std::string::npos);
  EXPECT_NE(got.find("MSG a.b 3 reply.to 5\r\nhello\r\n"), std::string::npos);
  EXPECT_EQ(got.find("MSG a.b 4"), std::string::npos);
  world.say(pub, "PUB c 0\r\n\r\n");
  EXPECT_EQ(sub.take(), "MSG c 3 0\r\n\r\n");
}

TEST(NatsSession, PongComesBehindWhatOneSentOneself) {
  World world;
  Client& client = world.open();
  EXPECT_EQ(world.say(client, "SUB a 1\r\nPUB a 1\r\nx\r\nPING\r\n"), "MSG a 1 1\r\nx\r\nPONG\r\n");
}

TEST(NatsSession, Headers) {
  World world;
  Client& with = world.open();
  Client& without = world.open(0, R"(,"headers":false,"no_responders":false)");
  world.say(with, "SUB a 1\r\n");
  world.say(without, "SUB a 1\r\n");
  std::string block = "NATS/1.0\r\nK: v\r\n\r\n";
  EXPECT_EQ(world.say(with, "HPUB a r 18 20\r\n" + block + "hi\r\n"),
            "HMSG a 1 r 18 20\r\n" + block + "hi\r\n");
  EXPECT_EQ(without.take(), "MSG a 1 r 2\r\nhi\r\n");
}

TEST(NatsSession, QueueGroupsGetOneEach) {
  World world;
  Client& one = world.open();
  Client& two = world.open();
  Client& pub = world.open();
  world.say(one, "SUB a q 1\r\nSUB a r 2\r\n");
  world.say(two, "SUB a q 1\r\n");
  for (int i = 0; i < 100; ++i) pub.put("PUB a 1\r\nx\r\n");
  world.settle();
  auto count = [](const std::string& text, std::string_view what) {
    int found = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
    return found;
  };
  std::string first = one.take();
  std::string second = two.take();
  EXPECT_EQ(count(first, "MSG a 2 1"), 100);
  EXPECT_EQ(count(first, "MSG a 1 1") + count(second, "MSG a 1 1"), 100);
  EXPECT_GT(count(first, "MSG a 1 1"), 10);
  EXPECT_GT(count(second, "MSG a 1 1"), 10);
}

TEST(NatsSession, NoEcho) {
  World world;
  Client& client = world.open(0, R"(,"echo":false)");
  Client& other = world.open();
  world.say(client, "SUB a 1\r\n");
  world.say(other, "SUB a 1\r\n");
  EXPECT_EQ(world.say(client, "PUB a 1\r\nx\r\n"), "");
  EXPECT_EQ(other.take(), "MSG a 1 1\r\nx\r\n");
}

TEST(NatsSession, UnsubMaxCountsFromTheSub) {
  World world;
  Client& client = world.open();
  std::string message = "PUB a 1\r\nx\r\n";
  std::string heard = "MSG a 1 1\r\nx\r\n";
  EXPECT_EQ(world.say(client, "SUB a 1\r\nUNSUB 1 2\r\n" + message + message + message),
            heard + heard);
  EXPECT_EQ(world.say(client, "SUB a 1\r\n" + message + "UNSUB 1 1\r\n" + message), heard);
  EXPECT_EQ(world.say(client, message + "UNSUB 9\r\nPING\r\n"), "PONG\r\n");
}

TEST(NatsSession, SidInUseKeepsTheFirst) {
  World world;
  Client& client = world.open();
  EXPECT_EQ(world.say(client, "SUB a 1\r\nSUB b 1\r\nPUB a 0\r\n\r\nPUB b 0\r\n\r\n"),
            "MSG a 1 0\r\n\r\n");
}

TEST(NatsSession, NoResponders) {
  World world;
  Client& client = world.open();
  std::string block = "NATS/1.0 503\r\nNats-Subject: $JS.API.INFO\r\n\r\n";
  std::string size = std::to_string(block.size());
  EXPECT_EQ(world.say(client, "SUB in.* 7\r\nPUB $JS.API.INFO in.1 0\r\n\r\n"),
            "HMSG in.1 7 " + size + " " + size + "\r\n" + block + "\r\n");
  Client& service = world.open();
  world.say(service, "SUB svc 1\r\n");
  EXPECT_EQ(world.say(client, "PUB svc in.2 0\r\n\r\n"), "");
  EXPECT_EQ(world.say(client, "PUB none other 0\r\n\r\n"), "");
  world.say(service, "PUB in.2 2\r\nok\r\n");
  EXPECT_EQ(client.take(), "MSG in.2 7 2\r\nok\r\n");
}

struct Broken {
  std::string_view input;
  std::string_view answer;
};

TEST(NatsSession, ErrorsThatClose) {
  const Broken cases[] = {
      {"FOO\r\n", "-ERR 'Unknown Protocol Operation'\r\n"},
      {"\r\n", "-ERR 'Unknown Protocol Operation'\r\n"},
      {"PUB a 1\r\nxyz", "-ERR 'Unknown Protocol Operation'\r\n"},
      {"PUB a 1048577\r\n", "-ERR 'Maximum Payload Violation'\r\n"},
      {"PUB a b c 1\r\n", ""},
      {"PUB a x\r\n", ""},
      {"HPUB a 3 2\r\n", ""},
      {"SUB a\r\n", ""},
      {"CONNECT {\r\n", ""},
      {"CONNECT {\"verbose\":1}\r\n", ""},
      {"CONNECT {\"protocol\":2}\r\n", "-ERR 'invalid client protocol'\r\n"},
      {"CONNECT {\"no_responders\":true}\r\n", "-ERR 'no responders requires headers support'\r\n"},
      {"CONNECT {\"account\":\"x\"}\r\n", "-ERR 'Authorization Violation'\r\n"},
      {"CONNECT {\"user\":\"guest\",\"pass\":\"no\"}\r\n", "-ERR 'Authorization Violation'\r\n"},
      {"-ERR 'x'\r\n", ""},
  };
  for (const Broken& broken : cases) {
    World world;
    Client& client = world.open();
    EXPECT_EQ(world.say(client, broken.input), broken.answer) << broken.input;
    EXPECT_TRUE(client.closed()) << broken.input;
  }
}

TEST(NatsSession, ErrorsThatDoNotClose) {
  World world;
  Client& client = world.open();
  EXPECT_EQ(world.say(client, "SUB a..b 1\r\n"), "-ERR 'Invalid Subject'\r\n");
  EXPECT_EQ(world.say(client, "SUB >.a 1\r\n"), "-ERR 'Invalid Subject'\r\n");
  EXPECT_EQ(world.say(client, "PUB a. 0\r\n\r\nPING\r\n"), "PONG\r\n");
  EXPECT_EQ(world.say(client, "PUB a _R_.x 0\r\n\r\n"),
            "-ERR 'Permissions Violation for Publish with Reply of \"_R_.x\"'\r\n");
  EXPECT_EQ(world.say(client, "+OK\r\nINFO {}\r\nPONG\r\nPING\r\n"), "PONG\r\n");
  Client& pedantic = world.open(0, R"(,"pedantic":true)");
  EXPECT_EQ(world.say(pedantic, "PUB a.* 0\r\n\r\n"), "-ERR 'Invalid Publish Subject'\r\n");
  EXPECT_FALSE(pedantic.closed());
}

TEST(NatsSession, ControlLineLimit) {
  World world;
  Client& client = world.open();
  EXPECT_EQ(world.say(client, "PUB " + std::string(5000, 'a')),
            "-ERR 'maximum control line exceeded'\r\n");
  EXPECT_TRUE(client.closed());
}

TEST(NatsSession, PingsAndStaleConnection) {
  World world;
  Client& client = world.open();
  world.pass(std::chrono::seconds(121));
  EXPECT_EQ(client.take(), "PING\r\n");
  world.say(client, "PONG\r\n");
  world.pass(std::chrono::seconds(60));
  EXPECT_EQ(client.take(), "");
  world.pass(std::chrono::seconds(121));
  EXPECT_EQ(client.take(), "PING\r\n");
  world.pass(std::chrono::seconds(121));
  EXPECT_EQ(client.take(), "PING\r\n");
  world.pass(std::chrono::seconds(121));
  EXPECT_EQ(client.take(), "-ERR 'Stale Connection'\r\n");
  EXPECT_TRUE(client.closed());
}

TEST(NatsSession, LoginIsAskedForAndTimed) {
  NatsOptions options;
  options.no_auth_user = "";
  World world(options);
  Client& late = world.connect();
  EXPECT_NE(late.take().find("\"auth_required\":true"), std::string::npos);
  Client& rude = world.connect();
  rude.take();
  EXPECT_EQ(world.say(rude, "PING\r\n"), "-ERR 'Authorization Violation'\r\n");
  Client& good = world.connect();
  good.take();
  EXPECT_EQ(world.say(good, "CONNECT {\"user\":\"guest\",\"pass\":\"guest\"}\r\n"), "+OK\r\n");
  world.pass(std::chrono::seconds(2));
  EXPECT_EQ(late.take(), "-ERR 'Authentication Timeout'\r\n");
  EXPECT_TRUE(late.closed());
  EXPECT_FALSE(good.closed());
}

TEST(NatsSession, SlowConsumerIsCut) {
  NatsOptions options;
  options.max_pending = 1 << 20;
  World world(options);
  Client& slow = world.open();
  Client& pub = world.open();
  world.say(slow, "SUB a 1\r\n");
  slow.reads = false;
  std::string message = "PUB a 1000\r\n" + std::string(1000, 'x') + "\r\n";
  for (int i = 0; i < 1500 && !slow.closed(); ++i) {
    pub.put(message);
    world.settle();
    if (!pub.unused_input().empty()) world.pass(std::chrono::milliseconds(2));
  }
  EXPECT_TRUE(slow.closed());
  EXPECT_FALSE(pub.closed());
}

TEST(NatsSession, PublisherPausesForASlowListener) {
  NatsOptions options;
  options.max_pending = 1 << 20;
  World world(options);
  Client& slow = world.open();
  Client& pub = world.open();
  world.say(slow, "SUB a 1\r\n");
  slow.reads = false;
  std::string message = "PUB a 1000\r\n" + std::string(1000, 'x') + "\r\n";
  for (int i = 0; i < 700; ++i) pub.put(message);
  world.settle();
  world.say(pub, message);
  EXPECT_FALSE(pub.session().wants_input());
  world.pass(std::chrono::milliseconds(2));
  slow.take();
  slow.reads = true;
  slow.wake();
  world.settle();
  world.pass(std::chrono::milliseconds(2));
  EXPECT_EQ(world.say(pub, message + "PING\r\n"), "PONG\r\n");
}

TEST(NatsSession, SilentReaderIsCutAfterTheWriteDeadline) {
  World world;
  Client& client = world.open();
  client.reads = false;
  client.put("SUB a 1\r\nPUB a 1\r\nx\r\n");
  world.settle();
  world.pass(std::chrono::seconds(11));
  EXPECT_TRUE(client.closed());
}

TEST(NatsSession, LameDuck) {
  World world;
  Client& client = world.open();
  Chain out;
  client.session().on_shutdown(out);
  EXPECT_NE(out.flatten().find("\"ldm\":true"), std::string::npos);
  EXPECT_FALSE(client.closed());
  EXPECT_EQ(world.say(client, "PING\r\n"), "PONG\r\n");
  world.pass(std::chrono::seconds(1));
  EXPECT_TRUE(client.closed());
}

TEST(NatsSession, TlsBehindTheInfo) {
  NatsOptions options;
  options.tls = TlsOffer::required;
  World world(options);
  Client& client = world.connect();
  EXPECT_EQ(client.tls_asked, 1);
  EXPECT_EQ(world.say(client, "PING\r\n").find("PONG"), std::string::npos);
  Peer secured;
  secured.tls = true;
  client.session().on_secured(secured);
  EXPECT_EQ(world.say(client, ""), "PONG\r\n");
}

TEST(NatsSession, TlsWhereTheClientBeginsIt) {
  NatsOptions options;
  options.tls = TlsOffer::available;
  World world(options);
  Client& plain = world.connect();
  plain.take();
  EXPECT_EQ(world.say(plain, "PING\r\n"), "PONG\r\n");
  EXPECT_EQ(plain.tls_asked, 0);
  Client& secure = world.connect();
  world.say(secure, "\x16\x03\x01");
  EXPECT_EQ(secure.tls_asked, 1);
  EXPECT_EQ(secure.unused_input(), "\x16\x03\x01");
}

TEST(NatsSession, AcrossShardsASubscriptionIsInForceBeforeThePong) {
  broker::TestBroker::Options broker_options;
  broker_options.shards = 3;
  World world({}, std::move(broker_options));
  Client& sub = world.open(0);
  Client& pub = world.open(2);
  EXPECT_EQ(world.say(sub, "SUB a.* 1\r\nPING\r\n"), "PONG\r\n");
  for (int i = 0; i < 10; ++i) pub.put("PUB a.b 1\r\n" + std::to_string(i) + "\r\n");
  world.settle();
  std::string want;
  for (int i = 0; i < 10; ++i) want += "MSG a.b 1 1\r\n" + std::to_string(i) + "\r\n";
  EXPECT_EQ(sub.take(), want);
}

// What was said, and confirmed to its sender, before a listener leaves is still heard by it.
TEST(NatsSession, LeavingHearsWhatWasOnItsWay) {
  broker::TestBroker::Options broker_options;
  broker_options.shards = 2;
  World world({}, std::move(broker_options));
  Client& sub = world.open(0);
  Client& pub = world.open(1);
  world.say(sub, "SUB a 1\r\nPING\r\n");
  pub.put("PUB a 1\r\nx\r\nPING\r\n");
  pub.turn();
  EXPECT_EQ(pub.take(), "PONG\r\n");
  EXPECT_EQ(world.say(sub, "UNSUB 1\r\nPING\r\n"), "MSG a 1 1\r\nx\r\nPONG\r\n");
  world.say(pub, "PUB a 1\r\nx\r\n");
  EXPECT_EQ(sub.take(), "");
}

TEST(NatsSession, ASecondConnectBeginsAnew) {
  World world;
  Client& client = world.open();
  world.say(client, "SUB a 1\r\n");
  EXPECT_EQ(world.say(client, "CONNECT {\"verbose\":false}\r\nPUB a 0\r\n\r\nPING\r\n"),
            "PONG\r\n");
}

TEST(NatsSession, LargeBodiesAreSharedWhole) {
  World world;
  Client& client = world.open();
  std::string body(100'000, 'z');
  EXPECT_EQ(world.say(client, "SUB a 1\r\nPUB a 100000\r\n" + body + "\r\n"),
            "MSG a 1 100000\r\n" + body + "\r\n");
}

// ---- every split, and the end after every step

// Quiet, since an OK may come before or behind deliveries, as the bytes come.
constexpr std::string_view conversation =
    "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\n"
    "SUB a.> 1\r\nSUB a.b q 22\r\nPING\r\n"
    "PUB a.b r.1 5\r\nhello\r\n"
    "HPUB a.c 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"
    "UNSUB 22\r\nSUB in 3\r\nPUB nobody in 0\r\n\r\n"
    "UNSUB 1 5\r\nPUB bad..name 1\r\nx\r\nPING\r\nnonsense\r\n";

std::string whole_answer() {
  World world;
  Client& client = world.connect();
  client.take();
  return world.say(client, conversation);
}

TEST(NatsSession, EverySplitSaysTheSame) {
  std::string want = whole_answer();
  ASSERT_TRUE(want.ends_with("-ERR 'Unknown Protocol Operation'\r\n")) << want;
  for (std::size_t at = 0; at <= conversation.size(); ++at) {
    World world;
    Client& client = world.connect();
    client.take();
    std::string got = world.say(client, conversation.substr(0, at));
    got += world.say(client, conversation.substr(at));
    ASSERT_EQ(got, want) << at;
  }
  World world;
  Client& client = world.connect();
  client.take();
  std::string got;
  for (char byte : conversation) got += world.say(client, std::string_view(&byte, 1));
  EXPECT_EQ(got, want);
}

TEST(NatsSession, HangUpAfterEveryByteLeavesNothing) {
  for (std::size_t at = 0; at <= conversation.size(); ++at) {
    World world;
    Client& client = world.connect();
    world.say(client, conversation.substr(0, at));
    client.hang_up();
    world.settle();
    auth::VhostId vhost = world.broker.core().access().vhost("/");
    ASSERT_EQ(world.broker.core().count_patterns(vhost, broker::common_room), 0u) << at;
    ASSERT_EQ(world.broker.core().count_listeners(vhost, broker::common_room, "in"), 0u) << at;
  }
}

}  // namespace
}  // namespace wharf::nats
