// From TOML to Config: one function a table of the file.
#include <charconv>
#include <fstream>
#include <sstream>

#include "config/config.h"
#include "config/table.h"

namespace wharf::config {
namespace {

void read_endpoints(Table& table, std::vector<Endpoint>& out, std::string_view key = "listen") {
  std::vector<Endpoint> given;
  table.read_each(key, [&](std::string_view text) -> std::string {
    auto endpoint = parse_endpoint(text);
    if (!endpoint) return endpoint.error();
    given.push_back(*endpoint);
    return {};
  });
  if (table.has(key)) out = std::move(given);
}

void read_server(Table& file, ServerConfig& out) {
  file.read("data_dir", out.data_dir);
  file.read("threads", out.threads, 0, 1024);
  file.read("shards", out.shards, 0, 1024);
  file.read("stop_grace_s", out.stop_grace_s, 0, 3600);
}

void read_net(Table& net, NetConfig& out) {
  net.read("connections_max", out.connections_max, 1, 10'000'000);
  net.read("accepts_per_turn_max", out.accepts_per_turn_max, 1, 100'000);
  net.read("backlog", out.backlog, 1, 65'535);
  net.read("unsent_bytes_high", out.unsent_bytes_high, 4096, std::uint64_t{1} << 30);
  net.read("unit_bytes_max", out.unit_bytes_max, 1 << 20, std::uint64_t{1} << 30);
  net.read("handshake_timeout_s", out.handshake_timeout_s, 1, 3600);
  net.read("flush_timeout_s", out.flush_timeout_s, 1, 3600);
  net.read("linger_timeout_s", out.linger_timeout_s, 0, 3600);
}

void read_certificates(Table& tls, TlsConfig& out) {
  tls.read("certificate_file", out.certificate_file);
  tls.read("key_file", out.key_file);
  tls.read("ca_file", out.ca_file);
  tls.read("client_certificates", out.client_certificates,
           {{"ignored", ClientCertificates::ignored},
            {"optional", ClientCertificates::optional},
            {"required", ClientCertificates::required}});
  tls.read("certificate_name", out.certificate_name,
           {{"common_name", CertificateName::common_name},
            {"distinguished_name", CertificateName::distinguished_name}});
}

void read_tls(Table& tls, TlsConfig& out) {
  read_endpoints(tls, out.listen);
  read_certificates(tls, out);
}

void read_storage(Table& storage, StorageConfig& out) {
  storage.read("segment_bytes", out.segment_bytes, 1 << 20, std::uint64_t{1} << 32);
  storage.read("pending_bytes_max", out.pending_bytes_max, 1 << 20, std::uint64_t{1} << 32);
  storage.read("free_bytes_min", out.free_bytes_min, 0, std::uint64_t{1} << 50);
  storage.read("snapshot_interval_bytes", out.snapshot_interval_bytes, 1 << 20,
               std::uint64_t{1} << 40);
  storage.read("accept_damage", out.accept_damage);
}

void read_broker(Table& broker, BrokerConfig& out) {
  broker.read("memory_bytes_max", out.memory_bytes_max, 16 << 20, std::uint64_t{1} << 50);
  broker.read("queues_max", out.queues_max, 1, 100'000'000);
}

void read_amqp(Table& amqp, AmqpConfig& out) {
  read_endpoints(amqp, out.listen);
  amqp.in_table("tls", [&](Table& tls) { read_tls(tls, out.tls); });
  amqp.read("frame_max", out.frame_max, 4096, 16 << 20);
  amqp.read("channel_max", out.channel_max, 1, 65'535);
  amqp.read("heartbeat_s", out.heartbeat_s, 0, 65'535);
  amqp.read("handshake_timeout_s", out.handshake_timeout_s, 1, 3600);
  amqp.read("message_bytes_max", out.message_bytes_max, 1, 32 << 20);
  amqp.read("ack_timeout_s", out.ack_timeout_s, 0, 10'000'000);
  amqp.read("consumers_per_channel_max", out.consumers_per_channel_max, 0, 1'000'000);
  amqp.read("product", out.product);
  amqp.read("version", out.version);
}

void read_redis(Table& redis, RedisConfig& out) {
  read_endpoints(redis, out.listen);
  redis.in_table("tls", [&](Table& tls) { read_tls(tls, out.tls); });
  redis.read("vhost", out.vhost);
  redis.read("default_user", out.default_user);
  redis.read("message_bytes_max", out.message_bytes_max, 1, 32 << 20);
  redis.read("transaction_bytes_max", out.transaction_bytes_max, 1, std::uint64_t{1} << 32);
  redis.read("output_bytes_max", out.output_bytes_max, 0, std::uint64_t{1} << 40);
  redis.read("output_bytes_soft", out.output_bytes_soft, 0, std::uint64_t{1} << 40);
  redis.read("output_soft_s", out.output_soft_s, 0, 86'400);
}

void read_nats_tls(Table& tls, NatsConfig& out) {
  tls.read("use", out.tls_use,
           {{"off", NatsTls::off},
            {"available", NatsTls::available},
            {"required", NatsTls::required},
            {"first", NatsTls::first}});
  read_certificates(tls, out.tls);
}

void read_nats(Table& nats, NatsConfig& out) {
  read_endpoints(nats, out.listen);
  read_endpoints(nats, out.websocket_listen, "websocket_listen");
  read_endpoints(nats, out.monitor_listen, "monitor_listen");
  nats.in_table("tls", [&](Table& tls) { read_nats_tls(tls, out); });
  nats.read("vhost", out.vhost);
  nats.read("no_auth_user", out.no_auth_user);
  nats.read("max_payload", out.max_payload, 1, 64 << 20);
  nats.read("max_control_line", out.max_control_line, 256, 1 << 20);
  nats.read("max_pending", out.max_pending, 64 << 10, std::uint64_t{1} << 40);
  nats.read("max_subscriptions", out.max_subscriptions, 0, 100'000'000);
  nats.read("ping_interval_s", out.ping_interval_s, 1, 86'400);
  nats.read("ping_max", out.ping_max, 1, 1000);
  nats.read("auth_timeout_s", out.auth_timeout_s, 1, 3600);
  nats.read("write_deadline_s", out.write_deadline_s, 1, 3600);
  nats.read("lame_duck_grace_s", out.lame_duck_grace_s, 0, 3600);
  nats.read_each("advertise", [&](std::string_view text) -> std::string {
    auto endpoint = parse_endpoint(text);
    if (!endpoint) return endpoint.error();
    out.advertise.push_back(to_text(*endpoint));
    return {};
  });
}

void read_auth(Table& file, AuthConfig& out) {
  file.in_each_table("vhost", [&](Table& vhost) { vhost.read("name", out.vhosts.emplace_back()); });
  file.in_each_table("user", [&](Table& user) {
    UserConfig& made = out.users.emplace_back();
    user.read("name", made.name);
    user.read("password", made.password);
    user.read("password_hash", made.password_hash);
    user.read("loopback_only", made.loopback_only);
    user.read("impersonator", made.impersonator);
    user.read("token", made.token);
    user.read("nkey", made.nkey);
  });
  file.in_each_table("permission", [&](Table& permission) {
    PermissionConfig& made = out.permissions.emplace_back();
    permission.read("user", made.user);
    permission.read("vhost", made.vhost);
    permission.read("configure", made.configure);
    permission.read("write", made.write);
    permission.read("read", made.read);
  });
}

void read_texts(Table& table, std::string_view key, std::vector<std::string>& out) {
  table.read_each(key, [&](std::string_view text) -> std::string {
    out.emplace_back(text);
    return {};
  });
}

void read_subject_permissions(Table& file, AuthConfig& out) {
  file.in_each_table("subject_permission", [&](Table& permission) {
    SubjectPermissionConfig& made = out.subject_permissions.emplace_back();
    permission.read("user", made.user);
    read_texts(permission, "publish_allow", made.publish_allow);
    read_texts(permission, "publish_deny", made.publish_deny);
    read_texts(permission, "subscribe_allow", made.subscribe_allow);
    read_texts(permission, "subscribe_deny", made.subscribe_deny);
    permission.read("responses", made.responses);
    permission.read("responses_max", made.responses_max, 0, 1'000'000'000);
    permission.read("responses_expire_s", made.responses_expire_s, 1, 1'000'000'000);
  });
}

void read_log(Table& log, LogConfig& out) {
  log.read("level", out.level);
  log.read("format", out.format, {{"text", LogFormat::text}, {"json", LogFormat::json}});
}

}  // namespace

std::expected<Config, Errors> parse(std::string_view toml, std::string_view file) {
  std::string name(file);
  toml::table root;
  try {
    root = toml::parse(toml);
  } catch (const toml::parse_error& error) {
    return std::unexpected(Errors{name + ":" + std::to_string(error.source().begin.line) + ": " +
                                  std::string(error.description())});
  }
  Config config;
  Complaints complaints(name);
  Table table(root, "", complaints);
  read_server(table, config.server);
  table.in_table("net", [&](Table& net) { read_net(net, config.net); });
  table.in_table("storage", [&](Table& storage) { read_storage(storage, config.storage); });
  table.in_table("broker", [&](Table& broker) { read_broker(broker, config.broker); });
  table.in_table("amqp", [&](Table& amqp) { read_amqp(amqp, config.amqp); });
  table.in_table("redis", [&](Table& redis) { read_redis(redis, config.redis); });
  table.in_table("nats", [&](Table& nats) { read_nats(nats, config.nats); });
  table.in_table("log", [&](Table& log) { read_log(log, config.log); });
  read_auth(table, config.auth);
  read_subject_permissions(table, config.auth);
  table.finish();
  Errors errors = complaints.take();
  if (!errors.empty()) return std::unexpected(std::move(errors));
  return config;
}

std::expected<Config, Errors> load(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return std::unexpected(Errors{file + ": cannot be read"});
  return parse(text.str(), file);
}

std::expected<Endpoint, std::string> parse_endpoint(std::string_view text) {
  Endpoint endpoint;
  std::size_t colon = text.rfind(':');
  std::string_view port = text;
  if (colon != std::string_view::npos) {
    endpoint.host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  bool bracketed =
      endpoint.host.size() > 2 && endpoint.host.front() == '[' && endpoint.host.back() == ']';
  if (bracketed) endpoint.host = endpoint.host.substr(1, endpoint.host.size() - 2);
  bool ambiguous = !bracketed && endpoint.host.find(':') != std::string::npos;
  auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  bool whole = error == std::errc() && end == port.data() + port.size();
  if (!whole || endpoint.host.empty() || ambiguous) {
    return std::unexpected("\"" + std::string(text) + "\" is not ADDRESS:PORT");
  }
  return endpoint;
}

std::string to_text(const Endpoint& endpoint) {
  bool bracketed = endpoint.host.find(':') != std::string::npos;
  std::string host = bracketed ? "[" + endpoint.host + "]" : endpoint.host;
  return host + ":" + std::to_string(endpoint.port);
}

}  // namespace wharf::config
