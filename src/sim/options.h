// sim/options.h: what a caller asks of the simulator, and what it is told.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace wharf::sim {

// Faults of the broker, made on purpose, to see that the oracle finds them (bugs.h).
enum class Bug : std::uint8_t {
  none,
  early_sync,           // a write is reported safe before it is: confirms run ahead
  truncating_recovery,  // what the last write put on disk is gone after a restart
  dropped_settle,       // now and then an acknowledgement is not carried out
  doubled_delivery,     // now and then a message is handed out twice
  dropped_publish,      // now and then a message is accepted and forgotten
  unflagged,            // redeliveries do not say that they are
  swapped_deliveries,   // now and then two neighbours change places
};

// The name for the command line; none for a name that is no bug's.
std::string_view name_of(Bug bug);
std::optional<Bug> find_bug(std::string_view name);

struct SimOptions {
  std::uint64_t seed = 1;
  std::uint32_t operations = 500;  // of clients, before the broker is drained
  std::uint16_t shards = 0;        // 0: by the seed
  Bug bug = Bug::none;
  bool verbose = false;  // every step to standard output
};

// How often each kind of thing happened.
using Tally = std::map<std::string, std::uint64_t, std::less<>>;

struct SimReport {
  std::uint64_t steps = 0;
  std::uint64_t messages = 0;
  std::uint64_t confirms = 0;
  std::uint64_t deliveries = 0;
  std::uint64_t restarts = 0;    // of any kind
  std::uint64_t power_cuts = 0;  // of these, with the loss of what was not synced
  std::uint64_t faults = 0;      // disk errors, full disks, stalls, torn sectors, flipped bits
  std::uint64_t digest = 0;      // equal for equal runs
  Tally tally;
  std::optional<std::string> violation;
};

// The arguments of `wharf sim` that repeat the run.
std::string reproduction(const SimOptions& options);

}  // namespace wharf::sim
