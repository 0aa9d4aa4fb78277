#include "broker/queue.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/assert.h"
#include "broker/queue_parts.h"

namespace wharf::broker {

namespace {

// What a lane holds in memory of records that just arrive. More while a limit of length is to be
// kept by dropping heads, since a head must be read to be dropped.
constexpr std::size_t fresh_count_max = 4096;
constexpr std::size_t fresh_count_limited_max = 65536;
constexpr std::uint64_t fresh_bytes_max = 4 << 20;
// The same while memory is tight.
constexpr std::size_t fresh_count_tight_max = 256;
constexpr std::uint64_t fresh_bytes_tight_max = 256 << 10;
// Leases that come back in one go: some milliseconds of the shard's time.
constexpr std::size_t returns_at_once_max = 4096;

std::size_t fresh_limit(const QueueSpec& spec) {
  if (spec.overflow != Overflow::drop_head || !spec.length_max) return fresh_count_max;
  return std::clamp<std::size_t>(*spec.length_max + 1, fresh_count_max, fresh_count_limited_max);
}

}  // namespace

Queue::Queue(QueueId id, const QueueSpec& spec, QueueHost& host)
    : id_(id), spec_(spec), host_(host), consumers_(spec.single_active) {
  ASSERT(id);
  lanes_.reserve(spec.priority_max + 1U);
  for (unsigned lane = 0; lane <= spec.priority_max; ++lane) {
    lanes_.emplace_back(lane_id(id, static_cast<std::uint8_t>(lane)));
  }
  ttl_seen_ = spec.message_ttl_ms.has_value();
  touch();
}

Queue::~Queue() = default;

void Queue::restore(const storage::LaneState& state) {
  Call call(*this);
  std::size_t lane = lane_index(state.lane);
  ASSERT(lane < lanes_.size());
  Change(*this, lane)->restore(state);
}

// ---- publishing

std::size_t Queue::lane_of(const Message& message) const {
  return std::min<std::size_t>(message.priority(), lanes_.size() - 1);
}

bool Queue::is_full(std::uint32_t more_bytes) const {
  return (spec_.length_max && ready_ + 1 > *spec_.length_max) ||
         (spec_.length_bytes_max && ready_bytes_ + more_bytes > *spec_.length_bytes_max);
}

bool Queue::must_go_cold(const Lane& lane) const {
  if (lane.cold_count() > 0) return true;
  if (lane.fresh_count() >= fresh_count_tight_max || lane.fresh_bytes() >= fresh_bytes_tight_max) {
    return lane.fresh_count() >= fresh_limit(spec_) || lane.fresh_bytes() >= fresh_bytes_max ||
           host_.memory_tight();
  }
  return false;
}

Admission Queue::admit(const Message& message) {
  Call call(*this);
  Admission admission;
  if (retired_) {
    admission.verdict = Verdict::discard;
    return admission;
  }
  std::uint32_t bytes = charge_of(message);
  if (spec_.overflow != Overflow::drop_head && is_full(bytes)) {
    serve();
    if (is_full(bytes)) {
      admission.verdict = Verdict::refuse;
      if (spec_.overflow == Overflow::reject_publish_dead_letter && spec_.dead_letter_exchange) {
        host_.dead_letter(id_, std::nullopt, message, DeathReason::max_length);
      }
      return admission;
    }
  }
  std::size_t index = lane_of(message);
  Lane& lane = lanes_[index];
  admission.cold = must_go_cold(lane);
  if (admission.cold && is_wanted()) {
    serve();
    admission.cold = must_go_cold(lane);
  }
  admission.record = {static_cast<std::uint8_t>(index), lane.next()};
  admission.ref = {lane.id(), lane.next()};
  if (is_durable(message)) {
    admission.storing = Storing::durable;
    if (!lane.reserve().begun()) {
      lane.reserve().extend(host_.store(), lane.id(), lane.next() - 1, lane.next());
      lane.note_in_store();
    }
  } else if (admission.cold || host_.memory_tight()) {
    // A lease keeps a message in memory unless the store has it, however short the queue is.
    admission.storing = Storing::spilled;
  }
  return admission;
}

void Queue::place(const Admission& admission, const Message& message) {
  Call call(*this);
  ASSERT(admission.verdict == Verdict::place);
  ASSERT(!admission.cold || admission.storing != Storing::none);
  std::size_t index = admission.record.lane;
  Lane& lane = lanes_[index];
  ASSERT(admission.record.sequence == lane.next());
  if (admission.storing != Storing::none) lane.note_in_store();
  if (admission.cold) {
    Change(*this, index)->push_cold(charge_of(message));
  } else {
    Entry entry;
    entry.sequence = admission.record.sequence;
    entry.message = message;
    entry.bytes = charge_of(message);
    entry.stored = admission.storing != Storing::none;
    entry.durable = admission.storing == Storing::durable;
    add_memory(message);
    Change(*this, index)->push_fresh(std::move(entry));
  }
  if (!is_wanted() && lane.fresh_count() > 1 && host_.memory_tight()) {
    cool(index, fresh_count_tight_max, fresh_bytes_tight_max);
  }
  if (message.ttl_ms()) ttl_seen_ = true;
  if (ttl_seen_ && deadline_of(message) == message.arrived()) {
    unexpiring_ = admission.record;
    serve();
    unexpiring_.reset();
    expire_heads();
  }
  if (is_over_limit() && is_wanted()) serve();
  settle_down(true);
}

void Queue::abandon(const Admission& admission) {
  ASSERT(admission.verdict == Verdict::place);
  ASSERT(admission.record.sequence == lanes_[admission.record.lane].next());
}

// ---- consuming

Outcome<void> Queue::subscribe(SessionId session, const SubscribeSpec& spec) {
  Call call(*this);
  ASSERT(!retired_);
  Outcome<void> added = consumers_.add(session, spec);
  if (!added) return added;
  had_consumer_ = true;
  settle_down(true);
  return {};
}

void Queue::unsubscribe(SessionId session, ConsumerId consumer) {
  Call call(*this);
  if (!consumers_.remove(session, consumer)) return;
  consumer_left();
  settle_down(true);
}

void Queue::consumer_left() {
  if (consumers_.count() > 0) return;
  touch();
  if (spec_.auto_delete) host_.unused(id_);
}

void Queue::grant(SessionId session, ConsumerId consumer, std::uint32_t messages,
                  std::uint64_t bytes) {
  Call call(*this);
  consumers_.grant(session, consumer, messages, bytes);
  settle_down(true);
}

void Queue::get(SessionId session, RequestId request, bool leased) {
  Call call(*this);
  touch();
  gets_.push_back({session, request, leased});
  if (retired_) {
    answer_gets_empty();
    return;
  }
  expire_heads();
  serve();
  settle_down(false);
}

void Queue::settle(SessionId session, std::span<const RecordRef> records, Disposition disposition) {
  Call call(*this);
  for (const RecordRef& record : records) {
    std::optional<Entry> entry = leases_.take(session, record);
    if (!entry) continue;
    switch (disposition) {
      case Disposition::accept:
        finish(record.lane, std::move(*entry));
        break;
      case Disposition::requeue:
        give_back(record.lane, std::move(*entry), true);
        break;
      case Disposition::release:
        give_back(record.lane, std::move(*entry), false);
        break;
      case Disposition::dead_letter:
        kill(record.lane, std::move(*entry), DeathReason::rejected);
        break;
    }
  }
  settle_down(true);
}

void Queue::session_gone(SessionId session) {
  Call call(*this);
  auto gone = std::ranges::remove(gets_, session, &Get::session);
  gets_.erase(gone.begin(), gone.end());
  if (consumers_.remove_all(session)) consumer_left();
  gone_.push_back(session);
  give_back_of_gone(returns_at_once_max);
  settle_down(true);
}

void Queue::dispatch() {
  Call call(*this);
  dispatch_wanted_ = false;
  if (retired_) return;
  give_back_of_gone(returns_at_once_max);
  if (gone_.empty()) {
    expire_heads();
    serve();
  }
  settle_down(false);
}

// ---- management

std::uint64_t Queue::purge() {
  Call call(*this);
  give_back_of_gone(std::numeric_limits<std::size_t>::max());
  std::uint64_t purged = ready_;
  for (std::size_t index = 0; index < lanes_.size(); ++index) {
    Lane& lane = lanes_[index];
    if (lane.ready() == 0) continue;
    // What is out must stay in the store, and settle_below would not leave it.
    bool is_all = lane.out_count() == 0;
    Change(*this, index)->clear(!is_all, [&](Entry&& entry) {
      drop_memory(entry.message);
      if (!is_all && entry.stored) host_.store().settle({lane.id(), entry.sequence}, entry.bytes);
    });
    if (is_all && lane.in_store()) host_.store().settle_below(lane.id(), lane.next());
  }
  if (fetch_) fetch_->is_overtaken = true;
  settle_down(true);
  return purged;
}

void Queue::touch() {
  if (!spec_.expires_ms) return;
  used_at_ = host_.clock().now();
  report_unused_at_ = used_at_ + std::chrono::milliseconds(*spec_.expires_ms);
  arm_timer();
}

bool Queue::is_unused() const {
  if (consumers_.count() > 0) return false;
  if (spec_.auto_delete && had_consumer_) return true;
  return spec_.expires_ms &&
         host_.clock().now() - used_at_ >= std::chrono::milliseconds(*spec_.expires_ms);
}

std::uint64_t Queue::retire() {
  Call call(*this);
  retired_ = true;
  consumers_.each(
      [&](const Consumer& consumer) { host_.cancelled(consumer.session, consumer.id); });
  consumers_.clear();
  answer_gets_empty();
  return ready_;
}

void Queue::drop() {
  ASSERT(retired_);
  leases_.each([&](std::uint8_t, const Entry& entry) { drop_memory(entry.message); });
  for (std::size_t index = 0; index < lanes_.size(); ++index) {
    Change(*this, index)->clear(false, [&](Entry&& entry) { drop_memory(entry.message); });
    if (lanes_[index].in_store()) host_.store().drop_lane(lanes_[index].id());
  }
}

void Queue::cool(std::size_t lane, std::size_t count_max, std::uint64_t bytes_max) {
  std::int64_t freed = Change(*this, lane)->cool(count_max, bytes_max);
  if (freed == 0) return;
  host_.add_memory(-freed);
  if (fetch_ && fetch_->lane == lane) fetch_->is_overtaken = true;
}

void Queue::shed() {
  Call call(*this);
  if (is_wanted()) return;
  bool is_idle = consumers_.count() == 0;
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (is_idle) {
      cool(lane, 1, 0);
    } else {
      cool(lane, fresh_count_tight_max, fresh_bytes_tight_max);
    }
  }
}

