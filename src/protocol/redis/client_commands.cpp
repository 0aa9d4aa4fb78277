// CLIENT: what the server knows of this connection, and of the others.
#include <algorithm>
#include <charconv>
#include <map>

#include <fmt/format.h>

#include "protocol/redis/connection.h"

namespace wharf::redis {

namespace {

// Other shards' answers are not waited for longer.
constexpr Duration gather_time = std::chrono::seconds(1);

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= '!' && c <= '~'; });
}

std::uint64_t id_of(std::string_view line) {
  constexpr std::string_view start = "id=";
  std::uint64_t id = 0;
  if (line.starts_with(start)) {
    std::from_chars(line.data() + start.size(), line.data() + line.size(), id);
  }
  return id;
}

// The lines of several shards, oldest connection first.
std::string sorted_by_id(std::string_view lines) {
  std::map<std::uint64_t, std::string_view> by_id;
  while (!lines.empty()) {
    std::size_t end = lines.find('\n');
    std::string_view line = lines.substr(0, end == std::string_view::npos ? end : end + 1);
    by_id.emplace(id_of(line), line);
    lines.remove_prefix(line.size());
  }
  std::string sorted;
  for (const auto& [id, line] : by_id) sorted += line;
  return sorted;
}

}  // namespace

bool RedisSession::set_name(std::string_view name) {
  if (!is_printable(name)) {
    replies_.error("ERR Client names cannot contain spaces, newlines or special characters.");
    return false;
  }
  name_ = name;
  return true;
}

void RedisSession::client_setname(const Request& request) {
  if (set_name(request[2])) replies_.status("OK");
}

void RedisSession::client_getname(const Request&) {
  name_.empty() ? replies_.null_bulk() : replies_.bulk(name_);
}

void RedisSession::client_id(const Request&) { replies_.integer(static_cast<std::int64_t>(id_)); }

void RedisSession::client_info(const Request&) { replies_.verbatim(client_line(facts())); }

void RedisSession::client_setinfo(const Request& request) {
  bool is_name = equal_nocase(request[2], "lib-name");
  if (!is_name && !equal_nocase(request[2], "lib-ver")) {
    return replies_.error(fmt::format("ERR Unrecognized option '{}'", request[2]));
  }
  if (!is_printable(request[3])) {
    return replies_.error(
        fmt::format("ERR {} cannot contain spaces, newlines or special characters.", request[2]));
  }
  (is_name ? library_ : library_version_) = request[3];
  replies_.status("OK");
}

void RedisSession::client_no_evict(const Request& request) {
  bool on = equal_nocase(request[2], "on");
  if (!on && !equal_nocase(request[2], "off")) return replies_.error("ERR syntax error");
  no_evict_ = on;
  replies_.status("OK");
}

void RedisSession::client_no_touch(const Request& request) {
  bool on = equal_nocase(request[2], "on");
  if (!on && !equal_nocase(request[2], "off")) return replies_.error("ERR syntax error");
  no_touch_ = on;
  replies_.status("OK");
}

void RedisSession::client_reply(const Request& request) {
  if (equal_nocase(request[2], "on")) {
    replies_off_ = false;
    replies_.mute(false);
    return replies_.status("OK");
  }
  if (equal_nocase(request[2], "off")) {
    replies_off_ = true;
    return replies_.mute(true);
  }
  if (!equal_nocase(request[2], "skip")) return replies_.error("ERR syntax error");
  skip_next_ = !replies_off_;
}

void RedisSession::client_help(const Request&) { help("client"); }

// ---- the others

// Who may configure everything sees and ends all connections, others those of their own user.
bool RedisSession::manages_all() const {
  return core_.access().authorizes_all(who_, auth::Verb::configure, vhost_);
}

