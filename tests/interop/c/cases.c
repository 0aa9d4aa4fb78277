/* What a C program does with librabbitmq: confirms, consumers, prefetch, gets, and the errors it sees. */
#include "suite.h"

#include <stdlib.h>
#include <string.h>

static void publish_and_get(struct context *c) {
  declare(c, amqp_empty_table);
  publish(c, "hello", 5);
  amqp_rpc_reply_t reply;
  for (int tries = 0; tries < 100; ++tries) {
    reply = amqp_basic_get(c->connection, 1, text(c->name), 1);
    ok(reply, "basic.get");
    if (reply.reply.id == AMQP_BASIC_GET_OK_METHOD) break;
  }
  CHECK(reply.reply.id == AMQP_BASIC_GET_OK_METHOD);
  amqp_message_t message;
  ok(amqp_read_message(c->connection, 1, &message, 0), "read_message");
  CHECK(equals(message.body, "hello"));
  CHECK(message.properties.delivery_mode == 2);
  amqp_destroy_message(&message);
  reply = amqp_basic_get(c->connection, 1, text(c->name), 1);
  CHECK(reply.reply.id == AMQP_BASIC_GET_EMPTY_METHOD);
}

static void confirms(struct context *c) {
  declare(c, amqp_empty_table);
  amqp_confirm_select(c->connection, 1);
  ok(amqp_get_rpc_reply(c->connection), "confirm.select");
  for (int i = 0; i < 200; ++i) publish(c, "x", 1);
  uint64_t confirmed = 0, count = 0;
  while (count < 200) {
    amqp_frame_t frame = wait_method(c, AMQP_BASIC_ACK_METHOD);
    amqp_basic_ack_t *ack = frame.payload.method.decoded;
    count += ack->multiple ? ack->delivery_tag - confirmed : 1;
    if (ack->multiple || ack->delivery_tag == confirmed + 1) confirmed = ack->delivery_tag;
    amqp_maybe_release_buffers(c->connection);
  }
  CHECK(count == 200);
  CHECK(ready(c) == 200);
}

static void mandatory_return(struct context *c) {
  amqp_confirm_select(c->connection, 1);
  CHECK(amqp_basic_publish(c->connection, 1, text("amq.direct"), text("nobody"), 1, 0, NULL, text("back")) == 0);
  amqp_frame_t frame = wait_method(c, AMQP_BASIC_RETURN_METHOD);
  amqp_basic_return_t *back = frame.payload.method.decoded;
  CHECK(back->reply_code == 312 && equals(back->reply_text, "NO_ROUTE") && equals(back->routing_key, "nobody"));
  amqp_message_t message;
  ok(amqp_read_message(c->connection, 1, &message, 0), "read_message");
  CHECK(equals(message.body, "back"));
  amqp_destroy_message(&message);
  wait_method(c, AMQP_BASIC_ACK_METHOD);
}

