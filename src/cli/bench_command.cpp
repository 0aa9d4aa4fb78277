#include "cli/bench_command.h"

#include <map>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "bench/amqp_bench.h"

namespace wharf::cli {

namespace {

using bench::AckMode;
using bench::AmqpBenchOptions;
using bench::BenchMode;
using bench::RunOptions;

const std::map<std::string, BenchMode> modes = {
    {"throughput", BenchMode::throughput}, {"fill", BenchMode::fill}, {"drain", BenchMode::drain}};
const std::map<std::string, AckMode> ack_modes = {{"manual", AckMode::manual},
                                                  {"auto", AckMode::automatic}};

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

}  // namespace

void add_bench_command(CLI::App& app, int& exit_code) {
  CLI::App* bench = app.add_subcommand("bench", "Put load on a server and measure it");
  bench->require_subcommand(1);
  CLI::App* amqp = bench->add_subcommand("amqp", "Any AMQP 0-9-1 server");
  amqp->option_defaults()->always_capture_default();
  auto options = std::make_shared<AmqpBenchOptions>();
  amqp->add_option("--url", options->url, "amqp://user:password@host:port/vhost");
  add_load_options(*amqp, *options);
  add_run_options(*amqp, options->run);
  amqp->callback([options, &exit_code] { exit_code = bench::run_amqp_bench(*options); });
}

}  // namespace wharf::cli
