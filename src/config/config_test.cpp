#include "config/config.h"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace wharf::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Errors errors_of(std::string_view toml) {
  auto config = parse(toml, "t.toml");
  return config ? Errors{} : config.error();
}

TEST(Config, TheEmptyFileIsTheDefaults) {
  auto config = parse("", "t.toml");
  ASSERT_TRUE(config.has_value());
  complete(*config, 4);
  EXPECT_TRUE(validate(*config).empty());
  EXPECT_EQ(config->server.threads, 4u);
  EXPECT_EQ(config->server.shards, 4u);
  EXPECT_THAT(config->amqp.listen, ElementsAre(Endpoint{"127.0.0.1", 5672}));
  ASSERT_EQ(config->auth.users.size(), 1u);
  EXPECT_TRUE(config->auth.users[0].loopback_only);
  EXPECT_THAT(config->auth.vhosts, ElementsAre("/"));
  EXPECT_EQ(config->auth.permissions.size(), 1u);
}

TEST(Config, ReadsEveryKind) {
  auto config = parse(R"(
data_dir = "/var/lib/wharf"
threads = 2
[net]
connections_max = 50
[amqp]
listen = ["0.0.0.0:5672", "[::1]:5673"]
[amqp.tls]
listen = ["*:5671"]
certificate_file = "c.pem"
key_file = "k.pem"
ca_file = "ca.pem"
client_certificates = "required"
[log]
format = "json"
[[vhost]]
name = "/"
[[user]]
name = "alice"
password_hash = "x"
[[permission]]
user = "alice"
vhost = "/"
write = "^orders"
)",
                      "t.toml");
  ASSERT_TRUE(config.has_value()) << config.error()[0];
  complete(*config, 8);
  EXPECT_TRUE(validate(*config).empty());
  EXPECT_EQ(config->server.threads, 2u);
  EXPECT_THAT(config->amqp.listen, ElementsAre(Endpoint{"0.0.0.0", 5672}, Endpoint{"::1", 5673}));
  EXPECT_EQ(config->amqp.tls.client_certificates, ClientCertificates::required);
  EXPECT_EQ(config->log.format, LogFormat::json);
  EXPECT_EQ(config->auth.permissions[0].write, "^orders");
  EXPECT_EQ(config->auth.permissions[0].read, ".*");
  EXPECT_EQ(config->auth.users.size(), 1u) << "no guest beside named users";
}

TEST(Config, AnEmptyListTurnsAListenerOff) {
  auto config = parse("[amqp]\nlisten = []\n", "t.toml");
  ASSERT_TRUE(config.has_value());
  EXPECT_TRUE(config->amqp.listen.empty());
}

TEST(Config, UnknownKeysAreErrorsWithLines) {
  EXPECT_THAT(errors_of("\n\nthreds = 3\n[net]\nfoo = 1\n[[user]]\nname='a'\nroot=true\n"),
              ElementsAre(HasSubstr("t.toml:5: net.foo is not a known key"),
                          HasSubstr("t.toml:8: user.root is not a known key"),
                          HasSubstr("t.toml:3: threds is not a known key")));
}

TEST(Config, WrongKindsAndRanges) {
  EXPECT_THAT(errors_of("threads = \"two\""), ElementsAre(HasSubstr("t.toml:1: threads must be")));
  EXPECT_THAT(errors_of("threads = -1"), ElementsAre(HasSubstr("from 0 to 1024")));
  EXPECT_THAT(errors_of("threads = 1.5"), ElementsAre(HasSubstr("from 0 to 1024")));
  EXPECT_THAT(errors_of("data_dir = 3"), ElementsAre(HasSubstr("must be a text")));
  EXPECT_THAT(errors_of("net = 3"), ElementsAre(HasSubstr("must be a table")));
  EXPECT_THAT(errors_of("user = 3"), ElementsAre(HasSubstr("[[user]]")));
  EXPECT_THAT(errors_of("[storage]\naccept_damage = 1"), ElementsAre(HasSubstr("true or false")));
  EXPECT_THAT(errors_of("[log]\nformat = \"xml\""), ElementsAre(HasSubstr("text, json")));
  EXPECT_THAT(errors_of("[amqp]\nlisten = [1]"), ElementsAre(HasSubstr("must be a text")));
  EXPECT_THAT(errors_of("[amqp]\nlisten = [\"x\"]"), ElementsAre(HasSubstr("ADDRESS:PORT")));
  EXPECT_THAT(errors_of("a = = 1"), ElementsAre(HasSubstr("t.toml:1: ")));
}

