#include "bench/amqp_bench.h"

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/amqp/frame.h"
#include "wire/chain.h"

namespace wharf::bench {
namespace {

// As much of an AMQP server as the load generator talks to: one queue for all names, one thread,
// loopback only, memory only. It can be told to lose messages.
class FakeBroker {
 public:
  // Loses each message whose number, counted from 1, is a multiple of `lose_every`; 0 loses none.
  explicit FakeBroker(std::uint64_t lose_every = 0);
  ~FakeBroker();
  std::string url() const;

 private:
  struct Peer {
    int fd = -1;
    bool greeted = false;
    bool consumes = false;
    bool confirms = false;
    std::uint64_t published = 0;
    std::uint64_t delivered = 0;
    std::uint64_t body_missing = 0;
    std::string body;
    std::string input;
    Chain out;
  };

  void run();
  void on_input(Peer& peer);
  void on_frame(Peer& peer, const amqp::Frame& frame);
  void on_method(Peer& peer, const amqp::Frame& frame);
  void on_published(Peer& peer);
  void deliver();

  const std::uint64_t lose_every_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::deque<std::string> queue_;
  std::uint64_t total_ = 0;
  std::atomic<bool> stopped_ = false;
  std::thread thread_;
};

FakeBroker::FakeBroker(std::uint64_t lose_every)
    : lose_every_(lose_every), listener_(socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(listen(listener_, 16), 0);
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

FakeBroker::~FakeBroker() {
  stopped_ = true;
  thread_.join();
  for (auto& peer : peers_) close(peer->fd);
  close(listener_);
}

std::string FakeBroker::url() const { return "amqp://127.0.0.1:" + std::to_string(port_); }

void FakeBroker::run() {
  while (!stopped_) {
    std::vector<pollfd> ready{{listener_, POLLIN, 0}};
    for (auto& peer : peers_) ready.push_back({peer->fd, POLLIN, 0});
    poll(ready.data(), ready.size(), 10);
    for (std::size_t i = 1; i < ready.size(); ++i) {
      if (ready[i].revents) on_input(*peers_[i - 1]);
    }
    if (ready[0].revents) {
      peers_.push_back(std::make_unique<Peer>());
      peers_.back()->fd = accept(listener_, nullptr, nullptr);
    }
    deliver();
    for (auto& peer : peers_) {
      std::string bytes = peer->out.flatten();
      peer->out.clear();
      send(peer->fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    }
    std::erase_if(peers_, [](auto& peer) { return peer->fd < 0; });
  }
}

void FakeBroker::on_input(Peer& peer) {
  char chunk[65536];
  ssize_t size = recv(peer.fd, chunk, sizeof(chunk), 0);
  if (size <= 0) {
    close(std::exchange(peer.fd, -1));
    return;
  }
  peer.input.append(chunk, static_cast<std::size_t>(size));
  std::size_t used = 0;
  if (!peer.greeted && peer.input.size() >= amqp::greeting_size) {
    peer.greeted = true;
    used = amqp::greeting_size;
    amqp::write_method(peer.out, 0, amqp::ConnectionStart{.version_minor = 9});
  }
  while (peer.greeted) {
    Bytes rest = bytes_of(peer.input).subspan(used);
    Result<std::optional<amqp::Frame>> frame = amqp::read_frame(rest, 131072);
    ASSERT(frame);
    if (!*frame) break;
    on_frame(peer, **frame);
    used += size_of(**frame);
  }
  peer.input.erase(0, used);
}

void FakeBroker::on_frame(Peer& peer, const amqp::Frame& frame) {
  if (frame.type == amqp::FrameType::method) return on_method(peer, frame);
  if (frame.type == amqp::FrameType::header) {
    peer.body_missing = amqp::read_content_header(frame.payload)->body_size;
    peer.body.clear();
  } else {
    peer.body += text_of(frame.payload);
    peer.body_missing -= frame.payload.size();
  }
  if (peer.body_missing == 0) on_published(peer);
}

void FakeBroker::on_published(Peer& peer) {
  ++total_;
  if (lose_every_ == 0 || total_ % lose_every_ != 0) queue_.push_back(peer.body);
  ++peer.published;
  if (peer.confirms) {
    amqp::write_method(peer.out, 1, amqp::BasicAck{.delivery_tag = peer.published});
  }
}

void FakeBroker::deliver() {
  for (auto& peer : peers_) {
    while (peer->consumes && !queue_.empty()) {
      amqp::BasicDeliver deliver{.consumer_tag = "c", .delivery_tag = ++peer->delivered};
      amqp::write_content(peer->out, 1, deliver, {}, amqp::Body(bytes_of(queue_.front())), 131072);
      queue_.pop_front();
    }
  }
}

void FakeBroker::on_method(Peer& peer, const amqp::Frame& frame) {
  amqp::Method method = amqp::read_method(frame.payload).value();
  auto queued = static_cast<std::uint32_t>(queue_.size());
  auto answer = [&](const auto& reply) { amqp::write_method(peer.out, frame.channel, reply); };
  switch (method.id) {
    case amqp::ConnectionStartOk::id:
      return answer(amqp::ConnectionTune{.channel_max = 2047, .frame_max = 131072});
    case amqp::ConnectionOpen::id:
      return answer(amqp::ConnectionOpenOk{});
    case amqp::ChannelOpen::id:
      return answer(amqp::ChannelOpenOk{});
    case amqp::QueueDeclare::id:
      return answer(amqp::QueueDeclareOk{.message_count = queued});
    case amqp::QueueDelete::id:
      return answer(amqp::QueueDeleteOk{});
    case amqp::BasicQos::id:
      return answer(amqp::BasicQosOk{});
    case amqp::BasicConsume::id:
      peer.consumes = true;
      return;
    case amqp::ConfirmSelect::id:
      peer.confirms = true;
      return answer(amqp::ConfirmSelectOk{});
    default:
      return;
  }
}

struct Output {
  int exit_code = 0;
  std::string json;
  double number(const std::string& name) const {
    std::size_t at = json.find('"' + name + "\": ");
    return at == std::string::npos ? -1 : std::stod(json.substr(at + name.size() + 4));
  }
};

Output run(AmqpBenchOptions options, const std::string& url) {
  options.url = url;
  options.run.json = true;
  testing::internal::CaptureStdout();
  Output output;
  output.exit_code = run_amqp_bench(options);
  output.json = testing::internal::GetCapturedStdout();
  return output;
}

TEST(AmqpBench, CountsEveryMessage) {
  for (std::uint32_t size : {0u, 7u, 8u, 1024u, 200'000u}) {
    SCOPED_TRACE(size);
    FakeBroker broker;
    Output output = run({.publishers = 2,
                         .consumers = 2,
                         .queues = 3,
                         .body_size = size,
                         .confirm_window = 10,
                         .run = {.messages = 101}},
                        broker.url());
    EXPECT_EQ(output.exit_code, 0);
    EXPECT_EQ(output.number("sent"), 101);
    EXPECT_EQ(output.number("confirmed"), 101);
    EXPECT_EQ(output.number("received"), 101);
    EXPECT_EQ(output.number("missing"), 0);
    // Also true for a body of two frames: the stamp is in the first.
    bool stamped = size >= 8;
    bool measured =
        output.json.find("\"publish_to_deliver\": {\"count\": 101") != std::string::npos;
    EXPECT_EQ(measured, stamped) << output.json;
    EXPECT_TRUE(output.json.find("\"publish_to_confirm\": {\"count\": 101") != std::string::npos);
  }
}

TEST(AmqpBench, LatenciesAreSane) {
  FakeBroker broker;
  Output output = run({.body_size = 200'000, .run = {.messages = 20}}, broker.url());
  EXPECT_GT(output.number("max_us"), 0);
  EXPECT_LT(output.number("max_us"), 60e6);
}

TEST(AmqpBench, SaysWhatIsMissing) {
  FakeBroker broker(10);
  Output output =
      run({.body_size = 16, .run = {.patience_seconds = 0.2, .messages = 100}}, broker.url());
  EXPECT_EQ(output.exit_code, 0);
  EXPECT_EQ(output.number("received"), 90);
  EXPECT_EQ(output.number("missing"), 10);
}

TEST(AmqpBench, KeepsToItsRate) {
  FakeBroker broker;
  Output output =
      run({.publishers = 2, .run = {.seconds = 0.5, .warmup_seconds = 0.1, .rate = 1000}},
          broker.url());
  EXPECT_GT(output.number("sent_per_s"), 500);
  EXPECT_LT(output.number("sent_per_s"), 1500);
}

TEST(AmqpBench, FillThenDrain) {
  FakeBroker broker;
  Output filled =
      run({.mode = BenchMode::fill, .body_size = 100, .run = {.messages = 500}}, broker.url());
  EXPECT_EQ(filled.number("queued_end"), 500);
  Output drained = run({.mode = BenchMode::drain}, broker.url());
  EXPECT_EQ(drained.number("received"), 500);
  EXPECT_EQ(drained.number("queued_end"), 0);
}

TEST(AmqpBench, RefusesWhatDoesNotFit) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_amqp_bench({.url = "http://x"}), 2);
  EXPECT_EQ(run_amqp_bench({.publishers = 0}), 2);
  EXPECT_EQ(run_amqp_bench({.queues = 0}), 2);
  EXPECT_EQ(run_amqp_bench({.mode = BenchMode::fill}), 2);
  EXPECT_EQ(run_amqp_bench({.prefetch = 10, .ack_every = 11}), 2);
  EXPECT_EQ(run_amqp_bench({.url = "amqp://127.0.0.1:1"}), 1);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("Connection refused"), std::string::npos);
}

}  // namespace
}  // namespace wharf::bench
