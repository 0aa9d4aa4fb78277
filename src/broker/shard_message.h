// broker/shard_message.h: what shards tell each other. Values only; bodies travel as counted
// buffers. Order: messages from one shard to another arrive in the order in which they were sent,
// and that alone carries the promises of api.h. Requests about a queue go to its owner, changes of
// the catalog to the directory on shard 0, events to the shard of the session.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/boxed.h"
#include "broker/api.h"
#include "broker/change.h"
#include "runtime/mailbox.h"

namespace wharf::broker {

using ShardIndex = std::uint16_t;

// Ids carry the shard they belong to in their upper 16 bits.
constexpr ShardIndex shard_of(SessionId id) { return static_cast<ShardIndex>(id.value() >> 48); }
constexpr ShardIndex shard_of(QueueId id) { return static_cast<ShardIndex>(id.value() >> 48); }

// ---- to the owner of a queue
// -------------------------------------------------------------------------

// Who is told once a message stands in all its queues of a shard.
struct ReceiptTo {
  SessionId session;
  Token token = 0;
};
// The same for a record that is moving from one shard to another (dead-lettering).
struct TransferTo {
  ShardIndex shard = 0;
  std::uint64_t transfer = 0;
};

struct PublishTo {
  Message message;
  std::vector<QueueId> queues;
  std::variant<std::monostate, ReceiptTo, TransferTo> waiter;
  // The last change of the catalog that the sender had applied: the owner of a new queue may hear
  // of it later than a publisher elsewhere, and then keeps the message until it does.
  std::uint64_t order = 0;
  ShardIndex from = 0;
};
// The owner has placed publishes of that many bytes, as the sender counts: it may send more.
struct PublishesTaken {
  ShardIndex shard = 0;
  bool is_crowded = false;  // it has a queue whose consumers do not keep up
  std::uint64_t bytes = 0;
};
struct TransferStored {
  std::uint64_t transfer = 0;
};
struct SettleAt {
  SessionId session;
  QueueId queue;
  std::vector<RecordRef> records;
  Disposition disposition = Disposition::accept;
  std::optional<Token> receipt;
};
struct SubscribeAt {
  SessionId session;
  RequestId request = 0;
  QueueId queue;
  SubscribeSpec spec;
};
struct UnsubscribeAt {
  SessionId session;
  RequestId request = 0;
  QueueId queue;
  ConsumerId consumer = 0;
};
struct GrantAt {
  SessionId session;
  QueueId queue;
  ConsumerId consumer = 0;
  std::uint32_t messages = 0;
  std::uint64_t bytes = 0;
};
struct GetAt {
  SessionId session;
  RequestId request = 0;
  QueueId queue;
  bool leased = true;
};
struct PurgeAt {
  SessionId session;
  RequestId request = 0;
  QueueId queue;
};
// Answers a declare with the queue's counts, and counts as a use of it.
struct DescribeAt {
  SessionId session;
  RequestId request = 0;
  QueueId queue;
};
// May the queue be deleted? If so it takes nothing more from here on.
struct RetireAt {
  std::uint64_t operation = 0;
  QueueId queue;
  Core::DeleteConditions conditions;
  bool only_if_still_unused = false;  // the owner said so before, see QueueUnused
};
// Everything that a session had at this shard is given back.
struct SessionGone {
  SessionId session;
};

// Is that session there? Goes to its shard.
struct FindInboxAt {
  SessionId session;
  RequestId request = 0;
  SessionId to;
  std::string name;  // by which it was asked for
};

// ---- live messages, to every shard that has to do with them
// ---------------------------------------------------------------

struct ListenAt {
  SessionId session;
  VhostId vhost;
  ListenSpec spec;
};
struct UnlistenAt {
  SessionId session;
  ConsumerId consumer = 0;
};
struct SlowAt {
  SessionId session;
  bool is_slow = false;
};
// What a turn published for listeners of that shard.
struct LiveAt {
  struct Item {
    SessionId session;
    LiveItem item;  // `block` counts in `blocks`
  };
  std::vector<Item> items;
  std::vector<Buffer> blocks;
  ShardIndex from = 0;
  std::uint64_t bytes = 0;  // for PublishesTaken
};
// Comes back as it went, behind all that was sent before it.
struct FenceAt {
  SessionId session;
  RequestId request = 0;
  bool is_back = false;
};

// ---- to the directory
// --------------------------------------------------------------------------------

struct DeclareQueueRequest {
  QueueSpec spec;
  bool passive = false;
};
struct DeleteQueueRequest {
  std::string name;
  Core::DeleteConditions conditions;
};
struct DeclareExchangeRequest {
  ExchangeSpec spec;
  bool passive = false;
};
struct DeleteExchangeRequest {
  std::string name;
  bool if_unused = false;
};
struct BindRequest {
  BindingSpec binding;
};
struct UnbindRequest {
  BindingSpec binding;
};
// The session ends: its exclusive queues go.
struct EndSessionRequest {};

using CatalogRequest =
    std::variant<DeclareQueueRequest, DeleteQueueRequest, DeclareExchangeRequest,
                 DeleteExchangeRequest, BindRequest, UnbindRequest, EndSessionRequest>;

struct CatalogAsk {
  SessionId session;
  std::optional<RequestId> request;  // none: nobody waits for the answer
  VhostId vhost;
  Principal who;
  CatalogRequest what;
};
struct Retired {
  std::uint64_t operation = 0;
  std::uint64_t ready = 0;
  const char* refused_why = nullptr;  // static text; none when the queue is retired
};
// The owner finds that the queue should go: unused for too long, or its last consumer left.
struct QueueUnused {
  QueueId queue;
  VhostId vhost;
  std::string name;
};
struct ChangesApplied {
  ShardIndex shard = 0;
  std::uint64_t order = 0;  // all changes up to this one
};

// ---- to every shard
// ----------------------------------------------------------------------------------

struct ApplyChanges {
  std::uint64_t order = 0;  // 1, 2, 3, ... as the directory decided
  std::vector<Change> changes;
};
struct AlarmAt {
  ShardIndex shard = 0;
  Alarm alarm;
};

// ---- to the shard of a session
// -----------------------------------------------------------------------

struct EventFor {
  SessionId session;
  Event event;
};

using ShardMessage =
    std::variant<PublishTo, TransferStored, SettleAt, SubscribeAt, UnsubscribeAt, GrantAt, GetAt,
                 PurgeAt, DescribeAt, RetireAt, SessionGone, Boxed<CatalogAsk>, Retired,
                 QueueUnused, ChangesApplied, ApplyChanges, AlarmAt, EventFor, FindInboxAt,
                 PublishesTaken, ListenAt, UnlistenAt, SlowAt, LiveAt, FenceAt>;
using ShardPost = runtime::Post<ShardMessage>;

}  // namespace wharf::broker
