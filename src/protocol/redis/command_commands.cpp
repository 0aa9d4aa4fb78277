// COMMAND: the table of commands as clients read it.
#include <array>
#include <vector>

#include <fmt/format.h>

#include "protocol/redis/connection.h"

namespace wharf::redis {

namespace {

std::vector<std::string_view> shown_flags(const Command& command) {
  std::vector<std::string_view> flags{"loading", "stale"};
  if (command.has(is_pubsub)) flags.emplace_back("pubsub");
  if (command.has(is_fast)) flags.emplace_back("fast");
  if (command.has(is_admin)) flags.emplace_back("admin");
  if (command.has(before_login)) flags.emplace_back("no_auth");
  if (command.has(not_in_multi)) flags.emplace_back("no_multi");
  return flags;
}

std::vector<std::string> shown_categories(const Command& command) {
  std::vector<std::string> categories;
  if (command.has(is_pubsub)) categories.emplace_back("@pubsub");
  if (command.group == "connection") categories.emplace_back("@connection");
  if (command.group == "transactions") categories.emplace_back("@transaction");
  if (command.has(is_admin)) categories.insert(categories.end(), {"@admin", "@dangerous"});
  categories.emplace_back(command.has(is_fast) ? "@fast" : "@slow");
  return categories;
}

// What Redis has of each command: ten fields. No command here has keys.
void write_info(Replies& replies, const Command& command) {
  replies.array(10);
  replies.bulk(command.full_name);
  replies.integer(command.arity);
  std::vector<std::string_view> flags = shown_flags(command);
  replies.set(flags.size());
  for (std::string_view flag : flags) replies.status(flag);
  for (int position = 0; position < 3; ++position) replies.integer(0);
  std::vector<std::string> categories = shown_categories(command);
  replies.set(categories.size());
  for (const std::string& category : categories) replies.status(category);
  replies.array(0);
  replies.array(0);
  replies.array(command.subcommands.size());
  for (const Command& sub : command.subcommands) write_info(replies, sub);
}

void write_docs(Replies& replies, const Command& command) {
  replies.bulk(command.full_name);
  bool has_subcommands = !command.subcommands.empty();
  replies.map(has_subcommands ? 4 : 3);
  replies.bulk("summary");
  replies.bulk(command.summary);
  replies.bulk("since");
  replies.bulk(command.since);
  replies.bulk("group");
  replies.bulk(command.group);
  if (!has_subcommands) return;
  replies.bulk("subcommands");
  replies.map(command.subcommands.size());
  for (const Command& sub : command.subcommands) write_docs(replies, sub);
}

// "client" or "client|list".
const Command* find_full(std::string_view name) {
  std::size_t bar = name.find('|');
  const Command* command = find_command(name.substr(0, bar));
  if (!command || bar == std::string_view::npos) return command;
  return find_subcommand(*command, name.substr(bar + 1));
}

}  // namespace

void RedisSession::command(const Request&) {
  replies_.array(all_commands().size());
  for (const Command& each : all_commands()) write_info(replies_, each);
}

void RedisSession::command_count(const Request&) {
  replies_.integer(static_cast<std::int64_t>(all_commands().size()));
}

void RedisSession::command_list(const Request&) {
  replies_.array(all_commands().size());
  for (const Command& each : all_commands()) replies_.bulk(each.full_name);
}

void RedisSession::command_info(const Request& request) {
  if (request.size() == 2) return command(request);
  replies_.array(request.size() - 2);
  for (std::size_t i = 2; i < request.size(); ++i) {
    const Command* each = find_full(request[i]);
    each ? write_info(replies_, *each) : replies_.null_bulk();
  }
}

void RedisSession::command_docs(const Request& request) {
  std::vector<const Command*> wanted;
  if (request.size() == 2) {
    for (const Command& each : all_commands()) wanted.push_back(&each);
  }
  for (std::size_t i = 2; i < request.size(); ++i) {
    if (const Command* each = find_full(request[i])) wanted.push_back(each);
  }
  replies_.map(wanted.size());
  for (const Command* each : wanted) write_docs(replies_, *each);
}

void RedisSession::command_help(const Request&) { help("command"); }

}  // namespace wharf::redis
