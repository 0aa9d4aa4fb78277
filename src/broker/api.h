// broker/api.h: all that a protocol may know of the core. One Core a shard; a session talks to the
// Core of the shard it was accepted on, wherever the queue lives.
//
// Shape: requests go in as calls that never wait. What can be answered on the spot (routing a
// publish) is the return value; the rest comes back as events in the session's mailbox, drained
// with take_events after the session's wake. Per session, requests about one queue take effect in
// the order of the calls, and events about one queue arrive in the order in which they happened.
//
// Who owns what: names are copied in; Messages are shared and immutable; events are moved out.
// Errors: a Failure by value, with what the protocol needs to say it in its own words.
// Shard: every call and every wake on the thread of this Core.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "auth/access.h"
#include "base/boxed.h"
#include "base/fault.h"
#include "base/id.h"
#include "base/random.h"
#include "base/time.h"
#include "broker/live.h"
#include "broker/message.h"
#include "broker/value.h"

namespace wharf::broker {

using auth::Principal;
using auth::Verb;
using auth::VhostId;

// 16 bits of shard, 48 of a number never used twice while the process lives.
using SessionId = StrongId<struct SessionTag, std::uint64_t>;
// 16 bits of the owning shard, 48 of a number never used twice in a data directory.
using QueueId = StrongId<struct QueueTag, std::uint64_t>;
using RequestId = std::uint64_t;
using Token = std::uint64_t;

// A record in its queue: which priority lane, which place. Ordered by age within a lane.
struct RecordRef {
  std::uint8_t lane = 0;
  std::uint64_t sequence = 0;
  friend auto operator<=>(const RecordRef&, const RecordRef&) = default;
};

// ---- errors
// -----------------------------------------------------------------------------------------

enum class Resource : std::uint8_t { none, vhost, exchange, queue, consumer, binding };

// Why a request was not carried out; nothing has changed then.
struct Failure {
  Fault fault;
  Resource resource = Resource::none;  // what the fault is about
  std::string name;                    // its name
  Verb verb = Verb::configure;         // for Errc::refused
};

template <class T>
using Outcome = std::expected<T, Failure>;

// ---- what can be declared
// ----------------------------------------------------------------------------

enum class ExchangeKind : std::uint8_t { direct = 1, fanout, topic, headers };

// A client's own arguments, kept to be shown and compared by the protocol that understands them.
struct OriginArguments {
  Format format;
  ByteVector bytes;
  friend bool operator==(const OriginArguments&, const OriginArguments&) = default;
};

struct ExchangeSpec {
  std::string name;  // "" is the default exchange: direct by queue name, always there
  ExchangeKind kind = ExchangeKind::direct;
  bool durable = false;
  bool auto_delete = false;  // goes when its last outgoing binding goes
  bool internal = false;     // takes no publishes, only bindings
  std::optional<std::string> alternate;
  OriginArguments arguments;
};

enum class Overflow : std::uint8_t { drop_head, reject_publish, reject_publish_dead_letter };

// `counted` queues keep a delivery limit, are always durable and so is all that is in them; with
// single_active they are not for get. Else the two behave alike.
enum class QueueKind : std::uint8_t { standard, counted };

struct QueueSpec {
  std::string name;  // never empty: the session makes up names for those who want one
  QueueKind kind = QueueKind::standard;
  bool durable = false;
  bool exclusive = false;    // only the declaring session sees it; goes with that session
  bool auto_delete = false;  // goes when its last consumer leaves
  bool single_active = false;
  std::optional<std::uint64_t> message_ttl_ms;
  std::optional<std::uint64_t> expires_ms;
  std::optional<std::uint64_t> length_max;
  std::optional<std::uint64_t> length_bytes_max;
  Overflow overflow = Overflow::drop_head;
  std::optional<std::string> dead_letter_exchange;
  std::optional<std::string> dead_letter_key;
  std::uint8_t priority_max = 0;                // lanes 0 .. priority_max
  std::optional<std::uint32_t> delivery_limit;  // none: no limit
  OriginArguments arguments;
};

enum class HeaderMatch : std::uint8_t { all, any, all_with_x, any_with_x };

struct BindingSpec {
  std::string source;                           // an exchange
  Resource destination_kind = Resource::queue;  // or exchange
  std::string destination;
  std::string key;
  // For header exchanges; a value of monostate asks for presence only.
  HeaderMatch match = HeaderMatch::all;
  std::vector<std::pair<std::string, Value>> headers;
  OriginArguments arguments;  // two bindings of the same ends and key differ by these
};

// ---- events
// ------------------------------------------------------------------------------------------

struct QueueDeclared {
  QueueId queue;
  std::uint64_t ready = 0;
  std::uint32_t consumers = 0;
};
// It exists, and is not what was asked for. The session says in which way.
struct QueueDiffers {
  Boxed<QueueSpec> current;
};
struct ExchangeDiffers {
  Boxed<ExchangeSpec> current;
};
struct QueueDeleted {
  std::uint64_t ready = 0;
};
struct QueuePurged {
  std::uint64_t ready = 0;
};
struct Subscribed {
  QueueId queue;
};
struct Done {};

struct Delivery {
  QueueId queue;
  RecordRef record;
  ConsumerId consumer = 0;  // 0 for the answer to a get
  bool redelivered = false;
  std::uint32_t acquired = 0;  // times handed out before this one
  std::uint32_t failed = 0;    // times it came back as failed before this one
  bool leased = false;         // must be settled; false for consumers without acknowledgement
  Message message;
};

struct Got {
  std::optional<Delivery> delivery;  // none: the queue had nothing ready
  std::uint64_t ready = 0;           // left behind it
};

using ReplyBody = std::variant<Done, QueueDeclared, QueueDiffers, ExchangeDiffers, QueueDeleted,
                               QueuePurged, Subscribed, Got>;

// The answer to the request of that id. Durable changes are answered when they are durable, and
// every answer comes only once all shards see the change.
struct Reply {
  RequestId request = 0;
  Outcome<ReplyBody> outcome;
};

// What became of a publish or settle that asked for a receipt. One for each shard that takes part.
struct Receipt {
  Token token = 0;
  bool stored = true;  // false: a queue refused it (full), or the log has failed
};

// The queue ends the subscription; what was delivered before may still be settled.
struct ConsumerCancelled {
  ConsumerId consumer = 0;
};

// Publishers are to be held back while any is set.
struct Alarm {
  bool memory = false;
  bool disk = false;
  bool behind = false;  // the disk has to catch up: a matter of moments, not worth telling the peer
  bool any() const { return memory || disk || behind; }
  friend bool operator==(const Alarm&, const Alarm&) = default;
};

// A message sent to this session itself, with no queue between (see Core::send).
struct Direct {
  ConsumerId consumer = 0;
  Message message;
};

// The operator ends the connection.
struct Evicted {
  std::string reason;
};

using Event = std::variant<Reply, Delivery, Receipt, ConsumerCancelled, Alarm, Direct, Evicted>;

// ---- requests
// ----------------------------------------------------------------------------------------

// Implemented by the session, owned by it, alive until detach.
class EventListener {
 public:
  virtual ~EventListener() = default;
  // There are events or live mail to take. Called at most once between two take_events.
  virtual void on_events() = 0;
};

struct PublishOptions {
  // Ask for Receipts with this token.
  std::optional<Token> receipt;
};

struct Published {
  // Queues that the message goes to; where there are no listeners either, nobody heard it.
  std::uint32_t queues = 0;
  // Receipts to expect, if they were asked for.
  std::uint32_t receipts = 0;
  // Live ones that hear it.
  std::uint32_t listeners = 0;
  // The session has published enough: it publishes no more until the Alarm event that says so.
  bool must_wait = false;
};

struct SubscribeSpec {
  std::string queue;
  ConsumerId consumer = 0;
  bool leased = true;  // false: a delivery is settled as it leaves
  bool exclusive = false;
  std::int32_t priority = 0;
  // Credit to begin with, see grant.
  std::uint32_t credit = 0;
  std::uint64_t credit_bytes = 0;
};

enum class Disposition : std::uint8_t {
  accept,       // done
  requeue,      // back to its place, counted as failed
  release,      // back to its place, as if it had not been taken
  dead_letter,  // refused for good: dead-lettered if the queue says where, else dropped
};

class Core {
 public:
  virtual ~Core() = default;

