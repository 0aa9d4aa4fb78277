// protocol/redis/commands.h: the commands, as a table of data: what clients may ask of it
// (COMMAND), what is checked before a command runs, and what runs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "protocol/redis/request.h"

namespace wharf::redis {

class RedisSession;

enum CommandFlag : std::uint16_t {
  before_login = 1,
  for_subscribers = 2,  // what a RESP2 connection with subscriptions may send
  at_once = 4,          // carried out within a transaction, not queued
  not_in_multi = 8,
  subscribing = 16,  // one fence serves those that follow each other
  after_disk = 32,   // waits until all answers before it are out
  is_pubsub = 64,    // these three are only shown
  is_fast = 128,
  is_admin = 256,
};

struct Command {
  std::string_view full_name;  // "client|list"
  int arity = 0;               // words in all; -n: n at least
  std::uint16_t flags = 0;
  void (RedisSession::*run)(const Request&) = nullptr;  // null for those that have subcommands only
  std::string_view group;
  std::string_view since;
  std::string_view arguments;
  std::string_view summary;
  std::span<const Command> subcommands{};

  std::string_view name() const { return full_name.substr(full_name.find('|') + 1); }
  bool has(CommandFlag flag) const { return (flags & flag) != 0; }
  bool takes(std::size_t words) const {
    return arity >= 0 ? words == static_cast<std::size_t>(arity)
                      : words >= static_cast<std::size_t>(-arity);
  }
};

std::span<const Command> all_commands();
// In any case of letters. Null when there is none.
const Command* find_command(std::string_view name);
const Command* find_subcommand(const Command& command, std::string_view name);

bool equal_nocase(std::string_view a, std::string_view b);
std::string lower(std::string_view text);

}  // namespace wharf::redis
