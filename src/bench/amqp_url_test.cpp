#include "bench/amqp_url.h"

#include <gtest/gtest.h>

namespace wharf::bench {
namespace {

TEST(AmqpUrl, AllParts) {
  AmqpUrl url = AmqpUrl::parse("amqp://us%40er:p%3aw@localhost:5673/my%2fhost").value();
  EXPECT_EQ(url.user, "us@er");
  EXPECT_EQ(url.password, "p:w");
  EXPECT_EQ(url.host, "localhost");
  EXPECT_EQ(url.port, 5673);
  EXPECT_EQ(url.vhost, "my/host");
}

TEST(AmqpUrl, WhatIsLeftOut) {
  for (std::string_view text : {"amqp://", "amqp:///", "amqp://127.0.0.1", "amqp://:5672/%2f",
                                "amqp://guest@127.0.0.1/", "amqp://guest:guest@"}) {
    AmqpUrl url = AmqpUrl::parse(text).value();
    EXPECT_EQ(url.user, "guest") << text;
    EXPECT_EQ(url.password, "guest") << text;
    EXPECT_EQ(url.host, "127.0.0.1") << text;
    EXPECT_EQ(url.port, 5672) << text;
    EXPECT_EQ(url.vhost, "/") << text;
  }
}

TEST(AmqpUrl, Wrong) {
  for (std::string_view text :
       {"", "amqps://h", "http://h", "amqp://h:x", "amqp://h:", "amqp://h:0", "amqp://h:65536",
        "amqp://h:1x", "amqp://u%4@h", "amqp://h/%zz"}) {
    EXPECT_FALSE(AmqpUrl::parse(text)) << text;
  }
}

}  // namespace
}  // namespace wharf::bench
