#include "server/protocols.h"

#include "protocol/amqp/convert.h"
#include "protocol/amqp/session.h"
#include "protocol/nats/convert.h"
#include "protocol/nats/monitor.h"
#include "protocol/nats/session.h"
#include "protocol/nats/websocket_session.h"
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
  options.product = config.product;
  options.version = config.version;
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
  if (!config.listen.empty())
    protocols.entrances.push_back({"amqp", config.listen, nullptr, false, make});
  if (!config.tls.listen.empty()) {
    protocols.entrances.push_back({"amqps", config.tls.listen, &config.tls, false, make});
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
  if (!redis.listen.empty())
    protocols.entrances.push_back({.name = "redis", .listen = redis.listen, .make_session = make});
  if (!redis.tls.listen.empty()) {
    protocols.entrances.push_back(
        {.name = "redis+tls", .listen = redis.tls.listen, .tls = &redis.tls, .make_session = make});
  }
  protocols.formats.add(redis::redis_format, redis::read_headers, redis::read_common);
}

nats::NatsOptions options_of(const config::NatsConfig& config) {
  nats::NatsOptions options;
  options.vhost = config.vhost;
  options.no_auth_user = config.no_auth_user;
  options.max_payload = config.max_payload;
  options.max_control_line = config.max_control_line;
  options.max_pending = config.max_pending;
  options.max_subscriptions = config.max_subscriptions;
  options.ping_interval = std::chrono::seconds(config.ping_interval_s);
  options.ping_max = config.ping_max;
  options.auth_timeout = std::chrono::seconds(config.auth_timeout_s);
  options.write_deadline = std::chrono::seconds(config.write_deadline_s);
  options.lame_duck_grace = std::chrono::seconds(config.lame_duck_grace_s);
  options.connect_urls = config.advertise;
  if (config.tls_use == config::NatsTls::available) options.tls = nats::TlsOffer::available;
  if (config.tls_use == config::NatsTls::required) options.tls = nats::TlsOffer::required;
  options.tls_verify = config.tls.client_certificates == config::ClientCertificates::required;
  return options;
}

void add_users(const config::AuthConfig& config, nats::NatsOptions& options) {
  for (const config::UserConfig& user : config.users) {
    if (user.token.empty() && user.nkey.empty()) continue;
    options.credentials.push_back({user.name, auth::Secret(user.token), user.nkey});
  }
  for (const config::SubjectPermissionConfig& permission : config.subject_permissions) {
    auth::SubjectPermissions& made = options.permissions[permission.user];
    made.publish = {permission.publish_allow, permission.publish_deny};
    made.subscribe = {permission.subscribe_allow, permission.subscribe_deny};
    if (!permission.responses) continue;
    made.responses = {permission.responses_max,
                      std::chrono::seconds(permission.responses_expire_s)};
  }
}

void add_nats(const config::NatsConfig& config, const config::AuthConfig& users,
              std::uint64_t connections_max, Protocols& protocols) {
  protocols.formats.add(nats::nats_format, nats::read_headers, nats::read_common);
  if (config.listen.empty()) return;
  SecureRandom random;
  nats::NatsOptions options = options_of(config);
  add_users(users, options);
  options.host = config.listen.front().host;
  options.port = config.listen.front().port;
  options.connections_max = connections_max;
  auto server =
      std::make_shared<nats::NatsServer>(std::move(options), random, SystemClock().wall());
  auto make = [server](broker::Core& core, SessionHost& host, const Peer& peer) {
    return nats::make_nats_session(*server, core, host, peer);
  };
  bool has_tls = config.tls_use != config::NatsTls::off;
  bool is_first = config.tls_use == config::NatsTls::first;
  protocols.entrances.push_back({.name = "nats",
                                 .listen = config.listen,
                                 .tls = has_tls ? &config.tls : nullptr,
                                 .tls_on_request = has_tls && !is_first,
                                 .make_session = make});
  auto make_web = [server](broker::Core& core, SessionHost& host, const Peer& peer) {
    auto inner = [server, &core](SessionHost& inner_host, const Peer& inner_peer) {
      return nats::make_nats_session(*server, core, inner_host, inner_peer,
                                     nats::Carrier::websocket);
    };
    return nats::make_websocket_session(inner, core.clock(), host, peer);
  };
  if (!config.websocket_listen.empty()) {
    protocols.entrances.push_back({.name = "nats websocket",
                                   .listen = config.websocket_listen,
                                   .tls = has_tls ? &config.tls : nullptr,
                                   .make_session = make_web});
  }
  auto make_monitor = [server](broker::Core& core, SessionHost&, const Peer&) {
    return nats::make_monitor_session(*server, core);
  };
  if (!config.monitor_listen.empty()) {
    protocols.entrances.push_back(
        {.name = "nats monitoring", .listen = config.monitor_listen, .make_session = make_monitor});
  }
}

}  // namespace

Protocols make_protocols(const config::Config& config) {
  Protocols protocols;
  add_amqp(config.amqp, protocols);
  add_redis(config, protocols);
  add_nats(config.nats, config.auth, config.net.connections_max, protocols);
  return protocols;
}

}  // namespace wharf::server
