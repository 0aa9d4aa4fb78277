// Who may log in, and what it may then say and hear.
#include <string>

#include <gtest/gtest.h>

#include "protocol/nats/nkey.h"
#include "protocol/nats/testing.h"

namespace wharf::nats {
namespace {

using testing::Client;
using testing::World;

constexpr std::string_view user_key = "UAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLKK";

NatsOptions with_credentials() {
  NatsOptions options;
  options.no_auth_user = "";
  options.credentials.push_back({"guest", auth::Secret("s3cret"), std::string(user_key)});
  return options;
}

std::string connect_with(World& world, std::string_view fields) {
  Client& client = world.connect();
  client.take();
  return world.say(client, std::string("CONNECT {\"verbose\":true,").append(fields) + "}\r\n");
}

TEST(NatsLogin, Token) {
  World world(with_credentials());
  EXPECT_EQ(connect_with(world, R"("auth_token":"s3cret")"), "+OK\r\n");
  EXPECT_EQ(connect_with(world, R"("auth_token":"s3creT")"), "-ERR 'Authorization Violation'\r\n");
  EXPECT_EQ(connect_with(world, R"("auth_token":"")"), "-ERR 'Authorization Violation'\r\n");
}

TEST(NatsLogin, Password) {
  World world(with_credentials());
  EXPECT_EQ(connect_with(world, R"("user":"guest","pass":"guest")"), "+OK\r\n");
  EXPECT_EQ(connect_with(world, R"("user":"guest","pass":"")"),
            "-ERR 'Authorization Violation'\r\n");
  EXPECT_EQ(connect_with(world, R"("user":"nobody","pass":"guest")"),
            "-ERR 'Authorization Violation'\r\n");
}

TEST(NatsLogin, KeyNeedsTheNonceSigned) {
  World world(with_credentials());
  std::string info = world.connect().take();
  std::size_t at = info.find("\"nonce\":\"");
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(info.find('"', at + 9), at + 9 + 15);
  EXPECT_EQ(
      connect_with(world, std::string("\"nkey\":\"").append(user_key) + "\",\"sig\":\"AAAA\""),
      "-ERR 'Authorization Violation'\r\n");
}

TEST(NatsLogin, GuestOnlyFromHere) {
  broker::TestBroker::Options broker_options;
  auth::AccessSpec spec;
  spec.users.push_back({"guest", auth::Secret("guest"), {}, true, false});
  spec.permissions.push_back({"guest", "/", ".*", ".*", ".*"});
  std::string culprit;
  broker_options.access = *auth::Access::build(spec, culprit);
  World world({}, std::move(broker_options));
  EXPECT_NE(world.connect(0, true).take().find("\"auth_required\":false"), std::string::npos);
  EXPECT_NE(world.connect(0, false).take().find("\"auth_required\":true"), std::string::npos);
}

NatsOptions with_rules() {
  NatsOptions options;
  auth::SubjectPermissions rules;
  rules.publish = {{"pub.>"}, {"pub.secret"}};
  rules.subscribe = {{"sub.>", "in.*", "pub.>", "jobs workers"}, {"sub.secret.>"}};
  rules.responses = auth::ResponseRule{1, std::chrono::seconds(10)};
  options.permissions["guest"] = rules;
  return options;
}

TEST(NatsPermissions, Publish) {
  World world(with_rules());
  Client& client = world.open();
  EXPECT_EQ(world.say(client, "SUB pub.> 1\r\nPUB pub.a 0\r\n\r\n"), "MSG pub.a 1 0\r\n\r\n");
  EXPECT_EQ(world.say(client, "PUB pub.secret 0\r\n\r\n"),
            "-ERR 'Permissions Violation for Publish to \"pub.secret\"'\r\n");
  EXPECT_EQ(world.say(client, "PUB other 0\r\n\r\n"),
            "-ERR 'Permissions Violation for Publish to \"other\"'\r\n");
  EXPECT_FALSE(client.closed());
}

TEST(NatsPermissions, Subscribe) {
  World world(with_rules());
  Client& client = world.open();
  EXPECT_EQ(world.say(client, "SUB other 1\r\n"),
            "-ERR 'Permissions Violation for Subscription to \"other\"'\r\n");
  EXPECT_EQ(world.say(client, "SUB jobs idle 1\r\n"),
            "-ERR 'Permissions Violation for Subscription to \"jobs\" using queue \"idle\"'\r\n");
  EXPECT_EQ(world.say(client, "SUB jobs workers 1\r\nSUB sub.a 2\r\nPING\r\n"), "PONG\r\n");
}

// Says what it is given to `name`, past the rules of NATS users.
void publish(World& world, std::string_view name, std::string_view reply) {
  struct Nobody final : broker::EventListener {
    void on_events() override {}
  } nobody;
  broker::Core& core = world.broker.core();
  auth::Principal who = *core.access().login_external("guest", true);
  broker::SessionId session = core.attach(nobody, core.access().vhost("/"), who);
  std::string properties{0, static_cast<char>(reply.size())};
  properties += reply;
  Bytes pieces[] = {bytes_of(properties)};
  ASSERT(core.publish_live(
      session, {.name = name, .format = nats_format, .properties = pieces, .body = {}}, {}));
  core.detach(session, std::nullopt);
  world.settle();
}

TEST(NatsPermissions, WildcardOverADenyIsFiltered) {
  World world(with_rules());
  Client& client = world.open();
  EXPECT_EQ(world.say(client, "SUB sub.> 1\r\nPING\r\n"), "PONG\r\n");
  publish(world, "sub.open", "r");
  EXPECT_EQ(client.take(), "MSG sub.open 1 r 0\r\n\r\n");
  publish(world, "sub.secret.x", "r");
  EXPECT_EQ(client.take(), "");
}

TEST(NatsPermissions, AnswersAreAllowedOnce) {
  World world(with_rules());
  Client& client = world.open();
  std::string refused = "-ERR 'Permissions Violation for Publish to \"asker.1\"'\r\n";
  EXPECT_EQ(world.say(client, "SUB sub.> 1\r\nPUB asker.1 0\r\n\r\n"), refused);
  publish(world, "sub.open", "asker.1");
  client.take();
  EXPECT_EQ(world.say(client, "PUB asker.1 0\r\n\r\n"), "");
  EXPECT_EQ(world.say(client, "PUB asker.1 0\r\n\r\n"), refused);
  publish(world, "sub.open", "asker.1");
  world.pass(std::chrono::seconds(11));
  client.take();
  EXPECT_EQ(world.say(client, "PUB asker.1 0\r\n\r\n"), refused);
}

}  // namespace
}  // namespace wharf::nats
