// protocol/amqp/link.h: what the channels of one connection share: the way to the core, what was
// negotiated, the consumers by id, and what is collected during a turn and handed over at its end
// (settled records, credit, confirms).
// Owned by the session; channels refer to it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "broker/api.h"
#include "protocol/amqp/credit.h"
#include "protocol/amqp/errors.h"
#include "protocol/amqp/session.h"
#include "wire/chain.h"

namespace wharf::amqp {

class Channel;

struct Consumer {
  broker::ConsumerId id = 0;
  Channel* channel = nullptr;
  std::string tag;
  broker::QueueId queue;
  bool no_ack = false;
  bool counted = false;     // its queue shows how often a message came back
  bool cancelling = false;  // basic.cancel is on its way
  bool earning = false;     // listed for credit at the end of the turn
  Credit credit;
};

// What the client said it can do.
struct Capabilities {
  bool authentication_failure_close = false;
  bool blocked = false;
  bool consumer_cancel_notify = false;
};

// Settled records of one turn, a list for each queue and disposition.
class SettleBatch {
 public:
  void add(broker::QueueId queue, broker::Disposition disposition, broker::RecordRef record);
  void flush(broker::Core& core, broker::SessionId session);
  bool empty() const { return used_ == 0; }
  // Hands over with a receipt for each call; returns how many calls that were.
  std::uint32_t flush(broker::Core& core, broker::SessionId session, broker::Token token);

 private:
  struct Group {
    broker::QueueId queue;
    broker::Disposition disposition = broker::Disposition::accept;
    std::vector<broker::RecordRef> records;
  };
  std::vector<Group> groups_;  // the first used_ are in use; the rest keep their memory
  std::size_t used_ = 0;
};

struct Link {
  Link(const AmqpOptions& the_options, broker::Core& the_core)
      : options(the_options), core(the_core) {}

  const AmqpOptions& options;
  broker::Core& core;
  broker::SessionId session;
  broker::Principal who;
  broker::VhostId vhost;
  std::string vhost_name;
  Capabilities capabilities;
  std::size_t frame_max = 0;

  boost::unordered_flat_map<broker::ConsumerId, Consumer*> consumers;
  SettleBatch settles;
  std::vector<broker::ConsumerId> earning;  // consumers with credit to renew
  std::vector<std::uint16_t> newsworthy;    // channels with confirms to tell
  std::vector<std::uint16_t> relieved;      // channels whose limit may have room again
  bool published = false;                   // some content has come since this was last cleared
  bool must_wait = false;                   // and the core wants no more for the moment
  std::uint64_t token_floor = 0;            // above all tokens of closed channels

  broker::RequestId next_request(std::uint16_t channel) {
    return std::uint64_t{channel} << 48 | ++last_request_;
  }
  static std::uint16_t channel_of(std::uint64_t id) { return static_cast<std::uint16_t>(id >> 48); }
  broker::ConsumerId next_consumer() { return ++last_consumer_; }

  Consumer* find_consumer(broker::ConsumerId id) const {
    auto it = consumers.find(id);
    return it == consumers.end() ? nullptr : it->second;
  }
  void earn(Consumer& consumer) {
    if (consumer.earning) return;
    consumer.earning = true;
    earning.push_back(consumer.id);
  }
  // Requests about queues must not overtake what was settled before them.
  void flush_settles() {
    if (!settles.empty()) settles.flush(core, session);
  }

  Error error_of(const broker::Failure& failure) const {
    return to_error(failure, {vhost_name, who.name});
  }
  std::string describe(broker::Resource resource, std::string_view name) const {
    return amqp::describe(resource, name, vhost_name);
  }
  // `prefix` and 22 characters that nobody can guess.
  std::string unguessable(std::string_view prefix);
  // Whether the user may publish to the default exchange; asked for where the core is not asked.
  bool may_write_default();

 private:
  std::uint64_t last_request_ = 0;
  broker::ConsumerId last_consumer_ = 0;
  std::optional<bool> may_write_default_;
};

// URL-safe base64 without padding.
std::string base64_url(Bytes bytes);
// False when the text is not that.
bool from_base64_url(std::string_view text, ByteVector& out);

}  // namespace wharf::amqp
