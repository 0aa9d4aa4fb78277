/* librabbitmq suite: harness and helpers. Each case runs in a child process, which alarm() bounds in time. */
#include "suite.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int report = -1;

void fail(const char *format, ...) {
  char line[400];
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (size > (int)sizeof line - 1) size = sizeof line - 1;
  if (write(report, line, size) < 0) _exit(2);
  _exit(1);
}

amqp_bytes_t text(const char *string) { return amqp_cstring_bytes(string); }

bool equals(amqp_bytes_t bytes, const char *string) {
  return bytes.len == strlen(string) && memcmp(bytes.bytes, string, bytes.len) == 0;
}

static void explain(amqp_rpc_reply_t reply, char *out, size_t size) {
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
    snprintf(out, size, "%s", amqp_error_string2(reply.library_error));
  } else if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
    amqp_channel_close_t *close = reply.reply.decoded;
    snprintf(out, size, "%d %.*s", close->reply_code, (int)close->reply_text.len, (char *)close->reply_text.bytes);
  } else if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
    amqp_connection_close_t *close = reply.reply.decoded;
    snprintf(out, size, "%d %.*s", close->reply_code, (int)close->reply_text.len, (char *)close->reply_text.bytes);
  } else {
    snprintf(out, size, "reply type %d", reply.reply_type);
  }
}

void ok(amqp_rpc_reply_t reply, const char *what) {
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
  char reason[300];
  explain(reply, reason, sizeof reason);
  fail("%s: %s", what, reason);
}

void refused(amqp_rpc_reply_t reply, amqp_method_number_t close, int code, const char *part) {
  char reason[300], wanted[16];
  if (reply.reply_type != AMQP_RESPONSE_SERVER_EXCEPTION) fail("not refused, expected %d %s", code, part);
  explain(reply, reason, sizeof reason);
  if (reply.reply.id != close) fail("refused by method %x: %s", reply.reply.id, reason);
  snprintf(wanted, sizeof wanted, "%d ", code);
  if (strncmp(reason, wanted, strlen(wanted)) || !strstr(reason, part)) fail("got %s, expected %d %s", reason, code, part);
}

amqp_connection_state_t dial(struct context *context) {
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = amqp_tcp_socket_new(connection);
  struct timeval limit = {10, 0};
  amqp_set_rpc_timeout(connection, &limit);
  if (!socket || amqp_socket_open_noblock(socket, context->url.host, context->url.port, &limit)) fail("cannot connect");
  ok(amqp_login(connection, context->url.vhost, AMQP_DEFAULT_MAX_CHANNELS, AMQP_DEFAULT_FRAME_SIZE, 0,
                AMQP_SASL_METHOD_PLAIN, context->url.user, context->url.password), "login");
  amqp_channel_open(connection, 1);
  ok(amqp_get_rpc_reply(connection), "channel.open");
  return connection;
}

void declare(struct context *context, amqp_table_t arguments) {
  amqp_queue_declare(context->connection, 1, text(context->name), 0, 1, 0, 0, arguments);
  ok(amqp_get_rpc_reply(context->connection), "queue.declare");
}

void publish(struct context *context, const char *body, size_t size) {
  amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};
  amqp_bytes_t bytes = {size, (void *)body};
  CHECK(amqp_basic_publish(context->connection, 1, amqp_empty_bytes, text(context->name), 0, 0, &properties, bytes) == 0);
}

uint32_t ready(struct context *context) {
  amqp_queue_declare_ok_t *answer =
      amqp_queue_declare(context->connection, 1, text(context->name), 1, 0, 0, 0, amqp_empty_table);
  ok(amqp_get_rpc_reply(context->connection), "passive declare");
  return answer->message_count;
}

amqp_frame_t wait_method(struct context *context, amqp_method_number_t method) {
  struct timeval limit = {5, 0};
  amqp_frame_t frame;
  int status = amqp_simple_wait_frame_noblock(context->connection, &frame, &limit);
  if (status != AMQP_STATUS_OK) fail("waiting for method %x: %s", method, amqp_error_string2(status));
  if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != method)
    fail("expected method %x, got frame type %d method %x", method, frame.frame_type, frame.payload.method.id);
  return frame;
}

void receive(struct context *context, amqp_envelope_t *envelope) {
  struct timeval limit = {5, 0};
  amqp_maybe_release_buffers(context->connection);
  ok(amqp_consume_message(context->connection, envelope, &limit, 0), "consume_message");
}

static void parse(const char *string, struct url *url) {
  char copy[512];
  snprintf(copy, sizeof copy, "%s", string);
  struct amqp_connection_info info;
  /* amqp_parse_url takes the vhost already decoded for the usual %2f. */
  if (amqp_parse_url(copy, &info) != AMQP_STATUS_OK) {
    fprintf(stderr, "bad url %s\n", string);
    exit(2);
  }
  snprintf(url->user, sizeof url->user, "%s", info.user);
  snprintf(url->password, sizeof url->password, "%s", info.password);
  snprintf(url->host, sizeof url->host, "%s", info.host);
  snprintf(url->vhost, sizeof url->vhost, "%s", info.vhost);
  url->port = info.port;
}

static void child(const struct test *test, const struct url *url, int seconds) {
  struct context context = {.url = *url};
  alarm(seconds);
  snprintf(context.name, sizeof context.name, "interop.c.%s.%d", test->name, (int)getpid());
  context.connection = dial(&context);
  test->run(&context);
  /* A case may have closed its channel, so the queue goes on a fresh connection. */
  context.connection = dial(&context);
  amqp_queue_delete(context.connection, 1, text(context.name), 0, 0);
  _exit(0);
}

static bool run(const struct test *test, const struct url *url, int seconds) {
  int pipes[2], status = 0;
  char reason[401] = "";
  if (pipe(pipes)) exit(2);
  pid_t pid = fork();
  if (pid == 0) {
    report = pipes[1];
    child(test, url, seconds);
  }
  close(pipes[1]);
  ssize_t size = read(pipes[0], reason, sizeof reason - 1);
  close(pipes[0]);
  waitpid(pid, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    printf("ok %s\n", test->name);
    return true;
  }
  if (size <= 0) snprintf(reason, sizeof reason, WIFSIGNALED(status) ? "ended by signal %d" : "exit code %d",
                          WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  printf("FAIL %s: %s\n", test->name, reason);
  return false;
}

int main(int count, char **arguments) {
  const char *filter = "", *address = NULL;
  int seconds = 30, failed = 0;
  for (int i = 1; i + 1 < count; i += 2) {
    if (!strcmp(arguments[i], "--url")) address = arguments[i + 1];
    if (!strcmp(arguments[i], "--filter")) filter = arguments[i + 1];
    if (!strcmp(arguments[i], "--timeout")) seconds = (int)atof(arguments[i + 1]);
  }
  struct url url;
  if (!address) return 2;
  parse(address, &url);
  setvbuf(stdout, NULL, _IONBF, 0);
  for (const struct test *test = tests; test->name; ++test)
    if (strstr(test->name, filter)) failed += !run(test, &url, seconds);
  return failed ? 1 : 0;
}
