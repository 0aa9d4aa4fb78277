// The session against a fake core: what clients do, and what they get.
#include "protocol/amqp/session.h"

#include <gmock/gmock.h>

#include "protocol/amqp/convert.h"
#include "protocol/amqp/testing.h"

namespace wharf::amqp {
namespace {

using namespace std::literals;
using testing::Client;
using ::testing::ElementsAre;
using testing::FakeCore;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class SessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    client.open();
    client.open_channel(1);
  }
  void TearDown() override {
    other.reset();
    client.hang_up();
    EXPECT_EQ(core.sessions(), 0u);
    EXPECT_EQ(core.consumers(), 0u);
    EXPECT_EQ(core.leased(), 0u);
  }
  // A queue with messages "1", "2", ... in it.
  void fill(std::string_view queue, int count) {
    client.declare(1, queue);
    for (int i = 1; i <= count; ++i) client.publish(1, "", queue, std::to_string(i));
    EXPECT_THAT(client.take(), IsEmpty());
  }
  // The bodies among the frames that have come.
  std::vector<std::string> bodies() {
    std::vector<std::string> found;
    for (const std::string& frame : client.take()) {
      std::size_t at = frame.find("body(\"");
      if (at != std::string::npos) found.push_back(frame.substr(at + 6, frame.size() - at - 8));
    }
    return found;
  }

  FakeCore core;
  Client client{core};
  std::unique_ptr<Client> other;
};

TEST_F(SessionTest, PublishConsumeAcknowledge) {
  client.declare(1, "q");
  client.consume(1, "q", "c");
  EXPECT_EQ(client.one(), "1 basic.consume-ok(consumer_tag=\"c\")");
  client.publish(1, "", "q", "hello", {.content_type = "text/plain"});
  EXPECT_THAT(client.take(),
              ElementsAre("1 basic.deliver(consumer_tag=\"c\" delivery_tag=1 redelivered=false "
                          "exchange=\"\" routing_key=\"q\")",
                          "1 header(5 <80000a746578742f706c61696e>)", "1 body(\"hello\")"));
  EXPECT_EQ(core.leased(), 1u);
  client.send(1, BasicAck{.delivery_tag = 1});
  EXPECT_EQ(core.leased(), 0u);
  EXPECT_EQ(core.ready("q"), 0u);
}

TEST_F(SessionTest, EmptyBodyHasNoBodyFrame) {
  client.declare(1, "q");
  client.publish(1, "", "q", "");
  client.send(1, BasicGet{.queue = "q", .no_ack = true});
  EXPECT_THAT(client.take(),
              ElementsAre(StartsWith("1 basic.get-ok(delivery_tag=1"), "1 header(0 <0000>)"));
}

TEST_F(SessionTest, LargeBodyIsCutToFrames) {
  AmqpOptions options;
  options.frame_max = 4096;
  Client small(core, options);
  small.open();
  small.open_channel(1);
  small.declare(1, "q");
  small.publish(1, "", "q", std::string(10000, 'x'));
  small.send(1, BasicGet{.queue = "q", .no_ack = true});
  std::vector<std::string> frames = small.take();
  ASSERT_EQ(frames.size(), 5u);
  EXPECT_EQ(frames[2].size(), 4088 + "1 body(\"\")"s.size());
}

TEST_F(SessionTest, PrefetchIsCredit) {
  fill("q", 5);
  client.send(1, BasicQos{.prefetch_count = 2});
  client.consume(1, "q", "c");
  EXPECT_THAT(bodies(), ElementsAre("1", "2"));
  client.send(1, BasicAck{.delivery_tag = 1});
  EXPECT_THAT(bodies(), ElementsAre("3"));
  client.send(1, BasicAck{.delivery_tag = 3, .multiple = true});
  EXPECT_THAT(bodies(), ElementsAre("4", "5"));
}

TEST_F(SessionTest, ManyAcksOfOneReadAreOneSettle) {
  fill("q", 100);
  client.consume(1, "q", "c");
  client.take();
  Chain acks;
  for (std::uint64_t tag = 1; tag <= 100; ++tag) {
    write_method(acks, 1, BasicAck{.delivery_tag = tag});
  }
  std::uint64_t before = core.settle_calls;
  client.bytes(bytes_of(acks.flatten()));
  EXPECT_EQ(core.settle_calls, before + 1);
  EXPECT_EQ(core.leased(), 0u);
}

