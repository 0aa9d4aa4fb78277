// The small parts of a session, each on its own: confirms, unacknowledged deliveries, credit,
// tokens.
#include <algorithm>
#include <random>
#include <set>

#include <gmock/gmock.h>

#include "protocol/amqp/confirms.h"
#include "protocol/amqp/credit.h"
#include "protocol/amqp/link.h"
#include "protocol/amqp/reply_to.h"
#include "protocol/amqp/unacked.h"

namespace wharf::amqp {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> flush(Confirms& confirms) {
  std::vector<std::string> told;
  confirms.flush([&](std::uint64_t number, bool multiple, bool accepted) {
    told.push_back((accepted ? "ack " : "nack ") + std::to_string(number) +
                   (multiple ? " and before" : ""));
  });
  return told;
}

TEST(Confirms, RunsAreToldTogether) {
  Confirms confirms;
  for (int i = 0; i < 6; ++i) confirms.add(1);
  for (std::uint64_t number : {2, 1, 3, 5}) confirms.receipt(number, true);
  EXPECT_THAT(flush(confirms), ElementsAre("ack 3 and before", "ack 5"));
  EXPECT_FALSE(confirms.has_news());
  confirms.receipt(4, true);
  EXPECT_THAT(flush(confirms), ElementsAre("ack 4"));
  confirms.receipt(6, false);
  EXPECT_THAT(flush(confirms), ElementsAre("nack 6"));
  EXPECT_EQ(confirms.open(), 0u);
}

TEST(Confirms, SeveralReceiptsMustAllCome) {
  Confirms confirms;
  confirms.add(2);
  confirms.add(0);
  EXPECT_THAT(flush(confirms), ElementsAre("ack 2"));
  confirms.receipt(1, false);
  EXPECT_THAT(flush(confirms), IsEmpty());
  confirms.receipt(1, true);
  EXPECT_THAT(flush(confirms), ElementsAre("nack 1"));
  confirms.receipt(1, true);
  confirms.receipt(99, true);
  EXPECT_THAT(flush(confirms), IsEmpty());
}

// Whatever the order of receipts, each publish is told once, with the right verdict.
TEST(Confirms, EveryOrderTellsEachOnce) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    Confirms confirms;
    constexpr std::uint64_t count = 150;
    std::vector<std::uint64_t> order;
    for (std::uint64_t number = 1; number <= count; ++number) {
      confirms.add(1);
      order.push_back(number);
    }
    std::ranges::shuffle(order, random);
    std::set<std::uint64_t> open(order.begin(), order.end());
    auto tell = [&](std::uint64_t number, bool multiple, bool accepted) {
      EXPECT_TRUE(open.contains(number));
      EXPECT_EQ(accepted, number % 7 != 0);
      if (!multiple) return void(open.erase(number));
      for (auto it = open.begin(); it != open.end() && *it <= number; it = open.erase(it)) {
        EXPECT_NE(*it % 7, 0u);
      }
    };
    for (std::uint64_t number : order) {
      confirms.receipt(number, number % 7 != 0);
      if (random() % 3 == 0) confirms.flush(tell);
    }
    confirms.flush(tell);
    EXPECT_TRUE(open.empty());
  }
}

Unacked::Entry entry(std::uint64_t tag) {
  return {.tag = tag, .sequence = tag * 10, .queue = broker::QueueId(1), .consumer = 1};
}

std::vector<std::uint64_t> take(Unacked& unacked, std::uint64_t tag, bool multiple) {
  std::vector<std::uint64_t> taken;
  if (!unacked.take(tag, multiple, [&](const auto& e) { taken.push_back(e.tag); })) return {0};
  return taken;
}

