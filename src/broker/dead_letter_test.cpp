#include "broker/dead_letter.h"

#include <gtest/gtest.h>

namespace wharf::broker {
namespace {

const WallTime noon{std::chrono::milliseconds(1'000'000)};
const WallTime later = noon + std::chrono::seconds(5);

Message make(std::optional<std::uint64_t> ttl_ms = std::nullopt) {
  Key keys[] = {{"k1", false}, {"cc", false}, {"bcc", true}};
  Envelope envelope;
  envelope.exchange = "orders";
  envelope.keys = keys;
  envelope.persistent = true;
  envelope.priority = 3;
  envelope.ttl_ms = ttl_ms;
  envelope.format = Format{1};
  envelope.properties = bytes_of("props");
  MessageBuilder builder(envelope, 4);
  builder.append(bytes_of("body"));
  return builder.finish();
}

QueueSpec queue(std::string name, std::optional<std::string> key = std::nullopt) {
  QueueSpec spec;
  spec.name = std::move(name);
  spec.dead_letter_exchange = "dlx";
  spec.dead_letter_key = std::move(key);
  return spec;
}

TEST(DeadLetter, KeepsEverythingButRouteAndTimeToLive) {
  Message dead = make_dead_letter(make(500), queue("q"), DeathReason::expired, noon);
  EXPECT_EQ(dead.exchange(), "dlx");
  ASSERT_EQ(dead.key_count(), 3u);
  EXPECT_EQ(dead.routing_key(), "k1");
  EXPECT_TRUE(dead.key(2).hidden);
  EXPECT_TRUE(dead.persistent());
  EXPECT_EQ(dead.priority(), 3);
  EXPECT_FALSE(dead.ttl_ms());
  EXPECT_EQ(text_of(dead.properties()), "props");
  EXPECT_EQ(text_of(dead.body()), "body");
  ASSERT_EQ(dead.deaths().size(), 1u);
  Death death = dead.deaths()[0];
  EXPECT_EQ(death.queue, "q");
  EXPECT_EQ(death.exchange, "orders");
  EXPECT_EQ(death.keys, (std::vector<std::string>{"k1", "cc"}));
  EXPECT_EQ(death.original_ttl_ms, 500u);
  EXPECT_EQ(death.time, noon);
  EXPECT_EQ(dead.first_death(), 0u);
}

TEST(DeadLetter, KeyOfTheQueueReplacesAllKeys) {
  Message dead = make_dead_letter(make(), queue("q", "graveyard"), DeathReason::rejected, noon);
  ASSERT_EQ(dead.key_count(), 1u);
  EXPECT_EQ(dead.routing_key(), "graveyard");
}

TEST(DeadLetter, RepeatIsCountedMovedToTheFrontAndKeepsItsTime) {
  Message once = make_dead_letter(make(), queue("a"), DeathReason::rejected, noon);
  Message twice = make_dead_letter(once, queue("b"), DeathReason::expired, later);
  Message thrice = make_dead_letter(twice, queue("a"), DeathReason::rejected, later);
  std::vector<Death> deaths = thrice.deaths();
  ASSERT_EQ(deaths.size(), 2u);
  EXPECT_EQ(deaths[0].queue, "a");
  EXPECT_EQ(deaths[0].count, 2u);
  EXPECT_EQ(deaths[0].time, noon);
  EXPECT_EQ(deaths[1].queue, "b");
  EXPECT_EQ(twice.first_death(), 1u);
  EXPECT_EQ(thrice.first_death(), 0u);
}

TEST(DeadLetter, FirstDeathIsFollowedWhenAnotherEntryMoves) {
  Message message = make_dead_letter(make(), queue("a"), DeathReason::rejected, noon);
  message = make_dead_letter(message, queue("b"), DeathReason::expired, later);
  message = make_dead_letter(message, queue("c"), DeathReason::expired, later);
  message = make_dead_letter(message, queue("b"), DeathReason::expired, later);
  std::vector<Death> deaths = message.deaths();
  ASSERT_TRUE(message.first_death());
  EXPECT_EQ(deaths[*message.first_death()].queue, "a");
}

TEST(DeadLetter, CycleWithoutARejectionIsOne) {
  Message message = make_dead_letter(make(), queue("a"), DeathReason::expired, noon);
  message = make_dead_letter(message, queue("b"), DeathReason::expired, noon);
  EXPECT_TRUE(is_dead_letter_cycle(message.deaths(), "a"));
  EXPECT_TRUE(is_dead_letter_cycle(message.deaths(), "b"));
  EXPECT_FALSE(is_dead_letter_cycle(message.deaths(), "c"));
}

TEST(DeadLetter, RejectionBreaksTheCycle) {
  Message message = make_dead_letter(make(), queue("a"), DeathReason::expired, noon);
  message = make_dead_letter(message, queue("b"), DeathReason::rejected, noon);
  EXPECT_FALSE(is_dead_letter_cycle(message.deaths(), "a"));
  EXPECT_FALSE(is_dead_letter_cycle(message.deaths(), "b"));
}

}  // namespace
}  // namespace wharf::broker
