#include "sim/run.h"

#include <csignal>
#include <cstring>

#include <fmt/format.h>
#include <unistd.h>

#include "sim/bugs.h"
#include "sim/world.h"

namespace wharf::sim {

namespace {

// For the handler of a failed assertion, which may not allocate.
char dying_words[256];

extern "C" void say_dying_words(int signal) {
  ssize_t written = write(STDERR_FILENO, dying_words, std::strlen(dying_words));
  (void)written;
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void prepare_dying_words(const SimOptions& options) {
  std::string text = fmt::format("died in: {}\n", reproduction(options));
  std::strncpy(dying_words, text.c_str(), sizeof(dying_words) - 1);
}

}  // namespace

std::string reproduction(const SimOptions& options) {
  std::string text = fmt::format("wharf sim --seed {} --ops {}", options.seed, options.operations);
  if (options.shards != 0) text += fmt::format(" --shards {}", options.shards);
  if (options.bug != Bug::none) text += fmt::format(" --bug {}", name_of(options.bug));
  return text;
}

SimReport run_seed(const SimOptions& options) {
  World world(options);
  return world.run();
}

SimTotals run_seeds(SimOptions options, std::uint64_t count) {
  SimTotals totals;
  auto previous = std::signal(SIGABRT, say_dying_words);
  for (std::uint64_t i = 0; i < count && !totals.failed; ++i, ++options.seed) {
    prepare_dying_words(options);
    SimReport report = run_seed(options);
    ++totals.seeds;
    totals.sum.steps += report.steps;
    totals.sum.messages += report.messages;
    totals.sum.confirms += report.confirms;
    totals.sum.deliveries += report.deliveries;
    totals.sum.restarts += report.restarts;
    totals.sum.power_cuts += report.power_cuts;
    totals.sum.faults += report.faults;
    totals.sum.digest ^= report.digest;
    for (const auto& [what, times] : report.tally) totals.sum.tally[what] += times;
    if (!report.violation) continue;
    totals.failed = options;
    totals.violation = *report.violation;
  }
  std::signal(SIGABRT, previous);
  return totals;
}

}  // namespace wharf::sim
