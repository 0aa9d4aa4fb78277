// Turns, requests and events of a session.
#include "protocol/redis/session.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/assert.h"
#include "protocol/redis/connection.h"
#include "protocol/redis/convert.h"

namespace wharf::redis {

namespace {

// Before login a peer may send this much at once.
constexpr RequestLimits stranger_limits{.elements_max = 10, .bulk_max = 16384, .logged_in = false};
// A publisher to somebody who is behind pauses for so long, and so often in the input of one read.
constexpr Duration stall_time = std::chrono::milliseconds(2);
constexpr std::uint32_t stalls_max = 5;
// Answers that wait for the disk at most, and their bytes.
constexpr std::size_t held_count_max = 10'000;
constexpr std::size_t held_bytes_max = 4 << 20;

// "'a' 'b' " as unknown commands are answered, cut as Redis cuts it.
std::string shown_words(const Request& request, std::size_t from) {
  constexpr std::size_t shown_max = 128;
  std::string text;
  for (std::size_t i = from; i < request.size() && text.size() < shown_max; ++i) {
    text += fmt::format("'{}' ", request[i].substr(0, shown_max - text.size()));
  }
  return text;
}

}  // namespace

std::unique_ptr<ByteSession> make_redis_session(ServerState& server, broker::Core& core,
                                                SessionHost& host, const Peer& peer) {
  return std::make_unique<RedisSession>(server, core, host, peer);
}

RedisSession::RedisSession(ServerState& server, broker::Core& core, SessionHost& host,
                           const Peer& peer)
    : server_(server),
      core_(core),
      host_(host),
      peer_(peer),
      vhost_(core.access().vhost(server.options.vhost)),
      id_(server.next_client.fetch_add(1, std::memory_order_relaxed)),
      began_(core.clock().now()),
      guard_(server.options.output) {
  ASSERT(vhost_);
  server_.connections.fetch_add(1, std::memory_order_relaxed);
  server_.connected.fetch_add(1, std::memory_order_relaxed);
  log_in_default();
}

RedisSession::~RedisSession() { ASSERT(!session_); }

// ---- turns

std::size_t RedisSession::on_bytes(Bytes input, Chain& out) {
  if (closing_) return input.size();
  if (!wants_input()) return 0;
  last_input_s_ = std::chrono::floor<std::chrono::seconds>(core_.clock().now() - began_).count();
  replies_.bind(out);
  std::size_t used = take_requests(input);
  if (!confirmations_.empty()) begin_fence();
  return used;
}

std::size_t RedisSession::take_requests(Bytes input) {
  std::size_t used = 0;
  std::uint64_t count = 0;
  while (wants_input()) {
    RequestLimits limits = stranger_limits;
    if (is_logged_in()) limits = {.bulk_max = server_.options.message_bytes_max};
    RequestParser::Status status = parser_.parse(input.subspan(used), limits);
    if (status == RequestParser::Status::more) {
      stalls_ = 0;
      break;
    }
    if (status == RequestParser::Status::wrong) {
      protocol_error();
      break;
    }
    if (status == RequestParser::Status::request) {
      const Command* command = look_up(parser_.request());
      if (must_wait(command)) {
        parser_.next();
        break;
      }
      dispatch(command, parser_.request());
      ++count;
    }
    used += parser_.used();
    parser_.next();
  }
  server_.commands.fetch_add(count, std::memory_order_relaxed);
  return closing_ ? input.size() : used;
}

bool RedisSession::wants_input() const {
  return !closing_ && !fenced_ && !gathering_ && !stalled_until_ && !held_by_alarm_ &&
         replies_.held_count() < held_count_max && replies_.held_bytes() < held_bytes_max;
}

void RedisSession::on_wake(Chain& out) {
  if (closing_ || !is_logged_in()) return;
  replies_.bind(out);
  guard_output(out);
  if (closing_) return;
  take_events();
  if (!closing_ && !fenced_) deliver(out);
}

void RedisSession::take_events() {
  events_.clear();
  core_.take_events(session_, events_);
  for (broker::Event& event : events_) {
    std::visit([this](auto& what) { on_event(what); }, event);
  }
  events_.clear();
}

void RedisSession::on_deadline(Instant now, Chain& out) {
  replies_.bind(out);
  if (stalled_until_ && *stalled_until_ <= now) stalled_until_.reset();
  if (gathering_ && *gather_until_ <= now) finish_gathering();
  if (!closing_ && is_logged_in()) guard_output(out);
}

std::optional<Instant> RedisSession::next_deadline() const {
  if (closing_) return std::nullopt;
  std::optional<Instant> first = guard_.next_look();
  for (const auto& each : {stalled_until_, gather_until_}) {
    if (each && (!first || *each < *first)) first = each;
  }
  return first;
}

void RedisSession::on_shutdown(Chain&) { closing_ = true; }

void RedisSession::on_closed() {
  log_out();
  server_.connected.fetch_sub(1, std::memory_order_relaxed);
}

void RedisSession::kill() {
  closing_ = true;
  host_.wake();
}

ClientFacts RedisSession::facts() const {
  Duration age = core_.clock().now() - began_;
  auto age_s = std::chrono::floor<std::chrono::seconds>(age).count();
  ClientFacts facts{.id = id_,
                    .remote = peer_.remote,
                    .local = peer_.local,
                    .name = name_,
                    .user = user_,
                    .library = library_,
                    .library_version = library_version_};
  facts.command = last_command_ ? last_command_->full_name : "NULL";
  facts.age_s = age_s;
  facts.idle_s = age_s - last_input_s_;
  facts.channels = subscriptions_.count(SubscriptionKind::channel);
  facts.patterns = subscriptions_.count(SubscriptionKind::pattern);
  facts.shard_channels = subscriptions_.count(SubscriptionKind::shard_channel);
  if (transaction_) facts.queued = static_cast<std::int64_t>(transaction_->queue.size());
  facts.unsent = host_.unsent_bytes() + backlog_bytes_;
  facts.protocol = replies_.protocol();
  facts.no_evict = no_evict_;
  facts.no_touch = no_touch_;
  return facts;
}

// ---- requests

// Null when there is none that takes these words.
const Command* RedisSession::look_up(const Request& request) {
  std::string_view word = request[0];
  // The pipelines that matter say the same word again and again.
  if (said_command_ && word == said_word_) {
    return said_command_->takes(request.size()) ? said_command_ : nullptr;
  }
  const Command* command = find_command(word);
  if (!command) return nullptr;
  if (command->subcommands.empty()) {
    said_command_ = command;
    said_word_ = word;
  } else if (request.size() > 1) {
    command = find_subcommand(*command, request[1]);
  }
  return command && command->takes(request.size()) ? command : nullptr;
}

void RedisSession::protocol_error() {
  reject("ERR Protocol error: " + parser_.error());
  closing_ = true;
}

// Whether what came before is to be finished first.
bool RedisSession::must_wait(const Command* command) {
  bool subscribes = command && command->has(subscribing);
  if (!confirmations_.empty() && !subscribes) return true;
  return command && command->has(after_disk) && replies_.holding();
}

void RedisSession::dispatch(const Command* command, const Request& request) {
  bool silent = replies_off_ || std::exchange(skip_next_, false);
  if (silent) replies_.mute(true);
  if (!command) {
    refuse_unknown(request);
  } else if (!is_refused(*command)) {
    last_command_ = command;
    run(*command, request);
  }
  if (silent && !replies_off_) replies_.mute(false);
}

void RedisSession::run(const Command& command, const Request& request) {
  if (!transaction_ || command.has(at_once)) return (this->*command.run)(request);
  KeptRequest kept(request);
  transaction_->bytes += kept.bytes() + sizeof(Transaction::Queued);
  if (transaction_->bytes > server_.options.transaction_bytes_max) {
    return reject("OOM command not allowed when used memory > 'maxmemory'.");
  }
  transaction_->queue.push_back({&command, std::move(kept)});
  replies_.status("QUEUED");
}

bool RedisSession::is_refused(const Command& command) {
  if (!is_logged_in() && !command.has(before_login)) {
    reject("NOAUTH Authentication required.");
  } else if (transaction_ && command.has(not_in_multi)) {
    reject("ERR Command not allowed inside a transaction");
  } else if (replies_.protocol() == 2 && !subscriptions_.empty() && !command.has(for_subscribers)) {
    reject(
        fmt::format("ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / "
                    "QUIT / RESET are allowed in this context",
                    command.full_name));
  } else {
    return false;
  }
  return true;
}

// A refusal before the command has run; a transaction does not survive it.
void RedisSession::reject(std::string_view error) {
  if (transaction_) transaction_->spoilt = true;
  replies_.error(error);
}

void RedisSession::refuse_unknown(const Request& request) {
  constexpr std::size_t name_shown_max = 128;
  std::string_view name = request[0];
  // What browsers send when a page makes them talk to us.
  if (equal_nocase(name, "post") || equal_nocase(name, "host:")) {
    closing_ = true;
    return;
  }
  const Command* command = find_command(name);
  if (!command) {
    return reject(fmt::format("ERR unknown command '{}', with args beginning with: {}",
                              name.substr(0, name_shown_max), shown_words(request, 1)));
  }
  if (!command->subcommands.empty() && request.size() > 1) {
    const Command* sub = find_subcommand(*command, request[1]);
    if (!sub) {
      std::string parent(command->full_name);
      std::ranges::transform(parent, parent.begin(),
                             [](char c) { return static_cast<char>(c & ~0x20); });
      return reject(fmt::format("ERR unknown subcommand '{}'. Try {} HELP.",
                                request[1].substr(0, name_shown_max), parent));
    }
    command = sub;
  }
  reject(fmt::format("ERR wrong number of arguments for '{}' command", command->full_name));
}

// ---- events

void RedisSession::on_event(broker::Reply&) {
  // Only fences are asked for, one at a time.
  fenced_ = false;
  confirm();
}

void RedisSession::on_event(broker::Receipt& event) { replies_.receipt(event.token, event.stored); }

void RedisSession::on_event(broker::Alarm& event) {
  alarm_ = event;
  if (!alarm_.any()) held_by_alarm_ = false;
}

void RedisSession::on_event(broker::Evicted&) { closing_ = true; }

void RedisSession::on_event(broker::Direct& event) {
  std::optional<ClientMail> mail = server_.unpack(event.message);
  if (!mail) return;
  if (mail->kind != ClientMail::Kind::answer) {
    ClientMail answer;
    server_.answer(session_, *mail, answer);
    core_.send(mail->asker, 0, server_.pack(answer, core_.clock().wall()));
    return;
  }
  if (!gathering_ || gathering_->request != mail->request) return;
  gathering_->sum.lines += mail->lines;
  gathering_->sum.killed += mail->killed;
  if (--gathering_->missing == 0) finish_gathering();
}

// ---- holding publishers back

void RedisSession::hold_publisher(const broker::LivePublished& published) {
  if (published.slow && stalls_ < stalls_max) {
    ++stalls_;
    stalled_until_ = core_.clock().now() + stall_time;
  }
  if (published.must_wait || (published.queues > 0 && alarm_.any())) held_by_alarm_ = true;
}

}  // namespace wharf::redis
