#include "cli/log_command.h"

#include <iostream>
#include <memory>
#include <string>

#include <fmt/core.h>

#include <CLI/CLI.hpp>

#include "storage/dump.h"
#include "storage/file_disk.h"

namespace wharf::cli {

namespace {

int dump(const std::string& directory, bool verify_only) {
  auto disk = storage::FileDisk::open_read_only(directory);
  if (!disk) {
    fmt::print(stderr, "wharf: {}: {}\n", directory, disk.error().why);
    return 1;
  }
  Result<storage::DumpSummary> summary = storage::dump_log(**disk, std::cout, verify_only);
  std::cout.flush();
  if (!summary) {
    fmt::print(stderr, "wharf: {}: {}\n", directory, summary.error().why);
    return 1;
  }
  bool sound = summary->bad_superblocks < 2 && summary->unreadable_segments == 0;
  fmt::print("{} segments, {} blocks, {} records: {}\n", summary->segments, summary->blocks,
             summary->records, sound ? "sound" : "damaged");
  return sound ? 0 : 1;
}

}  // namespace

void add_log_command(CLI::App& app, int& exit_code) {
  CLI::App* log = app.add_subcommand("log", "Look at the log on disk");
  log->require_subcommand(1);
  CLI::App* command = log->add_subcommand("dump", "Print and verify a shard's directory");
  auto directory = std::make_shared<std::string>();
  auto verify_only = std::make_shared<bool>(false);
  command->add_option("DIR", *directory, "such as data/shard-0000; its broker must be stopped")
      ->required();
  command->add_flag("--verify", *verify_only, "Print only what is wrong, and the sum");
  command->callback([=, &exit_code] { exit_code = dump(*directory, *verify_only); });
}

}  // namespace wharf::cli
