#include "cli/sim_command.h"

#include <chrono>
#include <memory>

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "base/time.h"
#include "sim/run.h"

namespace wharf::cli {

namespace {

struct SimArguments {
  sim::SimOptions options;
  std::uint64_t from = 1;
  std::uint64_t seeds = 100;
  std::optional<std::uint64_t> seed;
  std::string bug = "none";
  bool tally = false;
};

int run(SimArguments& arguments) {
  sim::SimOptions& options = arguments.options;
  options.bug = *sim::find_bug(arguments.bug);
  options.seed = arguments.seed.value_or(arguments.from);
  options.verbose = arguments.seed.has_value();
  SystemClock clock;
  Instant begin = clock.now();
  sim::SimTotals totals = sim::run_seeds(options, arguments.seed ? 1 : arguments.seeds);
  std::chrono::duration<double> took = clock.now() - begin;
  const sim::SimReport& sum = totals.sum;
  fmt::print(
      "{} seeds, {} steps, {} messages, {} confirms, {} deliveries, {} restarts ({} power "
      "cuts), {} faults, {:.1f} s, digest {:016x}\n",
      totals.seeds, sum.steps, sum.messages, sum.confirms, sum.deliveries, sum.restarts,
      sum.power_cuts, sum.faults, took.count(), sum.digest);
  if (arguments.tally) {
    for (const auto& [what, times] : sum.tally) fmt::print("{:>10} {}\n", times, what);
  }
  if (!totals.failed) return 0;
  fmt::print("FAILED: {}\nagain:  {}\n", totals.violation, sim::reproduction(*totals.failed));
  return 1;
}

}  // namespace

void add_sim_command(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("sim", "Runs the broker in a simulated world, seed by seed");
  auto arguments = std::make_shared<SimArguments>();
  command->add_option("--seeds", arguments->seeds, "How many seeds")->capture_default_str();
  command->add_option("--from", arguments->from, "The first seed")->capture_default_str();
  command->add_option("--seed", arguments->seed, "One seed only, every step of it printed");
  command->add_option("--ops", arguments->options.operations, "Operations of clients in a seed")
      ->capture_default_str();
  command->add_option("--shards", arguments->options.shards, "Number of shards; 0: by the seed");
  command->add_flag("--tally", arguments->tally, "Says how often each kind of thing happened");
  command->add_option("--bug", arguments->bug, "A bug to put in: the run is to fail")
      ->check([](const std::string& name) {
        return sim::find_bug(name) ? std::string() : "no such bug: " + name;
      });
  command->callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace wharf::cli
