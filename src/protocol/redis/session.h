// protocol/redis/session.h: one Redis connection, for Pub/Sub, as Redis 7.2 behaves to its clients.
// What is supported, refused and different: docs/protocols/redis.md.
//
// The session is a state machine (wire/byte_session.h): bytes and core events in, bytes out. It
// holds no socket and no thread; clock and chance come from the Core. Who owns what: the session
// keeps references to the server's state, the Core and the host, which outlive it. Memory: about 1
// KiB a connection; a subscription as Subscriptions says; a transaction up to
// transaction_bytes_max; unsent output up to the output limits. Errors: none leave the session.
// Shard: that of the Core; every call on its thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "broker/api.h"
#include "protocol/redis/output_guard.h"
#include "wire/byte_session.h"

namespace wharf::redis {

struct RedisOptions {
  std::string vhost = "/";
  // Whom a peer on loopback is logged in as without asking, "default" to clients. Empty: nobody.
  std::string default_user = "guest";
  std::uint32_t message_bytes_max = 16 << 20;  // and of every other argument
  OutputLimits output;                         // of a connection with subscriptions
  std::uint64_t transaction_bytes_max = 64 << 20;
  std::uint64_t connections_max = 10'000;  // only shown
  std::string version = "7.2.4";           // clients choose their behaviour by it
};

// What all connections of a process share: options, counters, who is there. Thread-safe.
class ServerState;
std::shared_ptr<ServerState> make_server_state(const RedisOptions& options, const Clock& clock);

// For one accepted connection. Expects the client's first byte.
// REQUIRES: the options' vhost exists.
std::unique_ptr<ByteSession> make_redis_session(ServerState& server, broker::Core& core,
                                                SessionHost& host, const Peer& peer);

}  // namespace wharf::redis
