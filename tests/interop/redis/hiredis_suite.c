/* hiredis: Pub/Sub from C, blocking. One line a case, as tests/interop/lib/harness.py prints them. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char host[128];
static int port;
static char why[256];

#define CHECK(condition) \
  do { \
    if (!(condition)) { \
      snprintf(why, sizeof why, "line %d: %s", __LINE__, #condition); \
      return 0; \
    } \
  } while (0)

static redisContext *dial(void) {
  struct timeval wait = {5, 0};
  redisContext *context = redisConnectWithTimeout(host, port, wait);
  if (context && !context->err) redisSetTimeout(context, wait);
  return context;
}

static redisReply *next(redisContext *context) {
  void *reply = NULL;
  return redisGetReply(context, &reply) == REDIS_OK ? reply : NULL;
}

static int is_text(const redisReply *reply, const char *text) {
  return reply && reply->str && reply->len == strlen(text) && memcmp(reply->str, text, reply->len) == 0;
}

static int is_event(redisReply *reply, const char *kind, const char *name, const char *body) {
  int ok = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 && is_text(reply->element[0], kind) &&
           is_text(reply->element[1], name) && (!body || is_text(reply->element[2], body));
  freeReplyObject(reply);
  return ok;
}

static int publish_and_hear(void) {
  redisContext *subscriber = dial(), *publisher = dial();
  CHECK(subscriber && !subscriber->err && publisher && !publisher->err);
  CHECK(is_event(redisCommand(subscriber, "SUBSCRIBE c.one"), "subscribe", "c.one", NULL));
  redisReply *reply = redisCommand(publisher, "PUBLISH c.one %b", "a\0b", (size_t)3);
  CHECK(reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == 1);
  freeReplyObject(reply);
  reply = next(subscriber);
  CHECK(reply && reply->elements == 3 && reply->element[2]->len == 3 && memcmp(reply->element[2]->str, "a\0b", 3) == 0);
  freeReplyObject(reply);
  CHECK(is_event(redisCommand(subscriber, "UNSUBSCRIBE c.one"), "unsubscribe", "c.one", NULL));
  redisFree(subscriber);
  redisFree(publisher);
  return 1;
}

static int pipelined(void) {
  enum { count = 20000 };
  redisContext *subscriber = dial(), *publisher = dial();
  CHECK(is_event(redisCommand(subscriber, "SUBSCRIBE c.pipe"), "subscribe", "c.pipe", NULL));
  for (int i = 0; i < count; ++i) redisAppendCommand(publisher, "PUBLISH c.pipe %d", i);
  for (int i = 0; i < count; ++i) {
    redisReply *reply = next(publisher);
    CHECK(reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == 1);
    freeReplyObject(reply);
  }
  for (int i = 0; i < count; ++i) {
    char body[16];
    snprintf(body, sizeof body, "%d", i);
    CHECK(is_event(next(subscriber), "message", "c.pipe", body));
  }
  redisFree(subscriber);
  redisFree(publisher);
  return 1;
}

static int errors(void) {
  redisContext *context = dial();
  redisReply *reply = redisCommand(context, "NOPE");
  CHECK(reply && reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "ERR unknown command 'NOPE'", 26) == 0);
  freeReplyObject(reply);
  reply = redisCommand(context, "CLIENT GETNAME");
  CHECK(reply && reply->type == REDIS_REPLY_NIL);
  freeReplyObject(reply);
  redisFree(context);
  return 1;
}

static int transaction(void) {
  redisContext *context = dial();
  freeReplyObject(redisCommand(context, "MULTI"));
  freeReplyObject(redisCommand(context, "PUBLISH c.nobody x"));
  redisReply *reply = redisCommand(context, "EXEC");
  CHECK(reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 1 && reply->element[0]->integer == 0);
  freeReplyObject(reply);
  redisFree(context);
  return 1;
}

static const struct {
  const char *name;
  int (*run)(void);
} cases[] = {{"publish_and_hear", publish_and_hear}, {"pipelined", pipelined}, {"errors", errors},
             {"transaction", transaction}};

int main(int argc, char **argv) {
  const char *filter = "";
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--url") == 0) sscanf(argv[i + 1], "redis://%127[^:]:%d", host, &port);
    if (strcmp(argv[i], "--filter") == 0) filter = argv[i + 1];
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  int failed = 0;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
    if (!strstr(cases[i].name, filter)) continue;
    int ok = cases[i].run();
    failed += !ok;
    printf(ok ? "ok %s\n" : "FAIL %s: %s\n", cases[i].name, why);
  }
  return failed ? 1 : 0;
}
