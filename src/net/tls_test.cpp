#include "net/tls.h"

#include <csignal>

#include "net/testing_tls.h"

namespace wharf::net {
namespace {

struct TlsTest : ::testing::Test {
  TestCertificate authority{"Test Authority"};
  TestCertificate server_identity{"localhost", &authority};
  TestCertificate alice{"alice", &authority};
  TestCertificate stranger{"alice"};
  std::unique_ptr<TlsContext> context;
  ServerOptions options;

  // The test's own client writes to closed sockets through OpenSSL, which does not ask for silence.
  TlsTest() { std::signal(SIGPIPE, SIG_IGN); }

  TlsOptions tls_options(ClientCertificates clients = ClientCertificates::ignored) const {
    return {server_identity.certificate_file(), server_identity.key_file(),
            authority.certificate_file(), clients, CertificateName::common_name};
  }
  const ServerOptions& use(const TlsOptions& tls) {
    auto made = TlsContext::make(tls);
    EXPECT_TRUE(made.has_value()) << made.error();
    context = std::move(*made);
    options.tls = context.get();
    return options;
  }
};

TEST_F(TlsTest, EchoesOverBothVersions) {
  TestServer server(use(tls_options()));
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TestTlsClient client(server.port, version);
    ASSERT_TRUE(client.connected);
    EXPECT_EQ(client.ask("hello"), "hello");
    ASSERT_TRUE(client.send(unit("flood") + unit("flood") + unit("end")));
    EXPECT_EQ(client.receive(512 * 1024), std::string(512 * 1024, 'x'));
    EXPECT_EQ(client.receive(4), unit("end"));
  }
}

TEST_F(TlsTest, OldVersionsAreRefused) {
  TestServer server(use(tls_options()));
  TestTlsClient client(server.port, TLS1_1_VERSION);
  EXPECT_FALSE(client.connected);
  EXPECT_TRUE(
      TestServer::eventually([&] { return server.ended_by(EndReason::handshake_failed) == 1; }));
  EXPECT_EQ(server.journal.opened, 0);
}

TEST_F(TlsTest, EndsWithCloseNotify) {
  TestServer server(use(tls_options()));
  TestTlsClient client(server.port);
  EXPECT_EQ(client.ask("close"), "close");
  EXPECT_TRUE(client.at_clean_end());
}

TEST_F(TlsTest, ThePeersGoodbyeEndsTheConnection) {
  TestServer server(use(tls_options()));
  TestTlsClient client(server.port);
  EXPECT_EQ(client.ask("hi"), "hi");
  client.say_goodbye();
  EXPECT_TRUE(TestServer::eventually([&] { return server.ended_by(EndReason::by_peer) == 1; }));
}

TEST_F(TlsTest, AVerifiedCertificateNamesThePeer) {
  TestServer server(use(tls_options(ClientCertificates::optional)));
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TestTlsClient named(server.port, version, &alice);
    EXPECT_EQ(named.ask("name"), "alice");
    TestTlsClient nameless(server.port, version);
    ASSERT_TRUE(nameless.send(unit("name")));
    EXPECT_EQ(nameless.receive(1), std::string(1, '\0'));
  }
}

TEST_F(TlsTest, TheDistinguishedNameIfSoConfigured) {
  TlsOptions tls = tls_options(ClientCertificates::required);
  tls.name = CertificateName::distinguished_name;
  TestServer server(use(tls));
  TestTlsClient client(server.port, 0, &alice);
  EXPECT_EQ(client.ask("name"), "CN=alice,O=Wharf Tests");
}

TEST_F(TlsTest, ACertificateOfAnotherAuthorityEndsTheHandshake) {
  for (auto clients : {ClientCertificates::optional, ClientCertificates::required}) {
    TestServer server(use(tls_options(clients)));
    for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      TestTlsClient client(server.port, version, &stranger);
      EXPECT_EQ(client.connected ? client.ask("name") : "", "");
    }
    EXPECT_EQ(server.journal.opened, 0);
  }
}

TEST_F(TlsTest, RequiredMeansRequired) {
  TestServer server(use(tls_options(ClientCertificates::required)));
  TestTlsClient client(server.port);
  EXPECT_EQ(client.connected ? client.ask("name") : "", "");
  EXPECT_EQ(server.journal.opened, 0);
}

TEST_F(TlsTest, PlainBytesCloseQuietly) {
  TestServer server(use(tls_options()));
  TestClient client(server.port);
  ASSERT_TRUE(client.send("AMQP\x01\x02\x03\x04 plain bytes, no record"));
  EXPECT_LT(client.receive(100).size(), 10u) << "at most an alert";
  EXPECT_TRUE(
      TestServer::eventually([&] { return server.ended_by(EndReason::handshake_failed) == 1; }));
  EXPECT_EQ(server.journal.opened, 0);
}

TEST_F(TlsTest, ASilentPeerIsNotWaitedForLong) {
  options.connection.handshake_timeout = std::chrono::milliseconds(30);
  TestServer server(use(tls_options()));
  TestClient client(server.port);
  EXPECT_TRUE(client.at_end());
  EXPECT_TRUE(TestServer::eventually([&] { return server.ended_by(EndReason::timed_out) == 1; }));
}

// A recorded hello, cut off after every few bytes: nothing is opened, nothing stays.
TEST_F(TlsTest, HangUpDuringTheHandshake) {
  TestServer server(use(tls_options()));
  std::string hello = std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
  hello += std::string(200, '\x07');
  for (std::size_t size = 0; size < hello.size(); size += 9) {
    TestClient client(server.port);
    client.send(std::string_view(hello).substr(0, size));
    size % 2 == 0 ? client.hang_up() : client.reset();
  }
  EXPECT_TRUE(TestServer::eventually([&] { return server.connections() == 0; }));
  EXPECT_EQ(server.journal.opened, 0);
}

TEST_F(TlsTest, SaysWhichFileIsWrong) {
  TlsOptions tls = tls_options();
  tls.key_file = alice.key_file();
  auto wrong_key = TlsContext::make(tls);
  ASSERT_FALSE(wrong_key.has_value());
  EXPECT_NE(wrong_key.error().find(alice.key_file()), std::string::npos);
  tls = tls_options();
  tls.certificate_file = "missing.pem";
  auto missing = TlsContext::make(tls);
  ASSERT_FALSE(missing.has_value());
  EXPECT_NE(missing.error().find("missing.pem"), std::string::npos);
  tls = tls_options(ClientCertificates::optional);
  tls.ca_file.clear();
  EXPECT_FALSE(TlsContext::make(tls).has_value());
}

}  // namespace
}  // namespace wharf::net
