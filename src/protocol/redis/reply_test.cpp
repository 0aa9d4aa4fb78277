#include "protocol/redis/reply.h"

#include <gtest/gtest.h>

namespace wharf::redis {
namespace {

class RedisReply : public ::testing::Test {
 protected:
  RedisReply() { replies.bind(out); }
  std::string take() {
    std::string text = out.flatten();
    out.clear();
    return text;
  }
  Chain out;
  Replies replies;
};

TEST_F(RedisReply, ValuesOfBothVersions) {
  struct Case {
    void (*write)(Replies&);
    std::string_view two;
    std::string_view three;
  };
  for (const Case& each : std::initializer_list<Case>{
           {[](Replies& r) { r.status("OK"); }, "+OK\r\n", "+OK\r\n"},
           {[](Replies& r) { r.error("ERR a\r\nb"); }, "-ERR a  b\r\n", "-ERR a  b\r\n"},
           {[](Replies& r) { r.integer(0); }, ":0\r\n", ":0\r\n"},
           {[](Replies& r) { r.integer(-12); }, ":-12\r\n", ":-12\r\n"},
           {[](Replies& r) { r.integer(INT64_MAX); }, ":9223372036854775807\r\n",
            ":9223372036854775807\r\n"},
           {[](Replies& r) { r.bulk("a\r\n"); }, "$3\r\na\r\n\r\n", "$3\r\na\r\n\r\n"},
           {[](Replies& r) { r.bulk(""); }, "$0\r\n\r\n", "$0\r\n\r\n"},
           {[](Replies& r) { r.null_bulk(); }, "$-1\r\n", "_\r\n"},
           {[](Replies& r) { r.null_array(); }, "*-1\r\n", "_\r\n"},
           {[](Replies& r) { r.verbatim("ab"); }, "$2\r\nab\r\n", "=6\r\ntxt:ab\r\n"},
           {[](Replies& r) { r.array(2); }, "*2\r\n", "*2\r\n"},
           {[](Replies& r) { r.map(2); }, "*4\r\n", "%2\r\n"},
           {[](Replies& r) { r.set(2); }, "*2\r\n", "~2\r\n"},
           {[](Replies& r) {
              r.push(3);
              r.end_push();
            },
            "*3\r\n", ">3\r\n"},
       }) {
    replies.set_protocol(2);
    each.write(replies);
    EXPECT_EQ(take(), each.two);
    replies.set_protocol(3);
    each.write(replies);
    EXPECT_EQ(take(), each.three);
  }
}

TEST_F(RedisReply, MutedButPushes) {
  replies.mute(true);
  replies.status("OK");
  replies.push(1);
  replies.bulk("x");
  replies.end_push();
  replies.status("OK");
  EXPECT_EQ(take(), "*1\r\n$1\r\nx\r\n");
  replies.mute(false);
  replies.status("OK");
  EXPECT_EQ(take(), "+OK\r\n");
}

TEST_F(RedisReply, WhatWaitsKeepsItsPlace) {
  replies.integer(1);
  auto first = replies.next_token();
  replies.hold_integer(2, 2);
  replies.integer(3);
  auto second = replies.next_token();
  replies.hold_integer(4, 1);
  replies.status("PONG");
  EXPECT_EQ(take(), ":1\r\n");
  replies.receipt(second, true);
  EXPECT_EQ(take(), "");
  replies.receipt(first, true);
  EXPECT_EQ(take(), "");
  EXPECT_TRUE(replies.holding());
  replies.receipt(first, true);
  EXPECT_EQ(take(), ":2\r\n:3\r\n:4\r\n+PONG\r\n");
  EXPECT_FALSE(replies.holding());
  EXPECT_EQ(replies.held_bytes(), 0u);
  replies.integer(5);
  EXPECT_EQ(take(), ":5\r\n");
  // Late ones and those of nobody do nothing.
  replies.receipt(first, true);
  replies.receipt(999, true);
  EXPECT_EQ(take(), "");
}

TEST_F(RedisReply, ARefusedOneIsAnError) {
  auto token = replies.next_token();
  replies.hold_integer(2, 2);
  replies.receipt(token, false);
  replies.receipt(token, true);
  EXPECT_EQ(take(), "-ERR a queue of this name did not take the message\r\n");
}

TEST_F(RedisReply, AGroupLeavesInOnePiece) {
  auto before = replies.next_token();
  replies.hold_integer(7, 1);
  replies.begin_group();
  replies.array(3);
  auto first = replies.next_token();
  replies.hold_integer(1, 1);
  replies.integer(2);
  auto second = replies.next_token();
  replies.hold_integer(3, 1);
  replies.end_group();
  replies.status("OK");
  replies.receipt(first, true);
  EXPECT_EQ(take(), "");
  replies.receipt(before, true);
  EXPECT_EQ(take(), ":7\r\n");
  replies.receipt(second, true);
  EXPECT_EQ(take(), "*3\r\n:1\r\n:2\r\n:3\r\n+OK\r\n");
  EXPECT_EQ(replies.held_bytes(), 0u);
}

TEST_F(RedisReply, AGroupThatWaitsForNothing) {
  replies.begin_group();
  replies.array(1);
  replies.integer(2);
  EXPECT_EQ(take(), "");
  replies.end_group();
  EXPECT_EQ(take(), "*1\r\n:2\r\n");
}

}  // namespace
}  // namespace wharf::redis
