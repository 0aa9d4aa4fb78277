// net/connection_set.h: all connections of one shard. Sockets come in from the acceptor's thread
// through a lane; from then on everything happens on the thread of the set's loop. Threads: offer
// from the acceptor's thread only; stop and count from any; the rest on the loop's.
#pragma once

#include <atomic>
#include <memory>
#include <unordered_map>
#include <vector>

#include "net/connection.h"
#include "net/workspace.h"
#include "runtime/loop.h"
#include "runtime/mailbox.h"

namespace wharf::net {

class ConnectionSet final : public runtime::TurnClient {
 public:
  // `services` in the order that offer counts in. `clock` and `observer` outlive the set, the set
  // outlives the last turn of `loop`. Add it to the loop before the shard, so that what its
  // sessions publish leaves in the same turn.
  ConnectionSet(runtime::Loop& loop, const Clock& clock, const ConnectionLimits& limits,
                ConnectionObserver& observer, std::vector<Service> services);
  ~ConnectionSet() override;

  // Takes over the open socket `descriptor`.
  void offer(int descriptor, std::size_t service);
  // Connections that are open or on their way here.
  std::size_t count() const { return count_.load(std::memory_order_relaxed); }

  // All sessions say goodbye now; what is still there after `grace` is cut off. count() falls to 0.
  void stop(Duration grace);

  // TurnClient
  void turn() override;
  void turn_end() override;
  std::optional<Instant> next_deadline() const override;

 private:
  struct Offered {
    int descriptor;
    std::size_t service;
  };

  void adopt(const Offered& offered);
  void forget(Connection& connection);
  void begin_stop();
  std::vector<std::shared_ptr<Connection>> all() const;

  runtime::Loop& loop_;
  Workspace workspace_;
  const std::vector<Service> services_;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
  std::vector<std::shared_ptr<Connection>> finishing_;  // scratch of turn_end
  runtime::Lane<Offered> offered_;
  std::atomic<std::size_t> count_{0};
  std::atomic<Duration::rep> stop_grace_{-1};  // set once by stop
  std::optional<Instant> cut_off_at_;
};

}  // namespace wharf::net
