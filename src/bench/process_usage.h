// bench/process_usage.h: what a server takes: resident memory and processor time of a process and
// all that descend from it, out of /proc (proc(5)) and from their CPU clocks
// (clock_getcpuclockid(3)). Linux only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <sys/types.h>

#include "base/time.h"

namespace wharf::bench {

struct ProcessUsage {
  std::uint64_t resident_bytes = 0;
  Duration cpu{};  // user and system, since each began
};

// The process and its descendants; empty when there is no such process. Reads all of /proc.
std::vector<pid_t> tree_of(pid_t root);

// Sums over those that live. Reads one file for each.
ProcessUsage usage_of(std::span<const pid_t> processes);

}  // namespace wharf::bench
