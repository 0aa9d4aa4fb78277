// What must hold, checked: at each delivery, at each confirm, at the end.
#include <algorithm>

#include "sim/shadow.h"

namespace wharf::sim {

std::string Shadow::describe(const Copy& copy) const {
  const Message& message = messages_[copy.message - 1];
  std::string text =
      fmt::format("message {} (channel {}, {}, {} bytes) in {}", copy.message,
                  message.facts.channel, message.facts.persistent ? "persistent" : "transient",
                  message.facts.body_size, plan_.queues[copy.queue].name);
  if (!copy.path.empty()) text += " after " + copy.path;
  return text;
}

// ---- at a delivery

CopyId Shadow::copy_of_delivery(const DeliveryFacts& facts) {
  const Message& message = messages_[facts.message - 1];
  check_origin(facts, message);
  CopyId id = match(facts, message);
  if (id == copies_.size()) {
    id = add_copy(facts.message, facts.queue, facts.path);
    if (facts.path.empty()) violate("never sent there: " + describe(copies_[id]));
    return id;
  }
  check_state(facts, copies_[id]);
  check_order(facts, message, copies_[id]);
  return id;
}

// Which copy it is that was delivered; copies_.size() for one not seen before. A death is carried
// out again after a restart when the disk did not know that it had been, so each restart may add
// one copy of a dead letter. Such copies cannot be told apart, except by what they can be.
CopyId Shadow::match(const DeliveryFacts& facts, const Message& message) const {
  CopyId found = copies_.size();
  std::uint64_t count = 0;
  for (CopyId id : message.copies) {
    const Copy& copy = copies_[id];
    if (copy.queue != facts.queue || copy.path != facts.path) continue;
    ++count;
    bool fits = copy.settled == Settled::no && copy.holder == 0 &&
                (copy.deliveries == 0 || facts.redelivered);
    if (fits) return id;
    found = id;
  }
  bool may_be_another = !facts.path.empty() && count <= crashes_ - message.crashes_before;
  return may_be_another ? copies_.size() : found;
}

void Shadow::check_origin(const DeliveryFacts& facts, const Message& message) {
  if (message.state == Sending::in_transaction || message.state == Sending::rolled_back) {
    violate(fmt::format("message {} delivered, though its transaction was {}", facts.message,
                        message.state == Sending::rolled_back ? "rolled back" : "not committed"));
  }
  if (message.returned) violate(fmt::format("message {} returned and delivered", facts.message));
  if (facts.path.empty()) return;
  std::optional<QueueIndex> from = find_queue(plan_, facts.died_in);
  if (!from || !plan_.queues[*from].dead_letter_exchange) {
    violate(fmt::format("message {} died in {}, which has no dead letters", facts.message,
                        facts.died_in));
    return;
  }
  const QueuePlan& source = plan_.queues[*from];
  std::string key = source.dead_letter_key.value_or(message.facts.key);
  std::vector<QueueIndex> targets = route(plan_, *source.dead_letter_exchange, key);
  if (std::ranges::find(targets, facts.queue) == targets.end()) {
    violate(fmt::format("message {} died in {} and went to {}", facts.message, source.name,
                        plan_.queues[facts.queue].name));
  }
  if (!facts.expired) return;
  std::optional<std::uint32_t> ttl_ms = source.ttl_ms;
  if (message.facts.ttl_ms) ttl_ms = std::min(*message.facts.ttl_ms, ttl_ms.value_or(~0u));
  // The wall clock is cut to milliseconds.
  auto age = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - message.sent_at);
  if (!ttl_ms || age.count() + 1 < *ttl_ms) {
    violate(fmt::format("message {} expired in {} after {} ms", facts.message, source.name,
                        age.count()));
  }
}

void Shadow::check_state(const DeliveryFacts& facts, const Copy& copy) {
  if (copy.settled == Settled::safe)
    violate("delivered though settled for good: " + describe(copy));
  if (copy.settled == Settled::read || copy.settled == Settled::told) {
    violate("delivered though settled: " + describe(copy));
  }
  if (copy.holder != 0) {
    violate(fmt::format("two holders: {}, held by channel {}, delivered to {}", describe(copy),
                        copy.holder, facts.channel));
  }
  if (copy.deliveries > 0 && !facts.redelivered) {
    violate("not said to be redelivered: " + describe(copy));
  }
  if (facts.redelivered && copy.deliveries == 0 && !queues_[copy.queue].may_redeliver) {
    violate("said to be redelivered the first time: " + describe(copy));
  }
  if (copy.buried && facts.queue_changes > *copy.buried) {
    violate("delivered though its queue was deleted: " + describe(copy));
  }
}

void Shadow::check_order(const DeliveryFacts& facts, const Message& message, const Copy& copy) {
  if (facts.redelivered || !facts.path.empty() || copy.released) return;
  std::uint8_t priority = std::min(message.facts.priority, plan_.queues[copy.queue].priority_max);
  MessageId& last = channels_[facts.channel].last[{copy.queue, message.facts.channel, priority}];
  if (last >= facts.message) {
    violate(fmt::format("out of order: {} behind message {}", describe(copy), last));
  }
  last = facts.message;
}

// ---- at a confirm

void Shadow::check_synced(const Message& message) {
  if (!message.facts.persistent) return;
  for (CopyId id : message.copies) {
    const Copy& copy = copies_[id];
    const QueuePlan& queue = plan_.queues[copy.queue];
    if (!copy.path.empty() || copy.may_be_gone || !queue.durable) continue;
    if (queue.kills() || queue.auto_ack) continue;
    if (copy.settled != Settled::no || message.facts.ttl_ms) continue;
    if (!sight_.is_synced(copy.queue, copy.message, message.facts.body_size)) {
      violate("confirmed before it is on disk: " + describe(copy));
    }
  }
}

// ---- at the end

void Shadow::check_end() {
  for (const Copy& copy : copies_) {
    if (copy.owed == Owed::no || is_accounted_for(copy)) continue;
    violate("lost: " + describe(copy));
  }
}

bool Shadow::is_accounted_for(const Copy& copy) const {
  if (copy.drained || copy.may_be_gone) return true;
  if (copy.settled != Settled::no && !copy.refused) return true;
  const QueuePlan& queue = plan_.queues[copy.queue];
  // What a full queue refuses without a word is gone.
  if (queue.length_max && queue.overflow == broker::Overflow::reject_publish) return true;
  bool may_die = queue.kills() || copy.refused || messages_[copy.message - 1].facts.ttl_ms;
  return may_die && (!queue.dead_letter_exchange || died_properly(copy));
}

// A message that its queue gave up went where the queue says, as far as that place keeps things.
bool Shadow::died_properly(const Copy& copy) const {
  const QueuePlan& queue = plan_.queues[copy.queue];
  const Message& message = messages_[copy.message - 1];
  // The dead letter may have been in the damaged place.
  if (message.damaged) return true;
  std::string key = queue.dead_letter_key.value_or(message.facts.key);
  for (QueueIndex target : route(plan_, *queue.dead_letter_exchange, key)) {
    const QueueModel& model = queues_[target];
    const QueuePlan& plan = plan_.queues[target];
    bool keeps = model.state == QueueState::ready && !model.ever_disturbed && plan.durable &&
                 !plan.kills() && !plan.auto_ack && message.facts.persistent;
    if (!keeps) continue;
    // The path begins with the newest death.
    bool arrived = std::ranges::any_of(message.copies, [&](CopyId id) {
      return copies_[id].queue == target && copies_[id].path.starts_with(queue.name + ":");
    });
    if (!arrived) return false;
  }
  return true;
}

}  // namespace wharf::sim
