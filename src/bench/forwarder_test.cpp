#include "bench/forwarder.h"

#include <atomic>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

namespace wharf::bench {
namespace {

class Running {
 public:
  explicit Running(LiveKind kind) : forwarder_(Forwarder::listen(kind, "127.0.0.1", 0).value()) {
    thread_ = std::thread([this] { (void)forwarder_->run([this] { return stopped_.load(); }); });
  }
  ~Running() {
    stopped_ = true;
    thread_.join();
  }
  Socket connect() { return connect_to("127.0.0.1", forwarder_->port()).value(); }

 private:
  std::unique_ptr<Forwarder> forwarder_;
  std::atomic<bool> stopped_ = false;
  std::thread thread_;
};

void write(const Socket& socket, std::string_view bytes) {
  while (!bytes.empty()) {
    ASSERT_TRUE(socket.wait(POLLOUT));
    ssize_t size = send(socket.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ASSERT_GT(size, 0);
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
}

// Until the text ends with `end`, the connection does, or nothing comes for ten seconds.
std::string read_until(const Socket& socket, std::string_view end) {
  std::string text;
  while (!text.ends_with(end) && socket.wait(POLLIN)) {
    char bytes[4096];
    ssize_t size = recv(socket.fd(), bytes, sizeof(bytes), 0);
    if (size <= 0) break;
    text.append(bytes, static_cast<std::size_t>(size));
  }
  return text;
}

TEST(Forwarder, NatsAtEverySplit) {
  Running running(LiveKind::nats);
  Socket first = running.connect();
  Socket second = running.connect();
  read_until(first, "\r\n");
  write(first, "CONNECT {}\r\nSUB a 1\r\nSUB b queue 7\r\nPING\r\n");
  EXPECT_EQ(read_until(first, "PONG\r\n"), "PONG\r\n");
  read_until(second, "\r\n");
  std::string all = "PUB a 3\r\n\r\nx\r\nPUB none 1\r\nx\r\nPUB b r.1 0\r\n\r\nPUB a 1\r\ny\r\n";
  for (char each : all) write(second, {&each, 1});
  EXPECT_EQ(read_until(first, "y\r\n"),
            "MSG a 1 3\r\n\r\nx\r\nMSG b 7 r.1 0\r\n\r\nMSG a 1 1\r\ny\r\n");
}

TEST(Forwarder, RedisAtEverySplit) {
  Running running(LiveKind::redis);
  Socket first = running.connect();
  Socket second = running.connect();
  write(first, "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n");
  EXPECT_EQ(read_until(first, ":1\r\n"), "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
  std::string all =
      "*2\r\n$4\r\nAUTH\r\n$1\r\np\r\n*1\r\n$4\r\nPING\r\n"
      "*3\r\n$7\r\nPUBLISH\r\n$1\r\na\r\n$2\r\n\r\n\r\n*3\r\n$7\r\nPUBLISH\r\n$1\r\nb\r\n$0\r\n\r\n"
      "*1\r\n$1\r\nX\r\n";
  for (char each : all) write(second, {&each, 1});
  EXPECT_EQ(read_until(second, "command\r\n"),
            "+OK\r\n+PONG\r\n:1\r\n:0\r\n-ERR unknown command\r\n");
  EXPECT_EQ(read_until(first, "\r\n\r\n\r\n"), "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\n\r\n\r\n");
}

TEST(Forwarder, ABrokenPeerHarmsOnlyItself) {
  for (LiveKind kind : {LiveKind::nats, LiveKind::redis}) {
    Running running(kind);
    Socket good = running.connect();
    if (kind == LiveKind::nats) read_until(good, "\r\n");
    for (std::string_view bad : {"PUB a x\r\n", "PUB a 99999999999\r\n", "*x\r\n",
                                 "*1\r\nhello\r\n", "*3\r\n$7\r\nPUBLISH\r\n$x\r\n", "\r\n"}) {
      bool nats = bad.starts_with('P');
      if (!bad.starts_with('\r') && nats != (kind == LiveKind::nats)) continue;
      Socket peer = running.connect();
      write(peer, bad);
      if (!bad.starts_with('\r')) read_until(peer, "never");  // it is closed
    }
    write(good, kind == LiveKind::nats ? "PING\r\n" : "*1\r\n$4\r\nPING\r\n");
    EXPECT_TRUE(read_until(good, "PONG\r\n").ends_with("PONG\r\n"));
  }
}

}  // namespace
}  // namespace wharf::bench
