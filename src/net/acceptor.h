// net/acceptor.h: the listening sockets of the process, all on one loop. Each accepted socket goes
// to the connection set that has the fewest, so that a handful of connections spreads as evenly as
// many do (with one SO_REUSEPORT socket a thread, the kernel's hash often gives two of two to one
// thread). Over the limit a connection is accepted and closed at once: the peer learns it, the
// backlog stays free. Threads: stop from any; listen before the loop runs; the rest on the loop's.
#pragma once

#include <atomic>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "net/address.h"
#include "net/connection_set.h"
#include "runtime/loop.h"

namespace wharf::net {

struct AcceptLimits {
  std::size_t connections_max = 10'000;
  int accepts_per_turn_max = 64;  // a listener; the rest waits in its backlog
  int backlog = 1024;
};

class AcceptObserver {
 public:
  virtual ~AcceptObserver() = default;
  // A connection was turned away; called on the acceptor's thread.
  virtual void on_refused(const char* why) = 0;
};

class Acceptor final : public runtime::TurnClient {
 public:
  // All must outlive the last turn of `loop`.
  Acceptor(runtime::Loop& loop, std::vector<ConnectionSet*> sets, const AcceptLimits& limits,
           AcceptObserver& observer);
  ~Acceptor() override;

  // Begins to listen for connections of `service`; returns the port. The error is for the operator.
  std::expected<std::uint16_t, std::string> listen(const ListenAddress& address,
                                                   std::size_t service);
  // No more connections from the loop's next turn on.
  void stop();

  // TurnClient
  void turn() override;
  void turn_end() override {}
  std::optional<Instant> next_deadline() const override { return std::nullopt; }

 private:
  struct Listener {
    boost::asio::ip::tcp::acceptor socket;
    boost::asio::steady_timer pause;
    std::size_t service;
  };
  enum class Accepted { some, none_left, no_descriptors };

  boost::asio::awaitable<void> accept_pump(Listener& listener);
  Accepted accept_ready(Listener& listener);
  bool shed_one(Listener& listener);
  void hand_over(int descriptor, std::size_t service);

  runtime::Loop& loop_;
  const std::vector<ConnectionSet*> sets_;
  const AcceptLimits limits_;
  AcceptObserver& observer_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::size_t next_set_ = 0;
  int reserve_ = -1;  // a descriptor given up to turn a peer away when there are no more
  std::atomic<bool> stopping_{false};
};

}  // namespace wharf::net
