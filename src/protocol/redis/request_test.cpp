#include "protocol/redis/request.h"

#include <vector>

#include <gtest/gtest.h>

namespace wharf::redis {
namespace {

using Status = RequestParser::Status;
using Words = std::vector<std::string>;

// All requests of `input`, then what the parser says of the rest. Shown in pieces that end at each
// of `cuts`, each time from the first byte that is not used, in a block of its own, so that a
// sanitizer sees a byte too far.
struct Outcome {
  std::vector<Words> requests;
  Status last = Status::more;
  std::string error;
};

Outcome parse(std::string_view input, const std::vector<std::size_t>& cuts,
              const RequestLimits& limits = {}) {
  Outcome outcome;
  RequestParser parser;
  std::size_t used = 0;
  for (std::size_t cut : cuts) {
    while (true) {
      std::vector<char> block(input.begin() + static_cast<std::ptrdiff_t>(used),
                              input.begin() + static_cast<std::ptrdiff_t>(cut));
      outcome.last = parser.parse(bytes_of(std::string_view(block.data(), block.size())), limits);
      if (outcome.last == Status::wrong) {
        outcome.error = parser.error();
        return outcome;
      }
      if (outcome.last == Status::more) break;
      if (outcome.last == Status::request) {
        Words& words = outcome.requests.emplace_back();
        for (std::size_t i = 0; i < parser.request().size(); ++i) {
          words.emplace_back(parser.request()[i]);
        }
      }
      used += parser.used();
      EXPECT_LE(used, cut);
      parser.next();
    }
  }
  return outcome;
}

Outcome parse_whole(std::string_view input, const RequestLimits& limits = {}) {
  return parse(input, {input.size()}, limits);
}

constexpr std::string_view mixed =
    "*2\r\n$4\r\nECHO\r\n$3\r\na\r\n\r\n\r\n*0\r\nPING \"x\\x41\\\"\"\n*-1\r\n*1\r\n$0\r\n\r\n"
    "set 'a b' c\r\n*3\r\n$12\r\nabcdefghijkl\r\n$1\r\nx\r\n$2\r\n\r\n\r\n";

const std::vector<Words> mixed_requests = {
    {"ECHO", "a\r\n"}, {"PING", "xA\""}, {""}, {"set", "a b", "c"}, {"abcdefghijkl", "x", "\r\n"}};

TEST(RedisRequest, ArraysAndLines) {
  Outcome outcome = parse_whole(mixed);
  EXPECT_EQ(outcome.requests, mixed_requests);
  EXPECT_EQ(outcome.last, Status::more);
}

TEST(RedisRequest, TheSameAtEverySplit) {
  for (std::size_t a = 0; a <= mixed.size(); ++a) {
    for (std::size_t b = a; b <= mixed.size(); ++b) {
      ASSERT_EQ(parse(mixed, {a, b, mixed.size()}).requests, mixed_requests) << a << " " << b;
    }
  }
  std::vector<std::size_t> each;
  for (std::size_t i = 0; i <= mixed.size(); ++i) each.push_back(i);
  EXPECT_EQ(parse(mixed, each).requests, mixed_requests);
}

TEST(RedisRequest, EveryPrefixIsNotEnough) {
  std::string_view request = "*2\r\n$4\r\nECHO\r\n$11\r\nhello world\r\n";
  for (std::size_t size = 0; size < request.size(); ++size) {
    Outcome outcome = parse_whole(request.substr(0, size));
    EXPECT_EQ(outcome.last, Status::more) << size;
    EXPECT_TRUE(outcome.requests.empty()) << size;
  }
}

TEST(RedisRequest, WhatIsWrong) {
  struct Case {
    std::string input;
    std::string error;
  };
  std::string long_line(line_max + 1, '1');
  for (const Case& each : std::vector<Case>{
           {"*x\r\n", "invalid multibulk length"},
           {"*01\r\n", "invalid multibulk length"},
           {"*+1\r\n", "invalid multibulk length"},
           {"*\r\n", "invalid multibulk length"},
           {"*2147483648\r\n", "invalid multibulk length"},
           {"*99999999999999999999\r\n", "invalid multibulk length"},
           {"*1\r\nPING\r\n", "expected '$', got 'P'"},
           {"*1\r\n$-1\r\n", "invalid bulk length"},
           {"*1\r\n$00\r\n", "invalid bulk length"},
           {"*1\r\n$16777217\r\n", "invalid bulk length"},
           {"*1\r\n$9999999999\r\n", "invalid bulk length"},
           {"PING \"x\r\n", "unbalanced quotes in request"},
           {"PING \"x\"y\r\n", "unbalanced quotes in request"},
           {"PING 'x\r\n", "unbalanced quotes in request"},
           {long_line, "too big inline request"},
           {"*" + long_line, "too big mbulk count string"},
           {"*1\r\n$" + long_line, "too big bulk count string"},
       }) {
    Outcome outcome = parse_whole(each.input);
    EXPECT_EQ(outcome.last, Status::wrong) << each.input.substr(0, 40);
    EXPECT_EQ(outcome.error, each.error) << each.input.substr(0, 40);
  }
}

TEST(RedisRequest, AStrangerMaySendLess) {
  RequestLimits stranger{.elements_max = 10, .bulk_max = 16384, .logged_in = false};
  EXPECT_EQ(parse_whole("*11\r\n", stranger).error, "unauthenticated multibulk length");
  EXPECT_EQ(parse_whole("*1\r\n$16385\r\n", stranger).error, "unauthenticated bulk length");
  EXPECT_EQ(parse_whole("*10\r\n$16384\r\n", stranger).last, Status::more);
}

TEST(RedisRequest, LongArraysKeepTheirPlace) {
  std::string input = "*3000\r\n";
  Words words;
  for (int i = 0; i < 3000; ++i) {
    words.push_back(std::to_string(i));
    input += "$" + std::to_string(words.back().size()) + "\r\n" + words.back() + "\r\n";
  }
  std::vector<std::size_t> cuts;
  for (std::size_t at = 0; at < input.size(); at += 97) cuts.push_back(at);
  cuts.push_back(input.size());
  EXPECT_EQ(parse(input, cuts).requests, std::vector<Words>{words});
}

TEST(RedisRequest, Integers) {
  std::int64_t value = 0;
  for (auto [text, expected] : std::vector<std::pair<std::string, std::int64_t>>{
           {"0", 0}, {"-1", -1}, {"42", 42}, {"9223372036854775807", INT64_MAX}}) {
    EXPECT_TRUE(parse_integer(text, value)) << text;
    EXPECT_EQ(value, expected);
  }
  for (const char* wrong : {"", "-", "+1", "01", "-01", "-0", "1 ", " 1", "9223372036854775808"}) {
    EXPECT_FALSE(parse_integer(wrong, value)) << wrong;
  }
}

TEST(RedisRequest, AKeptRequestStandsAlone) {
  RequestParser parser;
  std::string input = "*2\r\n$1\r\na\r\n$2\r\nbc\r\n";
  ASSERT_EQ(parser.parse(bytes_of(input), {}), Status::request);
  KeptRequest kept(parser.request());
  KeptRequest moved = std::move(kept);
  input.assign(input.size(), 'x');
  parser.next();
  EXPECT_EQ(moved.bytes(), 3u);
  EXPECT_EQ(moved.request()[0], "a");
  EXPECT_EQ(moved.request()[1], "bc");
}

}  // namespace
}  // namespace wharf::redis
