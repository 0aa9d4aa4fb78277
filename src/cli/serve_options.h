// cli/serve_options.h: the flags of `wharf serve`, over the configuration file.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"

namespace CLI {
class App;
}

namespace wharf::cli {

struct ServeOptions {
  std::string config_file;
  bool check = false;  // read and judge the configuration, then end
  std::optional<std::string> data_dir;
  std::vector<std::string> amqp_listen;
  std::vector<std::string> redis_listen;
  std::vector<std::string> nats_listen;  // "off": none
  std::vector<std::string> nats_websocket_listen;
  std::vector<std::string> nats_monitor_listen;
  std::optional<std::uint32_t> threads;
  std::optional<std::uint32_t> shards;
  std::optional<std::string> log_level;
  std::optional<std::string> log_format;
};

CLI::App* add_serve_command(CLI::App& app, ServeOptions& options);

// Defaults, file, flags, judged.
std::expected<config::Config, config::Errors> load_config(const ServeOptions& options);

}  // namespace wharf::cli
