// What the client says, but for publishing.
#include "protocol/nats/connection.h"

#include <algorithm>

#include <fmt/format.h>

#include "protocol/nats/names.h"
#include "protocol/nats/nkey.h"

namespace wharf::nats {

namespace {

constexpr std::int64_t protocol_max = 1;
// The type of a TLS record that holds a handshake.
constexpr char tls_hello = 0x16;

// In a time that does not tell how much of it was right.
bool same_secret(std::string_view one, std::string_view other) {
  if (one.size() != other.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    difference |= static_cast<unsigned>(static_cast<unsigned char>(one[i] ^ other[i]));
  }
  return difference == 0;
}

// There are no accounts, so who asks for one is not who we know.
bool asks_for_account(const Connect& connect) {
  return !connect.account.empty() || connect.new_account;
}

}  // namespace

std::size_t NatsSession::take_unit(Bytes input, Chain& out) {
  if (input.empty()) return 0;
  char first = static_cast<char>(input.front());
  bool begins_tls = first == tls_hello && tls_offer() == TlsOffer::available && !connected_;
  if (begins_tls && host_.start_tls()) {
    securing_ = true;
    return 0;
  }
  bool logs_in = first == 'C' || first == 'c';
  if (auth_required_ && !connected_ && !logs_in) {
    fail("Authorization Violation", out);
    return 0;
  }
  Result<std::optional<Line>> line = read_line(input, options_.max_control_line);
  if (!line) {
    bool too_large = line.error().code == Errc::too_large;
    fail(too_large ? "maximum control line exceeded" : "Unknown Protocol Operation", out);
    return 0;
  }
  if (!*line) return 0;
  Verb verb = (*line)->verb;
  if (verb == Verb::pub) return take_publish(input, **line, read_pub((*line)->arguments), out);
  if (verb == Verb::hpub) {
    std::optional<Pub> pub;
    if (connect_.headers) pub = read_hpub((*line)->arguments);
    return take_publish(input, **line, pub, out);
  }
  return take_command(input, **line, out);
}

std::size_t NatsSession::take_command(Bytes, const Line& line, Chain& out) {
  switch (line.verb) {
    case Verb::connect:
      on_connect(line.arguments, out);
      break;
    case Verb::sub:
      on_sub(line.arguments, out);
      break;
    case Verb::unsub:
      on_unsub(line.arguments, out);
      break;
    case Verb::ping:
      owe(Answer::pong, out);
      break;
    case Verb::pong:
      on_pong();
      break;
    case Verb::err:
      hang_up();
      break;
    case Verb::ok:
    case Verb::info:
    case Verb::pub:
    case Verb::hpub:
      break;
  }
  return line.size;
}

void NatsSession::on_pong() {
  pings_out_ = 0;
  if (!ping_sent_) return;
  auto way = std::chrono::duration_cast<std::chrono::microseconds>(last_input_ - *ping_sent_);
  row_.counters.rtt_us = std::max<std::int64_t>(way.count(), 1);
  ping_sent_.reset();
}

// ---- who it is

void NatsSession::on_connect(std::string_view json, Chain& out) {
  Result<Connect> connect = read_connect(json);
  if (!connect) return hang_up();
  std::optional<auth::Principal> who = log_in(*connect);
  if (!who || asks_for_account(*connect)) return fail("Authorization Violation", out);
  if (connect->protocol < 0 || connect->protocol > protocol_max) {
    return fail("invalid client protocol", out);
  }
  if (connect->no_responders && !connect->headers) {
    return fail("no responders requires headers support", out);
  }
  // A second one begins anew, as somebody else perhaps.
  detach();
  connect_ = std::move(*connect);
  attach(*who);
  connected_ = true;
  auth_deadline_.reset();
  if (connect_.verbose) owe(Answer::ok, out);
}

std::optional<auth::Principal> NatsSession::log_in(const Connect& connect) const {
  const auth::Access& access = core_.access();
  Result<auth::Principal> who = prove(connect);
  broker::VhostId vhost = access.vhost(options_.vhost);
  if (!who || !vhost || !access.may_open(*who, vhost)) return std::nullopt;
  return *who;
}

Result<auth::Principal> NatsSession::prove(const Connect& connect) const {
  const auth::Access& access = core_.access();
  if (!connect.any_credentials()) {
    return access.login_external(options_.no_auth_user, peer_.loopback);
  }
  for (const NatsCredential& credential : options_.credentials) {
    const std::string& token = credential.token.reveal();
    bool by_token = !token.empty() && same_secret(token, connect.token);
    bool by_key = !connect.nkey.empty() && credential.nkey == connect.nkey &&
                  verify_nonce(connect.nkey, nonce_, connect.signature);
    if (by_token || by_key) return access.login_external(credential.user, peer_.loopback);
  }
  return access.login(connect.user, connect.password, peer_.loopback);
}

void NatsSession::attach(const auth::Principal& who) {
  session_ = core_.attach(*this, core_.access().vhost(options_.vhost), who);
  auto rules = options_.permissions.find(who.name);
  show(who);
  permissions_ = rules == options_.permissions.end() ? nullptr : &rules->second;
}

void NatsSession::detach() {
  if (!session_) return;
  core_.detach(*session_, std::nullopt);
  session_.reset();
  subscriptions_.clear();
  retired_.clear();
  replies_.clear();
  target_.valid = false;
  target_.subject.clear();
  is_slow_ = false;
  mail_waits_ = false;
  fence_needed_ = false;
  fence_passed_ = fence_;
  receipts_missing_ = 0;
}

// Where nobody has to log in, clients may start without CONNECT.
bool NatsSession::ensure_attached(Chain& out) {
  if (session_) return true;
  std::optional<auth::Principal> who = log_in(Connect());
  if (who) {
    attach(*who);
  } else {
    fail("Authorization Violation", out);
  }
  return who.has_value();
}

// ---- subscriptions

void NatsSession::on_sub(std::string_view arguments, Chain& out) {
  std::optional<Sub> sub = read_sub(arguments);
  if (!sub) return hang_up();
  if (!ensure_attached(out)) return;
  if (options_.max_subscriptions > 0 && subscriptions_.size() >= options_.max_subscriptions) {
    return say_error("maximum subscriptions exceeded", out);
  }
  if (!is_pattern(sub->subject)) return say_error("Invalid Subject", out);
  // Nothing of an earlier one may come under the same sid.
  for (broker::ConsumerId id : retired_) {
    Subscription* old = subscriptions_.find(id);
    if (old && old->sid == sub->sid) subscriptions_.remove(*old);
  }
  // A sid that is in use keeps its first subscription.
  if (Subscription* made = subscriptions_.add(sub->sid)) {
    made->subject = sub->subject;
    made->group = sub->group;
    made->literal = is_literal(sub->subject);
    if (made->literal) made->head = fmt::format("MSG {} {} ", sub->subject, sub->sid);
    if (!listen(*made)) {
      subscriptions_.remove(*made);
      std::string group;
      if (!sub->group.empty()) group = fmt::format(" using queue \"{}\"", sub->group);
      return say_error(
          fmt::format("Permissions Violation for Subscription to \"{}\"{}", sub->subject, group),
          out);
    }
    fence_needed_ = true;
  }
  if (connect_.verbose) owe(Answer::ok, out);
}

bool NatsSession::listen(Subscription& subscription) {
  if (permissions_) {
    auto may =
        auth::may_subscribe(permissions_->subscribe, subscription.subject, subscription.group);
    if (may == auth::MaySubscribe::no) return false;
    subscription.filtered = may == auth::MaySubscribe::filtered;
  }
  broker::ListenSpec spec;
  spec.consumer = subscription.id;
  spec.group = subscription.group;
  spec.hears_own = connect_.echo;
  if (subscription.literal) {
    spec.text = to_name(subscription.subject, scratch_);
  } else {
    spec.kind = broker::ListenSpec::Kind::pattern;
    spec.segments = to_pattern(subscription.subject);
  }
  return core_.listen(*session_, spec).has_value();
}

void NatsSession::on_unsub(std::string_view arguments, Chain& out) {
  std::optional<Unsub> unsub = read_unsub(arguments);
  if (!unsub) return hang_up();
  // What was heard before counts, and is written first.
  drain(out);
  Subscription* subscription = subscriptions_.find_sid(unsub->sid);
  if (subscription && unsub->max > subscription->delivered) {
    subscription->max = unsub->max;
  } else if (subscription) {
    retire_subscription(*subscription);
  }
  if (connect_.verbose) owe(Answer::ok, out);
}

// What others said before is still to be heard: a client that drains counts on it.
void NatsSession::retire_subscription(Subscription& subscription) {
  core_.unlisten(*session_, subscription.id);
  retired_.push_back(subscription.id);
  subscriptions_.retire(subscription);
  fence_needed_ = true;
}

void NatsSession::drop_retired() {
  if (fence_needed_ || fence_passed_ != fence_) return;
  for (broker::ConsumerId id : retired_) {
    if (Subscription* subscription = subscriptions_.find(id)) subscriptions_.remove(*subscription);
  }
  retired_.clear();
}

void NatsSession::end_subscription(Subscription& subscription) {
  core_.unlisten(*session_, subscription.id);
  subscriptions_.remove(subscription);
}

}  // namespace wharf::nats
