// bench/live_connection.h: one connection of the load generator for live messages. It logs in and
// subscribes blocking; after that the loop drives it for a party, which reads in place and writes
// from buffers of its own.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "bench/event_loop.h"
#include "bench/live_protocol.h"
#include "wire/bytes.h"

namespace wharf::bench {

class LiveConnection;

// One publisher, subscriber, requester or responder; it may have two connections.
class LiveParty {
 public:
  virtual ~LiveParty() = default;
  // Returns how many bytes were used; the rest comes again with more behind it. Views die on
  // return.
  virtual Try<std::size_t> on_input(LiveConnection& from, Bytes input) = 0;
  // What to write next, empty for nothing at the moment. It must stand until the next call.
  virtual Bytes next_output() = 0;
  virtual bool has_output() const = 0;
  // As Role::next_due.
  virtual Instant next_due() const { return Instant::max(); }
};

class LiveConnection final : public Role {
 public:
  // Connects and logs in. `frame_size`: of the largest message that it will receive.
  static Try<std::unique_ptr<LiveConnection>> open(const LiveProtocol& protocol,
                                                   const ServerUrl& url, std::size_t frame_size);
  // Blocks until the answer is there, for ten seconds a step at most.
  Try<void> exchange(const Exchange& exchange);
  // From now on the party is given what arrives, and when it `writes`, asked for output.
  void attach(LiveParty& party, bool writes);
  // Written before the party's next output.
  void send_soon(std::string_view bytes) { answers_ += bytes; }
  bool idle() const { return rest_.empty() && answers_.empty(); }

  int fd() const override { return socket_.fd(); }
  Try<void> on_readable() override;
  // Writes one piece at most, so that reading has its turn.
  Try<void> on_writable() override;
  bool wants_to_write() const override { return !idle() || (writes_ && party_->has_output()); }
  Instant next_due() const override {
    return writes_ && rest_.empty() ? party_->next_due() : Instant::max();
  }

 private:
  LiveConnection(const LiveProtocol& protocol, Socket socket, std::size_t input_size);
  Bytes input() const { return Bytes(input_).subspan(input_begin_, input_end_ - input_begin_); }
  Try<void> receive();
  Try<void> flush();
  Try<bool> take_answer(std::string_view done);

  const LiveProtocol& protocol_;
  Socket socket_;
  LiveParty* party_ = nullptr;
  bool writes_ = false;
  Bytes rest_;  // of the piece that is being written
  std::string answers_;
  std::string answers_written_;  // what rest_ views, when it was answers
  std::vector<std::byte> input_;
  std::size_t input_begin_ = 0;
  std::size_t input_end_ = 0;
};

}  // namespace wharf::bench
