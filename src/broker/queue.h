// broker/queue.h: one queue, a work view of its records: each is ready, leased to one session, in
// transfer to where dead messages go, or settled.
//
//   admit -> (the shard appends it) -> place -> ready -> dispatch -> leased -> settle: accept
//                                        ^------- requeue, release ----'  '--> dead_letter, limits
//
// A queue has a lane for each priority (broker/lane.h). The beginning of a lane is held in memory,
// the rest lies in the store only, as a count, and is fetched ahead of need; so a backlog costs
// memory only while it is short. Leases are in broker/lease.h, consumers and their credit in
// broker/consumers.h.
//
// Who calls whom: the shard calls the queue; the queue calls its QueueHost from inside those calls.
// A host must not call a queue from within a QueueHost call (a queue asserts that): it takes note,
// and acts once the queue's call has returned. Owner: the shard, one thread. Everything runs to
// completion; what waits for the disk comes back as fetched() or as dispatch() after
// wake_when_durable(). Counting bytes: limits, credit and the store's charge count the body
// (charge_of). Memory counts the whole record; a message that several queues hold counts in each.
// Cost: place, settle and a delivery O(1), a return O(log n) of the returned ones that wait.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include <boost/container/deque.hpp>

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
  // Unused for too long, or the last consumer of an auto_delete queue left: the shard has it
  // deleted. May be told again while it is not.
  virtual void unused(QueueId queue) = 0;

  // The queue wants dispatch() in this turn. Told once until dispatch() runs.
  virtual void wants_dispatch(QueueId queue) = 0;
  // The queue wants dispatch() once durable_up_to() has reached `lsn`.
  virtual void wake_when_durable(QueueId queue, storage::Lsn lsn) = 0;
  // The queue wants on_timer() at `deadline`. A later call replaces an earlier one; a call of
  // on_timer that was replaced, or comes late, does no harm.
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
  none,     // stays in memory
  spilled,  // in the store, only to leave memory
  durable,
};

struct Admission {
  Verdict verdict = Verdict::place;
  Storing storing = Storing::none;
  RecordRef record;
  storage::LaneRef ref;  // `record` as the store names it
  bool cold = false;     // not kept in memory
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

  // What recovery found of one of its lanes. REQUIRES: before anything else but other restores.
  // Once all are told, dispatch() looks at the heads (a message may have expired meanwhile).
  void restore(const storage::LaneState& state);

  // ---- publishing
  // Decides about a message and numbers it. With Verdict::place, exactly one of place and abandon
  // must follow, before anything else happens to this queue. For several queues: admit at all;
  // append to the `ref`s that are to be stored, with charge_of(message), volatile unless one is
  // durable; then place at all, or abandon at all when append failed. A transient message that is
  // durable in one queue and spilled in another needs an append for each: a restart must forget it
  // where it was only spilled.
  Admission admit(const Message& message);
  void place(const Admission& admission, const Message& message);
  void abandon(const Admission& admission);

  // ---- consuming
  // Failures: not_allowed "in exclusive use" (asked for or existing), not_allowed "single active"
  // (an exclusive one at such a queue). REQUIRES: the session has no consumer of that id here.
  Outcome<void> subscribe(SessionId session, const SubscribeSpec& spec);
  // What was delivered stays leased. Unknown ones are ignored, as in grant.
  void unsubscribe(SessionId session, ConsumerId consumer);
  void grant(SessionId session, ConsumerId consumer, std::uint32_t messages, std::uint64_t bytes);
  // Answered with QueueHost::got, at once unless the record must be fetched first.
  void get(SessionId session, RequestId request, bool leased);
  // Records that are not leased to this session are ignored.
  void settle(SessionId session, std::span<const RecordRef> records, Disposition disposition);
  // Subscriptions and waiting gets of the session end; its leases come back as failed. Where it had
  // very many, that takes several dispatch(), and until then nothing is delivered: they go first.
  void session_gone(SessionId session);
  // Delivers what can be delivered, to gets that wait and to consumers; expires what is due.
  void dispatch();

  // ---- management
  // Drops what is ready; returns how many.
  std::uint64_t purge();
  // It was looked at: counts as a use, as get does, and as long as there are consumers.
  void touch();
  // First step of deletion: ends subscriptions, answers gets, takes nothing more. Returns ready().
  std::uint64_t retire();
  // Second step: all records go. REQUIRES: retired. Only destruction may follow.
  void drop();
  // Gives up memory that it can do without: all but the heads of its lanes where there are no
  // consumers. Queues do so by themselves, in part, when they take a message while memory is tight;
  // this is for those that lie idle.
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
  // It has consumers, and more than they should have to wait for; and no longer so.
  bool is_crowded() const {
    return consumers_.count() > 0 && (ready_ >= crowd_count || ready_bytes_ >= crowd_bytes);
  }
  bool is_eased() const {
    return consumers_.count() == 0 || (ready_ < crowd_count / 2 && ready_bytes_ < crowd_bytes / 2);
  }
  bool retired() const { return retired_; }
  // What QueueHost::unused was told for still holds.
  bool is_unused() const;
  const QueueSpec& spec() const { return spec_; }
  // Asserts the invariants; the costly ones where slow checks are on.
  void check() const;

