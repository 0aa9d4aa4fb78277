#include "server/protocols.h"

#include "protocol/amqp/convert.h"
#include "protocol/amqp/session.h"
#include "protocol/redis/convert.h"
#include "protocol/redis/session.h"

namespace wharf::server {

namespace {

amqp::AmqpOptions options_of(const config::AmqpConfig& config) {
  amqp::AmqpOptions options;
  options.frame_max = config.frame_max;
  options.channel_max = static_cast<std::uint16_t>(config.channel_max);
  options.heartbeat_s = static_cast<std::uint16_t>(config.heartbeat_s);
  options.handshake_timeout = std::chrono::seconds(config.handshake_timeout_s);
  options.message_size_max = config.message_bytes_max;
  options.ack_timeout = std::chrono::seconds(config.ack_timeout_s);
  options.consumers_per_channel_max = config.consumers_per_channel_max;
  return options;
}

broker::ExchangeSpec exchange(std::string name, broker::ExchangeKind kind, bool internal = false) {
  broker::ExchangeSpec spec;
  spec.name = std::move(name);
  spec.kind = kind;
  spec.durable = true;
  spec.internal = internal;
  return spec;
}

void add_amqp(const config::AmqpConfig& config, Protocols& protocols) {
  using broker::ExchangeKind;
  auto options = std::make_shared<const amqp::AmqpOptions>(options_of(config));
  auto make = [options](broker::Core& core, SessionHost& host, const Peer& peer) {
    return amqp::make_amqp_session(*options, core, host, peer);
  };
  if (!config.listen.empty()) protocols.entrances.push_back({"amqp", config.listen, nullptr, make});
  if (!config.tls.listen.empty()) {
    protocols.entrances.push_back({"amqps", config.tls.listen, &config.tls, make});
  }
  protocols.formats.add(amqp::amqp_format, amqp::read_headers, amqp::read_common);
  protocols.live_exchange = "amq.topic";
  protocols.predeclared = {
      exchange("", ExchangeKind::direct),
      exchange("amq.direct", ExchangeKind::direct),
      exchange("amq.fanout", ExchangeKind::fanout),
      exchange("amq.topic", ExchangeKind::topic),
      exchange("amq.headers", ExchangeKind::headers),
      exchange("amq.match", ExchangeKind::headers),
      exchange("amq.rabbitmq.trace", ExchangeKind::topic, true),
  };
}

redis::RedisOptions options_of(const config::RedisConfig& config, std::uint64_t connections_max) {
  redis::RedisOptions options;
  options.vhost = config.vhost;
  options.default_user = config.default_user;
  options.message_bytes_max = static_cast<std::uint32_t>(config.message_bytes_max);
  options.transaction_bytes_max = config.transaction_bytes_max;
  options.output.hard = config.output_bytes_max;
  options.output.soft = config.output_bytes_soft;
  options.output.soft_time = std::chrono::seconds(config.output_soft_s);
  options.connections_max = connections_max;
  return options;
}

void add_redis(const config::Config& config, Protocols& protocols) {
  const config::RedisConfig& redis = config.redis;
  auto state =
      redis::make_server_state(options_of(redis, config.net.connections_max), SystemClock());
  auto make = [state](broker::Core& core, SessionHost& host, const Peer& peer) {
    return redis::make_redis_session(*state, core, host, peer);
  };
  if (!redis.listen.empty()) protocols.entrances.push_back({"redis", redis.listen, nullptr, make});
  if (!redis.tls.listen.empty()) {
    protocols.entrances.push_back({"redis+tls", redis.tls.listen, &redis.tls, make});
  }
  protocols.formats.add(redis::redis_format, redis::read_headers, redis::read_common);
}

}  // namespace

Protocols make_protocols(const config::Config& config) {
  Protocols protocols;
  add_amqp(config.amqp, protocols);
  add_redis(config, protocols);
  return protocols;
}

}  // namespace wharf::server
