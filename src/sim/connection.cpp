#include "sim/connection.h"

#include <algorithm>

namespace wharf::sim {

Connection::Connection(broker::ShardIndex shard, broker::Core& core,
                       const amqp::AmqpOptions& options, Tap tap)
    : shard_(shard), tap_(std::move(tap)) {
  Peer peer;
  peer.remote = "127.0.0.1:40000";
  peer.local = "127.0.0.1:5672";
  peer.loopback = true;
  session_ = amqp::make_amqp_session(options, core, *this, peer);
}

Connection::~Connection() {
  if (session_) session_->on_closed();
}

void Connection::hang_up(std::size_t kept) {
  hung_up_ = true;
  tap_ = [](Bytes) {};
  to_server_.cut_to(std::min(kept, to_server_.size()));
  to_client_.cut_to(0);
}

void Connection::arrive(std::size_t size) {
  to_server_.move_to(arrived_, size);
  feed();
}

void Connection::feed() {
  if (!session_->wants_input() || session_->closing()) return;
  Chain fresh;
  arrived_.drop(session_->on_bytes(arrived_.bytes(), fresh));
  take(fresh);
}

void Connection::take(Chain& fresh) {
  if (fresh.empty()) return;
  std::string bytes = fresh.flatten();
  tap_(bytes_of(bytes));
  output_.append(bytes_of(bytes));
}

bool Connection::runnable(Instant now) const {
  if (closed()) return false;
  std::optional<Instant> deadline = session_->next_deadline();
  return woken_ || (deadline && *deadline <= now) || finished();
}

void Connection::work(Instant now) {
  std::optional<Instant> deadline = session_->next_deadline();
  if (deadline && *deadline <= now) {
    Chain fresh;
    session_->on_deadline(now, fresh);
    take(fresh);
  }
  if (woken_) {
    woken_ = false;
    Chain fresh;
    session_->on_wake(fresh);
    take(fresh);
  }
  // What was held back may be welcome now.
  if (!arrived_.empty()) feed();
}

void Connection::flush(std::size_t size) {
  if (hung_up_) {
    output_.drop(size);
  } else {
    output_.move_to(to_client_, size);
  }
  if (output_.empty()) woken_ = true;
}

bool Connection::finished() const {
  if (closed()) return false;
  if (session_->closing() && output_.empty()) return true;
  return hung_up_ && to_server_.empty();
}

void Connection::close() {
  session_->on_closed();
  session_.reset();
}

void Connection::shut_down() {
  Chain fresh;
  session_->on_shutdown(fresh);
  take(fresh);
}

}  // namespace wharf::sim