 private:
  // Half of what a lane keeps in memory.
  static constexpr std::uint64_t crowd_count = 2048;
  static constexpr std::uint64_t crowd_bytes = 2 << 20;

  struct Get {
    SessionId session;
    RequestId request = 0;
    bool leased = false;
  };
  struct Fetch {
    std::size_t lane = 0;
    storage::Sequence from = 0;
    bool is_overtaken = false;  // what it may bring has been purged or made cold again
  };
  // A public call is running.
  class Call;
  // Keeps the sums over all lanes true while one lane is changed.
  class Change;

  bool is_durable(const Message& message) const {
    return spec_.durable && (message.persistent() || spec_.kind == QueueKind::counted);
  }
  std::size_t lane_of(const Message& message) const;
  bool is_full(std::uint32_t more_bytes) const;
  bool must_go_cold(const Lane& lane) const;
  void cool(std::size_t lane, std::size_t count_max, std::uint64_t bytes_max);
  void consumer_left();
  // Behind whatever changed something: limits, fetches, the timer, a wish for dispatch.
  void settle_down(bool may_want_dispatch);
  void add_memory(const Message& message) { host_.add_memory(memory_of(message)); }
  void drop_memory(const Message& message) { host_.add_memory(-memory_of(message)); }

  // ---- delivering and ending (queue_serve.cpp)
  bool is_wanted() const { return !gets_.empty() || consumers_.any_waiting(); }
  // Hands out all that can be handed out.
  void serve();
  bool is_covered(Lane& lane, const Entry& entry);
  void hand_over(std::size_t lane);
  void lease(SessionId session, std::size_t lane, Entry&& entry);
  void answer_gets_empty();
  void give_back(std::size_t lane, Entry&& entry, bool has_failed);
  // What sessions that are gone held, `most` of it.
  void give_back_of_gone(std::size_t most);
  // The record dies: it goes to where dead messages go, or is done with. REQUIRES: it is out.
  void kill(std::size_t lane, Entry&& entry, DeathReason reason);
  void kill_head(std::size_t lane, DeathReason reason);
  // REQUIRES: it is out.
  void finish(std::size_t lane, Entry&& entry);

  // ---- limits of length and time (queue_limits.cpp)
  bool is_over_limit() const;
  void drop_heads();
  // None: never. As the message itself says, whatever became of it since it arrived.
  std::optional<WallTime> deadline_of(const Message& message) const;
  bool is_expired(std::size_t lane, const Entry& entry) const;
  void expire_heads();
  // The earliest of all heads.
  std::optional<WallTime> next_expiry();
  void arm_timer();

  // ---- fetching (queue_fetch.cpp)
  // Asks for what is needed next, unless something is under way.
  void plan_fetch();
  bool plan_drop();
  bool plan_thin(bool is_eager);
  bool plan_cold(bool is_eager);
  bool plan_sweep();
  void ask(std::size_t lane, storage::Sequence from, std::uint32_t count_max,
           std::uint64_t bytes_max);
  // True if the record was of any use.
  bool take_in(const Fetch& fetch, const storage::Fetched& fetched);
  bool is_next_cold(const Fetch& fetch, storage::Sequence sequence) const;
  bool pass_damaged(const Fetch& fetch, storage::Sequence sequence);
  void pass(const Fetch& fetch, storage::Sequence scanned_to);

  const QueueId id_;
  const QueueSpec spec_;
  QueueHost& host_;

  // Every record that is not settled is in a lane or in leases_.
  std::vector<Lane> lanes_;
  LeaseTable leases_;
  // Sums over lanes_.
  LaneSet ready_lanes_;
  std::uint64_t ready_ = 0;
  std::uint64_t ready_bytes_ = 0;
  std::uint64_t outside_ = 0;  // things that wait for a fetch some time: cold, thin, sweeps

  Consumers consumers_;
  boost::container::deque<Get> gets_;
  std::vector<SessionId> gone_;  // their leases are still coming back
  // In transfer, but their messages must be fetched first.
  std::set<RecordRef> dead_unread_;

  std::optional<Fetch> fetch_;
  std::optional<Instant> fetch_not_before_;  // the last one failed
  storage::Lsn waiting_lsn_ = 0;             // wake_when_durable was asked for this
  std::optional<RecordRef> unexpiring_;      // it has no time to live, and its only chance now
  std::optional<Instant> timer_at_;
  std::optional<WallTime> timer_expiry_;  // an expiry that timer_at_ is early enough for
  Instant used_at_;
  Instant report_unused_at_;
  bool ttl_seen_ = false;  // some message may expire
  bool had_consumer_ = false;
  bool drains_ = false;  // records left since the last fetch: more will be wanted soon
  bool dispatch_wanted_ = false;
  bool retired_ = false;
  bool in_call_ = false;
};

}  // namespace wharf::broker
