#include "bench/live_bench.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include "bench/forwarder.h"

namespace wharf::bench {
namespace {

// The forwarder on a thread of its own, for either protocol.
class Server {
 public:
  explicit Server(LiveKind kind)
      : kind_(kind), forwarder_(Forwarder::listen(kind, "127.0.0.1", 0).value()) {
    thread_ = std::thread([this] { (void)forwarder_->run([this] { return stopped_.load(); }); });
  }
  ~Server() {
    stopped_ = true;
    thread_.join();
  }
  const LiveProtocol& protocol() const {
    return kind_ == LiveKind::nats ? nats_protocol() : redis_protocol();
  }
  std::string url() const {
    return std::string(protocol().name()) + "://127.0.0.1:" + std::to_string(forwarder_->port());
  }

 private:
  const LiveKind kind_;
  std::unique_ptr<Forwarder> forwarder_;
  std::atomic<bool> stopped_ = false;
  std::thread thread_;
};

struct Output {
  int exit_code = 0;
  std::string json;
  double number(const std::string& name) const {
    std::size_t at = json.find('"' + name + "\": ");
    return at == std::string::npos ? -1 : std::stod(json.substr(at + name.size() + 4));
  }
};

Output run(LiveBenchOptions options, const LiveProtocol& protocol, const std::string& url) {
  options.url = url;
  options.run.json = true;
  testing::internal::CaptureStdout();
  Output output;
  output.exit_code = run_live_bench(protocol, options);
  output.json = testing::internal::GetCapturedStdout();
  return output;
}

class LiveBench : public testing::TestWithParam<LiveKind> {
 protected:
  Output run_here(LiveBenchOptions options) {
    return run(std::move(options), server_.protocol(), server_.url());
  }
  Server server_{GetParam()};
};

TEST_P(LiveBench, EverySize) {
  for (std::uint32_t size : {0u, 7u, 8u, 16u, 1024u, 16384u, 200'000u}) {
    SCOPED_TRACE(size);
    Output output =
        run_here({.body_size = size, .depth = 10, .check = size >= 16, .run = {.messages = 1001}});
    EXPECT_EQ(output.exit_code, 0) << output.json;
    EXPECT_EQ(output.number("sent"), 1001);
    EXPECT_EQ(output.number("received"), 1001);
    EXPECT_EQ(output.number("missing"), 0);
    bool stamped = output.json.find("\"publish_to_deliver\": {\"count\": ") != std::string::npos;
    EXPECT_EQ(stamped, size >= 8) << output.json;
  }
}

TEST_P(LiveBench, EveryPattern) {
  struct Case {
    std::uint32_t publishers, subscribers, names, expected;
  };
  // Number i works on name i modulo names, so 3 publishers on 2 names send 668 and 332 of 1000.
  for (Case each : {Case{1, 8, 1, 8000}, Case{4, 4, 4, 1000}, Case{4, 4, 1, 4000}, Case{1, 0, 1, 0},
                    Case{2, 1, 2, 500}, Case{4, 3, 2, 1500}}) {
    SCOPED_TRACE(each.expected);
    Output output = run_here({.publishers = each.publishers,
                              .subscribers = each.subscribers,
                              .names = each.names,
                              .body_size = 16,
                              .depth = 100,
                              .check = true,
                              .run = {.messages = 1000}});
    EXPECT_EQ(output.exit_code, 0) << output.json;
    EXPECT_EQ(output.number("expected"), each.expected);
    EXPECT_EQ(output.number("received"), each.expected);
  }
}

TEST_P(LiveBench, Requests) {
  Output output = run_here({.mode = LiveMode::request,
                            .publishers = 11,
                            .subscribers = 3,
                            .names = 3,
                            .body_size = 16,
                            .depth = 2,
                            .check = true,
                            .run = {.messages = 1000}});
  EXPECT_EQ(output.exit_code, 0) << output.json;
  EXPECT_EQ(output.number("received"), 1000);
  EXPECT_NE(output.json.find("\"publish_to_deliver\": {\"count\": 1000"), std::string::npos);
}

TEST_P(LiveBench, ForATimeAtARate) {
  Output output = run_here({.publishers = 2,
                            .depth = 1000,
                            .run = {.seconds = 0.5, .warmup_seconds = 0.1, .rate = 2000}});
  EXPECT_EQ(output.exit_code, 0) << output.json;
  EXPECT_GT(output.number("sent_per_s"), 1000);
  EXPECT_LT(output.number("sent_per_s"), 3000);
  EXPECT_GT(output.number("max_us"), 0);
  EXPECT_LT(output.number("max_us"), 60e6);
}

TEST_P(LiveBench, AsFastAsItGoes) {
  Output output =
      run_here({.window = 10000, .check = true, .run = {.seconds = 0.3, .warmup_seconds = 0.1}});
  EXPECT_EQ(output.exit_code, 0) << output.json;
  EXPECT_GT(output.number("received"), 1000);
}

TEST_P(LiveBench, SaysThatTheServerIsGone) {
  testing::internal::CaptureStderr();
  std::string url = std::string(server_.protocol().name()) + "://127.0.0.1:1";
  EXPECT_EQ(run({}, server_.protocol(), url).exit_code, 1);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("Connection refused"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Both, LiveBench, testing::Values(LiveKind::nats, LiveKind::redis),
                         [](const auto& each) {
                           return each.param == LiveKind::nats ? "Nats" : "Redis";
                         });

// A NATS server for one publisher and one subscriber that does not do what it should.
class BadServer {
 public:
  enum class Vice { loses, swaps, repeats, pings, refuses };
  explicit BadServer(Vice vice) : vice_(vice), listener_(listen_on("127.0.0.1", 0).value()) {
    thread_ = std::thread([this] { serve(); });
  }
  ~BadServer() {
    stopped_ = true;
    thread_.join();
  }
  std::string url() const { return "nats://127.0.0.1:" + std::to_string(port_of(listener_)); }
  int pongs() const { return pongs_; }

 private:
  struct Peer {
    Socket socket;
    std::string input = {};
    bool closed = false;
  };

  void serve();
  void on_input(Peer& peer);
  void on_publish(std::string body);
  void write(const Socket& to, std::string_view bytes) {
    while (!bytes.empty() && to.wait(POLLOUT)) {
      ssize_t size = send(to.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size < 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(size));
    }
  }

  const Vice vice_;
  Socket listener_;
  std::vector<std::unique_ptr<Peer>> peers_;
  const Socket* subscriber_ = nullptr;
  int count_ = 0;
  std::string held_;
  std::atomic<int> pongs_ = 0;
  std::atomic<bool> stopped_ = false;
  std::thread thread_;
};

void BadServer::serve() {
  while (!stopped_) {
    std::vector<pollfd> ready{{listener_.fd(), POLLIN, 0}};
    for (auto& peer : peers_) ready.push_back({peer->socket.fd(), POLLIN, 0});
    poll(ready.data(), ready.size(), 10);
    for (std::size_t i = 1; i < ready.size(); ++i) {
      if (ready[i].revents) on_input(*peers_[i - 1]);
    }
    std::erase_if(peers_, [](const auto& peer) { return peer->closed; });
    if (ready[0].revents) {
      peers_.push_back(std::make_unique<Peer>(accept_from(listener_)));
      write(peers_.back()->socket, "INFO {} \r\n");
    }
  }
}

void BadServer::on_input(Peer& peer) {
  char bytes[4096];
  ssize_t size = recv(peer.socket.fd(), bytes, sizeof(bytes), 0);
  if (size <= 0) {
    if (subscriber_ == &peer.socket) subscriber_ = nullptr;
    peer.closed = true;
    return;
  }
  peer.input.append(bytes, static_cast<std::size_t>(size));
  while (true) {
    std::size_t end = peer.input.find("\r\n");
    if (end == std::string::npos) return;
    std::string line = peer.input.substr(0, end);
    std::size_t used = end + 2;
    if (line.starts_with("PUB ")) {
      std::size_t body_size = std::stoul(line.substr(line.rfind(' ')));
      if (peer.input.size() < used + body_size + 2) return;
      on_publish(peer.input.substr(used, body_size));
      used += body_size + 2;
    }
    if (line.starts_with("SUB ")) subscriber_ = &peer.socket;
    if (line == "PONG") ++pongs_;
    if (line == "PING") {
      write(peer.socket,
            vice_ == Vice::refuses ? "-ERR 'Authorization Violation'\r\n" : "PONG\r\n");
    }
    peer.input.erase(0, used);
  }
}

void BadServer::on_publish(std::string body) {
  if (!subscriber_) return;
  bool chosen = ++count_ % 10 == 0;
  std::string message = "MSG bench.0 1 " + std::to_string(body.size()) + "\r\n" + body + "\r\n";
  if (chosen && vice_ == Vice::loses) return;
  if (chosen && vice_ == Vice::repeats) write(*subscriber_, message);
  if (chosen && vice_ == Vice::pings) write(*subscriber_, "PING\r\n");
  if (chosen && vice_ == Vice::swaps) {
    held_ = message;
    return;
  }
  write(*subscriber_, message + std::exchange(held_, {}));
}

constexpr LiveBenchOptions checked = {
    .body_size = 16, .check = true, .run = {.patience_seconds = 0.3, .messages = 105}};

TEST(LiveBenchFaults, SaysWhatIsMissing) {
  BadServer server(BadServer::Vice::loses);
  LiveBenchOptions options = checked;
  Output output = run(options, nats_protocol(), server.url());
  EXPECT_EQ(output.exit_code, 1);
  EXPECT_EQ(output.number("missing"), 10);
  EXPECT_EQ(output.number("skipped"), 10);
  options.check = false;
  output = run(options, nats_protocol(), server.url());
  EXPECT_EQ(output.exit_code, 1);
  EXPECT_GE(output.number("missing"), 10);
}

TEST(LiveBenchFaults, SaysWhatIsOutOfOrder) {
  for (BadServer::Vice vice : {BadServer::Vice::swaps, BadServer::Vice::repeats}) {
    BadServer server(vice);
    Output output = run(checked, nats_protocol(), server.url());
    EXPECT_EQ(output.exit_code, 1);
    // With repeats the run may be over before the last ones are read.
    EXPECT_GE(output.number("out_of_order"), 9);
    EXPECT_EQ(output.number("missing"), 0);
  }
}

// Pings between messages do not disturb the count, and are answered when the run is long enough.
TEST(LiveBenchFaults, PingsInBetween) {
  for (bool check : {true, false}) {
    BadServer server(BadServer::Vice::pings);
    LiveBenchOptions options = checked;
    options.check = check;
    options.run.rate = check ? 2000 : 0;
    Output output = run(options, nats_protocol(), server.url());
    EXPECT_EQ(output.exit_code, 0) << output.json;
    EXPECT_EQ(output.number("received"), 105);
    EXPECT_GE(server.pongs(), check ? 5 : 0);
  }
}

TEST(LiveBenchFaults, TheServersOwnWords) {
  BadServer server(BadServer::Vice::refuses);
  testing::internal::CaptureStderr();
  EXPECT_EQ(run({}, nats_protocol(), server.url()).exit_code, 1);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("Authorization Violation"),
            std::string::npos);
}

TEST(LiveBenchFaults, WhatDoesNotFit) {
  testing::internal::CaptureStderr();
  for (const LiveBenchOptions& options :
       std::vector<LiveBenchOptions>{{.url = "http://x"},
                                     {.publishers = 0},
                                     {.names = 0},
                                     {.depth = 0},
                                     {.body_size = 15, .check = true},
                                     {.mode = LiveMode::request, .body_size = 15},
                                     {.mode = LiveMode::request, .subscribers = 0},
                                     {.mode = LiveMode::request, .subscribers = 2},
                                     {.subscribers = 8, .window = 7},
                                     {.run = {.rate = -1}}}) {
    EXPECT_EQ(run_live_bench(nats_protocol(), options), 2);
  }
  testing::internal::GetCapturedStderr();
}

}  // namespace
}  // namespace wharf::bench