void Queue::dead_lettered(RecordRef record) {
  Call call(*this);
  std::optional<Entry> entry = leases_.take_transferred(record);
  if (entry) finish(record.lane, std::move(*entry));
}

// ---- afterwards

void Queue::settle_down(bool may_want_dispatch) {
  if (retired_) return;
  // While leases come back it is not known yet which records are first.
  bool all_back = gone_.empty();
  if (all_back) {
    if (is_over_limit()) drop_heads();
    if (ready_ == 0) answer_gets_empty();
    plan_fetch();
  }
  bool has_work = may_want_dispatch && ready_ > 0 && is_wanted();
  if ((has_work || !all_back) && !dispatch_wanted_) {
    dispatch_wanted_ = true;
    host_.wants_dispatch(id_);
  }
  arm_timer();
}

void Queue::check() const {
  std::uint64_t ready = 0;
  std::uint64_t ready_bytes = 0;
  std::uint64_t out = 0;
  for (const Lane& lane : lanes_) {
    ready += lane.ready();
    ready_bytes += lane.ready_bytes();
    out += lane.out_count();
    ASSERT_SLOW((lane.check(), true));
  }
  ASSERT(ready == ready_ && ready_bytes == ready_bytes_);
  ASSERT(out == leased() + in_transfer());
  ASSERT(dead_unread_.size() <= in_transfer());
  ASSERT(ready_ == 0 || ready_lanes_.lowest() < lanes_.size());
  consumers_.check();
}

}  // namespace wharf::broker
