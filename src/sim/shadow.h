// sim/shadow.h: the model that knows every message of a run, and the oracle over it. Clients tell
// what they send and what they are told; the world tells when the broker dies. The first thing that
// cannot be is kept as the violation.
//
// What is promised here (docs/simulator.md lists it with reasons):
//  - a confirmed persistent message in a durable queue is delivered and settled, or dead-lettered,
//  or
//    given up by a declared limit, a purge or a deletion, or found at the end; and it was on the
//    platter when the confirm left
//  - without a restart the same holds for every message that the broker is known to have read
//  - nothing is delivered that was not sent, to a queue that it was not for, or after it was
//  settled
//    where the broker has said so
//  - one holder at a time; a second delivery says that it is one; order of a channel within a queue
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/clock.h"
#include "sim/marks.h"
#include "sim/plan.h"
#include "sim/trace.h"

namespace wharf::sim {

// A channel of a connection, never used twice in a run; 0 is none.
using ChannelUid = std::uint64_t;
using CopyId = std::size_t;

struct PublishFacts {
  ChannelUid channel = 0;
  std::string exchange;
  std::string key;
  std::size_t body_size = 0;
  bool persistent = false;
  bool mandatory = false;
  bool in_transaction = false;
  std::uint8_t priority = 0;
  std::optional<std::uint32_t> ttl_ms;
};

struct DeliveryFacts {
  ChannelUid channel = 0;
  QueueIndex queue = 0;
  MessageId message = 0;
  std::string path;      // its deaths, newest first; empty for one that came straight
  std::string died_in;   // the queue of the newest death
  bool expired = false;  // that death's reason
  bool redelivered = false;
  bool leased = true;               // false: settled as it left
  std::uint64_t queue_changes = 0;  // of the queue, when the consumer began
};

enum class Settlement : std::uint8_t { accept, requeue, refuse };

class Shadow {
 public:
  // What the model looks up in the broker and on its disks.
  struct Sight {
    std::function<bool(QueueIndex, MessageId, std::size_t body_size)> is_synced;
    // Records that the queue's shard has reported as unreadable since it started.
    std::function<std::uint64_t(QueueIndex)> unreadable;
  };
  Shadow(const Plan& plan, const SimClock& clock, Trace& trace, Sight sight);

  // ---- publishing
  MessageId sent(const PublishFacts& facts);
  // A reply came that the broker gives only after it read all that the channel sent before.
  void channel_synced(ChannelUid channel);
  void returned(MessageId message);
  // The broker's own output holds it; the client has not read it yet.
  void return_leaves(MessageId message) { messages_[message - 1].return_left = true; }
  void confirm_leaves(MessageId message);
  void confirmed(MessageId message, bool accepted);
  void transaction_sent(ChannelUid channel);  // commit
  void commit_leaves(ChannelUid channel);
  void transaction_done(ChannelUid channel, bool committed);

  // ---- consuming
  CopyId delivered(const DeliveryFacts& facts);
  void settled(CopyId copy, Settlement how, ChannelUid channel);
  // The broker has handed it out and taken it back, unseen: its place in the order is not kept.
  void released(QueueIndex queue, MessageId message);
  // A consumer or a get without acknowledgements is under way at that queue, or no longer.
  void auto_ack_begins(ChannelUid channel, QueueIndex queue);
  void auto_ack_ends(ChannelUid channel, QueueIndex queue);

  // ---- the catalog
  enum class QueueState : std::uint8_t { missing, changing, ready };
  QueueState queue_state(QueueIndex queue) const { return queues_[queue].state; }
  bool exchange_ready(std::size_t exchange) const { return exchanges_ready_[exchange]; }
  // Counts what makes it uncertain what an earlier request to the queue meets.
  std::uint64_t queue_changes(QueueIndex queue) const { return queues_[queue].changes; }
  void queue_changing(QueueIndex queue);
  void queue_ready(QueueIndex queue);
  void queue_deleted(QueueIndex queue);
  void exchange_declared(std::size_t exchange) { exchanges_ready_[exchange] = true; }
  void purge_sent(QueueIndex queue);
  void purge_done(QueueIndex queue);

  // ---- ends
  // What the channel holds goes back, as soon as the broker gets to it.
  void releasing(ChannelUid channel);
  // The broker has closed it; what the client still says there is not heard.
  void closed_by_broker(ChannelUid channel);
  void channel_ended(ChannelUid channel);
  // The broker died (or stopped) and forgot what was not on disk. A clean stop forgets only what
  // was never meant to be there.
  void restarted(bool clean);
  // What these queues held of these messages was damaged at rest, and the broker said so.
  void damaged(const std::vector<MessageId>& messages, const std::vector<bool>& queues);
  // ---- the end of a run
  void begin_drain() { draining_ = true; }
  void check_end();

