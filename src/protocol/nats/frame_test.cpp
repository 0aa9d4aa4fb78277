#include "protocol/nats/frame.h"

#include <string>

#include <gtest/gtest.h>

#include "protocol/nats/commands.h"

namespace wharf::nats {
namespace {

Result<std::optional<Line>> read(std::string_view text, std::size_t max = 4096) {
  return read_line(bytes_of(text), max);
}

void expect_line(std::string_view text, Verb verb, std::string_view arguments) {
  auto line = read(text);
  ASSERT_TRUE(line && *line) << text;
  EXPECT_EQ((*line)->verb, verb) << text;
  EXPECT_EQ((*line)->arguments, arguments) << text;
  EXPECT_EQ((*line)->size, text.find('\n') + 1) << text;
  for (std::size_t size = 0; size < text.find('\n') + 1; ++size) {
    auto part = read(text.substr(0, size));
    EXPECT_TRUE(part && !*part) << text.substr(0, size);
  }
}

TEST(NatsFrame, Lines) {
  expect_line("PUB a 1\r\nx\r\n", Verb::pub, "a 1");
  expect_line("pub \t a  1\n", Verb::pub, "a  1");
  expect_line("HPUB a 1 2\r\n", Verb::hpub, "a 1 2");
  expect_line("Sub a 1\r\n", Verb::sub, "a 1");
  expect_line("UNSUB 1\r\n", Verb::unsub, "1");
  expect_line("CONNECT {}\r\n", Verb::connect, "{}");
  expect_line("PING\r\n", Verb::ping, "");
  expect_line("PING and more\r\n", Verb::ping, "and more");
  expect_line("pONg\n", Verb::pong, "");
  expect_line("+OK\r\n", Verb::ok, "");
  expect_line("-ERR 'x'\r\n", Verb::err, "'x'");
  expect_line("INFO {}\r\n", Verb::info, "{}");
}

TEST(NatsFrame, FaultsAsSoonAsTheyShow) {
  for (std::string_view bad : {"G", "\r\n", "\n", " PUB", "PUBx", "PUB\r\n", "PU\n", "PUB\n",
                               "MSG ", "CONNECT{", "SUBS a 1\r\n", "P\r"}) {
    auto line = read(bad);
    ASSERT_FALSE(line) << bad;
    EXPECT_EQ(line.error().code, Errc::malformed) << bad;
  }
}

TEST(NatsFrame, LimitCountsTheArguments) {
  EXPECT_TRUE(read("PUB 12345678\r\n", 8));
  for (std::string_view bad : {"PUB 123456789\r\n", "PUB 123456789", "PUB 12345678901234567890"}) {
    auto line = read(bad, 8);
    ASSERT_FALSE(line) << bad;
    EXPECT_EQ(line.error().code, Errc::too_large);
  }
  EXPECT_FALSE(read("PING" + std::string(1000, ' '), 8));
}

TEST(NatsCommands, Pub) {
  auto pub = read_pub("a.b reply 11");
  ASSERT_TRUE(pub);
  EXPECT_EQ(pub->subject, "a.b");
  EXPECT_EQ(pub->reply, "reply");
  EXPECT_EQ(pub->total_size, 11u);
  EXPECT_TRUE(read_pub(" a\t 0 "));
  for (std::string_view bad :
       {"", "a", "a b c d", "a x", "a -1", "a 1x", "a 9999999999999999999"}) {
    EXPECT_FALSE(read_pub(bad)) << bad;
  }
}

TEST(NatsCommands, Hpub) {
  auto pub = read_hpub("a r 12 20");
  ASSERT_TRUE(pub);
  EXPECT_EQ(pub->header_size, 12u);
  EXPECT_EQ(pub->reply, "r");
  for (std::string_view bad : {"a 1", "a 3 2", "a x 2", "a r 1 2 3"}) {
    EXPECT_FALSE(read_hpub(bad)) << bad;
  }
}

TEST(NatsCommands, SubAndUnsub) {
  EXPECT_EQ(read_sub("a 1")->sid, "1");
  EXPECT_EQ(read_sub("a q 1")->group, "q");
  EXPECT_FALSE(read_sub("a"));
  EXPECT_FALSE(read_sub("a b c d"));
  EXPECT_EQ(read_unsub("7 3")->max, 3u);
  EXPECT_EQ(read_unsub("7 x")->max, 0u);
  EXPECT_FALSE(read_unsub(""));
  EXPECT_FALSE(read_unsub("1 2 3"));
}

}  // namespace
}  // namespace wharf::nats
