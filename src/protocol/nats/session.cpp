// Turns, time and answers of a session.
#include "protocol/nats/session.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "protocol/nats/connection.h"

namespace wharf::nats {

namespace {

// The first ping comes early, since it also measures the way.
constexpr Duration first_ping_after = std::chrono::seconds(2);
// How long a session that publishes faster than others hear stands still, and how much it may send
// after so many pauses, as nats-server's stall gate has it.
constexpr std::uint32_t pauses_max = 5;
constexpr std::size_t unpaused_bytes_max = 64 << 10;
constexpr Duration pause_time = std::chrono::milliseconds(2);

// As nats-server's look: a letter and 55 of base32.
std::string make_server_id(Random& random) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::array<std::byte, 55> bytes;
  random.fill(bytes);
  std::string id = "N";
  for (std::byte byte : bytes) id += letters[std::to_integer<std::size_t>(byte) % letters.size()];
  return id;
}

std::string make_nonce(Random& random) {
  constexpr std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::array<std::byte, 15> bytes;
  random.fill(bytes);
  std::string nonce;
  for (std::byte byte : bytes) nonce += letters[std::to_integer<std::size_t>(byte) & 63];
  return nonce;
}

std::string_view host_of(std::string_view endpoint) {
  std::string_view host = endpoint.substr(0, endpoint.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return host;
}

std::uint16_t port_of(std::string_view endpoint) {
  std::uint32_t port = 0;
  for (char digit : endpoint.substr(endpoint.rfind(':') + 1)) {
    if (digit < '0' || digit > '9') return 0;
    port = port * 10 + static_cast<std::uint32_t>(digit - '0');
  }
  return static_cast<std::uint16_t>(port);
}

}  // namespace

NatsServer::NatsServer(NatsOptions the_options, Random& random, WallTime start)
    : options(std::move(the_options)), id(make_server_id(random)), census(start) {
  ASSERT(options.max_payload <= 64 << 20);
}

bool NatsServer::offers_nkeys() const {
  return std::ranges::any_of(options.credentials,
                             [](const NatsCredential& each) { return !each.nkey.empty(); });
}

std::unique_ptr<ByteSession> make_nats_session(NatsServer& server, broker::Core& core,
                                               SessionHost& host, const Peer& peer,
                                               Carrier carrier) {
  return std::make_unique<NatsSession>(server, core, host, peer, carrier);
}

NatsSession::NatsSession(NatsServer& server, broker::Core& core, SessionHost& host,
                         const Peer& peer, Carrier carrier)
    : server_(server),
      options_(server.options),
      core_(core),
      host_(host),
      peer_(peer),
      carrier_(carrier),
      client_id_(server.census.next_id()),
      start_(core.clock().wall()),
      row_(server.census.enter()) {
  Instant now = core.clock().now();
  auth_required_ = !core.access().login_external(options_.no_auth_user, peer.loopback);
  if (server.offers_nkeys()) nonce_ = make_nonce(core.random());
  if (auth_required_) auth_deadline_ = now + options_.auth_timeout;
  last_input_ = now;
  ping_at_ = now + std::min(options_.ping_interval, first_ping_after);
  host.wake();
}

NatsSession::~NatsSession() { ASSERT(!session_); }

// ---- turns

std::size_t NatsSession::on_bytes(Bytes input, Chain& out) {
  std::size_t size_before = out.size();
  greet(out);
  last_input_ = core_.clock().now();
  std::size_t used = 0;
  while (!closing_ && !held() && !securing_) {
    std::size_t taken = take_unit(input.subspan(used), out);
    if (taken == 0) break;
    used += taken;
  }
  if (!retired_.empty()) ask_fence();
  unpaused_bytes_ += used;
  produced_ += out.size() - size_before;
  show_counters();
  return closing_ ? input.size() : used;
}

void NatsSession::on_wake(Chain& out) {
  std::size_t size_before = out.size();
  greet(out);
  drain(out);
  settle_answer(out);
  produced_ += out.size() - size_before;
  watch_output(out);
  show_counters();
}

void NatsSession::on_events() {
  mail_waits_ = true;
  host_.wake();
}

void NatsSession::on_closed() {
  detach();
  server_.census.leave(row_);
  closing_ = true;
}

void NatsSession::on_shutdown(Chain& out) {
  if (options_.lame_duck_grace <= Duration::zero()) return hang_up();
  if (connected_ && connect_.protocol > 0) out.append(bytes_of(info(true)));
  shutdown_at_ = core_.clock().now() + options_.lame_duck_grace;
}

void NatsSession::greet(Chain& out) {
  if (greeted_) return;
  greeted_ = true;
  out.append(bytes_of(info(false)));
  if (tls_offer() == TlsOffer::required) securing_ = host_.start_tls();
}

void NatsSession::on_secured(const Peer& peer) {
  peer_ = peer;
  securing_ = false;
}

std::string NatsSession::info(bool lame_duck) const {
  Info info;
  info.server_id = server_.id;
  info.server_name = options_.server_name;
  info.version = options_.version;
  info.host = host_of(peer_.local);
  info.port = port_of(peer_.local);
  info.max_payload = options_.max_payload;
  info.client_id = client_id_;
  info.client_ip = host_of(peer_.remote);
  info.nonce = nonce_;
  info.connect_urls = &options_.connect_urls;
  info.auth_required = auth_required_;
  info.tls_required = tls_offer() == TlsOffer::required;
  info.tls_available = tls_offer() != TlsOffer::none;
  info.tls_verify = options_.tls_verify;
  info.lame_duck = lame_duck;
  return write_info(info);
}

// Below a WebSocket TLS is there from the beginning, or not at all.
TlsOffer NatsSession::tls_offer() const {
  if (carrier_ == Carrier::socket) return options_.tls;
  return peer_.tls ? TlsOffer::required : TlsOffer::none;
}

void NatsSession::show(const auth::Principal& who) {
  auto facts = std::make_shared<ConnectionFacts>();
  facts->id = client_id_;
  facts->ip = host_of(peer_.remote);
  facts->port = port_of(peer_.remote);
  facts->start = start_;
  facts->name = connect_.name;
  facts->lang = connect_.lang;
  facts->version = connect_.version;
  facts->user = who.name;
  facts->tls = peer_.tls;
  facts->websocket = carrier_ == Carrier::websocket;
  row_.facts.store(std::move(facts));
}

void NatsSession::show_counters() {
  auto set = [](auto& counter, auto value) { counter.store(value, std::memory_order_relaxed); };
  ConnectionCounters& counters = row_.counters;
  set(counters.in_messages, in_messages_);
  set(counters.in_bytes, in_bytes_);
  set(counters.out_messages, out_messages_);
  set(counters.out_bytes, out_bytes_);
  set(counters.pending_bytes, host_.unsent_bytes());
  set(counters.subscriptions, subscriptions_.size());
  auto since = core_.clock().wall().time_since_epoch();
  set(counters.last_activity_ms,
      std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
}

void NatsSession::drain(Chain& out) {
  if (!mail_waits_ || !session_) return;
  mail_waits_ = false;
  core_.take_events(*session_, events_);
  for (broker::Event& event : events_) {
    std::visit([&](auto& what) { on_event(what); }, event);
  }
  events_.clear();
  held_by_alarm_ = held_by_alarm_ && alarm_.any();
  deliver(out);
  drop_retired();
}

// ---- answers

// The client goes on only when all that it said before has its effect: subscriptions on every
// shard, messages for queues on disk, deliveries to itself written.
void NatsSession::owe(Answer answer, Chain& out) {
  answer_ = answer;
  ask_fence();
  drain(out);
  settle_answer(out);
}

void NatsSession::ask_fence() {
  if (!fence_needed_ || !session_) return;
  fence_needed_ = false;
  core_.fence(*session_, ++fence_);
}

void NatsSession::settle_answer(Chain& out) {
  if (answer_ == Answer::none || fence_passed_ != fence_ || receipts_missing_ > 0) return;
  out.append(bytes_of(answer_ == Answer::pong ? "PONG\r\n" : "+OK\r\n"));
  answer_ = Answer::none;
}

void NatsSession::on_event(broker::Reply& event) {
  if (event.request == fence_) fence_passed_ = fence_;
}

void NatsSession::on_event(broker::Receipt&) {
  if (receipts_missing_ > 0) --receipts_missing_;
}

void NatsSession::say_error(std::string_view text, Chain& out) {
  out.append(bytes_of("-ERR '"));
  out.append(bytes_of(text));
  out.append(bytes_of("'\r\n"));
}

void NatsSession::fail(std::string_view text, Chain& out) {
  say_error(text, out);
  hang_up();
}

// ---- time

// Publishers to us pause while much is unsent; beyond max_pending, or when nothing at all is taken
// for long, the connection is cut.
void NatsSession::watch_output(Chain& out) {
  std::size_t unsent = host_.unsent_bytes();
  if (unsent > options_.max_pending) {
    ++server_.census.slow_consumers;
    out.clear();
    return hang_up();
  }
  if (!is_slow_ && unsent > options_.max_pending / 2) set_slow(true);
  if (is_slow_ && unsent < options_.max_pending / 4) set_slow(false);
  if (unsent == 0) {
    write_check_at_.reset();
  } else if (!write_check_at_) {
    write_check_at_ = core_.clock().now() + options_.write_deadline;
    sent_at_check_ = produced_ - unsent;
  }
}

void NatsSession::set_slow(bool is_slow) {
  is_slow_ = is_slow;
  if (session_) core_.set_slow(*session_, is_slow);
}

// Called when others that hear us are behind.
void NatsSession::pause() {
  if (pauses_ == pauses_max && unpaused_bytes_ < unpaused_bytes_max) return;
  if (pauses_ == pauses_max) pauses_ = 0;
  if (pauses_ == 0) ++server_.census.stalled_clients;
  ++pauses_;
  unpaused_bytes_ = 0;
  paused_until_ = core_.clock().now() + pause_time;
}

std::optional<Instant> NatsSession::next_deadline() const {
  Instant next = ping_at_;
  for (const auto* moment : {&auth_deadline_, &shutdown_at_, &paused_until_, &write_check_at_}) {
    if (*moment) next = std::min(next, **moment);
  }
  return next;
}

void NatsSession::on_deadline(Instant now, Chain& out) {
  std::size_t size_before = out.size();
  if (paused_until_ && now >= *paused_until_) paused_until_.reset();
  if (shutdown_at_ && now >= *shutdown_at_) return hang_up();
  if (auth_deadline_ && now >= *auth_deadline_) return fail("Authentication Timeout", out);
  if (write_check_at_ && now >= *write_check_at_) {
    std::uint64_t sent = produced_ - host_.unsent_bytes();
    if (host_.unsent_bytes() > 0 && sent == sent_at_check_) {
      ++server_.census.slow_consumers;
      out.clear();
      return hang_up();
    }
    write_check_at_.reset();
    watch_output(out);
  }
  if (now >= ping_at_) on_ping_timer(now, out);
  produced_ += out.size() - size_before;
}

// Not before the handshake is over: clients expect nothing but its PONG there.
void NatsSession::on_ping_timer(Instant now, Chain& out) {
  ping_at_ = now + options_.ping_interval;
  if (auth_required_ && !connected_) return;
  bool is_active = pings_out_ == 0 && now - last_input_ < options_.ping_interval;
  if (is_active) return;
  if (pings_out_ >= options_.ping_max) {
    ++server_.census.stale_connections;
    return fail("Stale Connection", out);
  }
  ++pings_out_;
  ping_sent_ = now;
  out.append(bytes_of("PING\r\n"));
}

}  // namespace wharf::nats
