// sim/connection.h: a connection between a simulated client and a session of the real broker: what
// src/net does with sockets, done with queues of bytes, each step on the scheduler's order.
//
//   client -> to_server -> (arrive) -> arrived -> session -> output -> (flush) -> to_client ->
//   client
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "broker/api.h"
#include "broker/shard_message.h"
#include "protocol/amqp/session.h"
#include "sim/byte_queue.h"
#include "wire/byte_session.h"

namespace wharf::sim {

class Connection final : public SessionHost {
 public:
  // Called with the bytes that the session adds to its output, before anybody else sees them.
  using Tap = std::function<void(Bytes)>;

  Connection(broker::ShardIndex shard, broker::Core& core, const amqp::AmqpOptions& options,
             Tap tap);
  ~Connection() override;

  broker::ShardIndex shard() const { return shard_; }

  // ---- the client's end
  void send(Bytes bytes) { to_server_.append(bytes); }
  ByteQueue& inbox() { return to_client_; }
  // The client is gone without a word; of what it sent last, `kept` bytes still arrive.
  void hang_up(std::size_t kept);

  // ---- the broker's end: a turn of its shard is arrive, (the shard's turn), work
  std::size_t arriving() const { return to_server_.size(); }
  void arrive(std::size_t size);
  // Wake-ups and deadlines.
  void work(Instant now);
  bool runnable(Instant now) const;
  std::optional<Instant> next_deadline() const { return session_->next_deadline(); }
  std::size_t flushable() const { return output_.size(); }
  void flush(std::size_t size);
  // The session is done, or its peer is gone and all that it sent has arrived: nothing more comes.
  bool finished() const;
  // Ends the session. The last call but for inbox().
  void close();
  bool closed() const { return session_ == nullptr; }
  void shut_down();

  // ---- SessionHost
  void wake() override { woken_ = true; }
  std::size_t unsent_bytes() const override { return output_.size(); }

 private:
  void feed();
  void take(Chain& fresh);

  broker::ShardIndex shard_;
  Tap tap_;
  ByteQueue to_server_;
  ByteQueue arrived_;
  ByteQueue output_;
  ByteQueue to_client_;
  bool woken_ = false;
  bool hung_up_ = false;
  std::unique_ptr<ByteSession> session_;
};

}  // namespace wharf::sim
