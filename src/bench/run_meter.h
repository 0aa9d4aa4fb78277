// bench/run_meter.h: what every load generator has: how long it runs, and what the generator and
// the server took meanwhile.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <sys/types.h>

#include "base/time.h"
#include "bench/process_usage.h"
#include "bench/socket.h"

namespace wharf::bench {

struct RunOptions {
  double seconds = 10;
  double warmup_seconds = 2;
  double patience_seconds = 5;  // without any progress, until what is missing is given up
  double rate = 0;              // messages a second over all publishers; 0: as fast as it goes
  std::uint64_t messages = 0;   // 0: until the time is up
  pid_t server_pid = 0;         // 0: the server's memory is not looked at
  bool json = false;
};

// A sentence, or null when the options make sense.
const char* complaint(const RunOptions& options);

Duration from_seconds(double seconds);
// Between two messages of one of `publishers` in open loop; zero: closed loop.
Duration interval_of(const RunOptions& options, std::uint32_t publishers);
// Of `messages` over `count` publishers, the share of number `index`; all there are for 0 messages.
std::uint64_t quota_of(std::uint64_t messages, std::uint64_t count, std::uint64_t index);

// Messages sent in [from, to) are measured.
struct MeasuredTime {
  Instant from = Instant::max();
  Instant to = Instant::max();

  bool holds(Instant sent) const { return sent >= from && sent < to; }
};

struct ServerFigures {
  std::uint64_t resident_bytes_end = 0;
  std::uint64_t resident_bytes_peak = 0;
  Duration cpu{};  // in the measured time
};

struct RunFigures {
  Duration measured{};       // how long
  Duration generator_cpu{};  // in the measured time
  std::optional<ServerFigures> server;
};

class RunMeter {
 public:
  // Looks at the process and its descendants from now on; 0: at none.
  Try<void> watch_server(pid_t pid);
  // To be called a few times a second: the peak of memory is the largest seen.
  void sample();
  void begin(Instant now);
  void end(Instant now);
  const MeasuredTime& measured() const { return measured_; }
  RunFigures figures();

 private:
  struct Reading {
    Duration generator_cpu{};
    ProcessUsage server;
  };
  Reading read() const;

  std::vector<pid_t> server_tree_;
  std::uint64_t resident_bytes_peak_ = 0;
  MeasuredTime measured_;
  Reading begin_;
  Reading end_;
};

}  // namespace wharf::bench
