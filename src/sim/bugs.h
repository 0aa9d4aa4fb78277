// sim/bugs.h: the broker with something wrong in it, made outside of the broker's own code:
// wrappers of the seams that it stands on and serves. Each bug must be found by the oracle within a
// few seeds; bugs_test.cpp holds it to that.
#pragma once

#include <memory>

#include "broker/api.h"
#include "sim/chance.h"
#include "sim/core_proxy.h"
#include "sim/options.h"
#include "sim/sim_disk.h"

namespace wharf::sim {

// Null when the bug is not of the disk.
std::unique_ptr<storage::Disk> make_buggy_disk(Bug bug, SimDisk& disk);
// Null when the bug is not of the core.
std::unique_ptr<broker::Core> make_buggy_core(Bug bug, broker::Core& core, Chance& chance);
// What the bug does to a disk between two lives of its shard.
void spoil_before_recovery(Bug bug, SimDisk& disk);

}  // namespace wharf::sim
