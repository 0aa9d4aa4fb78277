// bench/live_protocol.h: what the load generator for live messages must know of a protocol: how to
// log in and subscribe, and the bytes around a body. All messages of a run have one size and their
// names one length, so that every message of a kind is head + body + tail with the same head and
// tail (but for varies_at). Sources: docs.nats.io "Client Protocol"; redis.io "Redis serialization
// protocol", "Pub/sub".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bench/server_url.h"

namespace wharf::bench {

struct Frame {
  std::string head;
  std::string tail;
  std::size_t body_size = 0;
  // A part of the head that is not the same in all: the reply subject, of one length in all.
  std::size_t varies_at = 0;
  std::size_t varies_size = 0;

  std::size_t size() const { return head.size() + body_size + tail.size(); }
};

// A request that is answered before anything else happens: `done` is the line that ends the answer.
struct Exchange {
  std::string request;
  std::string_view done;
};

class LiveProtocol {
 public:
  virtual ~LiveProtocol() = default;
  virtual std::string_view name() const = 0;  // also the scheme of its URLs
  virtual std::uint16_t port() const = 0;
  // Each publish is answered with a line (an integer) on its own connection.
  virtual bool answers_publish() const = 0;
  // A connection that has subscribed may also publish.
  virtual bool publishes_while_subscribed() const = 0;

  virtual Exchange log_in(const ServerUrl& url) const = 0;
  virtual Exchange subscribe(std::string_view name) const = 0;
  // `reply_to` is empty for none; a protocol that has no such thing leaves it out.
  virtual Frame publish(std::string_view name, std::string_view reply_to,
                        std::size_t body_size) const = 0;
  // As it comes to one that has subscribed to `name`.
  virtual Frame deliver(std::string_view name, std::string_view reply_to,
                        std::size_t body_size) const = 0;
  // What to send back for a line that is no message, mostly nothing. Fails for an error.
  virtual Try<std::string_view> answer_to(std::string_view line) const = 0;
};

const LiveProtocol& nats_protocol();
const LiveProtocol& redis_protocol();

}  // namespace wharf::bench