TEST_F(SessionTest, LimitOfTheChannelIsShared) {
  fill("q", 4);
  client.declare(1, "r");
  for (const char* body : {"a", "b", "c"}) client.publish(1, "", "r", body);
  client.send(1, BasicQos{.prefetch_count = 3, .global = true});
  client.consume(1, "q", "one");
  client.consume(1, "r", "two");
  EXPECT_THAT(bodies(), ElementsAre("1", "2", "3"));
  EXPECT_EQ(core.leased(), 3u);
  client.send(1, BasicAck{.delivery_tag = 3, .multiple = true});
  EXPECT_THAT(bodies(), ::testing::SizeIs(3));
  EXPECT_EQ(core.leased(), 3u);
  client.send(1, BasicAck{.delivery_tag = 6, .multiple = true});
  EXPECT_THAT(bodies(), ::testing::SizeIs(1));
  client.send(1, BasicAck{.delivery_tag = 7});
  EXPECT_EQ(core.leased(), 0u);
  EXPECT_EQ(core.ready("q") + core.ready("r"), 0u);
}

TEST_F(SessionTest, AReaderThatNeverReadsCostsBoundedMemory) {
  client.declare(1, "q");
  std::string body(100'000, 'x');
  for (int i = 0; i < 200; ++i) client.publish(1, "", "q", body);
  client.host.unsent = 2 << 20;
  client.consume(1, "q", "c", true);
  std::size_t first = client.take().size() / 3;
  EXPECT_LT(first, 40u);
  EXPECT_GT(first, 10u);
  client.host.unsent = 0;
  client.host.woken = true;
  client.run();
  EXPECT_EQ(core.ready("q"), 0u);
}

TEST_F(SessionTest, NothingIsTakenWhileAnswersPileUp) {
  client.host.unsent = 64 << 20;
  client.send(1, AccessRequest{});
  EXPECT_THAT(client.take(), IsEmpty());
  EXPECT_FALSE(client.session->wants_input());
  client.host.unsent = 0;
  client.host.woken = true;
  client.run();
  EXPECT_EQ(client.one(), "1 access.request-ok(ticket=1)");
}

TEST_F(SessionTest, InputWaitsForAnswersOfItsChannelOnly) {
  client.open_channel(2);
  core.hold_replies = true;
  client.send(1, QueueDeclare{.queue = "q"});
  client.send(2, AccessRequest{});
  EXPECT_EQ(client.one(), "2 access.request-ok(ticket=1)");
  client.send(1, AccessRequest{});
  client.send(2, AccessRequest{});
  EXPECT_THAT(client.take(), IsEmpty());
  EXPECT_FALSE(client.session->wants_input());
  core.hold_replies = false;
  core.release_replies();
  client.run();
  EXPECT_THAT(client.take(),
              ElementsAre(StartsWith("1 queue.declare-ok"), "1 access.request-ok(ticket=1)",
                          "2 access.request-ok(ticket=1)"));
}

TEST_F(SessionTest, RejectRecoverRequeue) {
  fill("q", 3);
  client.send(1, BasicQos{.prefetch_count = 3});
  client.consume(1, "q", "c");
  client.take();
  client.send(1, BasicReject{.delivery_tag = 2, .requeue = true});
  EXPECT_THAT(client.take()[0], HasSubstr("delivery_tag=4 redelivered=true"));
  client.send(1, BasicNack{.delivery_tag = 4, .requeue = false});
  client.send(1, BasicRecover{.requeue = true});
  std::vector<std::string> frames = client.take();
  EXPECT_EQ(frames[0], "1 basic.recover-ok()");
  EXPECT_EQ(frames.size(), 7u);
  client.send(1, BasicAck{.delivery_tag = 0, .multiple = true});
  EXPECT_EQ(core.leased(), 0u);
}

TEST_F(SessionTest, CancelKeepsWhatWasDelivered) {
  fill("q", 1);
  client.consume(1, "q", "c");
  client.take();
  client.send(1, BasicCancel{.consumer_tag = "c"});
  EXPECT_EQ(client.one(), "1 basic.cancel-ok(consumer_tag=\"c\")");
  client.publish(1, "", "q", "later");
  EXPECT_THAT(client.take(), IsEmpty());
  client.send(1, BasicAck{.delivery_tag = 1});
  EXPECT_EQ(core.leased(), 0u);
  client.send(1, BasicCancel{.consumer_tag = "unknown"});
  EXPECT_EQ(client.one(), "1 basic.cancel-ok(consumer_tag=\"unknown\")");
}

TEST_F(SessionTest, ConsumerIsToldThatItsQueueIsGone) {
  client.declare(1, "q");
  client.consume(1, "q", "c");
  client.take();
  core.end_queue("q");
  client.run();
  EXPECT_EQ(client.one(), "1 basic.cancel(consumer_tag=\"c\" no_wait=true)");
  client.send(1, BasicCancelOk{.consumer_tag = "c"});
  EXPECT_THAT(client.take(), IsEmpty());

  Client quiet(core);
  quiet.open(0, false);
  quiet.open_channel(1);
  quiet.declare(1, "r");
  quiet.consume(1, "r", "c");
  quiet.take();
  core.end_queue("r");
  quiet.run();
  EXPECT_THAT(quiet.take(), IsEmpty());
}

// ---- Confirms

TEST_F(SessionTest, ConfirmsOfATurnAreTold) {
  client.declare(1, "q");
  client.send(1, ConfirmSelect{});
  EXPECT_EQ(client.one(), "1 confirm.select-ok()");
  core.hold_receipts = true;
  for (int i = 0; i < 5; ++i) client.publish(1, "", "q", "x");
  EXPECT_THAT(client.take(), IsEmpty());
  core.release_receipts();
  client.run();
  EXPECT_EQ(client.one(), "1 basic.ack(delivery_tag=5 multiple=true)");
}

TEST_F(SessionTest, LateConfirmsAreToldSingly) {
  client.declare(1, "q");
  client.send(1, ConfirmSelect{.no_wait = true});
  core.hold_receipts = true;
  client.publish(1, "", "q", "1");
  client.publish(1, "", "nobody", "2");
  EXPECT_EQ(client.one(), "1 basic.ack(delivery_tag=2 multiple=false)");
  client.publish(1, "", "q", "3");
  core.release_receipts();
  client.run();
  EXPECT_EQ(client.one(), "1 basic.ack(delivery_tag=3 multiple=true)");
}

TEST_F(SessionTest, ReturnComesBeforeTheConfirm) {
  client.send(1, ConfirmSelect{.no_wait = true});
  client.publish(1, "amq.direct", "nowhere", "x", {}, true);
  EXPECT_THAT(client.take(), ElementsAre("1 basic.return(reply_code=312 reply_text=\"NO_ROUTE\" "
                                         "exchange=\"amq.direct\" routing_key=\"nowhere\")",
                                         "1 header(1 <0000>)", "1 body(\"x\")",
                                         "1 basic.ack(delivery_tag=1 multiple=false)"));
}

TEST_F(SessionTest, RefusedByAQueueIsNacked) {
  TableWriter arguments;
  arguments.add("x-max-length", std::int32_t{1});
  arguments.add("x-overflow", "reject-publish"sv);
  client.send(1, QueueDeclare{.queue = "q", .arguments = arguments.bytes()});
  client.send(1, ConfirmSelect{.no_wait = true});
  client.take();
  client.publish(1, "", "q", "1");
  client.publish(1, "", "q", "2");
  EXPECT_THAT(client.take(),
              ElementsAre("1 basic.ack(delivery_tag=1 multiple=false)",
                          "1 basic.nack(delivery_tag=2 multiple=false requeue=false)"));
}

TEST_F(SessionTest, ReceiptsOfAClosedChannelDoNotCountForItsSuccessor) {
  client.declare(1, "q");
  client.send(1, ConfirmSelect{.no_wait = true});
  core.hold_receipts = true;
  client.publish(1, "", "q", "1");
  client.send(1, ChannelClose{});
  EXPECT_EQ(client.one(), "1 channel.close-ok()");
  client.open_channel(1);
  client.send(1, ConfirmSelect{.no_wait = true});
  client.publish(1, "", "q", "2");
  core.release_receipts();
  client.run();
  EXPECT_EQ(client.one(), "1 basic.ack(delivery_tag=1 multiple=false)");
}

// ---- Transactions

TEST_F(SessionTest, CommitPublishesAndSettles) {
  fill("q", 1);
  client.send(1, TxSelect{});
  client.consume(1, "q", "c");
  client.take();
  client.declare(1, "r");
  client.publish(1, "", "r", "x");
  client.send(1, BasicAck{.delivery_tag = 1});
  EXPECT_EQ(core.ready("r"), 0u);
  EXPECT_EQ(core.leased(), 1u);
  core.hold_receipts = true;
  client.send(1, TxCommit{});
  EXPECT_THAT(client.take(), IsEmpty());
  EXPECT_EQ(core.ready("r"), 1u);
  EXPECT_EQ(core.leased(), 0u);
  core.release_receipts();
  client.run();
  EXPECT_EQ(client.one(), "1 tx.commit-ok()");
}

TEST_F(SessionTest, RollbackMakesDeliveriesOutstandingAgain) {
  fill("q", 2);
  client.send(1, TxSelect{});
  client.consume(1, "q", "c");
  client.publish(1, "", "q", "dropped");
  client.send(1, BasicAck{.delivery_tag = 1});
  client.send(1, TxRollback{});
  client.take();
  EXPECT_EQ(core.leased(), 2u);
  client.send(1, BasicAck{.delivery_tag = 2, .multiple = true});
  client.send(1, TxCommit{});
  EXPECT_EQ(client.one(), "1 tx.commit-ok()");
  EXPECT_EQ(core.leased(), 0u);
  EXPECT_EQ(core.ready("q"), 0u);
}

TEST_F(SessionTest, CommitWithARefusedPublishFails) {
  TableWriter arguments;
  arguments.add("x-max-length", std::int64_t{0});
  arguments.add("x-overflow", "reject-publish"sv);
  client.send(1, QueueDeclare{.queue = "q", .arguments = arguments.bytes()});
  client.send(1, TxSelect{});
  client.publish(1, "", "q", "1");
  client.take();
  client.send(1, TxCommit{});
  EXPECT_EQ(client.one(),
            "1 channel.close(reply_code=406 reply_text=\"PRECONDITION_FAILED - partial tx "
            "completion\" class_id=90 method_id=20)");
}

// ---- Names, headers, replies

TEST_F(SessionTest, ServerNamesAndTheLastQueue) {
  client.send(1, QueueDeclare{.exclusive = true});
  std::string declared = client.one();
  EXPECT_THAT(declared, StartsWith("1 queue.declare-ok(queue=\"amq.gen-"));
  std::string name = declared.substr(declared.find("amq.gen-"), 8 + 22);
  EXPECT_TRUE(core.has_queue(name)) << name;
  EXPECT_FALSE(core.queue_spec(name).durable);
  client.send(1, QueueBind{.exchange = "amq.direct"});
  EXPECT_EQ(client.one(), "1 queue.bind-ok()");
  ASSERT_EQ(core.bindings().size(), 1u);
  EXPECT_EQ(core.bindings()[0].key, name);
  client.publish(1, "amq.direct", name, "x");
  client.send(1, BasicGet{.no_ack = true});
  EXPECT_THAT(client.take()[0], StartsWith("1 basic.get-ok("));
}

TEST_F(SessionTest, CarbonCopiesAndBlindOnes) {
  for (const char* queue : {"to", "cc", "bcc"}) client.declare(1, queue);
  ArrayWriter copies;
  copies.add("cc"sv);
  ArrayWriter blind;
  blind.add("bcc"sv);
  TableWriter headers;
  headers.add("CC", copies.view());
  headers.add("BCC", blind.view());
  headers.add("n", std::int32_t{5});
  client.publish(1, "", "to", "x", {.headers = headers.view()});
  for (const char* queue : {"to", "cc", "bcc"}) {
    client.send(1, BasicGet{.queue = queue, .no_ack = true});
    std::vector<std::string> frames = client.take();
    ASSERT_EQ(frames.size(), 3u) << queue;
    EXPECT_THAT(frames[1], ::testing::Not(HasSubstr("424343"))) << queue;
    EXPECT_THAT(frames[1], HasSubstr("024343")) << queue;
  }
}

TEST_F(SessionTest, RepliesGoPastAllQueues) {
  client.consume(1, "amq.rabbitmq.reply-to", "answers", true);
  EXPECT_EQ(client.one(), "1 basic.consume-ok(consumer_tag=\"answers\")");
  client.declare(1, "requests");
  client.publish(1, "", "requests", "ask", {.reply_to = "amq.rabbitmq.reply-to"});
  other = std::make_unique<Client>(core);
  other->open();
  other->open_channel(7);
  other->send(7, BasicGet{.queue = "requests", .no_ack = true});
  std::string header = other->take()[1];
  std::string hex = header.substr(header.find('<') + 1);
  std::string address;
  for (std::size_t i = 6; i + 1 < hex.size() && hex[i] != '>'; i += 2) {
    address += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  EXPECT_THAT(address, StartsWith("amq.rabbitmq.reply-to."));
  other->send(7, QueueDeclare{.queue = address, .passive = true});
  EXPECT_THAT(other->one(), HasSubstr("message_count=0 consumer_count=1"));
  other->publish(7, "", address, "answer");
  client.run();
  std::vector<std::string> frames = client.take();
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_THAT(frames[0], HasSubstr("consumer_tag=\"answers\" delivery_tag=1"));
  EXPECT_EQ(frames[2], "1 body(\"answer\")");
  // A guessed address finds nobody.
  address.back() = address.back() == 'A' ? 'B' : 'A';
  other->publish(7, "", address.substr(0, 24) + std::string(36, 'A'), "forged");
  client.run();
  EXPECT_THAT(client.take(), IsEmpty());
}

TEST_F(SessionTest, CountedQueuesShowReturns) {
  TableWriter arguments;
  arguments.add("x-queue-type", "quorum"sv);
  client.send(1, QueueDeclare{.queue = "q", .durable = true, .arguments = arguments.bytes()});
  EXPECT_THAT(client.one(), StartsWith("1 queue.declare-ok"));
  EXPECT_EQ(core.queue_spec("q").delivery_limit, 20u);
  client.publish(1, "", "q", "x");
  client.send(1, BasicGet{.queue = "q"});
  EXPECT_EQ(client.take()[1], "1 header(1 <0000>)");
  client.send(1, BasicNack{.delivery_tag = 1, .requeue = true});
  client.send(1, BasicGet{.queue = "q", .no_ack = true});
  // headers {"x-delivery-count": l 1}
  EXPECT_EQ(client.take()[1],
            "1 header(1 <20000000001a10782d64656c69766572792d636f756e746c0000000000000001>)");
}

// ---- Alarms and time

TEST_F(SessionTest, PublisherIsHeldUnderAnAlarm) {
  client.declare(1, "q");
  core.set_alarm({.memory = true, .disk = true});
  client.run();
  EXPECT_TRUE(client.session->wants_input());
  client.publish(1, "", "q", "x");
  EXPECT_EQ(client.one(), "0 connection.blocked(reason=\"low on memory & low on disk\")");
  EXPECT_FALSE(client.session->wants_input());
  client.publish(1, "", "q", "y");
  EXPECT_EQ(core.ready("q"), 1u);
  core.set_alarm({});
  client.run();
  EXPECT_EQ(client.one(), "0 connection.unblocked()");
  EXPECT_EQ(core.ready("q"), 2u);
}

TEST_F(SessionTest, PublisherIsHeldInSilenceWhileTheDiskIsBehind) {
  client.declare(1, "q");
  core.set_alarm({.behind = true});
  client.run();
  client.publish(1, "", "q", "x");
  client.publish(1, "", "q", "y");
  EXPECT_TRUE(client.take().empty());
  EXPECT_FALSE(client.session->wants_input());
  EXPECT_EQ(core.ready("q"), 1u);
  core.set_alarm({.memory = true, .behind = true});
  client.run();
  EXPECT_EQ(client.one(), "0 connection.blocked(reason=\"low on memory\")");
  core.set_alarm({.behind = true});
  client.run();
  EXPECT_EQ(client.one(), "0 connection.unblocked()");
  EXPECT_EQ(core.ready("q"), 1u);
  core.set_alarm({});
  client.run();
  EXPECT_TRUE(client.take().empty());
  EXPECT_EQ(core.ready("q"), 2u);
}

TEST_F(SessionTest, PublisherPausesAtOnceWhenItIsToldTo) {
  client.declare(1, "q");
  core.wants_pause = true;
  client.publish(1, "", "q", "x");
  client.publish(1, "", "q", "y");
  EXPECT_FALSE(client.session->wants_input());
  EXPECT_EQ(core.ready("q"), 1u);
  core.wants_pause = false;
  core.set_alarm({});
  client.run();
  EXPECT_TRUE(client.take().empty());
  EXPECT_EQ(core.ready("q"), 2u);
}

TEST_F(SessionTest, DeliveryThatNobodyAcknowledges) {
  fill("q", 1);
  client.consume(1, "q", "c");
  client.take();
  for (int i = 0; i < 30; ++i) client.pass(1min);
  EXPECT_THAT(client.take(), IsEmpty());
  for (int i = 0; i < 2; ++i) client.pass(1min);
  EXPECT_THAT(client.one(),
              StartsWith("1 channel.close(reply_code=406 reply_text=\"PRECONDITION_FAILED - "
                         "delivery acknowledgement on channel 1 timed out. Timeout value used: "
                         "1800000 ms."));
  EXPECT_EQ(core.ready("q"), 1u);
}

TEST_F(SessionTest, HeartbeatsBothWays) {
  other = std::make_unique<Client>(core);
  other->open(10);
  other->pass(5s);
  other->pass(5s);
  EXPECT_EQ(other->one(), "heartbeat");
  Chain beat;
  write_heartbeat(beat);
  for (int i = 0; i < 10; ++i) {
    other->pass(5s);
    other->bytes(bytes_of(beat.flatten()));
  }
  EXPECT_FALSE(other->session->closing());
  other->pass(10s);
  other->pass(10s);
  other->pass(10s);
  EXPECT_TRUE(other->session->closing());
}

TEST_F(SessionTest, EvictionAndShutdownSayWhy) {
  core.evict_all("gone fishing");
  client.run();
  EXPECT_EQ(client.one(),
            "0 connection.close(reply_code=320 reply_text=\"CONNECTION_FORCED - gone fishing\" "
            "class_id=0 method_id=0)");
  client.send(0, ConnectionCloseOk{});
  EXPECT_TRUE(client.session->closing());

  Client second(core);
  second.open();
  second.session->on_shutdown(second.out);
  EXPECT_TRUE(second.session->closing());
  second.run();
  EXPECT_THAT(second.one(), HasSubstr("CONNECTION_FORCED"));
}

TEST_F(SessionTest, ExclusiveQueuesAreGoneBeforeCloseOk) {
  client.send(1, QueueDeclare{.queue = "mine", .exclusive = true});
  client.take();
  core.hold_replies = false;
  client.send(0, ConnectionClose{.reply_code = 200, .reply_text = "bye"});
  EXPECT_EQ(client.one(), "0 connection.close-ok()");
  EXPECT_FALSE(core.has_queue("mine"));
  EXPECT_FALSE(client.session->closing());
  client.pass(30s);
  EXPECT_TRUE(client.session->closing());
}

TEST_F(SessionTest, PermissionOfTheDefaultExchangeHasItsName) {
  core.access_rules.denied.insert({auth::Verb::write, "amq.default"});
  client.publish(1, "", "q", "x");
  EXPECT_EQ(client.one(),
            "1 channel.close(reply_code=403 reply_text=\"ACCESS_REFUSED - write access to exchange "
            "'amq.default' in vhost '/' refused for user 'guest'\" class_id=60 method_id=40)");
}

}  // namespace
}  // namespace wharf::amqp
