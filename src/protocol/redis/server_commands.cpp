// INFO, CONFIG and what else clients ask of a server.
#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <unistd.h>

#include "broker/glob.h"
#include "protocol/redis/connection.h"

namespace wharf::redis {

namespace {

std::string_view port_of(std::string_view address) {
  return address.substr(address.rfind(':') + 1);
}

std::string server_section(const ServerState& server, const Peer& peer, Duration up, WallTime now) {
  auto up_s = std::chrono::floor<std::chrono::seconds>(up).count();
  return fmt::format(
      "# Server\r\nredis_version:{}\r\nredis_mode:standalone\r\nos:Linux\r\narch_bits:64\r\n"
      "multiplexing_api:epoll\r\nprocess_id:{}\r\nrun_id:{}\r\ntcp_port:{}\r\n"
      "server_time_usec:{}\r\nuptime_in_seconds:{}\r\nuptime_in_days:{}\r\n",
      server.options.version, getpid(), server.run_id, port_of(peer.local),
      now.time_since_epoch().count() * 1000, up_s, up_s / 86400);
}

std::string clients_section(const ServerState& server) {
  return fmt::format(
      "# Clients\r\nconnected_clients:{}\r\nmaxclients:{}\r\npubsub_clients:{}\r\n"
      "blocked_clients:0\r\ntracking_clients:0\r\n",
      server.connected.load(), server.options.connections_max, server.subscribed.load());
}

constexpr std::string_view memory_section =
    "# Memory\r\nused_memory:0\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n";
constexpr std::string_view persistence_section =
    "# Persistence\r\nloading:0\r\nasync_loading:0\r\nrdb_bgsave_in_progress:0\r\n"
    "aof_enabled:0\r\n";
constexpr std::string_view cpu_section = "# CPU\r\n";
constexpr std::string_view modules_section = "# Modules\r\n";
constexpr std::string_view errors_section = "# Errorstats\r\n";
constexpr std::string_view cluster_section = "# Cluster\r\ncluster_enabled:0\r\n";
constexpr std::string_view keyspace_section = "# Keyspace\r\n";

std::string stats_section(const ServerState& server, std::size_t channels, std::size_t patterns,
                          std::size_t shard_channels) {
  return fmt::format(
      "# Stats\r\ntotal_connections_received:{}\r\ntotal_commands_processed:{}\r\n"
      "pubsub_channels:{}\r\npubsub_patterns:{}\r\npubsubshard_channels:{}\r\n",
      server.connections.load(), server.commands.load(), channels, patterns, shard_channels);
}

std::string replication_section(const ServerState& server) {
  return fmt::format(
      "# Replication\r\nrole:master\r\nconnected_slaves:0\r\nmaster_replid:{}\r\n"
      "master_repl_offset:0\r\n",
      server.run_id);
}

std::size_t names_in(const broker::Core& core, auth::VhostId vhost, broker::Room room) {
  std::size_t count = 0;
  core.each_name(vhost, room, [&](std::string_view, std::uint32_t) { ++count; });
  return count;
}

}  // namespace

void RedisSession::info(const Request& request) {
  auto wanted = [&](std::string_view section) {
    if (request.size() == 1) return section != "modules" && section != "errorstats";
    for (std::size_t i = 1; i < request.size(); ++i) {
      for (std::string_view all : {section, std::string_view("all"), std::string_view("everything"),
                                   std::string_view("default")}) {
        if (equal_nocase(request[i], all)) return true;
      }
    }
    return false;
  };
  std::string text;
  auto add = [&](std::string_view name, auto make) {
    if (!wanted(name)) return;
    if (!text.empty()) text += "\r\n";
    text += make();
  };
  auto fixed = [](std::string_view section) { return [section] { return section; }; };
  Duration up = core_.clock().now() - server_.started;
  add("server", [&] { return server_section(server_, peer_, up, core_.clock().wall()); });
  add("clients", [&] { return clients_section(server_); });
  add("memory", fixed(memory_section));
  add("persistence", fixed(persistence_section));
  add("stats", [&] {
    return stats_section(server_, names_in(core_, vhost_, broker::common_room),
                         core_.count_patterns(vhost_, broker::common_room),
                         names_in(core_, vhost_, broker::Room{1}));
  });
  add("replication", [&] { return replication_section(server_); });
  add("cpu", fixed(cpu_section));
  add("modules", fixed(modules_section));
  add("errorstats", fixed(errors_section));
  add("cluster", fixed(cluster_section));
  add("keyspace", fixed(keyspace_section));
  replies_.verbatim(text);
}

void RedisSession::time(const Request&) {
  auto since = core_.clock().wall().time_since_epoch();
  auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  replies_.array(2);
  replies_.bulk(std::to_string(seconds.count()));
  replies_.bulk(std::to_string(std::chrono::microseconds(since - seconds).count()));
}

void RedisSession::cluster(const Request&) {
  replies_.error("ERR This instance has cluster support disabled");
}

// ---- settings

namespace {

struct Setting {
  std::string_view name;
  std::string value;
};

std::vector<Setting> settings_of(const RedisOptions& options, const Peer& peer) {
  auto number = [](std::uint64_t value) { return std::to_string(value); };
  auto soft_s = std::chrono::floor<std::chrono::seconds>(options.output.soft_time).count();
  return {
      {"acl-pubsub-default", "resetchannels"},
      {"appendonly", "no"},
      {"client-output-buffer-limit", fmt::format("normal 0 0 0 slave 0 0 0 pubsub {} {} {}",
                                                 options.output.hard, options.output.soft, soft_s)},
      {"cluster-enabled", "no"},
      {"databases", "16"},
      {"maxclients", number(options.connections_max)},
      {"maxmemory", "0"},
      {"maxmemory-policy", "noeviction"},
      {"notify-keyspace-events", ""},
      {"port", std::string(port_of(peer.local))},
      {"proto-max-bulk-len", number(options.message_bytes_max)},
      {"save", ""},
      {"slave-read-only", "yes"},
      {"replica-read-only", "yes"},
      {"tcp-keepalive", "0"},
      {"timeout", "0"},
  };
}

}  // namespace

void RedisSession::config_get(const Request& request) {
  std::vector<Setting> found;
  for (Setting& setting : settings_of(server_.options, peer_)) {
    for (std::size_t i = 2; i < request.size(); ++i) {
      if (!broker::glob_matches(lower(request[i]), setting.name)) continue;
      found.push_back(std::move(setting));
      break;
    }
  }
  replies_.map(found.size());
  for (const Setting& setting : found) {
    replies_.bulk(setting.name);
    replies_.bulk(setting.value);
  }
}

// Libraries switch keyspace events on and do without them where there are no keys; everything else
// is set in the broker's own configuration.
void RedisSession::config_set(const Request& request) {
  if (request.size() % 2 != 0) {
    return replies_.error("ERR wrong number of arguments for 'config|set' command");
  }
  std::vector<Setting> known = settings_of(server_.options, peer_);
  for (std::size_t i = 2; i < request.size(); i += 2) {
    std::string name = lower(request[i]);
    if (name == "notify-keyspace-events") continue;
    if (std::ranges::find(known, std::string_view(name), &Setting::name) == known.end()) {
      return replies_.error(fmt::format(
          "ERR Unknown option or number of arguments for CONFIG SET - '{}'", request[i]));
    }
    return replies_.error(
        fmt::format("ERR CONFIG SET failed (possibly related to argument '{}') - can't set "
                    "immutable config",
                    request[i]));
  }
  replies_.status("OK");
}

void RedisSession::config_resetstat(const Request&) { replies_.status("OK"); }
void RedisSession::config_help(const Request&) { help("config"); }

}  // namespace wharf::redis
