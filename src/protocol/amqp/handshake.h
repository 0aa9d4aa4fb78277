// protocol/amqp/handshake.h: what is said before a connection is open, as pure functions: who we
// are, who the client claims to be, which limits both agree on (specification 2.2.4; RabbitMQ's
// access control and tuning rules).
#pragma once

#include <string>
#include <string_view>

#include "auth/access.h"
#include "protocol/amqp/errors.h"
#include "protocol/amqp/link.h"
#include "protocol/amqp/methods_gen.h"
#include "protocol/amqp/session.h"
#include "protocol/amqp/table.h"
#include "wire/byte_session.h"

namespace wharf::amqp {

// The table of connection.start, without its length.
ByteVector server_properties(const AmqpOptions& options);
// Space separated; EXTERNAL only for a peer that proved its name.
std::string mechanisms_for(const Peer& peer);

// None when the client said nothing of the kind. REQUIRES: a parsed table.
Capabilities read_capabilities(TableView client_properties);

// Errors: access_refused (who it is was not proved), command_invalid (the mechanism is unknown or
// not offered), syntax_error (a response that does not parse). Only the first is told to the peer.
Or<auth::Principal> login(std::string_view mechanism, Bytes response, const Peer& peer,
                          const auth::Access& access);

// Errors: not_allowed, blaming connection.tune.
Checked check_tune(const ConnectionTuneOk& answer, const AmqpOptions& options);

}  // namespace wharf::amqp
