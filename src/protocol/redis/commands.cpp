#include "protocol/redis/commands.h"

#include <algorithm>

#include <boost/unordered/unordered_flat_map.hpp>

#include "protocol/redis/connection.h"

namespace wharf::redis {

namespace {

using S = RedisSession;

constexpr auto subscribe_flags = static_cast<std::uint16_t>(for_subscribers | not_in_multi |
                                                            subscribing | after_disk | is_pubsub);
constexpr auto unsubscribe_flags =
    static_cast<std::uint16_t>(for_subscribers | not_in_multi | is_pubsub);
constexpr auto login_flags =
    static_cast<std::uint16_t>(before_login | not_in_multi | after_disk | is_fast);
constexpr auto leave_flags =
    static_cast<std::uint16_t>(before_login | for_subscribers | at_once | after_disk | is_fast);

constexpr std::string_view connection = "connection";
constexpr std::string_view pubsub = "pubsub";
constexpr std::string_view server = "server";
constexpr std::string_view transactions = "transactions";

constexpr Command acl_commands[] = {
    {"acl|help", 2, 0, &S::acl_help, server, "6.0.0", "", "Lists the subcommands"},
    {"acl|whoami", 2, 0, &S::acl_whoami, server, "6.0.0", "", "The user of this connection"},
};
constexpr Command client_commands[] = {
    {"client|getname", 2, 0, &S::client_getname, connection, "2.6.9", "",
     "The name of this connection"},
    {"client|help", 2, 0, &S::client_help, connection, "5.0.0", "", "Lists the subcommands"},
    {"client|id", 2, 0, &S::client_id, connection, "5.0.0", "", "The number of this connection"},
    {"client|info", 2, 0, &S::client_info, connection, "6.2.0", "",
     "What the server knows of this connection"},
    {"client|kill", -3, not_in_multi | is_admin, &S::client_kill, connection, "2.4.0",
     "<ip:port> | [ID <id>] [TYPE <type>] [USER <user>] [ADDR <ip:port>] [LADDR <ip:port>] "
     "[SKIPME <yes|no>]",
     "Ends connections"},
    {"client|list", -2, not_in_multi | is_admin, &S::client_list, connection, "2.4.0",
     "[TYPE <type>] [ID <id> ...]", "All connections, a line each"},
    {"client|no-evict", 3, is_admin, &S::client_no_evict, connection, "7.0.0", "<ON|OFF>",
     "Kept for clients that ask; nobody is evicted"},
    {"client|no-touch", 3, 0, &S::client_no_touch, connection, "7.2.0", "<ON|OFF>",
     "Kept for clients that ask; there are no keys"},
    {"client|reply", 3, 0, &S::client_reply, connection, "3.2.0", "<ON|OFF|SKIP>",
     "Whether commands are answered"},
    {"client|setinfo", 4, 0, &S::client_setinfo, connection, "7.2.0",
     "<LIB-NAME name | LIB-VER version>", "Tells the client's library"},
    {"client|setname", 3, 0, &S::client_setname, connection, "2.6.9", "<name>",
     "Names this connection"},
};
constexpr Command command_commands[] = {
    {"command|count", 2, 0, &S::command_count, server, "2.8.13", "", "How many commands there are"},
    {"command|docs", -2, 0, &S::command_docs, server, "7.0.0", "[<name> ...]",
     "What commands are for"},
    {"command|help", 2, 0, &S::command_help, server, "5.0.0", "", "Lists the subcommands"},
    {"command|info", -2, 0, &S::command_info, server, "2.8.13", "[<name> ...]",
     "What commands look like"},
    {"command|list", 2, 0, &S::command_list, server, "7.0.0", "", "The names of all commands"},
};
constexpr Command config_commands[] = {
    {"config|get", -3, is_admin, &S::config_get, server, "2.0.0", "<pattern> ...",
     "Settings by name"},
    {"config|help", 2, 0, &S::config_help, server, "5.0.0", "", "Lists the subcommands"},
    {"config|resetstat", 2, is_admin, &S::config_resetstat, server, "2.0.0", "",
     "Answers OK; counters go on"},
    {"config|set", -4, is_admin, &S::config_set, server, "2.0.0", "<name> <value> ...",
     "Only notify-keyspace-events, without effect"},
};
constexpr Command pubsub_commands[] = {
    {"pubsub|channels", -2, is_pubsub, &S::pubsub_channels, pubsub, "2.8.0", "[<pattern>]",
     "The channels that somebody listens to"},
    {"pubsub|help", 2, 0, &S::pubsub_help, pubsub, "6.2.0", "", "Lists the subcommands"},
    {"pubsub|numpat", 2, is_pubsub, &S::pubsub_numpat, pubsub, "2.8.0", "",
     "How many patterns are listened to"},
    {"pubsub|numsub", -2, is_pubsub, &S::pubsub_numsub, pubsub, "2.8.0", "[<channel> ...]",
     "How many listen to each channel, patterns left out"},
    {"pubsub|shardchannels", -2, is_pubsub, &S::pubsub_shardchannels, pubsub, "7.0.0",
     "[<pattern>]", "The shard channels that somebody listens to"},
    {"pubsub|shardnumsub", -2, is_pubsub, &S::pubsub_shardnumsub, pubsub, "7.0.0",
     "[<channel> ...]", "How many listen to each shard channel"},
};

constexpr Command commands[] = {
    {"acl", -2, 0, nullptr, server, "6.0.0", "", "Who may do what", acl_commands},
    {"auth", -2, login_flags, &S::auth, connection, "1.0.0", "[<user>] <password>", "Logs in"},
    {"client", -2, 0, nullptr, connection, "2.4.0", "", "Connections", client_commands},
    {"cluster", -2, 0, &S::cluster, "cluster", "3.0.0", "", "Refused: there is no cluster"},
    {"command", -1, 0, &S::command, server, "2.8.13", "", "The commands", command_commands},
    {"config", -2, 0, nullptr, server, "2.0.0", "", "Settings", config_commands},
    {"discard", 1, at_once | is_fast, &S::discard, transactions, "2.0.0", "",
     "Forgets the transaction"},
    {"echo", 2, is_fast, &S::echo, connection, "1.0.0", "<text>", "Answers the text"},
    {"exec", 1, at_once, &S::exec, transactions, "1.2.0", "", "Carries the transaction out"},
    {"hello", -1, login_flags, &S::hello, connection, "6.0.0",
     "[<2|3> [AUTH <user> <password>] [SETNAME <name>]]", "Chooses the protocol"},
    {"info", -1, 0, &S::info, server, "1.0.0", "[<section> ...]", "Facts and figures"},
    {"multi", 1, at_once | is_fast, &S::multi, transactions, "1.2.0", "", "Begins a transaction"},
    {"ping", -1, for_subscribers | is_fast, &S::ping, connection, "1.0.0", "[<text>]",
     "Answers PONG, or the text"},
    {"psubscribe", -2, subscribe_flags, &S::psubscribe, pubsub, "2.0.0", "<pattern> ...",
     "Listens to the channels that match"},
    {"publish", 3, is_pubsub | is_fast, &S::publish, pubsub, "2.0.0", "<channel> <message>",
     "Sends to all who listen, and to the queue of that name"},
    {"pubsub", -2, 0, nullptr, pubsub, "2.8.0", "", "Who listens to what", pubsub_commands},
    {"punsubscribe", -1, unsubscribe_flags, &S::punsubscribe, pubsub, "2.0.0", "[<pattern> ...]",
     "Ends psubscribe"},
    {"quit", -1, leave_flags, &S::quit, connection, "1.0.0", "", "Ends the connection"},
    {"reset", 1, leave_flags, &S::reset, connection, "6.2.0", "",
     "Makes the connection as it was at first"},
    {"select", 2, is_fast, &S::select, connection, "1.0.0", "<number>",
     "Answers OK: channels belong to no database"},
    {"spublish", 3, is_pubsub | is_fast, &S::spublish, pubsub, "7.0.0", "<channel> <message>",
     "Sends to all who listen to the shard channel"},
    {"ssubscribe", -2, subscribe_flags, &S::ssubscribe, pubsub, "7.0.0", "<channel> ...",
     "Listens to shard channels"},
    {"subscribe", -2, subscribe_flags, &S::subscribe, pubsub, "2.0.0", "<channel> ...",
     "Listens to channels"},
    {"sunsubscribe", -1, unsubscribe_flags, &S::sunsubscribe, pubsub, "7.0.0", "[<channel> ...]",
     "Ends ssubscribe"},
    {"time", 1, is_fast, &S::time, server, "2.6.0", "", "The server's clock"},
    {"unsubscribe", -1, unsubscribe_flags, &S::unsubscribe, pubsub, "2.0.0", "[<channel> ...]",
     "Ends subscribe"},
    {"unwatch", 1, is_fast, &S::unwatch, transactions, "2.2.0", "",
     "Answers OK: there are no keys"},
    {"watch", -2, at_once | is_fast, &S::watch, transactions, "2.2.0", "<key> ...",
     "Answers OK: there are no keys"},
};

using ByName = boost::unordered_flat_map<std::string_view, const Command*>;

ByName by_name() {
  ByName names;
  for (const Command& command : commands) names.emplace(command.full_name, &command);
  return names;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

}  // namespace

std::span<const Command> all_commands() { return commands; }

const Command* find_command(std::string_view name) {
  static const ByName names = by_name();
  constexpr std::size_t name_max = 16;
  if (name.size() > name_max) return nullptr;
  char small[name_max];
  std::ranges::transform(name, small, [](char c) { return lower(c); });
  auto it = names.find(std::string_view(small, name.size()));
  return it == names.end() ? nullptr : it->second;
}

const Command* find_subcommand(const Command& command, std::string_view name) {
  for (const Command& each : command.subcommands) {
    if (equal_nocase(each.name(), name)) return &each;
  }
  return nullptr;
}

bool equal_nocase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::string lower(std::string_view text) {
  std::string small(text);
  std::ranges::transform(small, small.begin(), [](char c) { return lower(c); });
  return small;
}

}  // namespace wharf::redis