  // -- sessions
  // `vhost` must exist. Alarm events start with the current state if any is on.
  virtual SessionId attach(EventListener& listener, VhostId vhost, const Principal& who) = 0;
  // Gives back all leases (as failed), ends subscriptions, deletes exclusive queues. When `request`
  // is given, a Done reply comes once its exclusive queues are gone everywhere; forget(id) must
  // follow it. Without it the listener is never called again.
  virtual void detach(SessionId session, std::optional<RequestId> request) = 0;
  virtual void forget(SessionId session) = 0;
  // Appends what has happened since the last call.
  virtual void take_events(SessionId session, std::vector<Event>& events) = 0;

  // -- publishing; answered at once, since every shard knows the routes
  // Failures: not_found (exchange), refused (no write permission, or an internal exchange: then the
  // fault is not_allowed), overloaded.
  // Cost: one lookup and one append a shard that holds a queue of it.
  virtual Outcome<Published> publish(SessionId session, const Message& message,
                                     const PublishOptions& options) = 0;
  // -- live messages
  // To all that listen to the name at this moment. In the common room also to the queue of that
  // name and to what the live exchange (ShardSetup) has bound to it, as a persistent message.
  // Failures: refused (no right to write to the name), io. Cost: one look-up and, where anybody
  // listens, one copy and 16 bytes a listener.
  virtual Outcome<LivePublished> publish_live(SessionId session, const LiveMessage& message,
                                              const PublishOptions& options) = 0;
  // Hears from now on what this shard's sessions publish, and what others do once fence() says so.
  // Failures: refused (no right to read).
  // REQUIRES: the session has no listener of that consumer id.
  virtual Outcome<void> listen(SessionId session, const ListenSpec& spec) = 0;
  // What is in the mailbox or on its way may still come: the session drops what it no longer knows.
  virtual void unlisten(SessionId session, ConsumerId consumer) = 0;
  // Reply: Done, once all that the session asked for before is in force on every shard.
  virtual void fence(SessionId session, RequestId request) = 0;
  // Replaces `mail` by what was heard since the last call. To be called with take_events.
  virtual void take_live(SessionId session, LiveMail& mail) = 0;
  // The session cannot write as fast as it hears, or can again. Told to who publishes to it.
  virtual void set_slow(SessionId session, bool is_slow) = 0;
  // Listeners of names: of one name, of each (in no order); and how many patterns there are
  // besides. As this shard sees it.
  virtual std::uint32_t count_listeners(VhostId vhost, Room room, std::string_view name) const = 0;
  using NameVisitor = std::function<void(std::string_view name, std::uint32_t listeners)>;
  virtual void each_name(VhostId vhost, Room room, const NameVisitor& visit) const = 0;
  virtual std::uint32_t count_patterns(VhostId vhost, Room room) const = 0;

