// protocol/amqp/session.h: one AMQP 0-9-1 connection with all its channels, as RabbitMQ 4.2 behaves
// to its clients. What is supported, refused and different: docs/protocols/amqp.md.
//
// The session is a state machine (wire/byte_session.h): bytes and core events in, bytes out. It
// holds no socket and no thread; clock and chance come from the Core. Who owns what: the session
// keeps references to the options, the Core and the host, which outlive it. Memory: per connection
// about 1 KiB; per channel with nothing outstanding less than 1 KiB; 32 bytes per unacknowledged
// delivery, 4 per unconfirmed publish; at most one message that is being received per channel, each
// of max_message_size; unsent output of output_high plus credit_bytes. Errors: none leave the
// session. What a peer does wrong ends its channel or its connection, in the protocol's words.
// Shard: that of the Core; every call on its thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/time.h"
#include "broker/api.h"
#include "wire/byte_session.h"

namespace wharf::amqp {

struct AmqpOptions {
  std::uint32_t frame_max = 131072;  // octets of a whole frame, as offered in tune
  std::uint16_t channel_max = 2047;
  std::uint16_t heartbeat_s = 60;  // offered; the client's answer holds. 0: none
  Duration handshake_timeout = std::chrono::seconds(10);
  // Silence after a failed login or another breach before the connection is open.
  Duration refusal_delay = std::chrono::seconds(3);
  std::uint64_t message_size_max = 16 << 20;  // octets of body; 32 MiB at most
  // How long a delivery may stay unacknowledged. 0: for ever.
  Duration ack_timeout = std::chrono::minutes(30);
  std::uint32_t consumers_per_channel_max = 0;     // 0: no limit
  std::uint64_t transaction_bytes_max = 64 << 20;  // bodies a channel may hold until tx.commit

  // Shared by the consumers of a connection: bodies that may be on their way to it.
  std::uint64_t credit_bytes = 8 << 20;
  // Messages on their way to a consumer that sets no limit of its own.
  std::uint32_t credit_messages = 2000;
  // Above this much unsent output no more input is taken; below a quarter of it credit is renewed.
  std::size_t output_high = 4 << 20;

  // What clients sniff: see the dossier of RabbitMQ compatibility in docs/protocols/amqp.md.
  std::string product = "RabbitMQ";
  std::string version = "4.2.0";
  std::string platform = "Wharf";
  std::string cluster_name = "wharf@localhost";
};

// For one accepted connection. Expects the client's first byte.
std::unique_ptr<ByteSession> make_amqp_session(const AmqpOptions& options, broker::Core& core,
                                               SessionHost& host, const Peer& peer);

}  // namespace wharf::amqp
