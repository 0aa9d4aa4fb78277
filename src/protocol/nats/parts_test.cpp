// The parts that stand alone: keys, answers, CONNECT and INFO, properties.
#include <vector>

#include <gtest/gtest.h>

#include "protocol/nats/connect.h"
#include "protocol/nats/convert.h"
#include "protocol/nats/nkey.h"
#include "protocol/nats/replies.h"
#include "wire/writer.h"

namespace wharf::nats {
namespace {

// Made with the nkeys library from the seed of bytes 0 .. 31.
constexpr std::string_view user_key = "UAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLKK";
constexpr std::string_view nonce = "abcdefghijklmno";
constexpr std::string_view signature =
    "BFqgAdhpmdT7AcI_hxTszAUiqdm5bBqbwMALxRCGOBYMSx9jTHq7RISqFue3wTE53jdrCFSiYMMcaXDUnZp1Bg";

TEST(NatsKey, Verifies) {
  EXPECT_TRUE(verify_nonce(user_key, nonce, signature));
  EXPECT_TRUE(verify_nonce(user_key, nonce, std::string(signature) + "=="));
  EXPECT_FALSE(verify_nonce(user_key, "abcdefghijklmnp", signature));
  EXPECT_FALSE(verify_nonce(user_key, nonce, signature.substr(1)));
  EXPECT_FALSE(verify_nonce(user_key, nonce, ""));
  EXPECT_FALSE(verify_nonce(user_key, nonce, "!"));
}

TEST(NatsKey, ReadsOnlySoundOnes) {
  EXPECT_TRUE(read_user_key(user_key));
  std::string damaged(user_key);
  damaged[10] = damaged[10] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(read_user_key(damaged));
  EXPECT_FALSE(read_user_key(user_key.substr(1)));
  EXPECT_FALSE(read_user_key(""));
  EXPECT_FALSE(read_user_key(std::string(56, '!')));
}

TEST(NatsReplies, CountsAndExpires) {
  Replies replies;
  auth::ResponseRule rule{2, std::chrono::seconds(10)};
  Instant now{std::chrono::hours(1)};
  EXPECT_FALSE(replies.use("r", rule, now));
  replies.got("r", rule, now);
  EXPECT_TRUE(replies.use("r", rule, now));
  EXPECT_TRUE(replies.use("r", rule, now));
  EXPECT_FALSE(replies.use("r", rule, now));
  replies.got("r", rule, now);
  EXPECT_FALSE(replies.use("r", rule, now + rule.expires));
}

TEST(NatsReplies, ForgetsWhatExpired) {
  Replies replies;
  auth::ResponseRule rule;
  Instant now{std::chrono::hours(1)};
  for (int i = 0; i < 100'000; ++i) {
    replies.got(std::to_string(i), rule, now);
    now += std::chrono::seconds(1);
  }
  EXPECT_LT(replies.size(), 2000u);
}

TEST(NatsConnect, Reads) {
  auto connect = read_connect(R"({"verbose":false,"PEDANTIC":false,"name":"x","protocol":1,)"
                              R"("unknown":{"a":[1]},"user":null})");
  ASSERT_TRUE(connect);
  EXPECT_FALSE(connect->verbose);
  EXPECT_FALSE(connect->pedantic);
  EXPECT_TRUE(connect->echo);
  EXPECT_EQ(connect->name, "x");
  EXPECT_EQ(connect->protocol, 1);
  EXPECT_FALSE(connect->any_credentials());
  for (std::string_view bad : {"", "[]", "{", "{\"verbose\":\"yes\"}", "{\"protocol\":1.5}"}) {
    EXPECT_FALSE(read_connect(bad)) << bad;
  }
  EXPECT_FALSE(read_connect("{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}"));
}

std::string properties_of(std::string_view reply, std::string_view headers) {
  std::string text{static_cast<char>(reply.size() >> 8), static_cast<char>(reply.size())};
  return text.append(reply).append(headers);
}

TEST(NatsConvert, ReadsItsOwnHeaders) {
  std::string bytes = properties_of("re.ply",
                                    "NATS/1.0 100 Idle\r\nK:  v \r\nContent-Type: text/plain\r\n"
                                    "Priority: high\r\nK: w\r\nTimestamp: 1500\r\nno colon\r\n"
                                    "User-Id: forged\r\n\r\n");
  broker::CommonProperties common = read_common(bytes_of(bytes));
  EXPECT_EQ(common.reply_to, "re.ply");
  EXPECT_EQ(common.content_type, "text/plain");
  EXPECT_FALSE(common.priority);
  ASSERT_TRUE(common.timestamp);
  EXPECT_EQ(common.timestamp->time_since_epoch(), std::chrono::milliseconds(1500));
  std::string seen;
  read_headers(bytes_of(bytes), [&](std::string_view name, broker::Value value) {
    seen.append(name).append("=").append(std::get<std::string>(value)).append(";");
  });
  EXPECT_EQ(common.user_id, "");
  EXPECT_EQ(seen, "K=v;Priority=high;K=w;User-Id=forged;");
}

TEST(NatsConvert, BrokenPropertiesHaveNothing) {
  for (std::string_view bad : {"\x01", "\xff\xff", "\x00\x05z"}) {
    EXPECT_EQ(read_properties(bytes_of(bad)).reply, "");
  }
}

// A format of another protocol, whose properties are not looked at.
constexpr broker::Format other_format{200};

TEST(NatsConvert, WritesForeignHeaders) {
  broker::Formats formats;
  formats.add(
      other_format,
      [](Bytes, const broker::HeaderVisitor& visit) {
        visit("text", std::string("value"));
        visit("number", std::int64_t{-5});
        visit("truth", true);
        visit("two\r\nlines", std::string("a\r\nb"));
        visit("blob", broker::Blob{std::string("\0\1\2\3", 4)});
      },
      [](Bytes) {
        broker::CommonProperties common;
        common.message_id = "id";
        common.priority = 4;
        return common;
      });
  std::string out;
  write_headers(formats, other_format, {}, out);
  EXPECT_EQ(out,
            "NATS/1.0\r\nNats-Msg-Id: id\r\nPriority: 4\r\ntext: value\r\nnumber: -5\r\n"
            "truth: true\r\ntwo%0D%0Alines-Base64: YQ0KYg==\r\nblob-Base64: AAECAw==\r\n\r\n");
  write_headers(formats, broker::Format(99), {}, out);
  EXPECT_EQ(out, "");
}

}  // namespace
}  // namespace wharf::nats
