// server/logging.h: the log of the process: lines of text, or JSON objects a line, on standard
// error. Whatever a message carries (names, paths), a line stays one line, and JSON stays JSON.
#pragma once

#include "config/config.h"

namespace wharf::server {

// Makes the default logger of spdlog. Called once, before any thread starts.
void set_up_log(const config::LogConfig& config);

}  // namespace wharf::server
