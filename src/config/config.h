// config/config.h: everything an operator can set, one struct a folder of the source. A value comes
// from the defaults below, then from the TOML file, then from flags; validate() judges the sum of
// them. The file is described in config/wharf.example.toml; a key that is not known there is an
// error.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace wharf::config {

struct Endpoint {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct ServerConfig {
  std::string data_dir = "./data";
  std::uint32_t threads = 0;  // 0: one a core
  std::uint32_t shards = 0;   // 0: one a thread; counts only when the data directory is made
  std::uint32_t stop_grace_s = 5;
};

struct NetConfig {
  std::uint64_t connections_max = 10'000;
  std::uint32_t accepts_per_turn_max = 64;
  std::uint32_t backlog = 1024;
  std::uint64_t unsent_bytes_high = 1 << 20;
  std::uint64_t unit_bytes_max = 64 << 20;
  std::uint32_t handshake_timeout_s = 10;
  std::uint32_t flush_timeout_s = 10;
  std::uint32_t linger_timeout_s = 2;
};

enum class ClientCertificates : std::uint8_t { ignored, optional, required };
enum class CertificateName : std::uint8_t { common_name, distinguished_name };

struct TlsConfig {
  std::vector<Endpoint> listen;  // empty: no TLS listener
  std::string certificate_file;
  std::string key_file;
  std::string ca_file;
  ClientCertificates client_certificates = ClientCertificates::ignored;
  CertificateName certificate_name = CertificateName::common_name;
};

struct StorageConfig {
  std::uint64_t segment_bytes = 64 << 20;
  std::uint64_t pending_bytes_max = 64 << 20;  // a shard
  std::uint64_t free_bytes_min = 512 << 20;
  std::uint64_t snapshot_interval_bytes = 256 << 20;
  bool accept_damage = false;
};

struct BrokerConfig {
  std::uint64_t memory_bytes_max = 1 << 30;  // messages of all shards
  std::uint32_t queues_max = 1'000'000;
};

struct AmqpConfig {
  std::vector<Endpoint> listen{{"127.0.0.1", 5672}};  // empty: no plain listener
  TlsConfig tls;
  std::uint32_t frame_max = 131'072;
  std::uint32_t channel_max = 2047;
  std::uint32_t heartbeat_s = 60;
  std::uint32_t handshake_timeout_s = 10;
  std::uint64_t message_bytes_max = 16 << 20;
  std::uint32_t ack_timeout_s = 1800;
  std::uint32_t consumers_per_channel_max = 0;  // 0: no limit
  // What clients are told; some choose their behaviour by it.
  std::string product = "RabbitMQ";
  std::string version = "4.2.0";
};

struct RedisConfig {
  std::vector<Endpoint> listen{{"127.0.0.1", 6379}};  // empty: no plain listener
  TlsConfig tls;
  std::string vhost = "/";
  std::string default_user = "guest";  // of peers on loopback that log in as nobody; empty: none
  std::uint64_t message_bytes_max = 16 << 20;
  std::uint64_t transaction_bytes_max = 64 << 20;
  // Of a connection with subscriptions; 0: no limit.
  std::uint64_t output_bytes_max = 32 << 20;
  std::uint64_t output_bytes_soft = 8 << 20;
  std::uint32_t output_soft_s = 60;
};

// How TLS stands on the port of [nats].
enum class NatsTls : std::uint8_t {
  off,
  available,  // as the client wants it
  required,   // behind the INFO, as clients expect it
  first,      // before the INFO
};

struct NatsConfig {
  std::vector<Endpoint> listen{{"127.0.0.1", 4222}};  // empty: off
  std::vector<Endpoint> websocket_listen;
  std::vector<Endpoint> monitor_listen;  // HTTP
  NatsTls tls_use = NatsTls::off;
  TlsConfig tls;  // its `listen` is not in use
  std::string vhost = "/";
  std::string no_auth_user = "guest";  // whose rights those have who bring no credentials
  std::uint64_t max_payload = 1 << 20;
  std::uint32_t max_control_line = 4096;
  std::uint64_t max_pending = 64 << 20;
  std::uint32_t max_subscriptions = 0;  // 0: no limit
  std::uint32_t ping_interval_s = 120;
  std::uint32_t ping_max = 2;
  std::uint32_t auth_timeout_s = 2;
  std::uint32_t write_deadline_s = 10;
  std::uint32_t lame_duck_grace_s = 1;
  std::vector<std::string> advertise;  // ADDRESS:PORT of this broker, as clients see it
};

// One of the two secrets, or none: then no login by password.
struct UserConfig {
  std::string name;
  std::string password;
  std::string password_hash;
  bool loopback_only = false;
  bool impersonator = false;
  std::string token;  // a secret instead of name and password
  std::string nkey;   // a public key whose holder is this user
};

// Rules about subjects, for the protocols that know such; see auth/subject_rules.h.
struct SubjectPermissionConfig {
  std::string user;
  std::vector<std::string> publish_allow;
  std::vector<std::string> publish_deny;
  std::vector<std::string> subscribe_allow;
  std::vector<std::string> subscribe_deny;
  bool responses = false;  // may answer where it may not publish
  std::uint32_t responses_max = 1;
  std::uint32_t responses_expire_s = 120;
};

struct PermissionConfig {
  std::string user;
  std::string vhost;
  std::string configure = ".*";
  std::string write = ".*";
  std::string read = ".*";
};

// With no user at all there is one: guest, password guest, from loopback only, with all permissions
// on every vhost. With no vhost at all there is "/".
struct AuthConfig {
  std::vector<std::string> vhosts;
  std::vector<UserConfig> users;
  std::vector<PermissionConfig> permissions;
  std::vector<SubjectPermissionConfig> subject_permissions;
};

enum class LogFormat : std::uint8_t { text, json };

struct LogConfig {
  std::string level = "info";  // trace, debug, info, warn, error, critical, off
  LogFormat format = LogFormat::text;
};

struct Config {
  ServerConfig server;
  NetConfig net;
  StorageConfig storage;
  BrokerConfig broker;
  AmqpConfig amqp;
  RedisConfig redis;
  NatsConfig nats;
  AuthConfig auth;
  LogConfig log;
};

// Each error is a line for the operator, with file and line number where there is one.
using Errors = std::vector<std::string>;

// `file` is only named in errors.
std::expected<Config, Errors> parse(std::string_view toml, std::string_view file);
std::expected<Config, Errors> load(const std::string& file);

// "127.0.0.1:5672", "[::1]:5672", "*:5672", or a port alone, which is on loopback. The error says
// why.
std::expected<Endpoint, std::string> parse_endpoint(std::string_view text);
std::string to_text(const Endpoint& endpoint);

// What parse cannot see: values that do not fit together. To be called after the flags were
// applied.
Errors validate(const Config& config);

// Fills in what the defaults leave to the machine: threads, the guest user, the vhost "/".
void complete(Config& config, std::uint32_t cores);

// The memory that the limits allow, one line a limit, for the log at start.
struct LimitLine {
  std::string name;
  std::uint64_t bytes = 0;
};
std::vector<LimitLine> sum_of_limits(const Config& config, std::uint32_t shards);

}  // namespace wharf::config
