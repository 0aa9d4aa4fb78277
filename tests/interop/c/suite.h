/* Shared by the C suite: one connection a case, short helpers that end the case with a message on trouble. */
#ifndef SUITE_H
#define SUITE_H

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdbool.h>
#include <stddef.h>

struct url {
  char user[64], password[64], host[128], vhost[128];
  int port;
};

struct context {
  struct url url;
  amqp_connection_state_t connection;
  char name[256]; /* a queue name of this case's own */
};

/* Ends the case (it runs in a process of its own) with this reason. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define CHECK(condition) ((condition) ? (void)0 : fail("line %d: %s", __LINE__, #condition))

amqp_connection_state_t dial(struct context *context);
amqp_bytes_t text(const char *string);
bool equals(amqp_bytes_t bytes, const char *string);
void ok(amqp_rpc_reply_t reply, const char *what);
/* The server must have closed the channel (or connection) with this code; the text must contain `part`. */
void refused(amqp_rpc_reply_t reply, amqp_method_number_t close, int code, const char *part);
void declare(struct context *context, amqp_table_t arguments);
void publish(struct context *context, const char *body, size_t size);
uint32_t ready(struct context *context);
/* Waits for a frame of the given method on channel 1, a few seconds. */
amqp_frame_t wait_method(struct context *context, amqp_method_number_t method);
void receive(struct context *context, amqp_envelope_t *envelope);

struct test {
  const char *name;
  void (*run)(struct context *context);
};
extern const struct test tests[];

#endif
