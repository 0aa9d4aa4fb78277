// server/protocols.h: the table of protocols that this build speaks. A protocol is one entry here
// and one folder; without both the rest builds and works.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker/api.h"
#include "broker/value.h"
#include "config/config.h"
#include "net/connection.h"

namespace wharf::server {

// One way in: where to listen, and how to make a session for who connects.
struct Entrance {
  std::string name;  // "amqp", for logs
  std::vector<config::Endpoint> listen;
  const config::TlsConfig* tls = nullptr;  // none: plain
  bool tls_on_request = false;             // see net::Service
  std::function<std::unique_ptr<ByteSession>(broker::Core&, SessionHost&, const Peer&)>
      make_session = nullptr;
};

struct Protocols {
  std::vector<Entrance> entrances;
  broker::Formats formats;
  // Exchanges that clients expect to find in every vhost.
  std::vector<broker::ExchangeSpec> predeclared;
  std::string live_exchange;  // one of them, see broker::ShardSetup
};

// `config` must outlive the result.
Protocols make_protocols(const config::Config& config);

}  // namespace wharf::server
