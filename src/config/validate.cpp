#include <algorithm>
#include <array>

#include "config/config.h"

namespace wharf::config {
namespace {

constexpr std::array<std::string_view, 7> log_levels = {"trace", "debug",    "info", "warn",
                                                        "error", "critical", "off"};

void check_users(const AuthConfig& auth, Errors& errors) {
  auto is_user = [&](const std::string& name) {
    return std::ranges::find(auth.users, name, &UserConfig::name) != auth.users.end();
  };
  for (const UserConfig& user : auth.users) {
    if (user.name.empty()) errors.push_back("a [[user]] has no name");
    if (std::ranges::count(auth.users, user.name, &UserConfig::name) > 1) {
      errors.push_back("there are two users " + user.name);
    }
    if (!user.password.empty() && !user.password_hash.empty()) {
      errors.push_back("user " + user.name + " has a password and a password_hash");
    }
    if (user.name == "guest" && user.password == "guest" && !user.loopback_only) {
      errors.push_back("user guest with password guest must be loopback_only");
    }
  }
  for (const SubjectPermissionConfig& permission : auth.subject_permissions) {
    if (!is_user(permission.user)) {
      errors.push_back("a [[subject_permission]] names the unknown user \"" + permission.user +
                       "\"");
    }
    if (std::ranges::count(auth.subject_permissions, permission.user,
                           &SubjectPermissionConfig::user) > 1) {
      errors.push_back("there are two [[subject_permission]] of user " + permission.user);
    }
  }
  for (const PermissionConfig& permission : auth.permissions) {
    if (!is_user(permission.user)) {
      errors.push_back("a [[permission]] names the unknown user \"" + permission.user + "\"");
    }
    bool is_vhost = std::ranges::find(auth.vhosts, permission.vhost) != auth.vhosts.end();
    if (!is_vhost && !(auth.vhosts.empty() && permission.vhost == "/")) {
      errors.push_back("a [[permission]] names the unknown vhost \"" + permission.vhost + "\"");
    }
  }
}

// Clients take it apart.
bool is_three_numbers(std::string_view version) {
  std::size_t dots = 0;
  char before = '.';
  for (char c : version) {
    bool is_digit = c >= '0' && c <= '9';
    if (!is_digit && (c != '.' || before == '.')) return false;
    if (c == '.') ++dots;
    before = c;
  }
  return dots == 2 && before != '.';
}

// `section` is the table's name in the file.
void check_tls(const std::string& section, const TlsConfig& tls, Errors& errors) {
  if (tls.listen.empty()) return;
  if (tls.certificate_file.empty() || tls.key_file.empty()) {
    errors.push_back(section + ".listen needs certificate_file and key_file");
  }
  if (tls.client_certificates != ClientCertificates::ignored && tls.ca_file.empty()) {
    errors.push_back(section + ".client_certificates needs ca_file");
  }
}

void check_redis(const Config& config, Errors& errors) {
  const RedisConfig& redis = config.redis;
  if (redis.listen.empty() && redis.tls.listen.empty()) return;
  const std::vector<std::string>& vhosts = config.auth.vhosts;
  bool is_vhost = std::ranges::find(vhosts, redis.vhost) != vhosts.end();
  if (!is_vhost && !(vhosts.empty() && redis.vhost == "/")) {
    errors.push_back("redis.vhost names the unknown vhost \"" + redis.vhost + "\"");
  }
  if (redis.message_bytes_max > config.broker.memory_bytes_max / 4) {
    errors.push_back("broker.memory_bytes_max must hold four messages of redis.message_bytes_max");
  }
  if (redis.message_bytes_max > config.storage.segment_bytes / 2) {
    errors.push_back("storage.segment_bytes must hold two messages of redis.message_bytes_max");
  }
  if (redis.message_bytes_max > config.net.unit_bytes_max / 2) {
    errors.push_back("net.unit_bytes_max must hold two messages of redis.message_bytes_max");
  }
  check_tls("redis.tls", redis.tls, errors);
}

void check_nats(const Config& config, Errors& errors) {
  const NatsConfig& nats = config.nats;
  if (nats.listen.empty()) return;
  if (nats.max_payload > nats.max_pending) {
    errors.push_back("nats.max_pending must hold a message of nats.max_payload");
  }
  if (nats.max_payload + nats.max_control_line > config.net.unit_bytes_max / 2) {
    errors.push_back("net.unit_bytes_max must hold two messages of nats.max_payload");
  }
  if (nats.max_payload > config.storage.segment_bytes / 2) {
    errors.push_back("storage.segment_bytes must hold two messages of nats.max_payload");
  }
  if (nats.lame_duck_grace_s > config.server.stop_grace_s) {
    errors.push_back("stop_grace_s must be as long as nats.lame_duck_grace_s");
  }
  if (nats.tls_use == NatsTls::off) return;
  if (nats.tls.certificate_file.empty() || nats.tls.key_file.empty()) {
    errors.push_back("nats.tls.use needs certificate_file and key_file");
  }
  if (nats.tls.client_certificates != ClientCertificates::ignored && nats.tls.ca_file.empty()) {
    errors.push_back("nats.tls.client_certificates needs ca_file");
  }
}

}  // namespace

Errors validate(const Config& config) {
  Errors errors;
  if (config.server.data_dir.empty()) errors.push_back("data_dir is empty");
  if (std::ranges::find(log_levels, config.log.level) == log_levels.end()) {
    errors.push_back("log.level \"" + config.log.level + "\" is not a level");
  }
  if (config.amqp.message_bytes_max > config.broker.memory_bytes_max / 4) {
    errors.push_back("broker.memory_bytes_max must hold four messages of amqp.message_bytes_max");
  }
  if (config.amqp.message_bytes_max > config.storage.segment_bytes / 2) {
    errors.push_back("storage.segment_bytes must hold two messages of amqp.message_bytes_max");
  }
  if (!is_three_numbers(config.amqp.version)) {
    errors.push_back("amqp.version \"" + config.amqp.version +
                     "\" is not three numbers, such as 4.2.0");
  }
  if (config.amqp.frame_max > config.net.unit_bytes_max) {
    errors.push_back("net.unit_bytes_max must hold a frame of amqp.frame_max");
  }
  check_tls("amqp.tls", config.amqp.tls, errors);
  check_redis(config, errors);
  check_nats(config, errors);
  check_users(config.auth, errors);
  return errors;
}

void complete(Config& config, std::uint32_t cores) {
  if (config.server.threads == 0) config.server.threads = std::max(cores, 1u);
  if (config.server.shards == 0) config.server.shards = config.server.threads;
  AuthConfig& auth = config.auth;
  if (auth.vhosts.empty()) auth.vhosts.push_back("/");
  if (!auth.users.empty()) return;
  auth.users.push_back({.name = "guest",
                        .password = "guest",
                        .password_hash = {},
                        .loopback_only = true,
                        .impersonator = false,
                        .token = {},
                        .nkey = {}});
  for (const std::string& vhost : auth.vhosts)
    auth.permissions.push_back({"guest", vhost, ".*", ".*", ".*"});
}

std::vector<LimitLine> sum_of_limits(const Config& config, std::uint32_t shards) {
  // A read buffer for plain and one for encrypted input, see net/workspace.h.
  constexpr std::uint64_t read_buffers = (256 + 64) * 1024;
  std::vector<LimitLine> lines = {
      {"messages in memory", config.broker.memory_bytes_max},
      {"log waiting for the disk", config.storage.pending_bytes_max * shards},
      {"read buffers", read_buffers * shards},
      {"unsent output before a peer is not read from",
       config.net.unsent_bytes_high * config.net.connections_max},
      {"messages being received, one a connection",
       config.amqp.message_bytes_max * config.net.connections_max},
  };
  std::uint64_t total = 0;
  for (const LimitLine& line : lines) total += line.bytes;
  lines.push_back({"sum", total});
  return lines;
}

}  // namespace wharf::config