  // To a session's own inbox, past all queues. False when it is known to be gone; on another shard
  // the answer is true and the message is dropped there if need be.
  virtual bool send(SessionId to, ConsumerId consumer, const Message& message) = 0;
  // Whether a session with that id could exist here or is known to live elsewhere.
  virtual bool inbox_alive(SessionId session) const = 0;
  // Whether that session's inbox can be sent to, on whatever shard it lives. Reply: QueueDeclared
  // with one consumer. Failures: not_found, with `name`.
  virtual void find_inbox(SessionId session, RequestId request, SessionId to,
                          std::string_view name) = 0;
  // What exchange_kind an exchange has, for the checks that a protocol makes of keys; none if
  // missing.
  virtual const ExchangeSpec* find_exchange(VhostId vhost, std::string_view name) const = 0;
  // Whether a queue of that name is there, as this shard sees it.
  virtual const QueueSpec* find_queue(VhostId vhost, std::string_view name) const = 0;

  // -- the catalog; each ends in a Reply. Permissions are checked here.
  // Reply: QueueDeclared, or QueueDiffers. A passive declare needs `name` only and fails with
  // not_found. Failures: locked (exclusive to another session, or the exclusive flag differs),
  // refused, not_allowed (overloaded with queues).
  virtual void declare_queue(SessionId session, RequestId request, const QueueSpec& spec,
                             bool passive) = 0;
  struct DeleteConditions {
    bool if_unused = false;
    bool if_empty = false;
  };
  // Reply: QueueDeleted; deleting what is not there is done at once. Failures: precondition with
  // why "in use" or "not empty", locked, refused.
  virtual void delete_queue(SessionId session, RequestId request, std::string_view name,
                            DeleteConditions conditions) = 0;
  // Reply: QueuePurged. Leased records stay. Failures: not_found, locked, refused.
  virtual void purge_queue(SessionId session, RequestId request, std::string_view name) = 0;
  // Reply: Done or ExchangeDiffers. Failures: not_found (passive), refused.
  virtual void declare_exchange(SessionId session, RequestId request, const ExchangeSpec& spec,
                                bool passive) = 0;
  // Reply: Done. Failures: precondition "in use", refused. Missing is done.
  virtual void delete_exchange(SessionId session, RequestId request, std::string_view name,
                               bool if_unused) = 0;
  // Reply: Done. Binding twice is binding once; removing what is not there is done. Failures:
  // not_found (exchange or queue, on bind), locked, refused.
  virtual void bind(SessionId session, RequestId request, const BindingSpec& binding) = 0;
  virtual void unbind(SessionId session, RequestId request, const BindingSpec& binding) = 0;

