#include "cli/serve_options.h"

#include <CLI/CLI.hpp>

namespace wharf::cli {

namespace {

// `given` instead of what the file says, if anything is given.
void read_listen(const std::string& protocol, const std::vector<std::string>& given,
                 std::vector<config::Endpoint>& out, config::Errors& errors) {
  if (!given.empty()) out.clear();
  for (const std::string& text : given) {
    if (text == "off") continue;
    auto endpoint = config::parse_endpoint(text);
    if (endpoint) {
      out.push_back(*endpoint);
    } else {
      errors.push_back("--" + protocol + "-listen " + text + ": " + endpoint.error());
    }
  }
}

}  // namespace

CLI::App* add_serve_command(CLI::App& app, ServeOptions& options) {
  CLI::App* serve = app.add_subcommand("serve", "Run the broker");
  serve->add_option("--config", options.config_file, "TOML file, see config/wharf.example.toml");
  serve->add_flag("--check", options.check, "Read and judge the configuration, then end");
  serve->add_option("--data-dir", options.data_dir, "Where the logs are");
  serve->add_option("--amqp-listen", options.amqp_listen, "ADDRESS:PORT, may be given again");
  serve->add_option("--nats-listen", options.nats_listen, "The same, or off");
  serve->add_option("--nats-websocket-listen", options.nats_websocket_listen, "The same");
  serve->add_option("--nats-monitor-listen", options.nats_monitor_listen, "The same");
  serve->add_option("--redis-listen", options.redis_listen, "The same, or off");
  serve->add_option("--threads", options.threads, "0: one a core");
  serve->add_option("--shards", options.shards, "Counts only when the data directory is made");
  serve->add_option("--log-level", options.log_level, "trace, debug, info, warn, error, off");
  serve->add_option("--log-format", options.log_format, "text or json")
      ->check(CLI::IsMember({"text", "json"}));
  return serve;
}

std::expected<config::Config, config::Errors> load_config(const ServeOptions& options) {
  std::expected<config::Config, config::Errors> config;
  if (!options.config_file.empty()) config = config::load(options.config_file);
  if (!config) return config;
  config::Errors errors;
  if (options.data_dir) config->server.data_dir = *options.data_dir;
  if (options.threads) config->server.threads = *options.threads;
  if (options.shards) config->server.shards = *options.shards;
  if (options.log_level) config->log.level = *options.log_level;
  if (options.log_format) {
    config->log.format =
        *options.log_format == "json" ? config::LogFormat::json : config::LogFormat::text;
  }
  read_listen("amqp", options.amqp_listen, config->amqp.listen, errors);
  read_listen("nats", options.nats_listen, config->nats.listen, errors);
  read_listen("nats-websocket", options.nats_websocket_listen, config->nats.websocket_listen,
              errors);
  read_listen("nats-monitor", options.nats_monitor_listen, config->nats.monitor_listen, errors);
  read_listen("redis", options.redis_listen, config->redis.listen, errors);
  for (std::string& error : config::validate(*config)) errors.push_back(std::move(error));
  if (!errors.empty()) return std::unexpected(std::move(errors));
  return config;
}

}  // namespace wharf::cli
