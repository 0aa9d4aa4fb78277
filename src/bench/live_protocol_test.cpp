#include "bench/live_protocol.h"

#include <gtest/gtest.h>

namespace wharf::bench {
namespace {

TEST(LiveProtocol, NatsFrames) {
  const LiveProtocol& nats = nats_protocol();
  EXPECT_EQ(nats.publish("a.0", "", 16).head, "PUB a.0 16\r\n");
  EXPECT_EQ(nats.publish("a.0", "r.1", 16).head, "PUB a.0 r.1 16\r\n");
  EXPECT_EQ(nats.deliver("a.0", "", 16).head, "MSG a.0 1 16\r\n");
  Frame asked = nats.deliver("a.0", "r.1", 16);
  EXPECT_EQ(asked.head, "MSG a.0 1 r.1 16\r\n");
  EXPECT_EQ(asked.head.substr(asked.varies_at, asked.varies_size), "r.1");
  EXPECT_EQ(asked.size(), 18u + 16 + 2);
  EXPECT_EQ(nats.subscribe("a.0").request, "SUB a.0 1\r\nPING\r\n");
}

TEST(LiveProtocol, RedisFrames) {
  const LiveProtocol& redis = redis_protocol();
  EXPECT_EQ(redis.publish("a.0", "r.1", 16).head, "*3\r\n$7\r\nPUBLISH\r\n$3\r\na.0\r\n$16\r\n");
  EXPECT_EQ(redis.deliver("a.0", "r.1", 16).head, "*3\r\n$7\r\nmessage\r\n$3\r\na.0\r\n$16\r\n");
  EXPECT_EQ(redis.subscribe("a.0").request, "*2\r\n$9\r\nSUBSCRIBE\r\n$3\r\na.0\r\n");
}

TEST(LiveProtocol, Logins) {
  auto nats = [](const char* url) {
    return nats_protocol().log_in(ServerUrl::parse(url, "nats", {.port = 4222}).value()).request;
  };
  EXPECT_NE(nats("nats://u:p%22@h").find(R"("user":"u","pass":"p\"")"), std::string::npos);
  EXPECT_NE(nats("nats://token@h").find(R"("auth_token":"token")"), std::string::npos);
  EXPECT_EQ(nats("nats://h").find("auth"), std::string::npos);
  auto redis = [](const char* url) {
    return redis_protocol().log_in(ServerUrl::parse(url, "redis", {.port = 6379}).value()).request;
  };
  EXPECT_EQ(redis("redis://h"), "*1\r\n$4\r\nPING\r\n");
  EXPECT_EQ(redis("redis://:pw@h"), "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n*1\r\n$4\r\nPING\r\n");
  EXPECT_EQ(redis("redis://me:pw@h"),
            "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$2\r\npw\r\n*1\r\n$4\r\nPING\r\n");
}

TEST(LiveProtocol, LinesThatAreNoMessage) {
  EXPECT_EQ(nats_protocol().answer_to("PING").value(), "PONG\r\n");
  EXPECT_EQ(nats_protocol().answer_to("INFO {}").value(), "");
  EXPECT_FALSE(nats_protocol().answer_to("-ERR 'Slow Consumer'"));
  EXPECT_FALSE(nats_protocol().answer_to("MSG other 1 16"));
  EXPECT_FALSE(redis_protocol().answer_to("-ERR unknown command"));
}

}  // namespace
}  // namespace wharf::bench
