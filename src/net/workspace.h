// net/workspace.h: what the connections of one thread share, so that an idle one holds next to
// nothing: the read buffers, spare output chains, the timers, and the list of those that this turn
// has touched. Shard: owner only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/time.h"
#include "runtime/timer_wheel.h"
#include "wire/byte_session.h"
#include "wire/chain.h"

namespace wharf::net {

class Connection;

struct ConnectionLimits {
  std::size_t unit_bytes_max = 64 << 20;    // input that a session may leave unused
  std::size_t unsent_bytes_high = 1 << 20;  // not read from above this, until below half of it
  Duration handshake_timeout = std::chrono::seconds(10);
  Duration flush_timeout = std::chrono::seconds(10);  // for the last output of a connection
  Duration linger_timeout = std::chrono::seconds(2);  // for the peer's end of the stream after ours
};

enum class EndReason : std::uint8_t {
  by_session,        // the session was done with it
  by_peer,           // the peer ended the stream
  lost,              // the network says so
  handshake_failed,  // not TLS, or a certificate that does not verify
  timed_out,         // the peer was too slow to shake hands or to read the last output
  too_large,         // a unit above unit_bytes_max
  stopped,           // the broker stops
};

constexpr const char* to_text(EndReason reason) {
  switch (reason) {
    case EndReason::by_session:
      return "closed";
    case EndReason::by_peer:
      return "the peer hung up";
    case EndReason::lost:
      return "connection lost";
    case EndReason::handshake_failed:
      return "TLS handshake failed";
    case EndReason::timed_out:
      return "timed out";
    case EndReason::too_large:
      return "a unit of input is too large";
    case EndReason::stopped:
      return "the broker stops";
  }
  std::unreachable();
}

// Told of what an operator may want to read. Called on the connection's thread; must be quick.
class ConnectionObserver {
 public:
  virtual ~ConnectionObserver() = default;
  virtual void on_opened(const Peer& peer) = 0;
  virtual void on_ended(const Peer& peer, EndReason reason) = 0;
};

class Workspace {
 public:
  static constexpr std::size_t plaintext_size = 256 * 1024;
  static constexpr std::size_t ciphertext_size = 64 * 1024;

  Workspace(const Clock& the_clock, const ConnectionLimits& the_limits,
            ConnectionObserver& the_observer)
      : clock(the_clock),
        limits(the_limits),
        observer(the_observer),
        timers(the_clock.now()),
        plaintext(std::make_unique_for_overwrite<std::byte[]>(plaintext_size)),
        ciphertext(std::make_unique_for_overwrite<std::byte[]>(ciphertext_size)) {}

  std::span<std::byte> plaintext_space() { return {plaintext.get(), plaintext_size}; }
  std::span<std::byte> ciphertext_space() { return {ciphertext.get(), ciphertext_size}; }

  std::unique_ptr<Chain> take_chain() {
    if (spare_chains.empty()) return std::make_unique<Chain>();
    std::unique_ptr<Chain> chain = std::move(spare_chains.back());
    spare_chains.pop_back();
    return chain;
  }
  void give_chain(std::unique_ptr<Chain> chain) {
    if (spare_chains.size() < spare_chains_max) spare_chains.push_back(std::move(chain));
  }

  const Clock& clock;
  const ConnectionLimits limits;
  ConnectionObserver& observer;
  runtime::TimerWheel<Connection*> timers;
  std::vector<std::shared_ptr<Connection>> touched;
  std::vector<Bytes> pieces;  // scratch of a write

 private:
  static constexpr std::size_t spare_chains_max = 64;

  std::unique_ptr<std::byte[]> plaintext;
  std::unique_ptr<std::byte[]> ciphertext;
  std::vector<std::unique_ptr<Chain>> spare_chains;
};

}  // namespace wharf::net
