// broker/queue.h: one queue, a work view of its records: each is ready, leased to one session, in
// transfer to where dead messages go, or settled.
//
//   admit -> (the shard appends it) -> place -> ready -> dispatch -> leased -> settle: accept
//                                        ^------- requeue, release ----'  '--> dead_letter, limits
//
// A queue has a lane for each priority (broker/lane.h). The beginning of a lane is held in memory, the
// rest lies in the store only, as a count, and is fetched ahead of need; so a backlog costs memory only
// while it is short. Leases are in broker/lease.h, consumers and their credit in broker/consumers.h.
//
// Who calls whom: the shard calls the queue; the queue calls its QueueHost from inside those calls. A
// host must not call a queue from within a QueueHost call (a queue asserts that): it takes note, and
// acts once the queue's call has returned.
// Owner: the shard, one thread. Everything runs to completion; what waits for the disk comes back as
// fetched() or as dispatch() after wake_when_durable().
// Counting bytes: limits, credit and the store's charge count the body (charge_of). Memory counts the
// whole record; a message that several queues hold counts in each.
// Cost: place, settle and a delivery O(1), a return O(log n) of the returned ones that wait.
#pragma once

#include <bitset>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "broker/api.h"
#include "broker/consumers.h"
#include "broker/lane.h"
#include "broker/lease.h"
#include "broker/message.h"
#include "storage/store.h"

namespace wharf::broker {

// What a queue needs of its shard.
class QueueHost {
 public:
  virtual ~QueueHost() = default;

  virtual void deliver(SessionId session, Delivery&& delivery) = 0;
  // The answer to Queue::get.
  virtual void got(SessionId session, RequestId request, Got&& got) = 0;
  // The queue ended the subscription.
  virtual void cancelled(SessionId session, ConsumerId consumer) = 0;
  // A message died in `queue`, which has a dead letter exchange. With a record, the record stays in
  // transfer until Queue::dead_lettered(record); without one the message was never in the queue.
  virtual void dead_letter(QueueId queue, std::optional<RecordRef> record, const Message& message,
                           DeathReason reason) = 0;
  // Unused for too long, or the last consumer of an auto_delete queue left: the shard has it deleted.
  // May be told again while it is not.
  virtual void unused(QueueId queue) = 0;

  // The queue wants dispatch() in this turn. Told once until dispatch() runs.
  virtual void wants_dispatch(QueueId queue) = 0;
  // The queue wants dispatch() once durable_up_to() has reached `lsn`.
  virtual void wake_when_durable(QueueId queue, storage::Lsn lsn) = 0;
  // The queue wants on_timer() at `deadline`. A later call replaces an earlier one; a call of on_timer
  // that was replaced, or comes late, does no harm.
  virtual void set_timer(QueueId queue, Instant deadline) = 0;
  // Store::fetch; the answer goes to Queue::fetched. A queue has one fetch under way at most.
  virtual void fetch(QueueId queue, storage::LaneId lane, storage::Sequence from,
                     std::uint32_t count_max, std::uint64_t bytes_max) = 0;

  // Bytes of messages that the queue began (or, negative, ceased) to hold in memory.
  virtual void add_memory(std::int64_t bytes) = 0;
  virtual bool memory_tight() const = 0;
  virtual storage::Store& store() = 0;
  virtual const Clock& clock() const = 0;
};

// What becomes of a message that was offered to a queue.
enum class Verdict : std::uint8_t {
  place,    // append it if `storage` says so, then call place or abandon
  refuse,   // the queue is full and refuses; where the queue says so, it has been dead-lettered
  discard,  // the queue is about to be deleted: nothing more to do, and nothing to complain of
};

enum class Storing : std::uint8_t {
  none,      // stays in memory
  volatile_, // in the store only to leave memory; may be stored as a durable one for another queue
  durable,
};

struct Admission {
  Verdict verdict = Verdict::place;
  Storing storing = Storing::none;
  RecordRef record;
  storage::LaneRef ref;  // `record` as the store names it
};

// What a record counts as in limits, in credit, and in Store::append.
inline std::uint32_t charge_of(const Message& message) {
  return static_cast<std::uint32_t>(message.body_size());
}

class Queue {
 public:
  // `host` outlives the queue. A durable queue is empty until restore. Counts as a use.
  Queue(QueueId id, const QueueSpec& spec, QueueHost& host);
  ~Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  // What recovery found of one of its lanes. REQUIRES: before anything else but other restores. Once
  // all are told, dispatch() looks at the heads (a message may have expired meanwhile).
  void restore(const storage::LaneState& state);

  // ---- publishing
  // Decides about a message and numbers it. With Verdict::place, exactly one of place and abandon must
  // follow, before anything else happens to this queue.
  // For several queues: admit at all; append once, to the `ref`s that are to be stored, volatile unless
  // one is durable, with charge_of(message); then place at all, or abandon at all when append failed.
  Admission admit(const Message& message);
  void place(const Admission& admission, const Message& message);
  void abandon(const Admission& admission);

  // ---- consuming
  // Failures: not_allowed "in exclusive use" (asked for or existing), not_allowed "single active" (an
  // exclusive one at such a queue). REQUIRES: the session has no consumer of that id here.
  Outcome<void> subscribe(SessionId session, const SubscribeSpec& spec);
  // What was delivered stays leased. Unknown ones are ignored, as in grant.
  void unsubscribe(SessionId session, ConsumerId consumer);
  void grant(SessionId session, ConsumerId consumer, std::uint32_t messages, std::uint64_t bytes);
  // Answered with QueueHost::got, at once unless the record must be fetched first.
  void get(SessionId session, RequestId request, bool leased);
  // Records that are not leased to this session are ignored.
  void settle(SessionId session, std::span<const RecordRef> records, Disposition disposition);
  // Subscriptions and waiting gets of the session end; its leases come back as failed.
  void session_gone(SessionId session);
  // Delivers what can be delivered, to gets that wait and to consumers; expires what is due.
  void dispatch();

  // ---- management
  // Drops what is ready; returns how many.
  std::uint64_t purge();
  // Looking at it counts as using it.
  void touch();
  // First step of deletion: ends subscriptions, answers gets, takes nothing more. Returns ready().
  std::uint64_t retire();
  // Second step: all records go. REQUIRES: retired. Only destruction may follow.
  void drop();
  // Gives up memory that it can do without. Queues do so by themselves when they take a message while
  // memory is tight; this is for those that lie idle.
  void shed();

  // ---- what the host tells
  void fetched(storage::FetchResult&& result);
  void on_timer();
  // The copy is safe, or there is nowhere to put it: the record is done with.
  void dead_lettered(RecordRef record);

  // ---- what it has
  QueueId id() const { return id_; }
  std::uint64_t ready() const { return ready_; }
  std::uint64_t ready_bytes() const { return ready_bytes_; }
  std::uint64_t leased() const { return leases_.leased(); }
  std::uint64_t in_transfer() const { return leases_.in_transfer(); }
  std::uint32_t consumers() const { return consumers_.count(); }
  bool retired() const { return retired_; }
  // Asserts the invariants; the costly ones where slow checks are on.
  void check() const;
