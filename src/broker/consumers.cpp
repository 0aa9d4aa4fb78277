#include "broker/consumers.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/assert.h"

namespace wharf::broker {

namespace {

std::unexpected<Failure> not_allowed(const char* why) {
  Failure failure;
  failure.fault = {Errc::not_allowed, 0, why};
  failure.resource = Resource::queue;
  return std::unexpected(std::move(failure));
}

void add_credit(Consumer& consumer, std::uint32_t messages, std::uint64_t bytes) {
  constexpr std::uint32_t messages_max = std::numeric_limits<std::uint32_t>::max();
  constexpr std::int64_t bytes_max = std::numeric_limits<std::int64_t>::max();
  consumer.credit += std::min(messages, messages_max - consumer.credit);
  std::int64_t more = static_cast<std::int64_t>(std::min<std::uint64_t>(bytes, bytes_max));
  if (consumer.credit_bytes > bytes_max - more) {
    consumer.credit_bytes = bytes_max;
  } else {
    consumer.credit_bytes += more;
  }
}

}  // namespace

Outcome<void> Consumers::add(SessionId session, const SubscribeSpec& spec) {
  if (exclusive_ || (spec.exclusive && !all_.empty())) return not_allowed("in exclusive use");
  if (spec.exclusive && single_active_) return not_allowed("single active");
  exclusive_ = spec.exclusive;
  Consumer consumer;
  consumer.session = session;
  consumer.id = spec.consumer;
  consumer.leased = spec.leased;
  consumer.priority = spec.priority;
  add_credit(consumer, spec.credit, spec.credit_bytes);
  all_.push_back(consumer);
  auto& own = by_session_[session];
  ASSERT(std::ranges::none_of(own, [&](Iterator it) { return it->id == spec.consumer; }));
  own.push_back(std::prev(all_.end()));
  auto at = std::ranges::find_if(
      levels_, [&](const Level& level) { return level.priority <= spec.priority; });
  if (at == levels_.end() || at->priority != spec.priority) {
    at = levels_.insert(at, Level{spec.priority, 0, nullptr, nullptr});
  }
  ++at->members;
  wait(all_.back());
  return {};
}

bool Consumers::remove(SessionId session, ConsumerId id) {
  auto own = by_session_.find(session);
  if (own == by_session_.end()) return false;
  auto it = std::ranges::find_if(own->second, [&](Iterator one) { return one->id == id; });
  if (it == own->second.end()) return false;
  Iterator consumer = *it;
  own->second.erase(it);
  if (own->second.empty()) by_session_.erase(own);
  erase(consumer);
  return true;
}

bool Consumers::remove_all(SessionId session) {
  auto own = by_session_.find(session);
  if (own == by_session_.end()) return false;
  std::vector<Iterator> consumers = std::move(own->second);
  by_session_.erase(own);
  for (Iterator it : consumers) erase(it);
  return true;
}

void Consumers::erase(Iterator it) {
  leave(*it);
  Level& level = level_of(it->priority);
  if (--level.members == 0) levels_.erase(levels_.begin() + (&level - levels_.data()));
  all_.erase(it);
  exclusive_ = false;
  if (single_active_ && !all_.empty()) wait(all_.front());
}

void Consumers::grant(SessionId session, ConsumerId id, std::uint32_t messages,
                      std::uint64_t bytes) {
  auto own = by_session_.find(session);
  if (own == by_session_.end()) return;
  for (Iterator it : own->second) {
    if (it->id != id) continue;
    add_credit(*it, messages, bytes);
    wait(*it);
    return;
  }
}

Consumer& Consumers::first_waiting() {
  for (Level& level : levels_) {
    if (level.first) return *level.first;
  }
  ASSERT(false && "any_waiting()");
  std::unreachable();
}

void Consumers::charge(Consumer& consumer, std::uint32_t bytes) {
  ASSERT(consumer.waiting && consumer.credit > 0 && consumer.credit_bytes > 0);
  --consumer.credit;
  consumer.credit_bytes -= bytes;
  Level& level = level_of(consumer.priority);
  if (may_wait(consumer) && level.first == level.last) return;
  leave(consumer);
  wait(consumer);
}

void Consumers::clear() {
  all_.clear();
  levels_.clear();
  by_session_.clear();
  waiting_count_ = 0;
  exclusive_ = false;
}

Consumers::Level& Consumers::level_of(std::int32_t priority) {
  auto it = std::ranges::lower_bound(levels_, priority, std::greater<>(), &Level::priority);
  ASSERT(it != levels_.end() && it->priority == priority);
  return *it;
}

bool Consumers::may_wait(const Consumer& consumer) const {
  if (single_active_ && &consumer != &all_.front()) return false;
  return consumer.credit > 0 && consumer.credit_bytes > 0;
}

void Consumers::wait(Consumer& consumer) {
  if (consumer.waiting || !may_wait(consumer)) return;
  Level& level = level_of(consumer.priority);
  consumer.waiting = true;
  consumer.next = nullptr;
  consumer.before = level.last;
  (level.last ? level.last->next : level.first) = &consumer;
  level.last = &consumer;
  ++waiting_count_;
}

void Consumers::leave(Consumer& consumer) {
  if (!consumer.waiting) return;
  Level& level = level_of(consumer.priority);
  (consumer.before ? consumer.before->next : level.first) = consumer.next;
  (consumer.next ? consumer.next->before : level.last) = consumer.before;
  consumer.waiting = false;
  --waiting_count_;
}

void Consumers::check() const {
  std::size_t waiting = 0;
  for (const Level& level : levels_) {
    ASSERT(level.members > 0);
    const Consumer* before = nullptr;
    for (const Consumer* consumer = level.first; consumer; consumer = consumer->next) {
      ASSERT(consumer->waiting && may_wait(*consumer));
      ASSERT(consumer->priority == level.priority && consumer->before == before);
      before = consumer;
      ++waiting;
    }
    ASSERT(level.last == before);
  }
  ASSERT(waiting == waiting_count_);
  std::size_t able = 0;
  for (const Consumer& consumer : all_) able += may_wait(consumer) ? 1 : 0;
  ASSERT(able == waiting);
}

}  // namespace wharf::broker