void RedisSession::client_list(const Request& request) {
  ClientFilter filter;
  std::size_t at = 2;
  if (request.size() == 4 && equal_nocase(request[at], "type")) {
    filter.type = lower(request[3]);
    if (*filter.type == "slave") filter.type = "replica";
    if (*filter.type != "normal" && *filter.type != "pubsub" && *filter.type != "master" &&
        *filter.type != "replica") {
      return replies_.error(fmt::format("ERR Unknown client type '{}'", request[3]));
    }
  } else if (request.size() > 3 && equal_nocase(request[at], "id")) {
    for (at = 3; at < request.size(); ++at) {
      std::int64_t id = 0;
      if (!parse_integer(request[at], id) || id < 1) {
        return replies_.error("ERR Invalid client ID");
      }
      filter.ids.push_back(static_cast<std::uint64_t>(id));
    }
  } else if (request.size() > 2) {
    return replies_.error("ERR syntax error");
  }
  gather({.kind = ClientMail::Kind::list}, filter);
}

void RedisSession::client_kill(const Request& request) {
  ClientFilter filter;
  Gathering question{.kind = ClientMail::Kind::kill};
  if (request.size() == 3) {
    filter.remote = request[2];
    question.plain_ok = true;
    return gather(std::move(question), filter);
  }
  bool skip_me = true;
  if (!read_filter(request, filter, skip_me)) return;
  if (skip_me) filter.but_not = id_;
  gather(std::move(question), filter);
}

// False when an error was answered.
bool RedisSession::read_filter(const Request& request, ClientFilter& filter, bool& skip_me) {
  auto refuse = [this](std::string_view why) {
    replies_.error(why);
    return false;
  };
  for (std::size_t at = 2; at < request.size(); at += 2) {
    if (at + 1 == request.size()) return refuse("ERR syntax error");
    std::string_view value = request[at + 1];
    if (equal_nocase(request[at], "id")) {
      std::int64_t id = 0;
      if (!parse_integer(value, id) || id < 1) {
        return refuse("ERR client-id should be greater than 0");
      }
      filter.ids = {static_cast<std::uint64_t>(id)};
    } else if (equal_nocase(request[at], "type")) {
      filter.type = lower(value);
      if (*filter.type == "slave") filter.type = "replica";
      if (*filter.type != "normal" && *filter.type != "pubsub" && *filter.type != "master" &&
          *filter.type != "replica") {
        return refuse(fmt::format("ERR Unknown client type '{}'", value));
      }
    } else if (equal_nocase(request[at], "addr")) {
      filter.remote = value;
    } else if (equal_nocase(request[at], "laddr")) {
      filter.local = value;
    } else if (equal_nocase(request[at], "user")) {
      filter.user = value;
    } else if (equal_nocase(request[at], "skipme") && equal_nocase(value, "yes")) {
      skip_me = true;
    } else if (equal_nocase(request[at], "skipme") && equal_nocase(value, "no")) {
      skip_me = false;
    } else {
      return refuse("ERR syntax error");
    }
  }
  return true;
}

// Asks this shard's list and the delegates of the others.
void RedisSession::gather(Gathering question, const ClientFilter& asked) {
  ClientMail mail;
  mail.kind = question.kind;
  mail.asker = session_;
  mail.request = question.request = next_request_++;
  mail.filter = asked;
  if (!manages_all()) mail.filter.owned_by = user_;
  gathering_ = std::make_unique<Gathering>(std::move(question));
  server_.answer(session_, mail, gathering_->sum);
  WallTime now = core_.clock().wall();
  for (broker::SessionId delegate : server_.delegates(session_)) {
    if (core_.send(delegate, 0, server_.pack(mail, now))) ++gathering_->missing;
  }
  gather_until_ = core_.clock().now() + gather_time;
  if (gathering_->missing == 0) finish_gathering();
}

void RedisSession::finish_gathering() {
  std::unique_ptr<Gathering> done = std::move(gathering_);
  gather_until_.reset();
  if (done->kind == ClientMail::Kind::list) {
    replies_.verbatim(sorted_by_id(done->sum.lines));
  } else if (!done->plain_ok) {
    replies_.integer(static_cast<std::int64_t>(done->sum.killed));
  } else if (done->sum.killed > 0) {
    replies_.status("OK");
  } else {
    replies_.error("ERR No such client");
  }
}

}  // namespace wharf::redis