static void consume_with_acks(struct context *c) {
  declare(c, amqp_empty_table);
  for (char letter = 'a'; letter < 'u'; ++letter) publish(c, &letter, 1);
  amqp_basic_qos(c->connection, 1, 0, 3, 0);
  amqp_basic_consume(c->connection, 1, text(c->name), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
  ok(amqp_get_rpc_reply(c->connection), "basic.consume");
  for (char letter = 'a'; letter < 'u'; ++letter) {
    amqp_envelope_t envelope;
    receive(c, &envelope);
    CHECK(envelope.message.body.len == 1 && *(char *)envelope.message.body.bytes == letter && !envelope.redelivered);
    CHECK(equals(envelope.routing_key, c->name));
    CHECK(amqp_basic_ack(c->connection, 1, envelope.delivery_tag, 0) == 0);
    amqp_destroy_envelope(&envelope);
  }
  CHECK(ready(c) == 0);
}

static void prefetch_holds_back(struct context *c) {
  declare(c, amqp_empty_table);
  for (int i = 0; i < 5; ++i) publish(c, "x", 1);
  amqp_basic_qos(c->connection, 1, 0, 2, 0);
  amqp_basic_consume(c->connection, 1, text(c->name), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
  ok(amqp_get_rpc_reply(c->connection), "basic.consume");
  amqp_envelope_t envelope;
  for (int i = 0; i < 2; ++i) {
    receive(c, &envelope);
    amqp_destroy_envelope(&envelope);
  }
  struct timeval brief = {0, 300000};
  amqp_rpc_reply_t reply = amqp_consume_message(c->connection, &envelope, &brief, 0);
  CHECK(reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && reply.library_error == AMQP_STATUS_TIMEOUT);
  CHECK(amqp_basic_ack(c->connection, 1, 2, 1) == 0);
  receive(c, &envelope);
  CHECK(envelope.delivery_tag == 3);
}

static void nack_redelivers(struct context *c) {
  declare(c, amqp_empty_table);
  publish(c, "x", 1);
  amqp_basic_consume(c->connection, 1, text(c->name), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
  amqp_envelope_t envelope;
  receive(c, &envelope);
  CHECK(amqp_basic_nack(c->connection, 1, envelope.delivery_tag, 0, 1) == 0);
  receive(c, &envelope);
  CHECK(envelope.redelivered);
  CHECK(amqp_basic_reject(c->connection, 1, envelope.delivery_tag, 0) == 0);
  CHECK(ready(c) == 0);
}

static void large_bodies(struct context *c) {
  declare(c, amqp_empty_table);
  static const size_t sizes[] = {0, 1, 131064, 131065, 1 << 20, 5 << 20};
  amqp_basic_consume(c->connection, 1, text(c->name), amqp_empty_bytes, 0, 1, 0, amqp_empty_table);
  ok(amqp_get_rpc_reply(c->connection), "basic.consume");
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
    char *body = malloc(sizes[i] + 1);
    for (size_t at = 0; at < sizes[i]; ++at) body[at] = (char)(at * 31 + i);
    publish(c, body, sizes[i]);
    amqp_envelope_t envelope;
    receive(c, &envelope);
    CHECK(envelope.message.body.len == sizes[i]);
    CHECK(memcmp(envelope.message.body.bytes, body, sizes[i]) == 0);
    amqp_destroy_envelope(&envelope);
    free(body);
  }
}

static void headers_table(struct context *c) {
  declare(c, amqp_empty_table);
  amqp_table_entry_t entries[3] = {
      {text("s"), {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = text("text")}},
      {text("i"), {.kind = AMQP_FIELD_KIND_I32, .value.i32 = -7}},
      {text("u"), {.kind = AMQP_FIELD_KIND_U16, .value.u16 = 65000}},
  };
  amqp_basic_properties_t properties = {._flags = AMQP_BASIC_HEADERS_FLAG, .headers = {3, entries}};
  amqp_basic_publish(c->connection, 1, amqp_empty_bytes, text(c->name), 0, 0, &properties, text("x"));
  amqp_basic_consume(c->connection, 1, text(c->name), amqp_empty_bytes, 0, 1, 0, amqp_empty_table);
  amqp_envelope_t envelope;
  receive(c, &envelope);
  amqp_table_t *headers = &envelope.message.properties.headers;
  CHECK(headers->num_entries == 3);
  for (int i = 0; i < 3; ++i) {
    amqp_field_value_t *value = &headers->entries[i].value;
    switch (*(char *)headers->entries[i].key.bytes) {
      case 's': CHECK(value->kind == AMQP_FIELD_KIND_UTF8 && equals(value->value.bytes, "text")); break;
      case 'i': CHECK(value->kind == AMQP_FIELD_KIND_I32 && value->value.i32 == -7); break;
      default: CHECK(value->kind == AMQP_FIELD_KIND_U16 && value->value.u16 == 65000);
    }
  }
}

static void missing_queue(struct context *c) {
  amqp_queue_declare(c->connection, 1, text(c->name), 1, 0, 0, 0, amqp_empty_table);
  refused(amqp_get_rpc_reply(c->connection), AMQP_CHANNEL_CLOSE_METHOD, 404, "NOT_FOUND - no queue");
  amqp_channel_close_ok_t answer = {0};
  CHECK(amqp_send_method(c->connection, 1, AMQP_CHANNEL_CLOSE_OK_METHOD, &answer) == 0);
  amqp_channel_open(c->connection, 1);
  ok(amqp_get_rpc_reply(c->connection), "channel.open after the error");
}

static void inequivalent_queue(struct context *c) {
  declare(c, amqp_empty_table);
  amqp_queue_declare(c->connection, 1, text(c->name), 0, 0, 0, 0, amqp_empty_table);
  refused(amqp_get_rpc_reply(c->connection), AMQP_CHANNEL_CLOSE_METHOD, 406,
          "PRECONDITION_FAILED - inequivalent arg 'durable' for queue");
}

static void exclusive_elsewhere(struct context *c) {
  amqp_queue_declare(c->connection, 1, text(c->name), 0, 0, 1, 0, amqp_empty_table);
  ok(amqp_get_rpc_reply(c->connection), "queue.declare");
  amqp_connection_state_t other = dial(c);
  amqp_basic_consume(other, 1, text(c->name), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
  refused(amqp_get_rpc_reply(other), AMQP_CHANNEL_CLOSE_METHOD, 405, "RESOURCE_LOCKED");
  ok(amqp_connection_close(c->connection, 200), "connection.close");
}

static void bad_password(struct context *c) {
  amqp_connection_state_t connection = amqp_new_connection();
  CHECK(amqp_socket_open(amqp_tcp_socket_new(connection), c->url.host, c->url.port) == 0);
  amqp_rpc_reply_t reply = amqp_login(connection, c->url.vhost, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "wrong");
  refused(reply, AMQP_CONNECTION_CLOSE_METHOD, 403, "ACCESS_REFUSED - Login was refused");
}

static void missing_vhost(struct context *c) {
  amqp_connection_state_t connection = amqp_new_connection();
  CHECK(amqp_socket_open(amqp_tcp_socket_new(connection), c->url.host, c->url.port) == 0);
  amqp_rpc_reply_t reply =
      amqp_login(connection, "no-such-vhost", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, c->url.user, c->url.password);
  refused(reply, AMQP_CONNECTION_CLOSE_METHOD, 530, "vhost no-such-vhost not found");
}

static void immediate_is_not_implemented(struct context *c) {
  declare(c, amqp_empty_table);
  amqp_basic_publish(c->connection, 1, amqp_empty_bytes, text(c->name), 0, 1, NULL, text("x"));
  amqp_basic_qos(c->connection, 1, 0, 1, 0);
  refused(amqp_get_rpc_reply(c->connection), AMQP_CONNECTION_CLOSE_METHOD, 540, "immediate=true");
}

static void channels(struct context *c) {
  for (amqp_channel_t channel = 2; channel <= 100; ++channel) {
    amqp_channel_open(c->connection, channel);
    ok(amqp_get_rpc_reply(c->connection), "channel.open");
  }
  for (amqp_channel_t channel = 2; channel <= 100; ++channel)
    ok(amqp_channel_close(c->connection, channel, 200), "channel.close");
}

static void transaction(struct context *c) {
  declare(c, amqp_empty_table);
  amqp_tx_select(c->connection, 1);
  publish(c, "x", 1);
  amqp_tx_rollback(c->connection, 1);
  CHECK(ready(c) == 0);
  publish(c, "y", 1);
  amqp_tx_commit(c->connection, 1);
  ok(amqp_get_rpc_reply(c->connection), "tx.commit");
  CHECK(ready(c) == 1);
}

static void heartbeat(struct context *c) {
  amqp_connection_state_t connection = amqp_new_connection();
  CHECK(amqp_socket_open(amqp_tcp_socket_new(connection), c->url.host, c->url.port) == 0);
  ok(amqp_login(connection, c->url.vhost, 0, 131072, 1, AMQP_SASL_METHOD_PLAIN, c->url.user, c->url.password), "login");
  struct timeval limit = {4, 0};
  amqp_frame_t frame;
  int status = amqp_simple_wait_frame_noblock(connection, &frame, &limit);
  if (status != AMQP_STATUS_TIMEOUT) fail("the heart stopped: %s", amqp_error_string2(status));
  amqp_channel_open(connection, 1);
  ok(amqp_get_rpc_reply(connection), "channel.open after four seconds");
}

static void clean_close(struct context *c) {
  ok(amqp_channel_close(c->connection, 1, AMQP_REPLY_SUCCESS), "channel.close");
  ok(amqp_connection_close(c->connection, AMQP_REPLY_SUCCESS), "connection.close");
  CHECK(amqp_destroy_connection(c->connection) == 0);
}

#define TEST(name) {#name, name}
const struct test tests[] = {
    TEST(publish_and_get), TEST(confirms), TEST(mandatory_return), TEST(consume_with_acks), TEST(prefetch_holds_back),
    TEST(nack_redelivers), TEST(large_bodies), TEST(headers_table), TEST(missing_queue), TEST(inequivalent_queue),
    TEST(exclusive_elsewhere), TEST(bad_password), TEST(missing_vhost), TEST(immediate_is_not_implemented),
    TEST(channels), TEST(transaction), TEST(heartbeat), TEST(clean_close), {NULL, NULL}};