  void violate(std::string what);
  const std::optional<std::string>& violation() const { return violation_; }
  std::uint64_t message_count() const { return messages_.size(); }
  std::uint64_t confirm_count() const { return confirms_; }
  std::uint64_t delivery_count() const { return deliveries_; }
  std::size_t body_size(MessageId message) const { return messages_[message - 1].facts.body_size; }
  bool knows(MessageId message) const { return message > 0 && message <= messages_.size(); }
  const PublishFacts& facts(MessageId message) const { return messages_[message - 1].facts; }
  // Messages that may expire: counts are then not exact.
  bool any_ttl() const { return any_ttl_; }
  std::uint64_t unreadable(QueueIndex queue) const { return sight_.unreadable(queue); }

 private:
  // How sure it is that the broker must still have it.
  enum class Owed : std::uint8_t { no, until_restart, always };
  // What is known of its being done with.
  enum class Settled : std::uint8_t { no, told, read, safe };

  struct Copy {
    MessageId message = 0;
    QueueIndex queue = 0;
    std::string path;
    Owed owed = Owed::no;
    Settled settled = Settled::no;
    ChannelUid holder = 0;
    std::uint32_t deliveries = 0;
    bool may_be_gone = false;  // settled, purged or deleted, perhaps
    bool refused = false;      // settled by refusing it
    bool drained = false;
    bool released = false;                // may come out of order
    std::optional<std::uint64_t> buried;  // the queue was deleted; its changes count by then
  };

  enum class Sending : std::uint8_t { sent, in_transaction, committing, committed, rolled_back };
  struct Message {
    PublishFacts facts;
    Instant sent_at;
    std::uint64_t crashes_before = 0;
    Sending state = Sending::sent;
    std::vector<CopyId> copies;
    bool confirmed = false;
    bool returned = false;
    bool return_left = false;
    bool routed_surely = true;  // every queue that it is for was ready when it was sent
    bool damaged = false;       // some copy, perhaps
  };

  struct QueueModel {
    QueueState state = QueueState::missing;
    std::uint64_t changes = 0;
    std::uint32_t purges = 0;     // under way
    bool ever_disturbed = false;  // purged or deleted at some time
    bool may_redeliver = false;   // somebody gave something back, or died
    bool may_leak = false;        // a reader without acknowledgements died
    std::vector<CopyId> copies;
  };

  struct ReadSettle {
    CopyId copy = 0;
    MessageId before = 0;  // of messages sent later, a confirm makes it safe
  };
  struct Channel {
    bool deaf = false;  // closed by the broker, which the client may not know yet
    std::vector<MessageId> unread_messages;
    std::vector<CopyId> unread_settles;
    std::vector<ReadSettle> read_settles;
    std::vector<MessageId> transaction;       // since the last commit
    std::vector<CopyId> transaction_settles;  // sent with the commit that is under way
    std::multiset<QueueIndex> auto_ack;
    // Order: by queue, publisher and priority, the last message that came for the first time.
    std::map<std::tuple<QueueIndex, ChannelUid, std::uint8_t>, MessageId> last;
  };

  CopyId add_copy(MessageId message, QueueIndex queue, std::string path);
  CopyId copy_of_delivery(const DeliveryFacts& facts);
  CopyId match(const DeliveryFacts& facts, const Message& message) const;
  void check_origin(const DeliveryFacts& facts, const Message& message);
  void check_state(const DeliveryFacts& facts, const Copy& copy);
  void check_order(const DeliveryFacts& facts, const Message& message, const Copy& copy);
  void check_synced(const Message& message);
  void own(MessageId message, bool safe);
  bool stays_settled(const Copy& copy) const;
  void make_settles_safe(Channel& channel, MessageId confirmed);
  void forget_unread(Channel& channel);
  void forget(const QueueModel& queue);
  bool is_accounted_for(const Copy& copy) const;
  bool died_properly(const Copy& copy) const;
  std::string describe(const Copy& copy) const;

  const Plan& plan_;
  const SimClock& clock_;
  Trace& trace_;
  Sight sight_;
  std::vector<Message> messages_;
  std::deque<Copy> copies_;
  std::vector<QueueModel> queues_;
  std::vector<bool> exchanges_ready_;
  std::map<ChannelUid, Channel> channels_;
  bool draining_ = false;
  bool any_ttl_ = false;
  std::uint64_t crashes_ = 0;
  std::uint64_t confirms_ = 0;
  std::uint64_t deliveries_ = 0;
  std::optional<std::string> violation_;
};

}  // namespace wharf::sim
