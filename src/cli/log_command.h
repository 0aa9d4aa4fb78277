// cli/log_command.h: `wharf log dump DIR`: prints and verifies a shard's log.
#pragma once

namespace CLI {
class App;
}

namespace wharf::cli {

// exit_code: 0 sound, 1 damaged or unreadable.
void add_log_command(CLI::App& app, int& exit_code);

}  // namespace wharf::cli