  // -- consuming
  // Reply: Subscribed, before the first Delivery. Failures: not_found, locked, refused, not_allowed
  // with why "in exclusive use" or "single active".
  virtual void subscribe(SessionId session, RequestId request, const SubscribeSpec& spec) = 0;
  // Reply: Done, behind the last Delivery. What was delivered stays leased to the session.
  virtual void unsubscribe(SessionId session, RequestId request, QueueId queue,
                           ConsumerId consumer) = 0;
  // The queue may send this many more messages and bytes; both must be above zero for the next one,
  // so bytes may be overdrawn by one message. Nothing is given back by settling: the session
  // grants.
  virtual void grant(SessionId session, QueueId queue, ConsumerId consumer, std::uint32_t messages,
                     std::uint64_t bytes) = 0;
  // Reply: Got. `leased` as in SubscribeSpec. Failures: not_found, locked, refused, not_allowed
  // with why "single active" (a counted queue that is).
  virtual void get(SessionId session, RequestId request, std::string_view queue, bool leased) = 0;
  // Each record must be leased to this session; others are ignored. With a receipt, one Receipt
  // comes when the change is durable.
  virtual void settle(SessionId session, QueueId queue, std::span<const RecordRef> records,
                      Disposition disposition, std::optional<Token> receipt) = 0;

  // -- surroundings
  virtual const auth::Access& access() const = 0;
  // The readers of all protocols' properties, for messages that came in through another one.
  virtual const Formats& formats() const = 0;
  virtual const Clock& clock() const = 0;
  virtual Random& random() = 0;
};

}  // namespace wharf::broker