TEST(Config, WhatDoesNotFitTogether) {
  Config config;
  config.auth.users.resize(3);
  config.auth.users[0].name = config.auth.users[0].password = "guest";
  config.auth.users[1].name = config.auth.users[2].name = "bob";
  config.auth.permissions = {{"eve", "moon", "", "", ""}};
  config.amqp.tls.listen = {{"127.0.0.1", 5671}};
  config.amqp.tls.client_certificates = ClientCertificates::required;
  config.log.level = "loud";
  std::string all;
  for (const std::string& error : validate(config)) all += error + "\n";
  for (const char* part : {"loopback_only", "two users bob", "unknown user \"eve\"",
                           "unknown vhost \"moon\"", "certificate_file", "ca_file", "loud"}) {
    EXPECT_THAT(all, HasSubstr(part));
  }
}

TEST(Config, TheVersionThatClientsAreToldIsThreeNumbers) {
  auto config = parse("[amqp]\nproduct = \"Wharf\"\nversion = \"3.13.7\"\n", "t.toml");
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->amqp.product, "Wharf");
  EXPECT_TRUE(validate(*config).empty());
  for (const char* wrong : {"", "4", "4.2", "4.2.", ".4.2", "4..2", "4.2.0.1", "4.2.x", "v4.2.0"}) {
    config->amqp.version = wrong;
    EXPECT_EQ(validate(*config).size(), 1u) << wrong;
  }
}

TEST(Config, Endpoints) {
  EXPECT_EQ(*parse_endpoint("5672"), (Endpoint{"127.0.0.1", 5672}));
  EXPECT_EQ(*parse_endpoint("*:1"), (Endpoint{"*", 1}));
  EXPECT_EQ(*parse_endpoint("[::]:1"), (Endpoint{"::", 1}));
  EXPECT_EQ(to_text({"::1", 80}), "[::1]:80");
  EXPECT_EQ(to_text({"10.0.0.1", 80}), "10.0.0.1:80");
  for (const char* wrong : {"", ":1", "host:", "host:65536", "::1:80", "host:1x", "host:-1"}) {
    EXPECT_FALSE(parse_endpoint(wrong).has_value()) << wrong;
  }
}

TEST(Config, ThePermissionsOfTheVhostThatIsThereAnyway) {
  auto config = parse("[[user]]\nname='a'\n[[permission]]\nuser='a'\nvhost='/'\n", "t.toml");
  ASSERT_TRUE(config.has_value());
  EXPECT_TRUE(validate(*config).empty());
}

// The example shows every key with its default; its commented part is valid too.
TEST(Config, TheExampleFileIsTheDefaults) {
  std::filesystem::path file = std::filesystem::path(__FILE__).parent_path() / "../../config";
  auto example = load(file / "wharf.example.toml");
  ASSERT_TRUE(example.has_value()) << example.error()[0];
  EXPECT_TRUE(validate(*example).empty());
  auto lines = [](Config config) {
    complete(config, 3);
    std::string all = config.server.data_dir + config.log.level;
    for (const LimitLine& line : sum_of_limits(config, 3)) all += std::to_string(line.bytes) + " ";
    return all;
  };
  EXPECT_EQ(lines(*example), lines(Config()));
  EXPECT_EQ(example->amqp.listen, Config().amqp.listen);
  EXPECT_EQ(example->amqp.product + example->amqp.version,
            Config().amqp.product + Config().amqp.version);
  EXPECT_EQ(example->redis.listen, Config().redis.listen);
  EXPECT_EQ(example->auth.users.size(), 0u);
}

TEST(Config, TheSumIsTheSum) {
  Config config;
  complete(config, 2);
  std::vector<LimitLine> lines = sum_of_limits(config, 2);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) total += lines[i].bytes;
  EXPECT_EQ(lines.back().bytes, total);
  EXPECT_EQ(lines.back().name, "sum");
}

}  // namespace
}  // namespace wharf::config
