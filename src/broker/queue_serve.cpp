// How records leave a queue: to consumers and gets, back, and for good.
#include <utility>

#include "base/assert.h"
#include "broker/queue_parts.h"

namespace wharf::broker {

// Strict order: while the first record of the highest lane is on its way from the disk, or the disk
// has yet to learn that it may be delivered, or leases are coming back that may be before it, the
// others wait with it.
void Queue::serve() {
  while (ready_ > 0 && is_wanted() && gone_.empty()) {
    std::size_t index = ready_lanes_.highest();
    Lane& lane = lanes_[index];
    Entry* head = lane.head();
    if (!head || !head->message) return;
    if (is_expired(index, *head)) {
      kill_head(index, DeathReason::expired);
      continue;
    }
    if (!is_covered(lane, *head)) return;
    hand_over(index);
  }
}

bool Queue::is_covered(Lane& lane, const Entry& entry) {
  if (!entry.durable || entry.acquired > 0) return true;
  storage::Store& store = host_.store();
  Reserve& reserve = lane.reserve();
  if (reserve.covers(entry.sequence, store.durable_up_to())) return true;
  if (entry.sequence > reserve.noted()) {
    reserve.extend(store, lane.id(), entry.sequence, lane.next());
    store.request_sync();
  }
  if (waiting_lsn_ != reserve.note_end()) {
    waiting_lsn_ = reserve.note_end();
    host_.wake_when_durable(id_, waiting_lsn_);
  }
  return false;
}

void Queue::hand_over(std::size_t index) {
  Lane& lane = lanes_[index];
  Entry entry = Change(*this, index)->pop_head();
  Sequence sequence = entry.sequence;
  drains_ = true;
  Delivery delivery;
  delivery.queue = id_;
  delivery.record = {static_cast<std::uint8_t>(index), sequence};
  delivery.redelivered = entry.acquired > 0 || entry.suspect;
  delivery.acquired = entry.acquired;
  delivery.failed = entry.failed;
  delivery.message = entry.message;

  std::optional<Get> get;
  SessionId session;
  if (!gets_.empty()) {
    get = gets_.front();
    gets_.pop_front();
    session = get->session;
    delivery.leased = get->leased;
  } else {
    Consumer& consumer = consumers_.first_waiting();
    session = consumer.session;
    delivery.consumer = consumer.id;
    delivery.leased = consumer.leased;
    consumers_.charge(consumer, entry.bytes);
  }
  if (delivery.leased) {
    lease(session, index, std::move(entry));
  } else {
    finish(index, std::move(entry));
  }
  if (lane.reserve().begun() && lane.reserve().is_half_used(sequence)) {
    lane.reserve().extend(host_.store(), lane.id(), sequence, lane.next());
    host_.store().request_sync();
  }
  if (get) {
    host_.got(session, get->request, Got{std::move(delivery), ready_});
  } else {
    host_.deliver(session, std::move(delivery));
  }
}

void Queue::lease(SessionId session, std::size_t lane, Entry&& entry) {
  if (entry.stored && host_.memory_tight()) {
    drop_memory(entry.message);
    entry.message = {};
  }
  leases_.lease(session, static_cast<std::uint8_t>(lane), std::move(entry));
}

void Queue::answer_gets_empty() {
  for (const Get& get : gets_) host_.got(get.session, get.request, Got{});
  gets_.clear();
}

void Queue::give_back(std::size_t lane, Entry&& entry, bool has_failed) {
  if (has_failed) {
    ++entry.acquired;
    ++entry.failed;
    if (spec_.delivery_limit && entry.failed > *spec_.delivery_limit) {
      kill(lane, std::move(entry), DeathReason::delivery_limit);
      return;
    }
    if (entry.durable) {
      host_.store().note_failures({lanes_[lane].id(), entry.sequence}, entry.failed);
    }
  }
  Change(*this, lane)->give_back(std::move(entry));
}

void Queue::give_back_of_gone(std::size_t most) {
  while (!gone_.empty()) {
    SessionId session = gone_.back();
    while (auto taken = most > 0 ? leases_.take_any(session) : std::nullopt) {
      give_back(taken->lane, std::move(taken->entry), true);
      --most;
    }
    if (most == 0) return;
    leases_.forget(session);
    gone_.pop_back();
  }
}

void Queue::kill_head(std::size_t lane, DeathReason reason) {
  Entry entry = Change(*this, lane)->pop_head();
  kill(lane, std::move(entry), reason);
}

void Queue::kill(std::size_t lane, Entry&& entry, DeathReason reason) {
  if (!spec_.dead_letter_exchange || retired_) {
    finish(lane, std::move(entry));
    return;
  }
  RecordRef record{static_cast<std::uint8_t>(lane), entry.sequence};
  if (entry.message) {
    host_.dead_letter(id_, record, entry.message, reason);
    drop_memory(entry.message);
    entry.message = {};
  } else {
    dead_unread_.insert(record);
  }
  leases_.transfer(record.lane, std::move(entry), reason);
}

void Queue::finish(std::size_t lane, Entry&& entry) {
  if (entry.stored) host_.store().settle({lanes_[lane].id(), entry.sequence}, entry.bytes);
  drop_memory(entry.message);
  lanes_[lane].settled();
}

}  // namespace wharf::broker
