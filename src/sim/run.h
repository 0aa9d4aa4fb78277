// sim/run.h: seeds, one after the other. See docs/simulator.md.
#pragma once

#include "sim/options.h"

namespace wharf::sim {

// One seed, from nothing to the closing of the books. Equal options give equal reports.
SimReport run_seed(const SimOptions& options);

struct SimTotals {
  std::uint64_t seeds = 0;
  SimReport sum;                     // counters only
  std::optional<SimOptions> failed;  // the first that did
  std::string violation;
};

// `count` seeds from options.seed on, until one fails. When the process dies of an assertion, the
// arguments that repeat the run go to standard error first.
SimTotals run_seeds(SimOptions options, std::uint64_t count);

}  // namespace wharf::sim
