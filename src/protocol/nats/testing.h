// protocol/nats/testing.h: for tests: clients on a whole core, without sockets.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "broker/testing.h"
#include "protocol/nats/convert.h"
#include "protocol/nats/session.h"

namespace wharf::nats::testing {

class Client final : public SessionHost {
 public:
  Client(NatsServer& server, broker::Core& core, const Peer& peer)
      : session_(make_nats_session(server, core, *this, peer)) {}
  ~Client() override { hang_up(); }

  void wake() override { woken_ = true; }
  std::size_t unsent_bytes() const override { return reads ? 0 : out_.size(); }
  bool start_tls() override {
    ++tls_asked;
    return offers_tls;
  }

  // One look at what has come; true when anything happened.
  bool turn() {
    if (!session_) return false;
    bool moved = std::exchange(woken_, false);
    if (moved) session_->on_wake(out_);
    if (!input_.empty() && session_->wants_input() && !session_->closing()) {
      std::size_t used = session_->on_bytes(bytes_of(input_), out_);
      ASSERT(used <= input_.size());
      input_.erase(0, used);
      moved |= used > 0;
    }
    return moved;
  }
  void put(std::string_view bytes) { input_ += bytes; }
  void pass_time(Instant now) {
    if (!session_) return;
    auto moment = session_->next_deadline();
    if (moment && *moment <= now) session_->on_deadline(now, out_);
  }
  // What was said since the last call.
  std::string take() {
    std::string text = out_.flatten();
    out_.clear();
    return text;
  }
  bool closed() const { return !session_ || session_->closing(); }
  void hang_up() {
    if (!session_) return;
    session_->on_closed();
    session_.reset();
  }
  ByteSession& session() { return *session_; }
  std::string_view unused_input() const { return input_; }

  bool reads = true;
  bool offers_tls = true;
  int tls_asked = 0;

 private:
  bool woken_ = false;
  Chain out_;
  std::string input_;
  std::unique_ptr<ByteSession> session_;
};

class World {
 public:
  explicit World(NatsOptions options = {}, broker::TestBroker::Options broker_options = {})
      : broker(with_formats(std::move(broker_options))),
        server(std::move(options), random_, broker.clock().wall()) {}

  Client& connect(std::size_t shard = 0, bool loopback = true) {
    Peer peer;
    peer.remote = "127.0.0.1:40001";
    peer.local = "127.0.0.1:4222";
    peer.loopback = loopback;
    clients.push_back(std::make_unique<Client>(server, broker.core(shard), peer));
    settle();
    return *clients.back();
  }
  // The same, past INFO and CONNECT.
  Client& open(std::size_t shard = 0, std::string_view fields = "") {
    Client& client = connect(shard);
    client.take();
    std::string connect = R"(CONNECT {"verbose":false,"pedantic":false,"headers":true,)";
    client.put((connect + R"("no_responders":true,"protocol":1)").append(fields) + "}\r\n");
    settle();
    ASSERT(client.take().empty() && !client.closed());
    return client;
  }
  // Until nothing moves any more.
  void settle() {
    constexpr int turns_max = 200'000;
    bool moved = true;
    for (int turn = 0; moved && turn < turns_max; ++turn) {
      moved = false;
      for (auto& client : clients) moved |= client->turn();
      broker.turn();
      for (auto& client : clients) moved |= client->turn();
    }
    ASSERT(!moved);
  }
  std::string say(Client& client, std::string_view bytes) {
    client.put(bytes);
    settle();
    return client.take();
  }
  void pass(Duration time) {
    broker.clock().advance(time);
    for (auto& client : clients) client->pass_time(broker.clock().now());
    settle();
  }

  SeededRandom random_{7};
  broker::TestBroker broker;
  NatsServer server;
  std::vector<std::unique_ptr<Client>> clients;

 private:
  static broker::TestBroker::Options with_formats(broker::TestBroker::Options options) {
    options.formats.add(nats_format, read_headers, read_common);
    return options;
  }
};

}  // namespace wharf::nats::testing
