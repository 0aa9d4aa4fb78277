// Live messages over whole shards: who hears what, across shards, and what queues take of it.
#include <gtest/gtest.h>

#include "broker/testing.h"

namespace wharf::broker {
namespace {

constexpr Format test_format{9};

ExchangeSpec topic_exchange() {
  ExchangeSpec spec;
  spec.name = "live.topic";
  spec.kind = ExchangeKind::topic;
  spec.durable = true;
  return spec;
}

class Session : public EventListener {
 public:
  explicit Session(Core& core) : core_(core) {
    id_ = core.attach(*this, VhostId(1), Principal{auth::UserId(1), "guest", false});
  }
  ~Session() override { core_.detach(id_, std::nullopt); }

  void on_events() override { woken = true; }

  void listen(const std::string& name, ConsumerId consumer, const std::string& group = {}) {
    ListenSpec spec;
    spec.text = name;
    spec.consumer = consumer;
    spec.group = group;
    spec.hears_own = hears_own;
    ASSERT(core_.listen(id_, spec).has_value());
  }
  LivePublished publish(std::string_view name, std::string_view body) {
    Bytes properties = bytes_of("props");
    auto published = core_.publish_live(id_,
                                        {.name = name,
                                         .format = test_format,
                                         .properties = {&properties, 1},
                                         .body = bytes_of(body)},
                                        {.receipt = 7});
    return published.value();
  }
  // "consumer:name:properties:body" of each.
  std::string heard() {
    std::string all;
    std::vector<Event> events;
    core_.take_events(id_, events);
    for (Event& event : events) {
      if (auto* reply = std::get_if<Reply>(&event)) all += fmt_reply(*reply);
      if (auto* receipt = std::get_if<Receipt>(&event)) all += receipt->stored ? "stored " : "no ";
    }
    LiveMail mail;
    core_.take_live(id_, mail);
    for (const LiveItem& item : mail.items) {
      all += std::to_string(item.consumer) + ":" + std::string(item.record->name()) + ":" +
             std::string(text_of(item.record->properties())) + ":" +
             std::string(text_of(item.record->body())) + " ";
      EXPECT_LT(item.block, mail.blocks.size());
    }
    woken = false;
    return all;
  }
  Core& core() { return core_; }
  SessionId id() const { return id_; }

  bool hears_own = true;
  bool woken = false;

 private:
  static std::string fmt_reply(const Reply& reply) {
    if (!reply.outcome) return "failed ";
    if (auto* got = std::get_if<Got>(&*reply.outcome)) {
      if (!got->delivery) return "nothing ";
      return "got:" + std::string(text_of(got->delivery->message.body())) + " ";
    }
    return "done ";
  }

  Core& core_;
  SessionId id_;
};

struct ShardLive : ::testing::Test {
  TestBroker broker{{.shards = 2,
                     .predeclared = {topic_exchange()},
                     .live_exchange = "live.topic",
                     .access = nullptr,
                     .formats = {}}};
  Session near{broker.core(0)};
  Session far{broker.core(1)};

