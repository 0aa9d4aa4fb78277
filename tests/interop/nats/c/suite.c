// nats.c suite: what its users do, against one server. A line a case: `ok NAME` or `FAIL NAME: why`.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nats/nats.h>

static const char *url = "nats://127.0.0.1:4222";
static const char *filter = "";
static int failed = 0;
static char why[400];

#define CHECK(condition)                                                           \
  do {                                                                             \
    if (!(condition)) {                                                            \
      snprintf(why, sizeof(why), "line %d: %s", __LINE__, #condition);             \
      goto end;                                                                    \
    }                                                                              \
  } while (0)
#define OK(call)                                                                   \
  do {                                                                             \
    natsStatus status_ = (call);                                                   \
    if (status_ != NATS_OK) {                                                      \
      snprintf(why, sizeof(why), "line %d: %s: %s", __LINE__, #call,               \
               natsStatus_GetText(status_));                                       \
      goto end;                                                                    \
    }                                                                              \
  } while (0)

static natsConnection *dial(void) {
  natsConnection *connection = NULL;
  natsStatus status = natsConnection_ConnectTo(&connection, url);
  if (status != NATS_OK) snprintf(why, sizeof(why), "connect: %s", natsStatus_GetText(status));
  return connection;
}

static void subject_for(char *to, size_t size, const char *name) {
  snprintf(to, size, "interop.c.%d.%s", (int)getpid(), name);
}

static void publish_subscribe(void) {
  natsConnection *connection = dial();
  natsSubscription *subscription = NULL;
  natsMsg *message = NULL;
  char subject[100], pattern[100], body[20];
  subject_for(subject, sizeof(subject), "a.b");
  subject_for(pattern, sizeof(pattern), "*.b");
  CHECK(connection);
  OK(natsConnection_SubscribeSync(&subscription, connection, pattern));
  for (int i = 0; i < 1000; ++i) {
    snprintf(body, sizeof(body), "%d", i);
    OK(natsConnection_PublishString(connection, subject, body));
  }
  for (int i = 0; i < 1000; ++i) {
    OK(natsSubscription_NextMsg(&message, subscription, 5000));
    CHECK(atoi(natsMsg_GetData(message)) == i);
    CHECK(strcmp(natsMsg_GetSubject(message), subject) == 0);
    natsMsg_Destroy(message);
    message = NULL;
  }
end:
  natsMsg_Destroy(message);
  natsSubscription_Destroy(subscription);
  natsConnection_Destroy(connection);
}

static void answer(natsConnection *connection, natsSubscription *subscription, natsMsg *message,
                   void *closure) {
  (void)subscription;
  (void)closure;
  natsConnection_Publish(connection, natsMsg_GetReply(message), natsMsg_GetData(message),
                         natsMsg_GetDataLength(message));
  natsMsg_Destroy(message);
}

static void request_reply(void) {
  natsConnection *client = dial(), *service = dial();
  natsSubscription *subscription = NULL;
  natsMsg *message = NULL;
  char subject[100];
  subject_for(subject, sizeof(subject), "svc");
  CHECK(client && service);
  OK(natsConnection_QueueSubscribe(&subscription, service, subject, "workers", answer, NULL));
  OK(natsConnection_Flush(service));
  for (int i = 0; i < 200; ++i) {
    OK(natsConnection_RequestString(&message, client, subject, "ping", 5000));
    CHECK(natsMsg_GetDataLength(message) == 4);
    natsMsg_Destroy(message);
    message = NULL;
  }
end:
  natsMsg_Destroy(message);
  natsSubscription_Destroy(subscription);
  natsConnection_Destroy(client);
  natsConnection_Destroy(service);
}

static void no_responders(void) {
  natsConnection *connection = dial();
  natsMsg *message = NULL;
  char subject[100];
  subject_for(subject, sizeof(subject), "nobody");
  CHECK(connection);
  CHECK(natsConnection_RequestString(&message, connection, subject, "x", 5000) ==
        NATS_NO_RESPONDERS);
end:
  natsMsg_Destroy(message);
  natsConnection_Destroy(connection);
}

static void jetstream_is_off(void) {
  natsConnection *connection = dial();
  jsCtx *context = NULL;
  jsAccountInfo *info = NULL;
  jsErrCode code = 0;
  CHECK(connection);
  OK(natsConnection_JetStream(&context, connection, NULL));
  CHECK(js_GetAccountInfo(&info, context, NULL, &code) != NATS_OK);
  CHECK(code == JSNotEnabledErr);
end:
  jsAccountInfo_Destroy(info);
  jsCtx_Destroy(context);
  natsConnection_Destroy(connection);
}

static void message_headers(void) {
  natsConnection *connection = dial();
  natsSubscription *subscription = NULL;
  natsMsg *sent = NULL, *message = NULL;
  const char *value = NULL;
  char subject[100];
  subject_for(subject, sizeof(subject), "headers");
  CHECK(connection);
  OK(natsConnection_SubscribeSync(&subscription, connection, subject));
  OK(natsMsg_Create(&sent, subject, "back.to", "body", 4));
  OK(natsMsgHeader_Set(sent, "Trace-Id", "42"));
  OK(natsMsgHeader_Add(sent, "Many", "one"));
  OK(natsMsgHeader_Add(sent, "Many", "two"));
  OK(natsConnection_PublishMsg(connection, sent));
  OK(natsSubscription_NextMsg(&message, subscription, 5000));
  OK(natsMsgHeader_Get(message, "Trace-Id", &value));
  CHECK(strcmp(value, "42") == 0);
  CHECK(strcmp(natsMsg_GetReply(message), "back.to") == 0);
end:
  natsMsg_Destroy(sent);
  natsMsg_Destroy(message);
  natsSubscription_Destroy(subscription);
  natsConnection_Destroy(connection);
}

static void auto_unsubscribe(void) {
  natsConnection *connection = dial();
  natsSubscription *subscription = NULL;
  natsMsg *message = NULL;
  char subject[100];
  subject_for(subject, sizeof(subject), "max");
  CHECK(connection);
  OK(natsConnection_SubscribeSync(&subscription, connection, subject));
  OK(natsSubscription_AutoUnsubscribe(subscription, 2));
  for (int i = 0; i < 5; ++i) OK(natsConnection_PublishString(connection, subject, "x"));
  for (int i = 0; i < 2; ++i) {
    OK(natsSubscription_NextMsg(&message, subscription, 5000));
    natsMsg_Destroy(message);
    message = NULL;
  }
  CHECK(natsSubscription_NextMsg(&message, subscription, 200) != NATS_OK);
end:
  natsMsg_Destroy(message);
  natsSubscription_Destroy(subscription);
  natsConnection_Destroy(connection);
}

static void drain(void) {
  natsConnection *connection = dial();
  natsSubscription *subscription = NULL;
  char subject[100];
  subject_for(subject, sizeof(subject), "drain");
  CHECK(connection);
  OK(natsConnection_Subscribe(&subscription, connection, subject, answer, NULL));
  OK(natsConnection_PublishRequestString(connection, subject, "nowhere", "x"));
  OK(natsConnection_Drain(connection));
  for (int i = 0; i < 500 && !natsConnection_IsClosed(connection); ++i) nats_Sleep(10);
  CHECK(natsConnection_IsClosed(connection));
end:
  natsSubscription_Destroy(subscription);
  natsConnection_Destroy(connection);
}

static const struct {
  const char *name;
  void (*run)(void);
} cases[] = {
    {"publish_subscribe", publish_subscribe}, {"request_reply", request_reply},
    {"no_responders", no_responders},         {"jetstream_is_off", jetstream_is_off},
    {"message_headers", message_headers},     {"auto_unsubscribe", auto_unsubscribe},
    {"drain", drain},
};

int main(int argc, char **argv) {
  unsigned seconds = 30;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--url") == 0) url = argv[i + 1];
    if (strcmp(argv[i], "--filter") == 0) filter = argv[i + 1];
    if (strcmp(argv[i], "--timeout") == 0) seconds = (unsigned)atof(argv[i + 1]);
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
    if (!strstr(cases[i].name, filter)) continue;
    why[0] = 0;
    alarm(seconds);  // ends the process, which the runner sees
    cases[i].run();
    if (why[0]) {
      failed = 1;
      printf("FAIL %s: %s\n", cases[i].name, why);
    } else {
      printf("ok %s\n", cases[i].name);
    }
  }
  return failed;
}
