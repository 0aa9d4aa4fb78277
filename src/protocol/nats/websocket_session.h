// protocol/nats/websocket_session.h: the byte stream of a NATS client inside WebSocket frames: a
// session around a session. Frames need not agree with lines in either direction. What a turn says
// is one binary frame.
#pragma once

#include <functional>
#include <memory>

#include "wire/byte_session.h"

namespace wharf::nats {

using InnerFactory = std::function<std::unique_ptr<ByteSession>(SessionHost&, const Peer&)>;

// Expects the HTTP request; makes the inner session once that is a sound upgrade.
std::unique_ptr<ByteSession> make_websocket_session(InnerFactory make_inner, const Clock& clock,
                                                    SessionHost& host, const Peer& peer);

}  // namespace wharf::nats
