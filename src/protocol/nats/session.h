// protocol/nats/session.h: one NATS client connection, as nats-server 2.12 without JetStream
// behaves to its clients. What is supported, refused and different: docs/protocols/nats.md.
//
// The session is a state machine (wire/byte_session.h): bytes and core events in, bytes out. Who
// owns what: it keeps references to the server, the Core and the host, which outlive it. Memory:
// below 1 KiB, and its subscriptions; unsent output of max_pending and what one turn adds. Errors:
// none leave the session. Shard: that of the Core; every call on its thread. Server is shared by
// the sessions of all threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "auth/subject_rules.h"
#include "base/random.h"
#include "base/time.h"
#include "broker/api.h"
#include "protocol/nats/census.h"
#include "wire/byte_session.h"

namespace wharf::nats {

enum class TlsOffer : std::uint8_t {
  none,
  available,  // a client may begin with its hello instead of a command
  required,
};

// What proves who a user is, beside a password; both may be empty.
struct NatsCredential {
  std::string user;
  auth::Secret token;
  std::string nkey;  // public
};

struct NatsOptions {
  std::string server_name = "wharf";
  std::string version = "2.12.1";  // clients choose what they use by it
  std::string host = "127.0.0.1";  // where it listens, for the pages
  std::uint16_t port = 4222;
  std::uint64_t connections_max = 10'000;
  std::string vhost = "/";
  // Whose rights those have who bring no credentials; empty or unknown: nobody's.
  std::string no_auth_user = "guest";
  std::uint64_t max_payload = 1 << 20;    // header and body; 64 MiB at most
  std::uint32_t max_control_line = 4096;  // arguments of a verb
  std::uint64_t max_pending = 64 << 20;   // unsent output of a connection; above it, it is cut
  std::uint32_t max_subscriptions = 0;    // of a connection; 0: no limit
  Duration ping_interval = std::chrono::minutes(2);
  std::uint32_t ping_max = 2;  // pings without an answer
  Duration auth_timeout = std::chrono::seconds(2);
  Duration write_deadline = std::chrono::seconds(10);  // for a client to take anything at all
  Duration lame_duck_grace = std::chrono::seconds(1);
  TlsOffer tls = TlsOffer::none;
  bool tls_verify = false;
  std::vector<NatsCredential> credentials;
  // By user; who is not here is bound by the rules of all protocols alone.
  std::map<std::string, auth::SubjectPermissions, std::less<>> permissions;
  std::vector<std::string> connect_urls;  // other addresses that clients can reach
};

// What all sessions of a process share. Any thread.
struct NatsServer {
  // `random` names the server.
  NatsServer(NatsOptions options, Random& random, WallTime start);
  bool offers_nkeys() const;
  const NatsOptions options;
  const std::string id;
  Census census;
};

// How a connection came in.
enum class Carrier : std::uint8_t { socket, websocket };

// For one accepted connection. Greets in its first on_wake.
std::unique_ptr<ByteSession> make_nats_session(NatsServer& server, broker::Core& core,
                                               SessionHost& host, const Peer& peer,
                                               Carrier carrier = Carrier::socket);

}  // namespace wharf::nats
