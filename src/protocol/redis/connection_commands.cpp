// Logging in and out, the protocol's version, and the small commands of a connection.
#include <algorithm>

#include <fmt/format.h>

#include "protocol/redis/connection.h"

namespace wharf::redis {

namespace {

constexpr std::string_view default_name = "default";

}  // namespace

// ---- who

// The default user has no password for a peer on loopback; all others must say one.
void RedisSession::log_in_default() {
  const std::string& user = server_.options.default_user;
  if (user.empty() || !peer_.loopback) return;
  auto who = core_.access().login_external(user, peer_.loopback);
  if (who) become(*who, std::string(default_name));
}

bool RedisSession::log_in(std::string_view user, std::string_view password) {
  bool is_default = user == default_name && !server_.options.default_user.empty();
  std::string_view known_as = is_default ? server_.options.default_user : user;
  auto who = core_.access().login(known_as, password, peer_.loopback);
  // Where it needs no password, any will do.
  if (!who && is_default && peer_.loopback) {
    who = core_.access().login_external(known_as, peer_.loopback);
  }
  if (!who) return false;
  become(*who, std::string(user));
  return true;
}

// Another user goes on with the subscriptions of the last one, as far as it may hear them.
void RedisSession::become(const auth::Principal& who, std::string shown) {
  broker::SessionId before = session_;
  session_ = core_.attach(*this, vhost_, who);
  who_ = who;
  user_ = std::move(shown);
  hears_all_ = core_.access().authorizes_all(who_, auth::Verb::read, vhost_);
  listen_again();
  if (before) {
    std::swap(session_, before);
    deliver(replies_.out());
    std::swap(session_, before);
    server_.leave(*this, before);
    core_.detach(before, std::nullopt);
    told_slow_ = false;
  }
  server_.enter(*this);
}

void RedisSession::listen_again() {
  for (std::size_t kind = 0; kind < subscription_kinds; ++kind) {
    for (Subscription* each : subscriptions_.all(static_cast<SubscriptionKind>(kind))) {
      if (!listen(*each)) subscriptions_.remove(*each);
    }
  }
  note_subscribed();
}

void RedisSession::log_out() {
  if (!session_) return;
  subscriptions_.clear();
  note_subscribed();
  broker::SessionId before = std::exchange(session_, {});
  server_.leave(*this, before);
  core_.detach(before, std::nullopt);
  alarm_ = {};
  held_by_alarm_ = told_slow_ = false;
}

void RedisSession::auth(const Request& request) {
  if (request.size() > 3) return replies_.error("ERR syntax error");
  bool has_user = request.size() == 3;
  std::string_view user = has_user ? request[1] : default_name;
  std::string_view password = request[request.size() - 1];
  bool needs_none = peer_.loopback && !server_.options.default_user.empty();
  if (!has_user && needs_none &&
      !core_.access().login(server_.options.default_user, password, peer_.loopback)) {
    return replies_.error(
        "ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?");
  }
  if (!log_in(user, password)) {
    return replies_.error("WRONGPASS invalid username-password pair or user is disabled.");
  }
  replies_.status("OK");
}

// ---- hello

namespace {

struct Hello {
  std::optional<int> version;
  std::optional<std::pair<std::string_view, std::string_view>> login;
  std::optional<std::string_view> name;
};

// What is wrong with it, or nothing.
std::string read_hello(const Request& request, Hello& hello) {
  std::size_t at = 1;
  if (request.size() > 1) {
    std::int64_t version = 0;
    if (!parse_integer(request[at++], version)) {
      return "ERR Protocol version is not an integer or out of range";
    }
    if (version < 2 || version > 3) return "NOPROTO unsupported protocol version";
    hello.version = static_cast<int>(version);
  }
  while (at < request.size()) {
    std::size_t more = request.size() - at - 1;
    if (equal_nocase(request[at], "auth") && more >= 2) {
      hello.login.emplace(request[at + 1], request[at + 2]);
      at += 3;
    } else if (equal_nocase(request[at], "setname") && more >= 1) {
      hello.name = request[at + 1];
      at += 2;
    } else {
      return fmt::format("ERR Syntax error in HELLO option '{}'", request[at]);
    }
  }
  return {};
}

}  // namespace

void RedisSession::hello(const Request& request) {
  Hello hello;
  std::string wrong = read_hello(request, hello);
  if (!wrong.empty()) return replies_.error(wrong);
  if (hello.login && !log_in(hello.login->first, hello.login->second)) {
    return replies_.error("WRONGPASS invalid username-password pair or user is disabled.");
  }
  if (!is_logged_in()) {
    return replies_.error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
        "RESP protocol version at the same time");
  }
  if (hello.name && !set_name(*hello.name)) return;
  if (hello.version) replies_.set_protocol(*hello.version);
  replies_.map(7);
  replies_.bulk("server");
  replies_.bulk("redis");
  replies_.bulk("version");
  replies_.bulk(server_.options.version);
  replies_.bulk("proto");
  replies_.integer(replies_.protocol());
  replies_.bulk("id");
  replies_.integer(static_cast<std::int64_t>(id_));
  replies_.bulk("mode");
  replies_.bulk("standalone");
  replies_.bulk("role");
  replies_.bulk("master");
  replies_.bulk("modules");
  replies_.array(0);
}

// ---- small ones

void RedisSession::ping(const Request& request) {
  if (request.size() > 2) {
    return replies_.error("ERR wrong number of arguments for 'ping' command");
  }
  bool has_text = request.size() == 2;
  if (replies_.protocol() == 2 && !subscriptions_.empty()) {
    replies_.array(2);
    replies_.bulk("pong");
    replies_.bulk(has_text ? request[1] : "");
  } else if (has_text) {
    replies_.bulk(request[1]);
  } else {
    replies_.status("PONG");
  }
}

void RedisSession::echo(const Request& request) { replies_.bulk(request[1]); }

// Channels belong to no database, so the number is only checked.
void RedisSession::select(const Request& request) {
  constexpr std::int64_t databases = 16;
  std::int64_t number = 0;
  if (!parse_integer(request[1], number)) {
    return replies_.error("ERR value is not an integer or out of range");
  }
  if (number < 0 || number >= databases) return replies_.error("ERR DB index is out of range");
  replies_.status("OK");
}

void RedisSession::quit(const Request&) {
  replies_.status("OK");
  closing_ = true;
}

void RedisSession::reset(const Request&) {
  transaction_.reset();
  log_out();
  mail_.clear();
  later_.clear();
  mail_at_ = backlog_bytes_ = 0;
  name_.clear();
  no_evict_ = no_touch_ = replies_off_ = false;
  replies_.mute(false);
  replies_.set_protocol(2);
  log_in_default();
  replies_.status("RESET");
}

void RedisSession::acl_whoami(const Request&) { replies_.bulk(user_); }
void RedisSession::acl_help(const Request&) { help("acl"); }

// The subcommands of a command, two lines each.
void RedisSession::help(std::string_view command) {
  std::span<const Command> all = find_command(command)->subcommands;
  std::string upper(command);
  std::ranges::transform(upper, upper.begin(), [](char c) { return static_cast<char>(c & ~0x20); });
  replies_.array(1 + 2 * all.size());
  replies_.status(upper + " <subcommand> [<arg> ...]. Subcommands are:");
  for (const Command& each : all) {
    std::string name(each.name());
    std::ranges::transform(name, name.begin(), [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c & ~0x20) : c;
    });
    replies_.status(each.arguments.empty() ? name : fmt::format("{} {}", name, each.arguments));
    replies_.status(fmt::format("    {}.", each.summary));
  }
}

}  // namespace wharf::redis
