// wire/byte_session.h: the handle by which a socket pump, the simulator, a fuzzer and a transcript
// test all drive a protocol session. A session is a state machine: bytes in, wake-ups in, bytes
// out. It knows no socket, and it never waits: what it must wait for comes back to it as a wake-up.
// Shard: every call comes from the one thread that runs the session's shard.
#pragma once

#include <optional>
#include <string>

#include "base/time.h"
#include "wire/bytes.h"
#include "wire/chain.h"

namespace wharf {

// What a session may know of the connection that carries it. Owned by the carrier.
class SessionHost {
 public:
  virtual ~SessionHost() = default;
  // Asks for on_wake at the end of this turn. Asking twice is asking once.
  virtual void wake() = 0;
  // Output that is not yet in the operating system's hands.
  virtual std::size_t unsent_bytes() const = 0;
  // From here on the peer speaks TLS: what on_bytes leaves unused now and all that follows. Output
  // of before goes out as it is, later output waits for the handshake. False when the carrier
  // offers none, or it is there already.
  virtual bool start_tls() { return false; }
};

// Facts of the connection that are fixed when the session begins.
struct Peer {
  std::string remote;     // "127.0.0.1:40222", for names and logs
  std::string local;      // "127.0.0.1:5672"
  bool loopback = false;  // the peer's address is a loopback one
  bool tls = false;
  std::string certificate_name;  // who a verified client certificate says it is; empty when none
};

class ByteSession {
 public:
  virtual ~ByteSession() = default;

  // Reads as many whole units as `input` holds and may take now; returns how many bytes it used.
  // The rest is offered again with what came behind it. Using nothing of a large input is not a
  // fault: see wants_input. Answers are appended to `out`.
  virtual std::size_t on_bytes(Bytes input, Chain& out) = 0;

  // Called once for each wake() and after output has drained: events of the core, paused input.
  virtual void on_wake(Chain& out) = 0;

  // Called when the moment of next_deadline() has come.
  virtual void on_deadline(Instant now, Chain& out) = 0;
  // The earliest moment at which the session has something to do without input; none when idle.
  virtual std::optional<Instant> next_deadline() const = 0;

  // False while the session holds its peer back: the carrier reads no more until it turns true,
  // which can only happen in on_wake or on_deadline.
  virtual bool wants_input() const = 0;

  // True when no more input is wanted for good: the carrier flushes what is left of the output,
  // then ends the connection.
  virtual bool closing() const = 0;

  // The connection is gone, for whatever reason; called exactly once, before destruction.
  // Everything that the session holds in the core is given back here.
  virtual void on_closed() = 0;

  // The broker is stopping: say goodbye in the protocol's words, then turn closing().
  virtual void on_shutdown(Chain& out) = 0;

  // What start_tls asked for is done; `peer` says what is known now.
  virtual void on_secured(const Peer&) {}
};

}  // namespace wharf
