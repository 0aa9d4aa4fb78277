// cli/password_command.h: `wharf hash-password`: a password as the configuration wants it.
#pragma once

namespace CLI {
class App;
}

namespace wharf::cli {

// Reads the password from standard input, so that it stays out of the shell's history.
void add_password_command(CLI::App& app, int& exit_code);

}  // namespace wharf::cli
