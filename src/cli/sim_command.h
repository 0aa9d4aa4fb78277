// cli/sim_command.h: `wharf sim`: the simulator of sim/run.h on the command line.
#pragma once

namespace CLI {
class App;
}

namespace wharf::cli {

// Adds `sim` to `app`. When it was the command, `exit_code` is 1 after a parse in which a seed
// failed.
void add_sim_command(CLI::App& app, int& exit_code);

}  // namespace wharf::cli
