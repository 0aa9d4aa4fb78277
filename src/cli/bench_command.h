// cli/bench_command.h: `wharf bench`: the load generators of bench/amqp_bench.h and
// bench/live_bench.h, and bench/forwarder.h, on the command line.
#pragma once

namespace CLI {
class App;
}

namespace wharf::cli {

// Adds `bench` and what is under it to `app`. When it was the command, `exit_code` is set once the
// bench has run, during the parse.
void add_bench_command(CLI::App& app, int& exit_code);

}  // namespace wharf::cli
