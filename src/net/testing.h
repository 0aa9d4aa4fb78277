// net/testing.h: for the tests of this folder: a session with a tiny protocol, a server around it
// on a thread of its own, and a blocking client whose every wait is bounded.
//
// The protocol: a unit is a length byte and that many bytes of text. Every unit is answered by
// itself, but for the commands of EchoSession::obey.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "net/acceptor.h"
#include "net/connection_set.h"

namespace wharf::net {

constexpr std::chrono::seconds test_patience{20};

inline std::string unit(std::string_view text) {
  return std::string(1, static_cast<char>(text.size())) + std::string(text);
}

// What happened to all sessions of a server, readable from the test's thread.
struct Journal {
  std::atomic<int> opened{0};
  std::atomic<int> closed{0};
  std::atomic<int> wakes{0};
  std::atomic<int> refused{0};
  std::atomic<std::size_t> unsent_max{0};
  std::atomic<int> ended_by[7] = {};
};

class EchoSession final : public ByteSession {
 public:
  EchoSession(SessionHost& host, const Peer& peer, const Clock& clock, Journal& journal)
      : host_(host), peer_(peer), clock_(clock), journal_(journal) {}
  ~EchoSession() override { EXPECT_TRUE(told_closed_); }

  std::size_t on_bytes(Bytes input, Chain& out) override {
    EXPECT_TRUE(wants_input());
    std::size_t used = 0;
    while (used < input.size() && !paused_ && !closing_) {
      std::size_t size = std::to_integer<std::size_t>(input[used]);
      if (input.size() - used < 1 + size) break;
      obey(text_of(input.subspan(used + 1, size)), out);
      used += 1 + size;
    }
    note_unsent();
    return used;
  }

  void on_wake(Chain& out) override {
    ++journal_.wakes;
    note_unsent();
    if (paused_) out.append(bytes_of(unit("resumed")));
    paused_ = false;
  }

  void on_deadline(Instant now, Chain& out) override {
    EXPECT_GE(now, *deadline_);
    deadline_.reset();
    out.append(bytes_of(unit("tick")));
  }
  std::optional<Instant> next_deadline() const override { return deadline_; }
  bool wants_input() const override { return !paused_; }
  bool closing() const override { return closing_; }
  void on_closed() override {
    EXPECT_FALSE(told_closed_);
    told_closed_ = true;
    ++journal_.closed;
  }
  void on_shutdown(Chain& out) override {
    out.append(bytes_of(unit("bye")));
    closing_ = !stubborn_;
  }

 private:
  void obey(std::string_view text, Chain& out) {
    if (text == "close") closing_ = true;
    if (text == "stubborn") stubborn_ = true;
    if (text == "name") text = peer_.certificate_name;
    if (text == "pause") {
      paused_ = true;
      host_.wake();
      host_.wake();
      return;
    }
    if (text == "tick") {
      deadline_ = clock_.now() + std::chrono::milliseconds(5);
      return;
    }
    if (text == "flood") {
      Buffer large(256 * 1024);
      std::ranges::fill(large.writable(), std::byte{'x'});
      out.append(large, 0, large.size());
      return;
    }
    out.append(bytes_of(unit(text)));
  }

  void note_unsent() {
    std::size_t unsent = host_.unsent_bytes();
    if (unsent > journal_.unsent_max) journal_.unsent_max = unsent;
  }

