#include "cli/password_command.h"

#include <iostream>
#include <string>

#include <fmt/core.h>

#include <CLI/CLI.hpp>

#include "auth/password.h"

namespace wharf::cli {

void add_password_command(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("hash-password", "Hash a password given on standard input");
  command->callback([&exit_code] {
    std::string password;
    if (!std::getline(std::cin, password) || password.empty()) {
      fmt::print(stderr, "wharf: no password on standard input\n");
      exit_code = 2;
      return;
    }
    SecureRandom random;
    fmt::print("{}\n", auth::PasswordHash::of(password, random).text());
  });
}

}  // namespace wharf::cli
