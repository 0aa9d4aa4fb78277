// protocol/nats/monitor.h: the monitoring pages of nats-server, over HTTP: /varz, /connz, /subsz,
// /routez, /gatewayz, /leafz, /accountz, /jsz, /healthz and an index. Which fields they have:
// docs/protocols/nats.md.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "protocol/http/request.h"
#include "protocol/nats/session.h"
#include "wire/byte_session.h"

namespace wharf::nats {

struct Page {
  std::string_view content_type;
  std::string body;
};

// None when there is no such page.
std::optional<Page> make_page(const NatsServer& server, const http::Request& request, WallTime now);

// One HTTP connection.
std::unique_ptr<ByteSession> make_monitor_session(const NatsServer& server, broker::Core& core);

}  // namespace wharf::nats
