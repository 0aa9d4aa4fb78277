// The `wharf` command. Of its subcommands `serve` is the broker, and stands here as a list of
// steps; the others are tools, in src/cli.
#include <csignal>
#include <cstdio>
#include <thread>
#include <vector>

#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>

#include "cli/bench_command.h"
#include "cli/log_command.h"
#include "cli/password_command.h"
#include "cli/serve_options.h"
#include "cli/sim_command.h"
#include "config/config.h"
#include "server/broker_process.h"
#include "server/logging.h"

namespace wharf::server {
namespace {

// The signals that end the process. Blocked in all threads, so that only wait_for_signal takes
// them.
sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

void wait_for_signal() {
  sigset_t set = stop_signals();
  int signal = 0;
  sigwait(&set, &signal);
  spdlog::info("{}: stopping; once more stops at once", signal == SIGINT ? "SIGINT" : "SIGTERM");
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

int fail(const std::string& why) {
  spdlog::critical("{}", why);
  return 1;
}

int serve(const config::Config& config) {
  // From here on every thread leaves the stop signals to this one; a peer that is gone is no
  // signal.
  sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  // The data directory: every shard's log is read back, then its queues stand as they were.
  BrokerProcess process(config);
  if (auto opened = process.open_stores(); !opened) return fail(opened.error());

  // Doors open only now, since a session may ask for anything at once.
  if (auto listening = process.open_listeners(); !listening) return fail(listening.error());
  process.run();
  spdlog::info("ready");

  // From here on the threads do the work.
  wait_for_signal();
  process.stop();
  spdlog::info("stopped");
  return 0;
}

std::vector<config::LimitLine> limits_of(const config::Config& config) {
  std::uint32_t shards = config.server.shards ? config.server.shards : config.server.threads;
  return config::sum_of_limits(config, shards);
}

void print_check(const config::Config& config) {
  std::printf("configuration is sound\n");
  for (const config::LimitLine& line : limits_of(config)) {
    std::printf("%-40s %8.1f MiB\n", line.name.c_str(),
                static_cast<double>(line.bytes) / (1 << 20));
  }
}

int serve_or_check(const cli::ServeOptions& options) {
  auto config = cli::load_config(options);
  if (!config) {
    for (const std::string& error : config.error())
      std::fprintf(stderr, "wharf: %s\n", error.c_str());
    return 2;
  }
  config::complete(*config, std::max(1u, std::thread::hardware_concurrency()));
  if (options.check) {
    print_check(*config);
    return 0;
  }
  set_up_log(config->log);
  spdlog::info("the limits allow {} MiB of memory in all; serve --check lists them",
               limits_of(*config).back().bytes >> 20);
  return serve(*config);
}

}  // namespace
}  // namespace wharf::server

int main(int argc, char** argv) {
  using namespace wharf;
  CLI::App app{"Wharf, a message broker that your client already speaks to"};
  app.set_version_flag("--version", WHARF_VERSION);
  app.require_subcommand(1);
  int exit_code = 0;
  cli::ServeOptions options;
  CLI::App* serve = cli::add_serve_command(app, options);
  cli::add_bench_command(app, exit_code);
  cli::add_sim_command(app, exit_code);
  cli::add_log_command(app, exit_code);
  cli::add_password_command(app, exit_code);
  app.add_subcommand("version", "Print the version")->callback([] {
    std::printf("wharf %s\n", WHARF_VERSION);
  });
  CLI11_PARSE(app, argc, argv);
  return serve->parsed() ? server::serve_or_check(options) : exit_code;
}