TEST(Unacked, TakesOneOrManyOrNothing) {
  Unacked unacked;
  EXPECT_THAT(take(unacked, 1, false), ElementsAre(0));
  EXPECT_THAT(take(unacked, 0, true), IsEmpty());
  for (std::uint64_t tag : {2, 4, 6, 8, 10}) unacked.push(entry(tag));
  EXPECT_THAT(take(unacked, 3, true), ElementsAre(0));
  EXPECT_THAT(take(unacked, 4, false), ElementsAre(4));
  EXPECT_THAT(take(unacked, 4, false), ElementsAre(0));
  EXPECT_THAT(take(unacked, 4, true), ElementsAre(0));
  EXPECT_THAT(take(unacked, 6, true), ElementsAre(2, 6));
  EXPECT_EQ(unacked.oldest_tag(), 8u);
  EXPECT_THAT(take(unacked, 0, true), ElementsAre(8, 10));
  EXPECT_TRUE(unacked.empty());
}

TEST(Unacked, OneOldDeliveryDoesNotKeepTheRest) {
  Unacked unacked;
  unacked.push(entry(1));
  for (std::uint64_t tag = 2; tag < 100'000; ++tag) {
    unacked.push(entry(tag));
    EXPECT_THAT(take(unacked, tag, false), ElementsAre(tag));
  }
  EXPECT_EQ(unacked.size(), 1u);
  EXPECT_EQ(unacked.oldest_tag(), 1u);
}

TEST(Unacked, PutBackGoesToItsPlace) {
  Unacked unacked;
  std::vector<Unacked::Entry> taken;
  for (std::uint64_t tag = 1; tag <= 5; ++tag) unacked.push(entry(tag));
  unacked.take(3, true, [&](const auto& e) { taken.push_back(e); });
  unacked.put_back(taken);
  EXPECT_EQ(unacked.size(), 5u);
  EXPECT_THAT(take(unacked, 4, true), ElementsAre(1, 2, 3, 4));
}

TEST(Credit, PerSettleComesBackBySettling) {
  Credit credit(true, 10, 1000);
  for (int i = 0; i < 10; ++i) credit.on_written(10);
  EXPECT_FALSE(credit.take(true));
  credit.on_settled();
  EXPECT_EQ(credit.take(false).messages, 1u);
  for (int i = 0; i < 40; ++i) credit.on_written(10);
  EXPECT_EQ(credit.take(false).bytes, 0u);
  EXPECT_EQ(credit.take(true).bytes, 500u);
}

TEST(Credit, WindowIsRenewedByHalves) {
  Credit credit(false, 10, 1000);
  for (int i = 0; i < 4; ++i) credit.on_written(1);
  EXPECT_FALSE(credit.take(true));
  credit.on_written(1);
  EXPECT_FALSE(credit.take(false));
  EXPECT_EQ(credit.take(true).messages, 5u);
}

TEST(Credit, HeldDeliveriesAreGrantedAgain) {
  Credit credit(true, 10, 1000);
  credit.on_held(5);
  EXPECT_FALSE(credit.take(true));
  EXPECT_EQ(credit.held(), 1u);
  credit.release_held(1);
  EXPECT_EQ(credit.take(true).messages, 1u);
  EXPECT_EQ(credit.held(), 0u);
}

TEST(ReplyKeys, ComeBackAsTheyWere) {
  SeededRandom random(1);
  ReplyAddress address{broker::SessionId(0x0102030405060708), 77};
  std::string key = make_reply_key(address, random);
  EXPECT_LE(key.size(), 255u);
  EXPECT_NE(key, make_reply_key(address, random));
  auto parsed = parse_reply_key(key);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->session, address.session);
  EXPECT_EQ(parsed->consumer, 77u);
  EXPECT_FALSE(parse_reply_key(key.substr(0, key.size() - 2)));
  EXPECT_FALSE(parse_reply_key("amq.rabbitmq.reply-to.!"));
  EXPECT_FALSE(parse_reply_key("amq.rabbitmq.reply-to"));
}

TEST(Base64, Url) {
  EXPECT_EQ(base64_url(bytes_of("")), "");
  EXPECT_EQ(base64_url(bytes_of("f")), "Zg");
  EXPECT_EQ(base64_url(bytes_of("\xfb\xff")), "-_8");
  ByteVector back;
  EXPECT_TRUE(from_base64_url("-_8", back));
  EXPECT_EQ(text_of(back), "\xfb\xff");
}

}  // namespace
}  // namespace wharf::amqp
