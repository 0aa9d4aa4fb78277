// protocol/nats/census.h: what the monitoring pages tell of all connections of the process. A
// session writes its own row, any thread reads. What seldom changes is replaced as a whole; the
// counters are single words, so a page may show some newer than others. Memory: a row of about 200
// bytes for each connection there ever was at one time.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"

namespace wharf::nats {

// What is known of a connection once it has said CONNECT.
struct ConnectionFacts {
  std::uint64_t id = 0;
  std::string ip;
  std::uint16_t port = 0;
  WallTime start;
  std::string name;
  std::string lang;
  std::string version;
  std::string user;
  bool tls = false;
  bool websocket = false;
};

struct ConnectionCounters {
  std::atomic<std::uint64_t> in_messages{0};
  std::atomic<std::uint64_t> in_bytes{0};
  std::atomic<std::uint64_t> out_messages{0};
  std::atomic<std::uint64_t> out_bytes{0};
  std::atomic<std::uint64_t> pending_bytes{0};
  std::atomic<std::uint64_t> subscriptions{0};
  std::atomic<std::int64_t> last_activity_ms{0};  // since 1970
  std::atomic<std::int64_t> rtt_us{0};            // 0: not measured
};

struct ConnectionRow {
  std::atomic<bool> taken{false};
  std::atomic<std::shared_ptr<const ConnectionFacts>> facts;  // null while nobody is there
  ConnectionCounters counters;
};

class Census {
 public:
  explicit Census(WallTime start) : start_(start) {}
  ~Census();
  Census(const Census&) = delete;
  Census& operator=(const Census&) = delete;

  // Good until leave.
  ConnectionRow& enter();
  // Adds what it counted to the totals of those that are gone.
  void leave(ConnectionRow& row);
  std::uint64_t next_id() { return last_id_.fetch_add(1, std::memory_order_relaxed) + 1; }

  // A connection as a page shows it.
  struct Shown {
    std::shared_ptr<const ConnectionFacts> facts;
    const ConnectionCounters* counters;  // of a row, so never gone
  };
  std::vector<Shown> connections() const;
  WallTime start() const { return start_; }

  // Of those that are gone; and of all, what is counted nowhere else.
  std::atomic<std::uint64_t> gone_in_messages{0};
  std::atomic<std::uint64_t> gone_in_bytes{0};
  std::atomic<std::uint64_t> gone_out_messages{0};
  std::atomic<std::uint64_t> gone_out_bytes{0};
  std::atomic<std::uint64_t> total_connections{0};
  std::atomic<std::uint64_t> slow_consumers{0};
  std::atomic<std::uint64_t> stale_connections{0};
  std::atomic<std::uint64_t> stalled_clients{0};

 private:
  static constexpr std::size_t block_rows = 256;
  struct Block {
    std::array<ConnectionRow, block_rows> rows;
    std::atomic<Block*> next{nullptr};
  };

  const WallTime start_;
  std::atomic<std::uint64_t> last_id_{0};
  Block first_;
};

}  // namespace wharf::nats
