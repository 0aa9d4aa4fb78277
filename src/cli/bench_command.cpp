#include "cli/bench_command.h"

#include <map>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "bench/amqp_bench.h"
#include "bench/forwarder.h"
#include "bench/live_bench.h"

namespace wharf::cli {

namespace {

using bench::AckMode;
using bench::AmqpBenchOptions;
using bench::BenchMode;
using bench::LiveBenchOptions;
using bench::LiveKind;
using bench::LiveMode;
using bench::RunOptions;

const std::map<std::string, BenchMode> modes = {
    {"throughput", BenchMode::throughput}, {"fill", BenchMode::fill}, {"drain", BenchMode::drain}};
const std::map<std::string, AckMode> ack_modes = {{"manual", AckMode::manual},
                                                  {"auto", AckMode::automatic}};

const std::map<std::string, LiveMode> live_modes = {{"publish", LiveMode::publish},
                                                    {"request", LiveMode::request}};
const std::map<std::string, LiveKind> live_kinds = {{"nats", LiveKind::nats},
                                                    {"redis", LiveKind::redis}};

void add_load_options(CLI::App& app, AmqpBenchOptions& options) {
  app.add_option("--mode", options.mode,
                 "throughput: publish and consume; fill: publish --messages; drain: consume all")
      ->transform(CLI::CheckedTransformer(modes));
  app.add_option("--publishers", options.publishers, "Connections that publish");
  app.add_option("--consumers", options.consumers, "Connections that consume");
  app.add_option("--queues", options.queues, "Queues, shared out among the connections");
  app.add_option("--queue-prefix", options.queue_prefix,
                 "Queues are called PREFIX-0, PREFIX-1, ...");
  app.add_flag("--queue-durable", options.queue_durable, "Declare the queues durable");
  app.add_option("--size", options.body_size, "Bytes of a body; below 8 there are no latencies");
  app.add_flag("--persistent", options.persistent, "Publish with delivery mode 2");
  app.add_option("--confirm-window", options.confirm_window,
                 "Publisher confirms, at most so many outstanding a connection; 0: none");
  app.add_option("--prefetch", options.prefetch,
                 "Deliveries unacknowledged a consumer; 0: no limit");
  app.add_option("--ack", options.ack, "manual or auto")
      ->transform(CLI::CheckedTransformer(ack_modes));
  app.add_option("--ack-every", options.ack_every, "Acknowledge so many at once");
}

void add_run_options(CLI::App& app, RunOptions& options) {
  app.add_option("--seconds", options.seconds, "Measured time");
  app.add_option("--warmup", options.warmup_seconds, "Seconds before it");
  app.add_option("--patience", options.patience_seconds,
                 "Seconds without progress until missing messages are given up");
  app.add_option("--rate", options.rate,
                 "Messages a second over all publishers, by the clock; 0: as fast as it goes");
  app.add_option("--messages", options.messages, "Stop after so many instead of by time");
  app.add_option("--server-pid", options.server_pid, "Report memory and time of this process tree");
  app.add_flag("--json", options.json, "Print one JSON object");
}

void add_amqp(CLI::App& parent, int& exit_code) {
  CLI::App* amqp = parent.add_subcommand("amqp", "Any AMQP 0-9-1 server");
  amqp->option_defaults()->always_capture_default();
  auto options = std::make_shared<AmqpBenchOptions>();
  amqp->add_option("--url", options->url, "amqp://user:password@host:port/vhost");
  add_load_options(*amqp, *options);
  add_run_options(*amqp, options->run);
  amqp->callback([options, &exit_code] { exit_code = bench::run_amqp_bench(*options); });
}

void add_live_options(CLI::App& app, LiveBenchOptions& options) {
  app.add_option("--mode", options.mode,
                 "publish: subscribers hear what publishers send; request: they reply to it")
      ->transform(CLI::CheckedTransformer(live_modes));
  app.add_option("--publishers", options.publishers, "Connections that publish or ask");
  app.add_option("--subscribers", options.subscribers, "Connections that hear or reply");
  app.add_option("--names", options.names,
                 "Subjects or channels; number I of either works on name I modulo this");
  app.add_option("--name-prefix", options.name_prefix, "They are called PREFIX.0, PREFIX.1, ...");
  app.add_option("--size", options.body_size,
                 "Bytes of a body; below 8 there are no latencies, below 16 no --check");
  app.add_option("--depth", options.depth,
                 "Answers (Redis) or replies outstanding on a connection; 1: one at a time");
  app.add_option("--window", options.window,
                 "Publishers pause while so many deliveries are outstanding; 0: never");
  app.add_flag("--check", options.check,
               "Look at every message, and whether any is missing or out of order");
}

void add_live(CLI::App& parent, const bench::LiveProtocol& protocol, const char* what,
              int& exit_code) {
  std::string name(protocol.name());
  CLI::App* live = parent.add_subcommand(name, what);
  live->option_defaults()->always_capture_default();
  auto options = std::make_shared<LiveBenchOptions>();
  options->url = name + "://127.0.0.1:" + std::to_string(protocol.port());
  live->add_option("--url", options->url, name + "://user:password@host:port");
  add_live_options(*live, *options);
  add_run_options(*live, options->run);
  live->callback(
      [options, &protocol, &exit_code] { exit_code = bench::run_live_bench(protocol, *options); });
}

void add_forwarder(CLI::App& parent, int& exit_code) {
  CLI::App* forwarder = parent.add_subcommand(
      "forwarder", "The ceiling to compare with: a server that only splits and copies");
  auto kind = std::make_shared<LiveKind>();
  auto place = std::make_shared<std::string>("127.0.0.1:0");
  forwarder->add_option("protocol", *kind, "nats or redis")
      ->required()
      ->transform(CLI::CheckedTransformer(live_kinds));
  forwarder->add_option("--listen", *place, "HOST:PORT; port 0: any free one")
      ->capture_default_str();
  forwarder->callback(
      [kind, place, &exit_code] { exit_code = bench::run_forwarder(*kind, *place); });
}

}  // namespace

void add_bench_command(CLI::App& app, int& exit_code) {
  CLI::App* bench_command = app.add_subcommand("bench", "Put load on a server and measure it");
  bench_command->require_subcommand(1);
  add_amqp(*bench_command, exit_code);
  add_live(*bench_command, bench::nats_protocol(), "Any NATS server, core messages", exit_code);
  add_live(*bench_command, bench::redis_protocol(), "Any Redis server, Pub/Sub", exit_code);
  add_forwarder(*bench_command, exit_code);
}

}  // namespace wharf::cli
