#include "net/connection.h"

#include "net/testing.h"

namespace wharf::net {
namespace {

using std::chrono::milliseconds;

TEST(Connection, EchoesWhateverTheSplit) {
  TestServer server;
  std::string script = unit("a") + unit("") + unit("hello") + unit(std::string(200, 'z'));
  for (std::size_t piece = 1; piece <= script.size(); piece = piece < 8 ? piece + 1 : piece * 2) {
    SCOPED_TRACE(piece);
    TestClient client(server.port);
    for (std::size_t at = 0; at < script.size(); at += piece) {
      ASSERT_TRUE(client.send(std::string_view(script).substr(at, piece)));
      if (piece < 4) std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    EXPECT_EQ(client.receive(script.size()), script);
  }
}

TEST(Connection, HangUpAfterEveryByteGivesTheSessionBack) {
  TestServer server;
  std::string script = unit("one") + unit("pause") + unit("two") + unit("tick");
  int count = 0;
  for (std::size_t size = 0; size <= script.size(); ++size) {
    for (bool hard : {false, true}) {
      TestClient client(server.port);
      client.send(std::string_view(script).substr(0, size));
      hard ? client.reset() : client.hang_up();
      ++count;
    }
  }
  EXPECT_TRUE(TestServer::eventually([&] { return server.connections() == 0; }));
  EXPECT_TRUE(
      TestServer::eventually([&] { return server.journal.closed == server.journal.opened; }));
  EXPECT_LE(server.journal.opened, count);
}

TEST(Connection, HeldInputIsOfferedAgainAfterTheWake) {
  TestServer server;
  TestClient client(server.port);
  std::string expected = unit("before") + unit("resumed") + unit("after");
  ASSERT_TRUE(client.send(unit("before") + unit("pause") + unit("after")));
  EXPECT_EQ(client.receive(expected.size()), expected);
  EXPECT_EQ(server.journal.wakes, 1) << "two wake() in a turn are one on_wake";
}

TEST(Connection, DeadlinesFire) {
  TestServer server;
  TestClient client(server.port);
  EXPECT_EQ(client.ask("tick"), "tick");
  EXPECT_EQ(client.ask("tick"), "tick");
}

TEST(Connection, ClosingFlushesThenEndsCleanly) {
  TestServer server;
  TestClient client(server.port);
  // What stands behind the closing unit is never read by the session and must not reset the stream.
  ASSERT_TRUE(client.send(unit("flood") + unit("close") + unit("ignored")));
  EXPECT_EQ(client.receive(256 * 1024).size(), 256u * 1024);
  EXPECT_EQ(client.receive(6), unit("close"));
  EXPECT_TRUE(client.at_end());
  EXPECT_TRUE(TestServer::eventually([&] { return server.journal.closed == 1; }));
  client.hang_up();
  EXPECT_TRUE(TestServer::eventually([&] { return server.ended_by(EndReason::by_session) == 1; }));
}

TEST(Connection, APeerThatNeverEndsItsSideIsWaitedForBriefly) {
  ServerOptions options;
  options.connection.linger_timeout = milliseconds(30);
  TestServer server(options);
  TestClient client(server.port);
  EXPECT_EQ(client.ask("close"), "close");
  EXPECT_TRUE(TestServer::eventually([&] { return server.connections() == 0; }));
}

TEST(Connection, HalfCloseStillGetsTheAnswers) {
  TestServer server;
  TestClient client(server.port);
  ASSERT_TRUE(client.send(unit("flood") + unit("last") + "\x09half"));
  client.half_close();
  EXPECT_EQ(client.receive(256 * 1024).size(), 256u * 1024);
  EXPECT_EQ(client.receive(5), unit("last"));
  EXPECT_TRUE(client.at_end());
  EXPECT_TRUE(TestServer::eventually([&] { return server.ended_by(EndReason::by_peer) == 1; }));
}

TEST(Connection, ASlowReaderIsNotReadFrom) {
  ServerOptions options;
  options.connection.unsent_bytes_high = 1 << 20;
  TestServer server(options);
  TestClient client(server.port, 4096);
  constexpr int floods = 60;
  for (int i = 0; i < floods; ++i) {
    EXPECT_TRUE(client.send(unit("flood")));
    std::this_thread::sleep_for(milliseconds(2));
  }
  EXPECT_TRUE(client.send(unit("end")));
  EXPECT_LT(server.journal.unsent_max, floods * 256u * 1024 / 2) << "reading has stopped";
  std::size_t received = 0;
  while (received < floods * 256 * 1024) {
    std::size_t size = client.receive(256 * 1024).size();
    ASSERT_GT(size, 0u);
    received += size;
  }
  EXPECT_EQ(client.receive(4), unit("end"));
  EXPECT_GE(server.journal.wakes, 1) << "told that output has drained";
}

TEST(Connection, APeerThatReadsNothingAtTheEndIsCutOff) {
  ServerOptions options;
  options.connection.flush_timeout = milliseconds(50);
  TestServer server(options);
  TestClient client(server.port, 4096);
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(client.send(unit("flood")));
  ASSERT_TRUE(client.send(unit("close")));
  EXPECT_TRUE(TestServer::eventually([&] { return server.ended_by(EndReason::by_session) == 1; }));
  EXPECT_EQ(server.journal.closed, 1);
}

TEST(Connection, AUnitAboveTheCapEndsTheConnection) {
  ServerOptions options;
  options.connection.unit_bytes_max = 100;
  TestServer server(options);
  TestClient client(server.port);
  client.send(std::string(1, '\xff') + std::string(150, 'x'));
  EXPECT_TRUE(TestServer::eventually([&] { return server.ended_by(EndReason::too_large) == 1; }));
}

TEST(Connection, StopSaysGoodbye) {
  TestServer server;
  TestClient client(server.port);
  EXPECT_EQ(client.ask("hi"), "hi");
  server.stop(std::chrono::seconds(5));
  EXPECT_EQ(client.receive(4), unit("bye"));
  EXPECT_TRUE(client.at_end());
}

TEST(Connection, StopCutsOffWhoDoesNotLeave) {
  TestServer server;
  TestClient client(server.port);
  EXPECT_EQ(client.ask("stubborn"), "stubborn");
  server.stop(milliseconds(30));
  EXPECT_EQ(client.receive(4), unit("bye"));
  EXPECT_TRUE(TestServer::eventually([&] { return server.connections() == 0; }));
  EXPECT_EQ(server.ended_by(EndReason::stopped), 1);
}

}  // namespace
}  // namespace wharf::net
