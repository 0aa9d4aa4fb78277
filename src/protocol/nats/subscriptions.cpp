#include "protocol/nats/subscriptions.h"

#include <limits>

namespace wharf::nats {

Subscription* Subscriptions::add(std::string_view sid) {
  bool exhausted = next_id_ == std::numeric_limits<broker::ConsumerId>::max();
  if (exhausted || by_sid_.contains(sid)) return nullptr;
  auto made = std::make_unique<Subscription>();
  made->id = next_id_++;
  made->sid = sid;
  Subscription* subscription = made.get();
  by_sid_.emplace(subscription->sid, subscription);
  by_id_.emplace(subscription->id, std::move(made));
  return subscription;
}

Subscription* Subscriptions::find_sid(std::string_view sid) {
  auto it = by_sid_.find(sid);
  return it == by_sid_.end() ? nullptr : it->second;
}

Subscription* Subscriptions::find_slowly(broker::ConsumerId id) {
  auto it = by_id_.find(id);
  if (it == by_id_.end()) return nullptr;
  return last_ = it->second.get();
}

void Subscriptions::remove(Subscription& subscription) {
  if (last_ == &subscription) last_ = nullptr;
  if (!subscription.ended) by_sid_.erase(subscription.sid);
  by_id_.erase(subscription.id);
}

void Subscriptions::retire(Subscription& subscription) {
  by_sid_.erase(subscription.sid);
  subscription.ended = true;
}

void Subscriptions::clear() {
  last_ = nullptr;
  by_sid_.clear();
  by_id_.clear();
}

}  // namespace wharf::nats
