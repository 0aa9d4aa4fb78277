// protocol/redis/testing.h: for tests: Redis clients of a whole core (broker/testing.h), each a
// session with a host, driven until nothing moves. Clients are spread over the shards.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "broker/testing.h"
#include "protocol/redis/session.h"

namespace wharf::redis::testing {

class FakeHost final : public SessionHost {
 public:
  bool woken = false;
  std::size_t unsent = 0;
  void wake() override { woken = true; }
  std::size_t unsent_bytes() const override { return unsent; }
};

inline Peer loopback_peer(std::size_t number) {
  Peer peer;
  peer.remote = "127.0.0.1:" + std::to_string(40000 + number);
  peer.local = "127.0.0.1:6379";
  peer.loopback = true;
  return peer;
}

// The words as an array of bulk strings.
inline std::string request_of(const std::vector<std::string>& words) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  return bytes;
}

class TestClient {
 public:
  TestClient(ServerState& server, broker::Core& core, const Peer& peer)
      : core_(core), session(make_redis_session(server, core, host, peer)) {}
  ~TestClient() { hang_up(); }

  void hang_up() {
    if (session) session->on_closed();
    session.reset();
  }
  // One step; false when there is nothing to do.
  bool move() {
    if (!session) return false;
    bool moved = false;
    if (!input.empty() && session->wants_input() && !session->closing()) {
      std::size_t used = session->on_bytes(bytes_of(input), chain);
      ASSERT(used <= input.size());
      input.erase(0, used);
      moved = used > 0;
    }
    if (std::exchange(host.woken, false)) {
      session->on_wake(chain);
      moved = true;
    }
    auto deadline = session->next_deadline();
    if (deadline && *deadline <= core_.clock().now()) {
      session->on_deadline(core_.clock().now(), chain);
      moved = true;
    }
    if (reads) {
      output += chain.flatten();
      chain.clear();
    }
    if (session->closing()) {
      closed = true;
      hang_up();
    }
    return moved;
  }
  std::string take() { return std::exchange(output, {}); }

 private:
  broker::Core& core_;

 public:
  FakeHost host;
  Chain chain;
  std::string input;   // not taken yet
  std::string output;  // not looked at yet
  bool reads = true;   // false: output stays in the chain
  bool closed = false;
  std::unique_ptr<ByteSession> session;
};

class World {
 public:
  explicit World(std::uint16_t shards = 1, RedisOptions options = {},
                 broker::TestBroker::Options broker_options = {})
      : shards_(shards),
        broker(with_shards(std::move(broker_options), shards)),
        server(make_server_state(options, broker.clock())) {}

  // The client of that name, made when it is first asked for.
  TestClient& operator[](const std::string& name) {
    auto it = clients_.find(name);
    if (it != clients_.end()) return *it->second;
    return connect(name, loopback_peer(clients_.size()));
  }
  TestClient& connect(const std::string& name, const Peer& peer) {
    broker::Core& core = broker.core(clients_.size() % shards_);
    auto made = std::make_unique<TestClient>(*server, core, peer);
    return *clients_.emplace(name, std::move(made)).first->second;
  }
  void settle() {
    constexpr int turns_max = 10'000;
    for (int turn = 0; turn < turns_max; ++turn) {
      bool moved = false;
      for (auto& [name, client] : clients_) moved = client->move() || moved;
      broker.turn();
      for (auto& [name, client] : clients_) {
        moved = moved || (client->session && client->host.woken);
      }
      if (!moved) return;
    }
    ASSERT(false && "the sessions never come to rest");
  }
  // What the client gets for the words, when all is quiet again.
  std::string ask(const std::string& client, const std::vector<std::string>& words) {
    (*this)[client].input += request_of(words);
    settle();
    return (*this)[client].take();
  }
  void pass(Duration time) {
    broker.clock().advance(time);
    settle();
  }
  void hang_up_all() {
    for (auto& [name, client] : clients_) client->hang_up();
    for (int i = 0; i < 3; ++i) broker.turn();
  }
  // Listeners that the shards know of.
  std::size_t listeners() {
    std::size_t count = 0;
    for (std::uint16_t shard = 0; shard < shards_; ++shard) {
      broker::Core& core = broker.core(shard);
      auth::VhostId vhost = core.access().vhost("/");
      for (broker::Room room : {broker::common_room, broker::Room{1}}) {
        core.each_name(vhost, room, [&](std::string_view, std::uint32_t each) { count += each; });
        count += core.count_patterns(vhost, room);
      }
    }
    return count;
  }

 private:
  static broker::TestBroker::Options with_shards(broker::TestBroker::Options options,
                                                 std::uint16_t shards) {
    options.shards = shards;
    return options;
  }
  std::uint16_t shards_;

 public:
  broker::TestBroker broker;
  std::shared_ptr<ServerState> server;

 private:
  std::map<std::string, std::unique_ptr<TestClient>> clients_;
};

}  // namespace wharf::redis::testing
