#include "net/acceptor.h"

#include <fcntl.h>

#include "net/testing.h"

namespace wharf::net {
namespace {

TEST(Acceptor, SpreadsEvenly) {
  ServerOptions options;
  options.sets = 2;
  TestServer server(options);
  std::vector<TestClient> clients;
  for (int i = 0; i < 6; ++i) {
    clients.emplace_back(server.port);
    EXPECT_EQ(clients.back().ask("x"), "x");
  }
  EXPECT_EQ(server.connections_of(0), 3u);
  EXPECT_EQ(server.connections_of(1), 3u);
}

TEST(Acceptor, GivesTheNextToTheSetWithTheFewest) {
  ServerOptions options;
  options.sets = 2;
  TestServer server(options);
  std::vector<TestClient> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back(server.port);
    EXPECT_EQ(clients.back().ask("x"), "x");
  }
  // The first and third went to one set; without them the other has two.
  clients[0].hang_up();
  clients[2].hang_up();
  EXPECT_TRUE(TestServer::eventually([&] { return server.connections() == 2; }));
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back(server.port);
    EXPECT_EQ(clients.back().ask("x"), "x");
  }
  EXPECT_EQ(server.connections_of(0), 2u);
  EXPECT_EQ(server.connections_of(1), 2u);
}

TEST(Acceptor, AFloodOverTheLimitIsTurnedAway) {
  ServerOptions options;
  options.sets = 2;
  options.accept.connections_max = 20;
  options.accept.accepts_per_turn_max = 4;
  TestServer server(options);
  std::vector<TestClient> clients;
  clients.reserve(100);
  for (int i = 0; i < 100; ++i) clients.emplace_back(server.port);
  EXPECT_TRUE(TestServer::eventually([&] { return server.journal.refused == 80; }));
  EXPECT_EQ(server.connections(), 20u);
  int served = 0;
  for (TestClient& client : clients) {
    served += client.send(unit("x")) && client.receive(2) == unit("x") ? 1 : 0;
  }
  EXPECT_EQ(served, 20);
  clients.clear();
  EXPECT_TRUE(TestServer::eventually([&] { return server.connections() == 0; }));
  TestClient late(server.port);
  EXPECT_EQ(late.ask("room again"), "room again");
}

TEST(Acceptor, SurvivesWithoutFileDescriptors) {
  TestServer server;
  TestClient before(server.port);
  EXPECT_EQ(before.ask("x"), "x");
  // The client's end of the connection to come must exist before all others are used up.
  int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  timeval limit{test_patience.count(), 0};
  ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  std::vector<int> hoard;
  for (;;) {
    int descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) break;
    hoard.push_back(descriptor);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  char byte = 0;
  EXPECT_EQ(::recv(client, &byte, 1, 0), 0) << "turned away, not left hanging";
  for (int descriptor : hoard) ::close(descriptor);
  ::close(client);
  EXPECT_GE(server.journal.refused, 1);
  EXPECT_EQ(before.ask("still here"), "still here");
  TestClient after(server.port);
  EXPECT_EQ(after.ask("y"), "y");
}

TEST(Acceptor, SaysWhyItCannotListen) {
  TestServer server;
  SystemClock clock;
  runtime::Loop loop(clock);
  struct Silent : ConnectionObserver, AcceptObserver {
    void on_opened(const Peer&) override {}
    void on_ended(const Peer&, EndReason) override {}
    void on_refused(const char*) override {}
  } silent;
  ConnectionSet set(loop, clock, {}, silent, {});
  Acceptor acceptor(loop, {&set}, {}, silent);
  EXPECT_FALSE(acceptor.listen({"127.0.0.1", server.port}, 0).has_value());
  EXPECT_FALSE(acceptor.listen({"no such host", 0}, 0).has_value());
  auto port = acceptor.listen({"localhost", 0}, 0);
  ASSERT_TRUE(port.has_value());
  EXPECT_NE(*port, 0);
}

TEST(Address, Texts) {
  auto text = [](const char* host) { return to_text(*to_endpoint({host, 80})); };
  EXPECT_EQ(text("127.0.0.1"), "127.0.0.1:80");
  EXPECT_EQ(text("::1"), "[::1]:80");
  EXPECT_EQ(text("::ffff:10.0.0.1"), "10.0.0.1:80");
  EXPECT_EQ(text("*"), "[::]:80");
  EXPECT_TRUE(is_loopback(*to_endpoint({"::ffff:127.0.0.2", 1})));
  EXPECT_TRUE(is_loopback(*to_endpoint({"::1", 1})));
  EXPECT_FALSE(is_loopback(*to_endpoint({"10.0.0.1", 1})));
  EXPECT_FALSE(to_endpoint({"example.org", 1}).has_value());
}

}  // namespace
}  // namespace wharf::net
