// Every refusal that a client can provoke on a channel: code, level, text, method to blame.
#include "protocol/amqp/errors.h"

#include <functional>

#include <gmock/gmock.h>

#include "protocol/amqp/testing.h"

namespace wharf::amqp {
namespace {

using namespace std::literals;
using testing::Client;
using testing::FakeCore;

TableWriter table(std::string_view key, const FieldValue& value) {
  TableWriter writer;
  writer.add(key, value);
  return writer;
}

void declare_with(Client& client, std::string_view key, const FieldValue& value) {
  TableWriter arguments = table(key, value);
  client.send(1, QueueDeclare{.queue = "new", .durable = true, .arguments = arguments.bytes()});
}

void consume_with(Client& client, std::string_view key, const FieldValue& value) {
  TableWriter arguments = table(key, value);
  client.send(1, BasicConsume{.queue = "q", .arguments = arguments.bytes()});
}

struct Case {
  const char* name;
  std::function<void(Client&)> provoke;
  int code;
  const char* text;
  std::uint16_t class_id;
  std::uint16_t method_id;
  bool hard = false;
};

std::ostream& operator<<(std::ostream& out, const Case& item) { return out << item.name; }

class Errors : public ::testing::TestWithParam<Case> {};

TEST_P(Errors, AreSaidInRabbitWords) {
  const Case& item = GetParam();
  FakeCore core;
  Client client(core);
  client.open();
  client.open_channel(1);
  TableWriter ttl = table("x-message-ttl", std::int32_t{1000});
  client.send(1, QueueDeclare{.queue = "q", .arguments = ttl.bytes()});
  client.send(1, ExchangeDeclare{.exchange = "e", .type = "direct"});
  client.send(1, ExchangeDeclare{.exchange = "in", .type = "direct", .internal = true});
  client.take();
  item.provoke(client);
  std::vector<std::string> frames = client.take();
  ASSERT_FALSE(frames.empty());
  std::string level = item.hard ? "0 connection" : "1 channel";
  EXPECT_EQ(frames.back(), level + ".close(reply_code=" + std::to_string(item.code) +
                               " reply_text=\"" + item.text +
                               "\" class_id=" + std::to_string(item.class_id) +
                               " method_id=" + std::to_string(item.method_id) + ")");
  if (item.hard) return;
  // Nothing else is heard on that channel but its end; the others go on.
  client.send(1, AccessRequest{});
  client.publish(1, "", "q", "lost");
  client.send(1, ChannelClose{});
  EXPECT_EQ(client.one(), "1 channel.close-ok()");
  client.send(1, ChannelCloseOk{});
  client.open_channel(1);
  EXPECT_EQ(core.ready("q"), 0u);
}

const Case soft_cases[] = {
    {"passive_missing_queue",
     [](Client& c) { c.send(1, QueueDeclare{.queue = "ghost", .passive = true}); }, 404,
     "NOT_FOUND - no queue 'ghost' in vhost '/'", 50, 10},
    {"passive_missing_exchange",
     [](Client& c) { c.send(1, ExchangeDeclare{.exchange = "ghost", .passive = true}); }, 404,
     "NOT_FOUND - no exchange 'ghost' in vhost '/'", 40, 10},
    {"publish_to_missing", [](Client& c) { c.publish(1, "ghost", "k", "x"); }, 404,
     "NOT_FOUND - no exchange 'ghost' in vhost '/'", 60, 40},
    {"publish_to_internal", [](Client& c) { c.publish(1, "in", "k", "x"); }, 403,
     "ACCESS_REFUSED - cannot publish to internal exchange 'in' in vhost '/'", 60, 40},
    {"reserved_queue", [](Client& c) { c.send(1, QueueDeclare{.queue = "amq.mine"}); }, 403,
     "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'", 50, 10},
    {"reserved_exchange",
     [](Client& c) { c.send(1, ExchangeDeclare{.exchange = "amq.mine", .type = "direct"}); }, 403,
     "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'", 40, 10},
    {"default_exchange", [](Client& c) { c.send(1, ExchangeDeclare{.type = "direct"}); }, 403,
     "ACCESS_REFUSED - operation not permitted on the default exchange", 40, 10},
    {"bind_to_default", [](Client& c) { c.send(1, QueueBind{.queue = "q"}); }, 403,
     "ACCESS_REFUSED - operation not permitted on the default exchange", 50, 20},
    {"delete_system", [](Client& c) { c.send(1, ExchangeDelete{.exchange = "amq.topic"}); }, 403,
     "ACCESS_REFUSED - deletion of system exchange 'amq.topic' in vhost '/' not allowed", 40, 20},
    {"unknown_type",
     [](Client& c) { c.send(1, ExchangeDeclare{.exchange = "x", .type = "x-random"}); }, 406,
     "PRECONDITION_FAILED - unknown exchange type 'x-random'", 40, 10},
    {"other_type", [](Client& c) { c.send(1, ExchangeDeclare{.exchange = "e", .type = "fanout"}); },
     406,
     "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'e' in vhost '/': received "
     "'fanout' but current is 'direct'",
     40, 10},
    {"other_durable",
     [](Client& c) {
       c.send(1, ExchangeDeclare{.exchange = "e", .type = "direct", .durable = true});
     },
     406,
     "PRECONDITION_FAILED - inequivalent arg 'durable' for exchange 'e' in vhost '/': received "
     "'true' but current is 'false'",
     40, 10},
    {"missing_argument", [](Client& c) { c.send(1, QueueDeclare{.queue = "q"}); }, 406,
     "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received "
     "none but current is the value '1000' of type 'signedint'",
     50, 10},
    {"other_argument",
     [](Client& c) {
       TableWriter arguments = table("x-message-ttl", std::int64_t{10});
       c.send(1, QueueDeclare{.queue = "q", .arguments = arguments.bytes()});
     },
     406,
     "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received "
     "'10' but current is '1000'",
     50, 10},
    {"negative_ttl", [](Client& c) { declare_with(c, "x-message-ttl", std::int8_t{-1}); }, 406,
     "PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'new' in vhost '/': "
     "{value_negative,-1}",
     50, 10},
    {"ttl_as_text", [](Client& c) { declare_with(c, "x-message-ttl", "10"sv); }, 406,
     "PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'new' in vhost '/': \\\"expected "
     "integer, got longstr\\\"",
     50, 10},
    {"zero_expires", [](Client& c) { declare_with(c, "x-expires", std::int32_t{0}); }, 406,
     "PRECONDITION_FAILED - invalid arg 'x-expires' for queue 'new' in vhost '/': {value_zero,0}",
     50, 10},
    {"key_without_exchange", [](Client& c) { declare_with(c, "x-dead-letter-routing-key", "k"sv); },
     406,
     "PRECONDITION_FAILED - invalid arg 'x-dead-letter-routing-key' for queue 'new' in vhost '/': "
     "routing_key_but_no_dlx_defined",
     50, 10},
    {"priority_too_high", [](Client& c) { declare_with(c, "x-max-priority", std::int32_t{256}); },
     406,
     "PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'new' in vhost '/': "
     "{max_value_exceeded,256}",
     50, 10},
    {"stream_is_not_offered", [](Client& c) { declare_with(c, "x-queue-type", "stream"sv); }, 406,
     "PRECONDITION_FAILED - invalid arg 'x-queue-type' for queue 'new' in vhost '/': "
     "\\\"unsupported queue type 'stream'\\\"",
     50, 10},
    {"argument_of_another_type",
     [](Client& c) { declare_with(c, "x-delivery-limit", std::int32_t{3}); }, 406,
     "PRECONDITION_FAILED - invalid arg 'x-delivery-limit' for queue 'new' in vhost '/' of queue "
     "type rabbit_classic_queue",
     50, 10},
    {"transient_quorum",
     [](Client& c) {
       TableWriter arguments = table("x-queue-type", "quorum"sv);
       c.send(1, QueueDeclare{.queue = "new", .arguments = arguments.bytes()});
     },
     406, "PRECONDITION_FAILED - invalid property 'non-durable' for queue 'new' in vhost '/'", 50,
     10},
    {"nameless_quorum",
     [](Client& c) {
       TableWriter arguments = table("x-queue-type", "quorum"sv);
       c.send(1, QueueDeclare{.durable = true, .arguments = arguments.bytes()});
     },
     406, "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue",
     50, 10},
    {"bad_x_match",
     [](Client& c) {
       TableWriter arguments = table("x-match", "some"sv);
       c.send(1,
              QueueBind{.queue = "q", .exchange = "amq.headers", .arguments = arguments.bytes()});
     },
     406,
     "PRECONDITION_FAILED - Invalid x-match field value <<\\\"some\\\">>; expected all, any, "
     "all-with-x, or any-with-x",
     50, 20},
    {"delete_if_empty",
     [](Client& c) {
       c.publish(1, "", "q", "x");
       c.send(1, QueuePurge{.queue = "q"});
       c.send(1, BasicConsume{.queue = "q"});
       c.send(1, QueueDelete{.queue = "q", .if_unused = true});
     },
     406, "PRECONDITION_FAILED - queue 'q' in vhost '/' in use", 50, 40},
    {"unknown_tag", [](Client& c) { c.send(1, BasicAck{.delivery_tag = 9}); }, 406,
     "PRECONDITION_FAILED - unknown delivery tag 9", 60, 80},
    {"tag_zero", [](Client& c) { c.send(1, BasicAck{}); }, 406,
     "PRECONDITION_FAILED - unknown delivery tag 0", 60, 80},
    {"priority_as_text", [](Client& c) { consume_with(c, "x-priority", "1"sv); }, 406,
     "PRECONDITION_FAILED - invalid arg 'x-priority' for queue 'q' in vhost '/': \\\"expected "
     "integer, got longstr\\\"",
     60, 20},
    {"second_exclusive_consumer",
     [](Client& c) {
       c.send(1, BasicConsume{.queue = "q", .exclusive = true});
       c.send(1, BasicConsume{.queue = "q"});
     },
     403, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use", 60, 20},
    {"get_at_single_active_quorum",
     [](Client& c) {
       TableWriter arguments = table("x-queue-type", "quorum"sv);
       arguments.add("x-single-active-consumer", true);
       c.send(1, QueueDeclare{.queue = "qq", .durable = true, .arguments = arguments.bytes()});
       c.send(1, BasicGet{.queue = "qq"});
     },
     405,
     "RESOURCE_LOCKED - cannot obtain access to locked queue 'qq' in vhost '/'. basic.get "
     "operations are not supported by quorum queues with single active consumer",
     60, 70},
    {"reply_consumer_with_ack",
     [](Client& c) { c.send(1, BasicConsume{.queue = "amq.rabbitmq.reply-to"}); }, 406,
     "PRECONDITION_FAILED - reply consumer cannot acknowledge", 60, 20},
    {"no_reply_consumer",
     [](Client& c) { c.publish(1, "", "q", "x", {.reply_to = "amq.rabbitmq.reply-to"}); }, 406,
     "PRECONDITION_FAILED - fast reply consumer does not exist", 60, 40},
    {"wrong_user", [](Client& c) { c.publish(1, "", "q", "x", {.user_id = "root"}); }, 406,
     "PRECONDITION_FAILED - user_id property set to 'root' but authenticated user was 'guest'", 60,
     40},
    {"bad_expiration", [](Client& c) { c.publish(1, "", "q", "x", {.expiration = "10s"}); }, 406,
     "PRECONDITION_FAILED - invalid expiration '10s': {leftover_string,\\\"s\\\"}", 60, 40},
    {"bad_copies",
     [](Client& c) {
       TableWriter headers = table("CC", "q"sv);
       c.publish(1, "", "q", "x", {.headers = headers.view()});
     },
     406, "PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,\\\"CC\\\",longstr}",
     60, 40},
    {"too_large", [](Client& c) { c.publish(1, "", "q", std::string((16 << 20) + 1, 'x')); }, 406,
     "PRECONDITION_FAILED - message size 16777217 is larger than configured max size 16777216", 60,
     40},
    {"commit_without_select", [](Client& c) { c.send(1, TxCommit{}); }, 406,
     "PRECONDITION_FAILED - channel is not transactional", 90, 20},
    {"confirm_after_tx",
     [](Client& c) {
       c.send(1, TxSelect{});
       c.send(1, ConfirmSelect{});
     },
     406, "PRECONDITION_FAILED - cannot switch from tx to confirm mode", 85, 10},
    {"tx_after_confirm",
     [](Client& c) {
       c.send(1, ConfirmSelect{});
       c.send(1, TxSelect{});
     },
     406, "PRECONDITION_FAILED - cannot switch from confirm to tx mode", 90, 10},
};

const Case hard_cases[] = {
    {"immediate",
     [](Client& c) {
       c.send_content(1, BasicPublish{.routing_key = "q", .immediate = true}, {}, "x");
     },
     540, "NOT_IMPLEMENTED - immediate=true", 60, 40, true},
    {"prefetch_size", [](Client& c) { c.send(1, BasicQos{.prefetch_size = 7}); }, 540,
     "NOT_IMPLEMENTED - prefetch_size!=0 (7)", 60, 10, true},
    {"recover_without_requeue", [](Client& c) { c.send(1, BasicRecover{}); }, 540,
     "NOT_IMPLEMENTED - requeue=false", 60, 110, true},
    {"flow_off", [](Client& c) { c.send(1, ChannelFlow{}); }, 540, "NOT_IMPLEMENTED - active=false",
     20, 20, true},
    {"tag_reuse",
     [](Client& c) {
       c.consume(1, "q", "t");
       c.consume(1, "q", "t");
     },
     530, "NOT_ALLOWED - attempt to reuse consumer tag 't'", 60, 20, true},
    {"second_open", [](Client& c) { c.send(1, ChannelOpen{}); }, 504,
     "CHANNEL_ERROR - second 'channel.open' seen", 20, 10, true},
    {"not_open", [](Client& c) { c.send(2, BasicQos{}); }, 504,
     "CHANNEL_ERROR - expected 'channel.open'", 60, 10, true},
    {"servers_method", [](Client& c) { c.send(1, BasicQosOk{}); }, 503,
     "COMMAND_INVALID - unimplemented method", 60, 11, true},
    {"body_first", [](Client& c) { c.bytes(bytes_of("\x03\0\1\0\0\0\1x\xce"sv)); }, 505,
     "UNEXPECTED_FRAME - expected method frame, got non method frame instead", 0, 0, true},
    {"method_in_content",
     [](Client& c) {
       c.bytes(bytes_of("\1\0\1\0\0\0\x09\0\x3c\0\x28\0\0\0\0\0\xce"sv));
       c.send(1, AccessRequest{});
     },
     505,
     "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame "
     "instead",
     60, 40, true},
    {"body_too_long",
     [](Client& c) {
       c.bytes(
           bytes_of("\1\0\1\0\0\0\x09\0\x3c\0\x28\0\0\0\0\0\xce"
                    "\2\0\1\0\0\0\x0e\0\x3c\0\0\0\0\0\0\0\0\0\1\0\0\xce"
                    "\3\0\1\0\0\0\2xx\xce"sv));
     },
     501, "FRAME_ERROR - content body frame exceeds remaining content size", 60, 40, true},
    {"wrong_class",
     [](Client& c) {
       c.bytes(
           bytes_of("\1\0\1\0\0\0\x09\0\x3c\0\x28\0\0\0\0\0\xce"
                    "\2\0\1\0\0\0\x0e\0\x3d\0\0\0\0\0\0\0\0\0\1\0\0\xce"sv));
     },
     505, "UNEXPECTED_FRAME - expected content header for class 60, got one for class 61 instead",
     60, 40, true},
    {"unknown_method", [](Client& c) { c.bytes(bytes_of("\1\0\1\0\0\0\4\0\x3c\0\x63\xce"sv)); },
     540, "NOT_IMPLEMENTED - unknown method 60.99", 0, 0, true},
    {"undecodable", [](Client& c) { c.bytes(bytes_of("\1\0\1\0\0\0\5\0\x3c\0\x50\7\xce"sv)); }, 501,
     "FRAME_ERROR - cannot decode <<7>>", 60, 80, true},
    {"heartbeat_on_channel", [](Client& c) { c.bytes(bytes_of("\x08\0\1\0\0\0\0\xce"sv)); }, 505,
     "UNEXPECTED_FRAME - type 8, all octets = <<>>", 0, 0, true},
    {"state", [](Client& c) { c.send(0, ConnectionTuneOk{}); }, 504,
     "CHANNEL_ERROR - unexpected method in connection state running", 10, 31, true},
};

std::string case_name(const ::testing::TestParamInfo<Case>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Soft, Errors, ::testing::ValuesIn(soft_cases), case_name);
INSTANTIATE_TEST_SUITE_P(Hard, Errors, ::testing::ValuesIn(hard_cases), case_name);

TEST(ErrorTexts, AreCutBetweenCharacters) {
  std::string name;
  for (int i = 0; i < 200; ++i) name += "ü";
  std::string text = reply_text({ReplyCode::not_found, "x" + name, {}});
  EXPECT_LE(text.size(), 255u);
  EXPECT_GE(text.size(), 254u);
  EXPECT_TRUE(is_utf8(text));
}

TEST(ErrorTexts, LockedQueue) {
  FakeCore core;
  Client owner(core);
  owner.open();
  owner.open_channel(1);
  owner.send(1, QueueDeclare{.queue = "mine", .exclusive = true});
  Client stranger(core);
  stranger.open();
  stranger.open_channel(1);
  stranger.send(1, QueueDeclare{.queue = "mine"});
  EXPECT_THAT(stranger.one(), ::testing::StartsWith(
                                  "1 channel.close(reply_code=405 reply_text=\"RESOURCE_LOCKED - "
                                  "cannot obtain exclusive access to locked queue 'mine' in vhost "
                                  "'/'. It could be originally declared on another connection"));
}

TEST(ErrorTexts, NoQueueWasDeclared) {
  FakeCore core;
  Client client(core);
  client.open();
  client.open_channel(1);
  client.send(1, BasicConsume{});
  EXPECT_EQ(client.one(),
            "1 channel.close(reply_code=404 reply_text=\"NOT_FOUND - no previously declared "
            "queue\" class_id=60 method_id=20)");
}

TEST(ErrorTexts, TooManyChannels) {
  FakeCore core;
  AmqpOptions options;
  Client client(core, options);
  client.open();
  for (std::uint16_t number = 1; number <= 2047; ++number) client.open_channel(number);
  client.send(3000, ChannelOpen{});
  EXPECT_EQ(
      client.one(),
      "0 connection.close(reply_code=530 reply_text=\"NOT_ALLOWED - number of channels opened "
      "(2047) has reached the negotiated channel_max (2047)\" class_id=0 method_id=0)");
}

}  // namespace
}  // namespace wharf::amqp
