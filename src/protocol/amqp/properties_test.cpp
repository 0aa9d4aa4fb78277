#include "protocol/amqp/properties.h"

#include <string>

#include <gtest/gtest.h>

namespace wharf::amqp {
namespace {

using namespace std::string_literals;

// headers {"k": V}, delivery-mode 2, reply-to "q", expiration "10".
const std::string some =
    "\x33\x00"
    "\x00\x00\x00\x03\x01kV"
    "\x02"
    "\x01q"
    "\x02"
    "10"s;

TEST(Properties, GoldenBothWays) {
  Properties properties = Properties::parse(bytes_of(some)).value();
  EXPECT_EQ(print(properties.headers.value()), R"({"k": V})");
  EXPECT_EQ(properties.delivery_mode, 2);
  EXPECT_EQ(properties.reply_to, "q");
  EXPECT_EQ(properties.expiration, "10");
  EXPECT_FALSE(properties.content_type);
  EXPECT_FALSE(properties.priority);
  EXPECT_EQ(text_of(properties.encode()), some);
}

TEST(Properties, OneFieldChangedLeavesTheOthers) {
  Properties properties = Properties::parse(bytes_of(some)).value();
  properties.expiration.reset();
  properties.reply_to = "amq.gen-1";
  TableWriter headers;
  headers.add("x-death", std::int32_t{1});
  properties.headers = headers.view();
  EXPECT_EQ(text_of(properties.encode()),
            "\x32\x00"
            "\x00\x00\x00\x0d\x07x-deathI\x00\x00\x00\x01"
            "\x02"
            "\x09"
            "amq.gen-1"s);
}

TEST(Properties, TheTwoLowestFlagsAreIgnored) {
  EXPECT_EQ(Properties::parse(bytes_of("\x00\x03"s)).value(), Properties{});
  EXPECT_EQ(text_of(Properties{}.encode()), "\0\0"s);
}

TEST(Properties, WrongOnesAreRefused) {
  EXPECT_EQ(Properties::parse({}).error().code, Errc::malformed);
  EXPECT_EQ(Properties::parse(bytes_of("\x00"s)).error().code, Errc::malformed);
  EXPECT_EQ(Properties::parse(bytes_of("\x00\x00\x00"s)).error().code, Errc::malformed);
  // A header of a type that nobody knows, behind lengths that are right.
  EXPECT_EQ(Properties::parse(bytes_of("\x20\x00\x00\x00\x00\x03\x01kZ"s)).error().code,
            Errc::malformed);
  for (std::size_t size = 0; size < some.size(); ++size) {
    std::vector<char> exact(some.begin(), some.begin() + std::ptrdiff_t(size));
    EXPECT_FALSE(Properties::parse(bytes_of({exact.data(), exact.size()}))) << size;
  }
}

}  // namespace
}  // namespace wharf::amqp