  SessionHost& host_;
  Peer peer_;
  const Clock& clock_;
  Journal& journal_;
  std::optional<Instant> deadline_;
  bool paused_ = false;
  bool closing_ = false;
  bool stubborn_ = false;
  bool told_closed_ = false;
};

struct ServerOptions {
  std::size_t sets = 1;
  ConnectionLimits connection;
  AcceptLimits accept;
  const TlsContext* tls = nullptr;
};

// Runs from construction to destruction; every set has a loop and a thread.
class TestServer : ConnectionObserver, AcceptObserver {
 public:
  explicit TestServer(const ServerOptions& options = {}) {
    Service service{[this](SessionHost& host, const Peer& peer) {
                      return std::make_unique<EchoSession>(host, peer, clock_, journal);
                    },
                    options.tls};
    std::vector<ConnectionSet*> sets;
    for (std::size_t i = 0; i < options.sets; ++i) {
      loops_.push_back(std::make_unique<runtime::Loop>(clock_));
      sets_.push_back(std::make_unique<ConnectionSet>(*loops_[i], clock_, options.connection,
                                                      static_cast<ConnectionObserver&>(*this),
                                                      std::vector{service}));
      loops_[i]->add(*sets_[i]);
      sets.push_back(sets_[i].get());
    }
    acceptor_ = std::make_unique<Acceptor>(*loops_[0], sets, options.accept,
                                           static_cast<AcceptObserver&>(*this));
    loops_[0]->add(*acceptor_);
    auto bound = acceptor_->listen({}, 0);
    EXPECT_TRUE(bound.has_value());
    port = *bound;
    for (auto& loop : loops_) threads_.emplace_back([&loop] { loop->run(); });
  }

  ~TestServer() override {
    acceptor_->stop();
    for (auto& set : sets_) set->stop(std::chrono::milliseconds(50));
    EXPECT_TRUE(eventually([&] { return connections() == 0; }));
    for (auto& loop : loops_) loop->stop();
    for (std::thread& thread : threads_) thread.join();
    EXPECT_EQ(journal.opened, journal.closed);
  }

  std::size_t connections() const {
    std::size_t total = 0;
    for (const auto& set : sets_) total += set->count();
    return total;
  }
  std::size_t connections_of(std::size_t set) const { return sets_[set]->count(); }
  void stop(Duration grace) {
    for (auto& set : sets_) set->stop(grace);
  }
  int ended_by(EndReason reason) const {
    return journal.ended_by[static_cast<std::size_t>(reason)];
  }

  static bool eventually(const std::function<bool()>& holds) {
    SystemClock clock;
    Instant limit = clock.now() + test_patience;
    while (!holds()) {
      if (clock.now() > limit) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

  Journal journal;
  std::uint16_t port = 0;

 private:
  void on_opened(const Peer&) override { ++journal.opened; }
  void on_ended(const Peer&, EndReason reason) override {
    ++journal.ended_by[static_cast<std::size_t>(reason)];
  }
  void on_refused(const char*) override { ++journal.refused; }

  SystemClock clock_;
  std::vector<std::unique_ptr<runtime::Loop>> loops_;
  std::vector<std::unique_ptr<ConnectionSet>> sets_;
  std::unique_ptr<Acceptor> acceptor_;
  std::vector<std::thread> threads_;
};

class TestClient {
 public:
  explicit TestClient(std::uint16_t port, int receive_buffer = 0) {
    descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    timeval limit{test_patience.count(), 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (receive_buffer > 0) {
      ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected = ::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  TestClient(TestClient&& other) noexcept
      : connected(other.connected), descriptor_(std::exchange(other.descriptor_, -1)) {}
  ~TestClient() { hang_up(); }

  // False when the server has hung up.
  bool send(std::string_view text) {
    while (!text.empty()) {
      ssize_t size = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL);
      if (size <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(size));
    }
    return true;
  }
  // Exactly `size` bytes, or fewer when the stream ends.
  std::string receive(std::size_t size) {
    std::string text(size, '\0');
    std::size_t have = 0;
    while (have < size) {
      ssize_t got = ::recv(descriptor_, text.data() + have, size - have, 0);
      if (got <= 0) break;
      have += static_cast<std::size_t>(got);
    }
    text.resize(have);
    return text;
  }
  std::string ask(std::string_view text) {
    EXPECT_TRUE(send(unit(text)));
    std::string size = receive(1);
    return size.empty() ? "" : receive(static_cast<unsigned char>(size[0]));
  }
  // True for a clean end, false for a reset or silence.
  bool at_end() {
    char byte = 0;
    return ::recv(descriptor_, &byte, 1, 0) == 0;
  }
  void half_close() { ::shutdown(descriptor_, SHUT_WR); }
  void reset() {
    linger hard{1, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    hang_up();
  }
  void hang_up() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }
  int descriptor() const { return descriptor_; }

  bool connected = false;

 private:
  int descriptor_ = -1;
};

}  // namespace wharf::net
