// bench/forwarder.h: the ceiling of a live broker: a server that only splits what publishers send
// into messages and copies each to those who asked for its name. No wildcards, no permissions, no
// limits, one thread: what it passes on is what sockets and one copy allow on a machine. Speaks as
// much of NATS (INFO, PING, SUB, PUB, MSG) or of Redis (AUTH, PING, SUBSCRIBE, PUBLISH, RESP2) as
// the load generator needs.
//
// A subscriber that does not read stops all publishers; nothing is dropped.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bench/event_loop.h"

namespace wharf::bench {

enum class LiveKind : std::uint8_t { nats, redis };

class Forwarder {
 public:
  static Try<std::unique_ptr<Forwarder>> listen(LiveKind kind, const std::string& host,
                                                std::uint16_t port);
  ~Forwarder();

  std::uint16_t port() const;

  // Until `done()` is true, which is asked ten times a second at least.
  template <class Done>
  Try<void> run(Done&& done) {
    while (!done()) {
      if (Try<void> turned = turn(); !turned) return turned;
    }
    return {};
  }

 private:
  class Connection;
  class Door;
  struct Listener {
    Connection* connection;
    std::string head;  // of each message for it
  };
  using Topic = std::vector<Listener>;

  Forwarder(LiveKind kind, Socket listener);
  Try<void> turn();
  Topic& topic(std::string_view name) { return topics_[std::string(name)]; }
  void flush_touched();
  void bury_closed();

  const LiveKind kind_;
  SystemClock clock_;
  EventLoop loop_;
  std::unique_ptr<Door> door_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> touched_;  // have something new to write
  std::size_t behind_ = 0;            // connections that have too much to write
  std::unordered_map<std::string, Topic> topics_;
};

// Listens on HOST:PORT, prints a line `ready pid=N port=N` and forwards until it is killed. Returns
// the exit code: 1 when the address cannot be had, 2 when it is none.
int run_forwarder(LiveKind kind, const std::string& place);

}  // namespace wharf::bench