  void declare(const std::string& name) {
    QueueSpec spec;
    spec.name = name;
    spec.durable = true;
    near.core().declare_queue(near.id(), 1, spec, false);
    broker.turn();
    ASSERT_EQ(near.heard(), "done ");
  }
};

TEST_F(ShardLive, IsHeardOnItsOwnShardAtOnceAndElsewhereWithTheMail) {
  near.listen("a", 1);
  far.listen("a", 2);
  far.core().fence(far.id(), 5);
  EXPECT_EQ(far.heard(), "");
  broker.turn();
  EXPECT_EQ(far.heard(), "done ");
  EXPECT_EQ(near.publish("a", "one").listeners, 2U);
  EXPECT_TRUE(near.woken);
  EXPECT_EQ(near.heard(), "1:a:props:one ");
  EXPECT_EQ(far.heard(), "");
  near.publish("a", "two");
  broker.turn();
  EXPECT_EQ(far.heard(), "2:a:props:one 2:a:props:two ");
  far.core().unlisten(far.id(), 2);
  broker.turn();
  EXPECT_EQ(near.publish("a", "three").listeners, 1U);
}

TEST_F(ShardLive, WhatNobodyHearsIsALookUp) {
  LivePublished published = near.publish("nobody", "x");
  EXPECT_EQ(published.listeners + published.queues + published.receipts, 0U);
}

TEST_F(ShardLive, OwnMessagesAreNotHeardWhereTheyAreNotWanted) {
  near.hears_own = false;
  near.listen("a", 1);
  near.listen("a", 2, "group");
  far.listen("a", 3, "group");
  broker.turn();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(near.publish("a", "x").listeners, 1U);
  EXPECT_EQ(near.heard(), "");
}

TEST_F(ShardLive, OneOfAGroupHearsEachMessage) {
  near.listen("a", 1, "g");
  near.listen("a", 2, "g");
  far.listen("a", 3, "g");
  broker.turn();
  for (int i = 0; i < 300; ++i) EXPECT_EQ(near.publish("a", "x").listeners, 1U);
  broker.turn();
  auto count = [](const std::string& text, char who) { return std::ranges::count(text, who); };
  std::string here = near.heard();
  std::string there = far.heard();
  EXPECT_GT(count(here, '1'), 50);
  EXPECT_GT(count(here, '2'), 50);
  EXPECT_GT(count(there, '3'), 50);
  EXPECT_EQ(count(here, 'x') + count(there, 'x'), 300);
}

TEST_F(ShardLive, TheQueueOfThatNameTakesIt) {
  declare("work");
  LivePublished published = near.publish("work", "task");
  EXPECT_EQ(published.queues, 1U);
  EXPECT_EQ(published.receipts, 1U);
  broker.turn();
  EXPECT_EQ(near.heard(), "stored ");
  near.core().get(near.id(), 2, "work", false);
  broker.turn();
  EXPECT_EQ(near.heard(), "got:task ");
}

TEST_F(ShardLive, BindingsOfTheLiveExchangeTakeIt) {
  declare("bound");
  BindingSpec binding;
  binding.source = "live.topic";
  binding.destination = "bound";
  binding.key = "news.#";
  near.core().bind(near.id(), 3, binding);
  broker.turn();
  EXPECT_EQ(near.heard(), "done ");
  EXPECT_EQ(far.publish("news.sport", "goal").queues, 1U);
  EXPECT_EQ(far.publish("other", "x").queues, 0U);
  EXPECT_EQ(far.publish("bound", "direct").queues, 1U);
}

Message make_message(std::string_view exchange, std::string_view key) {
  Key keys{key, false};
  Envelope envelope;
  envelope.exchange = exchange;
  envelope.keys = {&keys, 1};
  envelope.format = test_format;
  MessageBuilder builder(envelope, 2);
  builder.append(bytes_of("hi"));
  return builder.finish();
}

TEST_F(ShardLive, WhatQueuesGetIsHeardToo) {
  far.listen("key", 1);
  broker.turn();
  auto publish = [&](std::string_view exchange) {
    auto published = near.core().publish(near.id(), make_message(exchange, "key"), {});
    broker.turn();
    return published.value().listeners;
  };
  EXPECT_EQ(publish(""), 1U);
  EXPECT_EQ(publish("live.topic"), 1U);
  EXPECT_EQ(far.heard(), "1:key::hi 1:key::hi ");
}

TEST_F(ShardLive, ASessionThatEndsIsHeardNoMore) {
  {
    Session gone(broker.core(1));
    gone.listen("a", 1);
    broker.turn();
    EXPECT_EQ(near.publish("a", "x").listeners, 1U);
  }
  broker.turn();
  EXPECT_EQ(near.publish("a", "x").listeners, 0U);
}

TEST_F(ShardLive, ASlowOneIsToldOf) {
  far.listen("a", 1);
  broker.turn();
  EXPECT_FALSE(near.publish("a", "x").slow);
  far.core().set_slow(far.id(), true);
  broker.turn();
  EXPECT_TRUE(near.publish("a", "x").slow);
}

TEST_F(ShardLive, PublishersWaitForAShardThatHasNotTakenTheirs) {
  far.listen("a", 1);
  broker.turn();
  std::string body(100'000, 'x');
  std::size_t sent = 1;
  while (!near.publish("a", body).must_wait && sent < 1000) ++sent;
  EXPECT_LT(sent, 100U);
  broker.turn();
  EXPECT_FALSE(near.publish("a", body).must_wait);
  broker.turn();
  far.heard();
}

TEST_F(ShardLive, LargeAndManyMessagesLieInTheirBlocks) {
  near.listen("a", 1);
  std::string large(200'000, 'l');
  near.publish("a", "first");
  near.publish("a", large);
  for (int i = 0; i < 5000; ++i) near.publish("a", std::to_string(i));
  LiveMail mail;
  near.core().take_live(near.id(), mail);
  ASSERT_EQ(mail.items.size(), 5002U);
  EXPECT_EQ(text_of(mail.items[0].record->body()), "first");
  EXPECT_EQ(text_of(mail.items[1].record->body()), large);
  for (std::size_t i = 0; i < 5000; ++i) {
    EXPECT_EQ(text_of(mail.items[i + 2].record->body()), std::to_string(i));
  }
  EXPECT_GT(mail.blocks.size(), 2U);
}

}  // namespace
}  // namespace wharf::broker
