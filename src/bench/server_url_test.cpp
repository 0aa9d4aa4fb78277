#include "bench/server_url.h"

#include <gtest/gtest.h>

namespace wharf::bench {
namespace {

TEST(ServerUrl, AllParts) {
  ServerUrl url = parse_amqp_url("amqp://us%40er:p%3aw@localhost:5673/my%2fhost").value();
  EXPECT_EQ(url.user, "us@er");
  EXPECT_EQ(url.password, "p:w");
  EXPECT_EQ(url.host, "localhost");
  EXPECT_EQ(url.port, 5673);
  EXPECT_EQ(url.path, "my/host");
}

TEST(ServerUrl, WhatIsLeftOut) {
  for (std::string_view text : {"amqp://", "amqp:///", "amqp://127.0.0.1", "amqp://:5672/%2f",
                                "amqp://guest@127.0.0.1/", "amqp://guest:guest@"}) {
    ServerUrl url = parse_amqp_url(text).value();
    EXPECT_EQ(url.user, "guest") << text;
    EXPECT_EQ(url.password, "guest") << text;
    EXPECT_EQ(url.host, "127.0.0.1") << text;
    EXPECT_EQ(url.port, 5672) << text;
    EXPECT_EQ(url.path, "/") << text;
  }
}

TEST(ServerUrl, Wrong) {
  for (std::string_view text :
       {"", "amqps://h", "http://h", "amqp://h:x", "amqp://h:", "amqp://h:0", "amqp://h:65536",
        "amqp://h:1x", "amqp://u%4@h", "amqp://h/%zz"}) {
    EXPECT_FALSE(parse_amqp_url(text)) << text;
  }
}

TEST(ServerUrl, OtherSchemes) {
  ServerUrl url = ServerUrl::parse("nats://token@[host]:1", "nats", {.port = 4222}).value();
  EXPECT_EQ(url.user, "token");
  EXPECT_EQ(url.password, "");
  EXPECT_EQ(url.host, "[host]");
  EXPECT_EQ(ServerUrl::parse("nats://h", "nats", {.port = 4222}).value().port, 4222);
  EXPECT_FALSE(ServerUrl::parse("redis://h", "nats", {}));
}

TEST(ServerUrl, PlaceAlone) {
  ServerUrl place{.port = 7};
  EXPECT_TRUE(parse_place("localhost:8", place));
  EXPECT_EQ(place.host, "localhost");
  EXPECT_EQ(place.port, 8);
  EXPECT_FALSE(parse_place("localhost:eight", place));
}

}  // namespace
}  // namespace wharf::bench
