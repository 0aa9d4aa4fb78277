// The small parts: subscriptions and the guard of output.
#include <set>

#include <gtest/gtest.h>

#include "protocol/redis/clients.h"
#include "protocol/redis/output_guard.h"
#include "protocol/redis/subscriptions.h"

namespace wharf::redis {
namespace {

using Kind = SubscriptionKind;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RedisSubscriptions, FoundByNameAndById) {
  Subscriptions all;
  Subscription& a = all.add(Kind::channel, "a");
  Subscription& pattern = all.add(Kind::pattern, "a");
  EXPECT_EQ(all.find(Kind::channel, "a"), &a);
  EXPECT_EQ(all.find(Kind::pattern, "a"), &pattern);
  EXPECT_EQ(all.find(Kind::shard_channel, "a"), nullptr);
  EXPECT_EQ(all.find(a.consumer), &a);
  EXPECT_EQ(all.find(broker::ConsumerId{12345}), nullptr);
  EXPECT_EQ(a.frame, "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n");
  EXPECT_EQ(pattern.frame, "*4\r\n$8\r\npmessage\r\n$1\r\na\r\n");
  EXPECT_EQ(all.shown_count(Kind::channel), 2u);
  EXPECT_EQ(all.shown_count(Kind::shard_channel), 0u);
}

// What was heard for a subscription that is gone must not reach the next one.
TEST(RedisSubscriptions, NoIdComesBack) {
  Subscriptions all;
  std::set<broker::ConsumerId> seen;
  for (int i = 0; i < 3000; ++i) {
    Subscription& each = all.add(Kind::channel, "a");
    EXPECT_TRUE(seen.insert(each.consumer).second);
    broker::ConsumerId id = each.consumer;
    all.remove(each);
    EXPECT_EQ(all.find(id), nullptr);
  }
  EXPECT_TRUE(all.empty());
}

TEST(RedisOutputGuard, HardLimit) {
  OutputLimits limits{.hard = 1000, .soft = 0};
  OutputGuard guard(limits);
  Instant now{seconds(100)};
  EXPECT_TRUE(guard.look(1000, true, now));
  EXPECT_TRUE(guard.look(5000, false, now));  // none of it was left by the socket
  EXPECT_FALSE(guard.look(1001, true, now));
}

TEST(RedisOutputGuard, SoftLimitNeedsTime) {
  OutputLimits limits{.hard = 0, .soft = 1000, .soft_time = seconds(60)};
  OutputGuard guard(limits);
  Instant now{seconds(100)};
  EXPECT_TRUE(guard.look(1001, true, now));
  EXPECT_TRUE(guard.look(1001, true, now + seconds(59)));
  ASSERT_TRUE(guard.next_look().has_value());
  EXPECT_FALSE(guard.look(1001, true, now + seconds(60)));
  EXPECT_TRUE(guard.look(1000, true, now + seconds(61)));
  EXPECT_TRUE(guard.look(1001, true, now + seconds(62)));
  EXPECT_TRUE(guard.look(1001, true, now + seconds(121)));
}

TEST(RedisOutputGuard, SlowIsWhoReadsButNotEnough) {
  OutputLimits limits{.hard = 4000, .soft = 1000};
  OutputGuard guard(limits);
  Instant now{seconds(100)};
  guard.look(0, false, now);
  guard.added(501);
  guard.look(501, true, now);
  EXPECT_TRUE(guard.slow());
  EXPECT_EQ(guard.next_look(), now + milliseconds(250));
  guard.look(400, true, now + milliseconds(200));
  EXPECT_TRUE(guard.slow());
  guard.look(400, true, now + milliseconds(449));
  EXPECT_TRUE(guard.slow());
  guard.look(400, true, now + milliseconds(450));  // it reads nothing any more
  EXPECT_FALSE(guard.slow());
  guard.added(800);
  guard.look(700, true, now + milliseconds(460));
  EXPECT_TRUE(guard.slow());
  guard.look(250, true, now + milliseconds(470));
  EXPECT_FALSE(guard.slow());
}

TEST(RedisClients, MailIsReadByThisProcessOnly) {
  SystemClock clock;
  auto ours = make_server_state({}, clock);
  auto theirs = make_server_state({}, clock);
  ClientMail mail;
  mail.kind = ClientMail::Kind::kill;
  mail.asker = broker::SessionId(77);
  mail.request = 5;
  mail.filter.ids = {1, 2};
  mail.filter.user = "bob\n";
  mail.filter.but_not = 9;
  mail.lines = "id=1\n";
  mail.killed = 3;
  broker::Message packed = ours->pack(mail, clock.wall());
  EXPECT_FALSE(theirs->unpack(packed).has_value());
  auto back = ours->unpack(packed);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->kind, ClientMail::Kind::kill);
  EXPECT_EQ(back->asker, mail.asker);
  EXPECT_EQ(back->filter.ids, mail.filter.ids);
  EXPECT_EQ(back->filter.user, mail.filter.user);
  EXPECT_FALSE(back->filter.remote.has_value());
  EXPECT_EQ(back->filter.but_not, 9u);
  EXPECT_EQ(back->lines, mail.lines);
  EXPECT_EQ(back->killed, 3u);
}

}  // namespace
}  // namespace wharf::redis
