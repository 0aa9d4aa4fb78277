#include "protocol/redis/subscriptions.h"

#include <fmt/format.h>

#include "base/assert.h"

namespace wharf::redis {

namespace {

std::string_view frame_start(SubscriptionKind kind) {
  switch (kind) {
    case SubscriptionKind::channel:
      return "*3\r\n$7\r\nmessage\r\n";
    case SubscriptionKind::pattern:
      return "*4\r\n$8\r\npmessage\r\n";
    case SubscriptionKind::shard_channel:
      return "*3\r\n$8\r\nsmessage\r\n";
  }
  std::unreachable();
}

}  // namespace

Subscription& Subscriptions::add(SubscriptionKind kind, std::string_view name) {
  ASSERT(!full());
  std::uint32_t slot = 0;
  if (free_.empty()) {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
    uses_.push_back(0);
  } else {
    slot = free_.front();
    free_.pop_front();
  }
  auto made = std::make_unique<Subscription>();
  made->consumer = (static_cast<std::uint32_t>(++uses_[slot]) << slot_bits) | slot;
  made->kind = kind;
  made->frame = fmt::format("{}${}\r\n", frame_start(kind), name.size());
  made->name_offset = static_cast<std::uint32_t>(made->frame.size());
  made->name_size = static_cast<std::uint32_t>(name.size());
  made->frame.append(name).append("\r\n");
  Subscription& subscription = *made;
  slots_[slot] = std::move(made);
  by_name_[static_cast<std::size_t>(kind)].emplace(subscription.name(), &subscription);
  ++size_;
  return subscription;
}

void Subscriptions::remove(Subscription& subscription) {
  by_name_[static_cast<std::size_t>(subscription.kind)].erase(subscription.name());
  std::uint32_t slot = subscription.consumer & slot_mask;
  slots_[slot].reset();
  free_.push_back(slot);
  --size_;
}

void Subscriptions::clear() {
  for (auto& each : slots_) {
    if (each) remove(*each);
  }
}

Subscription* Subscriptions::find(SubscriptionKind kind, std::string_view name) {
  ByName& names = by_name_[static_cast<std::size_t>(kind)];
  auto it = names.find(name);
  return it == names.end() ? nullptr : it->second;
}

std::vector<Subscription*> Subscriptions::all(SubscriptionKind kind) const {
  std::vector<Subscription*> found;
  for (const auto& [name, subscription] : by_name_[static_cast<std::size_t>(kind)]) {
    found.push_back(subscription);
  }
  return found;
}

std::size_t Subscriptions::shown_count(SubscriptionKind kind) const {
  if (kind == SubscriptionKind::shard_channel) return count(kind);
  return count(SubscriptionKind::channel) + count(SubscriptionKind::pattern);
}

}  // namespace wharf::redis
