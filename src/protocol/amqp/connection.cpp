// Channel 0: handshake, tuning, closing, blocking, and what time brings.
#include "protocol/amqp/connection.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "protocol/amqp/arguments.h"
#include "protocol/amqp/handshake.h"

namespace wharf::amqp {

namespace {

// How long a peer has to end the connection once it is closed.
constexpr Duration close_timeout = std::chrono::seconds(30);
// Deliveries that are out too long are looked for this often, or more often for a short limit.
constexpr Duration overdue_interval = std::chrono::minutes(1);

}  // namespace

// ---- The handshake

std::size_t AmqpSession::take_greeting(Bytes input, Chain& out) {
  std::optional<Greeting> greeting = read_greeting(input);
  if (!greeting) return 0;
  if (*greeting != Greeting::v0_9_1 && *greeting != Greeting::v0_9) {
    out.append(greeting_0_9_1);
    ended_ = true;
    return input.size();
  }
  ByteVector properties = server_properties(link_.options);
  std::string mechanisms = mechanisms_for(peer_);
  write_method(out, 0,
               ConnectionStart{.version_major = 0,
                               .version_minor = 9,
                               .server_properties = properties,
                               .mechanisms = bytes_of(mechanisms),
                               .locales = bytes_of("en_US")});
  phase_ = Phase::start;
  return greeting_size;
}

Checked AmqpSession::on(const ConnectionStartOk& method, Chain& out) {
  Or<TableView> properties = parse_table(method.client_properties);
  if (!properties) return std::unexpected(std::move(properties.error()));
  link_.capabilities = read_capabilities(*properties);
  Or<auth::Principal> who = login(method.mechanism, method.response, peer_, link_.core.access());
  if (!who) return std::unexpected(std::move(who.error()));
  link_.who = std::move(*who);
  write_method(out, 0,
               ConnectionTune{.channel_max = link_.options.channel_max,
                              .frame_max = link_.options.frame_max,
                              .heartbeat = link_.options.heartbeat_s});
  phase_ = Phase::tune;
  return {};
}

Checked AmqpSession::on(const ConnectionTuneOk& method, Chain&) {
  if (Checked tuned = check_tune(method, link_.options); !tuned) return tuned;
  link_.frame_max = method.frame_max;
  channel_max_ = method.channel_max;
  heartbeat_.start(std::chrono::seconds(method.heartbeat));
  phase_ = Phase::open;
  return {};
}

Checked AmqpSession::on(const ConnectionOpen& method, Chain& out) {
  const auth::Access& access = link_.core.access();
  broker::VhostId vhost = access.vhost(method.virtual_host);
  if (!vhost) {
    return refuse(ReplyCode::not_allowed, fmt::format("vhost {} not found", method.virtual_host));
  }
  if (!access.may_open(link_.who, vhost)) {
    return refuse(ReplyCode::not_allowed, fmt::format("access to vhost '{}' refused for user '{}'",
                                                      method.virtual_host, link_.who.name));
  }
  link_.vhost = vhost;
  link_.vhost_name = method.virtual_host;
  link_.session = link_.core.attach(*this, vhost, link_.who);
  phase_ = Phase::running;
  write_method(out, 0, ConnectionOpenOk{});
  timers_.clear(Timer::end);
  start_timers();
  return {};
}

// There are no expiring credentials, so the old one simply stays good.
Checked AmqpSession::on(const ConnectionUpdateSecret&, Chain& out) {
  write_method(out, 0, ConnectionUpdateSecretOk{});
  return {};
}

// ---- Dispatch

void AmqpSession::on_connection_frame(const Frame& frame, Chain& out) {
  if (frame.type == FrameType::heartbeat) return;
  if (frame.type != FrameType::method) {
    if (phase_ == Phase::closed) return;
    return fail_connection(
        {ReplyCode::unexpected_frame, "expected method frame, got non method frame instead", 0},
        out);
  }
  Result<Method> method = read_method(frame.payload);
  current_method_ = method ? method->id : 0;
  Checked result = refuse(ReplyCode::frame_error, "method frame is too short", 0);
  if (method) result = on_connection_method(*method, out);
  if (!result && phase_ != Phase::closed) fail_connection(result.error(), out);
}

template <class M>
Checked AmqpSession::decode_and(const Method& method, Chain& out) {
  Result<M> decoded = schema::decode<M>(method.arguments);
  if (decoded) return on(*decoded, out);
  return refuse(ReplyCode::frame_error, "cannot decode " + erlang_binary(method.arguments, 64));
}

Checked AmqpSession::on_connection_method(const Method& method, Chain& out) {
  bool before_open = phase_ < Phase::running;
  switch (method.id) {
    case ConnectionStartOk::id:
      if (phase_ == Phase::start) return decode_and<ConnectionStartOk>(method, out);
      break;
    case ConnectionTuneOk::id:
      if (phase_ == Phase::tune) return decode_and<ConnectionTuneOk>(method, out);
      break;
    case ConnectionOpen::id:
      if (phase_ == Phase::open) return decode_and<ConnectionOpen>(method, out);
      break;
    case ConnectionUpdateSecret::id:
      if (phase_ == Phase::running) return decode_and<ConnectionUpdateSecret>(method, out);
      break;
    case ConnectionClose::id:
      if (!before_open) return decode_and<ConnectionClose>(method, out);
      break;
    case ConnectionCloseOk::id:
      if (phase_ == Phase::closed) return decode_and<ConnectionCloseOk>(method, out);
      break;
    default:
      break;
  }
  static constexpr std::string_view names[] = {"greeting", "starting", "tuning", "opening",
                                               "running",  "closing",  "closed", "closed"};
  return refuse(ReplyCode::channel_error, fmt::format("unexpected method in connection state {}",
                                                      names[static_cast<std::size_t>(phase_)]));
}

// ---- The end

Checked AmqpSession::on(const ConnectionClose&, Chain& out) {
  if (phase_ == Phase::closed) {
    write_method(out, 0, ConnectionCloseOk{});
    return {};
  }
  link_.flush_settles();
  drop_channels();
  detach_request_ = link_.next_request(0);
  phase_ = Phase::detaching;
  link_.core.detach(link_.session, detach_request_);
  return {};
}

Checked AmqpSession::on(const ConnectionCloseOk&, Chain&) {
  ended_ = true;
  return {};
}

// The exclusive queues are gone: now the client may know.
void AmqpSession::finish_detach(Chain& out) {
  link_.core.forget(std::exchange(link_.session, {}));
  write_method(out, 0, ConnectionCloseOk{});
  linger();
}

void AmqpSession::linger() {
  phase_ = Phase::closed;
  Duration timeout = close_timeout;
  if (heartbeat_.active()) timeout = std::min(timeout, heartbeat_.interval());
  timers_.set(Timer::end, link_.core.clock().now() + timeout);
  for (Timer timer : {Timer::send, Timer::receive, Timer::overdue}) timers_.clear(timer);
}

// Those who are not let in yet are told little, and late.
void AmqpSession::go_silent() {
  phase_ = Phase::silent;
  timers_.set(Timer::end, link_.core.clock().now() + link_.options.refusal_delay);
}

void AmqpSession::fail_connection(const Error& error, Chain& out) {
  switch (phase_) {
    case Phase::greeting:
    case Phase::silent:
      return;
    case Phase::start:
      if (error.code == ReplyCode::access_refused &&
          link_.capabilities.authentication_failure_close) {
        close_with(error, out);
      }
      return go_silent();
    case Phase::tune:
      if (error.code != ReplyCode::not_allowed) return go_silent();
      return close_with(error, out);
    case Phase::open:
    case Phase::running:
      return close_with(error, out);
    case Phase::detaching:
    case Phase::closed:
      ended_ = true;
  }
}

void AmqpSession::close_with(const Error& error, Chain& out) {
  MethodId method = error.method.value_or(current_method_);
  std::string text = reply_text(error);
  detach();
  write_method(out, 0,
               ConnectionClose{.reply_code = number_of(error.code),
                               .reply_text = text,
                               .class_id = class_of(method),
                               .method_id = method_of(method)});
  linger();
}

void AmqpSession::drop_channels() {
  last_channel_ = nullptr;
  channels_.clear();
  link_.newsworthy.clear();
  link_.relieved.clear();
  link_.earning.clear();
  held_ = false;
}

void AmqpSession::detach() {
  if (!attached()) return;
  link_.flush_settles();
  drop_channels();
  link_.core.detach(std::exchange(link_.session, {}), std::nullopt);
}

void AmqpSession::on_closed() {
  if (phase_ == Phase::detaching && attached()) {
    link_.core.forget(std::exchange(link_.session, {}));
  }
  detach();
  ended_ = true;
}

void AmqpSession::on_shutdown(Chain& out) {
  if (phase_ == Phase::running) {
    close_with({ReplyCode::connection_forced,
                "broker forced connection closure with reason 'shutdown'", 0},
               out);
  }
  ended_ = true;
}

// ---- Publishers under an alarm

void AmqpSession::hold_publisher(Chain& out) {
  held_ = true;
  tell_alarm(out);
}

// A disk that only has to catch up is not worth a word.
void AmqpSession::tell_alarm(Chain& out) {
  bool low = alarm_.memory || alarm_.disk;
  if (!link_.capabilities.blocked || low == blocked_) return;
  blocked_ = low;
  if (!low) return write_method(out, 0, ConnectionUnblocked{});
  std::string_view reason = "low on memory & low on disk";
  if (!alarm_.disk) reason = "low on memory";
  if (!alarm_.memory) reason = "low on disk";
  write_method(out, 0, ConnectionBlocked{.reason = reason});
}

// ---- Time

void AmqpSession::start_timers() {
  Instant now = link_.core.clock().now();
  if (heartbeat_.active()) {
    timers_.set(Timer::send, now + heartbeat_.interval() / 2);
    timers_.set(Timer::receive, now + heartbeat_.interval());
  }
  if (link_.options.ack_timeout > Duration::zero()) {
    timers_.set(Timer::overdue, now + std::min(overdue_interval, link_.options.ack_timeout / 2));
  }
}

void AmqpSession::on_deadline(Instant now, Chain& out) {
  if (timers_.due(Timer::end, now)) {
    timers_.clear(Timer::end);
    detach();
    ended_ = true;
    return;
  }
  if (timers_.due(Timer::send, now)) {
    timers_.set(Timer::send, now + heartbeat_.interval() / 2);
    if (heartbeat_.look_at_sending()) write_heartbeat(out);
  }
  if (timers_.due(Timer::receive, now)) {
    timers_.set(Timer::receive, now + heartbeat_.interval());
    if (heartbeat_.look_at_receiving(!wants_input())) {
      detach();
      ended_ = true;
      return;
    }
  }
  if (timers_.due(Timer::overdue, now)) check_overdue(now, out);
}

void AmqpSession::check_overdue(Instant now, Chain& out) {
  timers_.set(Timer::overdue, now + std::min(overdue_interval, link_.options.ack_timeout / 2));
  if (phase_ != Phase::running) return;
  for (auto& [number, channel] : channels_) {
    // While an answer is owed the channel cannot be closed; the next look will do.
    if (channel->closing() || channel->busy()) continue;
    Checked checked = channel->check_overdue(now);
    if (!checked) fail_channel(*channel, std::move(checked.error()), out);
  }
  end_turn(out);
}

}  // namespace wharf::amqp
