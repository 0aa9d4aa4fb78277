#include "broker/message.h"

#include <string>

#include <gtest/gtest.h>

#include "base/random.h"

namespace wharf::broker {
namespace {

WallTime wall_ms(std::int64_t ms) { return WallTime(std::chrono::milliseconds(ms)); }

bool same(const Death& a, const Death& b) {
  return a.queue == b.queue && a.reason == b.reason && a.count == b.count && a.time == b.time &&
         a.exchange == b.exchange && a.keys == b.keys && a.original_ttl_ms == b.original_ttl_ms;
}

struct Sample {
  std::vector<Key> keys{{"route", false}, {"copy", false}, {"blind", true}};
  std::string properties = "some properties";
  std::vector<Death> deaths;
  Envelope envelope;

  Sample() {
    envelope.exchange = "events";
    envelope.keys = keys;
    envelope.persistent = true;
    envelope.priority = 7;
    envelope.ttl_ms = 60'000;
    envelope.arrived = wall_ms(1'700'000'000'123);
    envelope.format = Format(1);
    envelope.properties = bytes_of(properties);
    Death death;
    death.queue = "work";
    death.reason = DeathReason::expired;
    death.count = 300;
    death.time = wall_ms(-5);
    death.exchange = "events";
    death.keys = {"a", ""};
    death.original_ttl_ms = 1;
    deaths.push_back(death);
    death.queue = "retry";
    death.reason = DeathReason::delivery_limit;
    death.original_ttl_ms.reset();
    death.keys.clear();
    deaths.push_back(death);
    envelope.deaths = deaths;
    envelope.first_death = 1;
  }
};

Message build(const Envelope& envelope, std::string_view body) {
  MessageBuilder builder(envelope, body.size());
  builder.append(bytes_of(body));
  return builder.finish();
}

void expect_sample(const Message& message) {
  Sample sample;
  EXPECT_EQ(message.exchange(), "events");
  EXPECT_EQ(message.routing_key(), "route");
  ASSERT_EQ(message.key_count(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(message.key(i).text, sample.keys[i].text);
    EXPECT_EQ(message.key(i).hidden, sample.keys[i].hidden);
  }
  EXPECT_TRUE(message.persistent());
  EXPECT_EQ(message.priority(), 7);
  EXPECT_EQ(message.ttl_ms(), 60'000u);
  EXPECT_EQ(message.arrived(), wall_ms(1'700'000'000'123));
  EXPECT_EQ(message.format(), Format(1));
  EXPECT_EQ(text_of(message.properties()), "some properties");
  ASSERT_TRUE(message.has_deaths());
  auto deaths = message.deaths();
  ASSERT_EQ(deaths.size(), 2u);
  EXPECT_TRUE(same(deaths[0], sample.deaths[0]));
  EXPECT_TRUE(same(deaths[1], sample.deaths[1]));
  EXPECT_EQ(message.first_death(), 1u);
  EXPECT_EQ(text_of(message.body()), "the body");
  EXPECT_EQ(message.body_size(), 8u);
}

TEST(Message, KeepsWhatItIsGiven) {
  Sample sample;
  Message message = build(sample.envelope, "the body");
  expect_sample(message);
  auto again = Message::decode(Buffer::copy_of(message.record().bytes()));
  ASSERT_TRUE(again.has_value());
  expect_sample(*again);
}

TEST(Message, SmallestHasAllDefaults) {
  Message message = build(Envelope(), "");
  EXPECT_EQ(message.record().size(), 24u);
  EXPECT_EQ(message.exchange(), "");
  EXPECT_EQ(message.routing_key(), "");
  EXPECT_FALSE(message.persistent());
  EXPECT_FALSE(message.ttl_ms().has_value());
  EXPECT_FALSE(message.has_deaths());
  EXPECT_TRUE(message.deaths().empty());
  EXPECT_FALSE(message.first_death().has_value());
  EXPECT_EQ(message.body_size(), 0u);
  EXPECT_TRUE(Message::decode(message.record()).has_value());
}

TEST(Message, BytesAsTheFormatPageSays) {
  std::vector<Key> keys{{"k", true}};
  Envelope envelope;
  envelope.exchange = "ex";
  envelope.keys = keys;
  envelope.persistent = true;
  envelope.priority = 3;
  envelope.ttl_ms = 0x0102;
  envelope.arrived = wall_ms(0x0a0b);
  envelope.format = Format(9);
  envelope.properties = bytes_of("pp");
  Message message = build(envelope, "B");
  using namespace std::string_view_literals;
  std::string_view expected =
      "\x01\x03\x03\x09\x02\x00\x01\x00"
      "\x0b\x0a\x00\x00\x00\x00\x00\x00"
      "\x04\x00\x00\x00\x02\x00\x00\x00"
      "\x02\x01\x00\x00\x00\x00\x00\x00"
      "ex"
      "\x01\x00\x01k"
      "ppB"sv;
  EXPECT_EQ(text_of(message.record().bytes()), expected);
}

TEST(Message, EveryPrefixThatCutsTheEnvelopeIsRefused) {
  Sample sample;
  Message message = build(sample.envelope, "the body");
  for (std::size_t size = 0; size < message.body_offset(); ++size) {
    auto cut = Message::decode(Buffer::copy_of(message.record().bytes().first(size)));
    EXPECT_FALSE(cut.has_value()) << size;
  }
}

TEST(Message, ChangedBytesAreRefusedOrReadSafely) {
  Sample sample;
  Message message = build(sample.envelope, "the body");
  SeededRandom random(1);
  for (int round = 0; round < 20'000; ++round) {
    Buffer copy = Buffer::copy_of(message.record().bytes());
    std::size_t at = random.below(message.body_offset());
    copy.writable()[at] = static_cast<std::byte>(random.next());
    auto changed = Message::decode(copy);
    if (!changed) {
      EXPECT_EQ(changed.error().code, Errc::malformed);
      continue;
    }
    for (std::size_t i = 0; i < changed->key_count(); ++i) changed->key(i);
    changed->deaths();
    changed->exchange();
    EXPECT_LE(changed->body_offset(), copy.size());
  }
}

TEST(Message, UnknownVersionIsRefused) {
  Buffer copy = Buffer::copy_of(build(Envelope(), "x").record().bytes());
  copy.writable()[0] = std::byte{2};
  EXPECT_FALSE(Message::decode(copy).has_value());
}

TEST(MessageBuilder, TakesABodyInAnyPieces) {
  Sample sample;
  std::string body;
  for (int i = 0; i < 300'000; ++i) body.push_back(static_cast<char>(i * 7));
  for (std::size_t piece : {1000uL, 4096uL, 131'072uL, 131'073uL, 300'000uL}) {
    MessageBuilder builder(sample.envelope, body.size());
    for (std::size_t at = 0; at < body.size(); at += piece) {
      EXPECT_EQ(builder.missing(), body.size() - at);
      builder.append(bytes_of(std::string_view(body).substr(at, piece)));
    }
    Message message = builder.finish();
    EXPECT_EQ(text_of(message.body()), body);
    EXPECT_EQ(message.record().size(), message.body_offset() + body.size());
  }
}

// The size is announced by a peer: only what came is paid for. An announced terabyte must not be
// asked of the allocator.
TEST(MessageBuilder, DoesNotBelieveTheAnnouncedSize) {
  MessageBuilder builder(Envelope(), 1ULL << 40);
  builder.append(bytes_of(std::string(200'000, 'x')));
  EXPECT_EQ(builder.missing(), (1ULL << 40) - 200'000);
}

}  // namespace
}  // namespace wharf::broker
