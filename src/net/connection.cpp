#include "net/connection.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <sys/socket.h>
#include <sys/uio.h>

#include <boost/asio/co_spawn.hpp>

#include "base/assert.h"
#include "net/address.h"
#include "net/pump.h"

namespace wharf::net {
namespace {

// Gather entries of one write.
constexpr std::size_t pieces_max = 64;
// Encrypted ahead of the socket at most.
constexpr std::size_t cipher_size_max = 256 * 1024;

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

Peer describe(Connection::Socket& socket, bool tls) {
  boost::system::error_code error;
  boost::asio::ip::tcp::endpoint remote = socket.remote_endpoint(error);
  Peer peer;
  peer.loopback = !error && is_loopback(remote);
  peer.remote = error ? "gone" : to_text(remote);
  peer.local = to_text(socket.local_endpoint(error));
  peer.tls = tls;
  return peer;
}

}  // namespace

Connection::Connection(Workspace& workspace, const Service& service, Socket socket,
                       std::function<void(Connection&)> on_closed)
    : workspace_(workspace),
      service_(service),
      socket_(std::move(socket)),
      on_closed_(std::move(on_closed)),
      peer_(describe(socket_, service.tls && !service.tls_on_request)) {}

Connection::~Connection() { ASSERT(!session_); }

void Connection::start() {
  if (peer_.tls) {
    tls_ = std::make_unique<TlsFilter>(*service_.tls);
    state_deadline_ = workspace_.clock.now() + workspace_.limits.handshake_timeout;
  } else {
    open_session();
  }
  touch();
}

void Connection::open_session() {
  if (tls_) peer_.certificate_name = tls_->certificate_name();
  state_ = State::open;
  workspace_.observer.on_opened(peer_);
  session_ = service_.make_session(*this, peer_);
  ASSERT(session_ != nullptr);
}

bool Connection::start_tls() {
  if (!service_.tls || tls_ || tls_asked_) return false;
  tls_asked_ = true;
  touch();
  return true;
}

// What was written before goes ahead of the handshake, what was read and not used belongs to it.
void Connection::begin_tls() {
  tls_asked_ = false;
  cipher_ = std::move(plain_);
  tls_ = std::make_unique<TlsFilter>(*service_.tls);
  securing_ = true;
  state_deadline_ = workspace_.clock.now() + workspace_.limits.handshake_timeout;
  ByteVector hello(inbox_.unread().begin(), inbox_.unread().end());
  inbox_.keep_after(hello.size());
  if (!hello.empty() && !on_ciphertext(hello)) peer_ended_ = true;
}

void Connection::on_handshake_done() {
  if (state_ == State::handshaking) return open_session();
  securing_ = false;
  peer_.tls = true;
  peer_.certificate_name = tls_->certificate_name();
  session_->on_secured(peer_);
}

void Connection::shutdown() {
  if (state_ == State::handshaking) return close(EndReason::stopped);
  if (state_ != State::open) return;
  session_->on_shutdown(plain_output());
  touch();
}

void Connection::close(EndReason reason) {
  if (state_ == State::closed) return;
  bool was_open = state_ == State::open;
  if (state_ == State::open || state_ == State::handshaking) reason_ = reason;
  state_ = State::closed;
  if (was_open) session_->on_closed();
  session_.reset();
  if (timer_at_) workspace_.timers.cancel(timer_);
  timer_at_.reset();
  boost::system::error_code ignored;
  socket_.close(ignored);
  plain_.reset();
  cipher_.reset();
  workspace_.observer.on_ended(peer_, reason_);
  on_closed_(*this);
}

void Connection::touch() {
  if (touched_ || state_ == State::closed) return;
  touched_ = true;
  workspace_.touched.push_back(shared_from_this());
}

void Connection::wake() {
  woken_ = true;
  touch();
}

std::size_t Connection::unsent_bytes() const {
  return (plain_ ? plain_->size() : 0) + (cipher_ ? cipher_->size() : 0);
}

Chain& Connection::plain_output() {
  if (!plain_) plain_ = workspace_.take_chain();
  return *plain_;
}

Chain& Connection::socket_output() {
  if (!tls_) return plain_output();
  if (!cipher_) cipher_ = workspace_.take_chain();
  return *cipher_;
}

// ---- input

bool Connection::wants_readable() const {
  switch (state_) {
    case State::handshaking:
      return !peer_ended_;
    case State::open:
      return !peer_ended_ && (securing_ || (!throttled_ && session_->wants_input()));
    case State::flushing:
      return false;
    case State::lingering:
      return !peer_ended_;
    case State::closed:
      return false;
  }
  std::unreachable();
}

void Connection::on_readable() {
  if (state_ == State::lingering) return discard_input();
  std::span<std::byte> space =
      tls_ ? workspace_.ciphertext_space() : inbox_.prepare(workspace_.plaintext_space());
  ssize_t size = ::recv(socket_.native_handle(), space.data(), space.size(), MSG_DONTWAIT);
  int error = errno;
  std::size_t received = size > 0 ? static_cast<std::size_t>(size) : 0;
  bool tls_works = true;
  if (tls_) {
    tls_works = on_ciphertext(space.first(received));
  } else {
    inbox_.filled(received);
    offer_input();
  }
  if (state_ == State::closed) return;
  if (size < 0 && !would_block(error)) return close(EndReason::lost);
  if (size == 0 || !tls_works) peer_ended_ = true;
  touch();
}

bool Connection::on_ciphertext(Bytes ciphertext) {
  tls_->feed(ciphertext);
  if (state_ == State::handshaking || securing_) {
    Result<bool> shaken = tls_->handshake(socket_output());
    if (!shaken || !*shaken) return shaken.has_value();
    on_handshake_done();
  }
  while (state_ == State::open) {
    std::span<std::byte> space = inbox_.prepare(workspace_.plaintext_space());
    Result<std::size_t> size = tls_->read(space, socket_output());
    inbox_.filled(size.value_or(0));
    offer_input();
    if (!size || *size == 0) return size.has_value() && !tls_->ended();
  }
  return true;
}

// Ends what Inbox::prepare began.
void Connection::offer_input() {
  std::size_t used = 0;
  bool wanted = state_ == State::open && !session_->closing() && session_->wants_input();
  if (wanted && !inbox_.unread().empty()) {
    used = session_->on_bytes(inbox_.unread(), plain_output());
  }
  inbox_.keep_after(used);
  if (tls_asked_) return begin_tls();
  if (inbox_.unread().size() > workspace_.limits.unit_bytes_max) close(EndReason::too_large);
}

void Connection::discard_input() {
  std::span<std::byte> space = workspace_.plaintext_space();
  ssize_t size = ::recv(socket_.native_handle(), space.data(), space.size(), MSG_DONTWAIT);
  if (size == 0 || (size < 0 && !would_block(errno))) close(reason_);
}

void Connection::on_read_pump_ended(bool failed) {
  read_pump_runs_ = false;
  if (failed) close(EndReason::lost);
}

// ---- output

bool Connection::wants_writable() const { return blocked_ && state_ != State::closed; }

void Connection::on_writable() {
  blocked_ = false;
  flush();
  touch();
}

void Connection::on_write_pump_ended(bool failed) {
  write_pump_runs_ = false;
  if (failed) close(EndReason::lost);
}

void Connection::flush() {
  while (state_ != State::closed && !blocked_) {
    if (unsent_bytes() == 0) return on_flushed();
    if (securing_ && (!cipher_ || cipher_->empty())) return;
    if (tls_ && plain_ && state_ != State::handshaking && !securing_ &&
        !tls_->write(*plain_, socket_output(), cipher_size_max)) {
      return close(EndReason::lost);
    }
    if (!send_some(socket_output())) return;
  }
}

bool Connection::send_some(Chain& output) {
  output.front_pieces(workspace_.pieces, pieces_max);
  std::array<iovec, pieces_max> vector;
  std::size_t asked = 0;
  for (std::size_t i = 0; i < workspace_.pieces.size(); ++i) {
    Bytes piece = workspace_.pieces[i];
    vector[i] = {const_cast<std::byte*>(piece.data()), piece.size()};
    asked += piece.size();
  }
  msghdr message{};
  message.msg_iov = vector.data();
  message.msg_iovlen = workspace_.pieces.size();
  ssize_t size = ::sendmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (size < 0 && !would_block(errno)) {
    close(EndReason::lost);
    return false;
  }
  std::size_t sent = size > 0 ? static_cast<std::size_t>(size) : 0;
  output.consume(sent);
  blocked_ = sent < asked;
  return !blocked_;
}

// Everything is in the hands of the operating system.
void Connection::on_flushed() {
  bool had_output = plain_ || cipher_;
  if (plain_) workspace_.give_chain(std::move(plain_));
  if (cipher_) workspace_.give_chain(std::move(cipher_));
  if (state_ == State::handshaking && peer_ended_) return close(EndReason::handshake_failed);
  if (state_ != State::flushing) {
    if (had_output && write_pump_runs_ && state_ == State::open) wake();
    return;
  }
  if (peer_ended_) return close(reason_);
  boost::system::error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  state_ = State::lingering;
  state_deadline_ = workspace_.clock.now() + workspace_.limits.linger_timeout;
}

void Connection::begin_flush(EndReason reason) {
  ASSERT(state_ == State::open);
  reason_ = reason;
  state_ = State::flushing;
  state_deadline_ = workspace_.clock.now() + workspace_.limits.flush_timeout;
  session_->on_closed();
  session_.reset();
  if (!tls_) return;
  if (securing_) return plain_.reset();
  if (plain_ && !tls_->write(*plain_, socket_output(), SIZE_MAX)) return close(EndReason::lost);
  tls_->close(socket_output());
}

void Connection::update_throttle() {
  std::size_t unsent = unsent_bytes();
  if (unsent > workspace_.limits.unsent_bytes_high) throttled_ = true;
  if (!throttled_ || unsent > workspace_.limits.unsent_bytes_high / 2) return;
  throttled_ = false;
  wake();
}

// ---- turns and time

void Connection::finish_turn() {
  touched_ = false;
  if (state_ == State::closed) return;
  if (state_ == State::open && std::exchange(woken_, false)) session_->on_wake(plain_output());
  if (state_ == State::open && tls_asked_) begin_tls();
  if (state_ == State::open && !inbox_.unread().empty()) offer_input();
  if (state_ == State::open && session_->closing()) {
    begin_flush(EndReason::by_session);
  } else if (state_ == State::open && peer_ended_ && all_input_offered()) {
    begin_flush(securing_ ? EndReason::handshake_failed : EndReason::by_peer);
  }
  flush();
  if (state_ == State::closed) return;
  update_throttle();
  rearm();
  run_pumps();
}

// What is left then is the beginning of a unit that will never be whole.
bool Connection::all_input_offered() const {
  return inbox_.unread().empty() || session_->wants_input();
}

std::optional<Instant> Connection::next_moment() const {
  if (state_ != State::open) return state_deadline_;
  std::optional<Instant> moment = session_->next_deadline();
  if (!securing_) return moment;
  return moment ? std::min(*moment, state_deadline_) : state_deadline_;
}

// A timer that is too early is left alone: on_timer puts it right, and heartbeats cost nothing.
void Connection::rearm() {
  std::optional<Instant> moment = next_moment();
  if (timer_at_ && moment && *timer_at_ <= *moment) return;
  if (timer_at_) workspace_.timers.cancel(timer_);
  timer_at_ = moment;
  if (moment) timer_ = workspace_.timers.add(*moment, this);
}

void Connection::on_timer() {
  std::shared_ptr<Connection> self = shared_from_this();
  timer_at_.reset();
  Instant now = workspace_.clock.now();
  std::optional<Instant> moment = next_moment();
  bool due = moment && *moment <= now;
  bool too_late = state_ != State::open || (securing_ && state_deadline_ <= now);
  if (due && too_late) return close(EndReason::timed_out);
  if (due) session_->on_deadline(now, plain_output());
  touch();
}

void Connection::run_pumps() {
  if (!read_pump_runs_ && wants_readable()) {
    read_pump_runs_ = true;
    boost::asio::co_spawn(socket_.get_executor(), read_pump(shared_from_this()), NothingThrown{});
  }
  if (!write_pump_runs_ && wants_writable()) {
    write_pump_runs_ = true;
    boost::asio::co_spawn(socket_.get_executor(), write_pump(shared_from_this()), NothingThrown{});
  }
}

}  // namespace wharf::net
