// protocol/redis/subscriptions.h: what one connection listens to. A subscription is found by its
// words when it is made and ended, and by its consumer id, an index, for each message.
// Memory: about 150 bytes a subscription and twice its name.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "broker/api.h"

namespace wharf::redis {

enum class SubscriptionKind : std::uint8_t { channel, pattern, shard_channel };
constexpr std::size_t subscription_kinds = 3;

struct Subscription {
  broker::ConsumerId consumer = 0;
  SubscriptionKind kind = SubscriptionKind::channel;
  // Every message's frame begins with this: the array's size, what it is, and the name.
  std::string frame;
  std::uint32_t name_offset = 0;
  std::uint32_t name_size = 0;
  std::string_view name() const { return std::string_view(frame).substr(name_offset, name_size); }
};

class Subscriptions {
 public:
  // REQUIRES: find(kind, name) is null.
  Subscription& add(SubscriptionKind kind, std::string_view name);
  void remove(Subscription& subscription);
  void clear();

  Subscription* find(SubscriptionKind kind, std::string_view name);
  // Null for one that is gone.
  const Subscription* find(broker::ConsumerId consumer) const {
    std::size_t slot = consumer & slot_mask;
    if (slot >= slots_.size()) return nullptr;
    const Subscription* subscription = slots_[slot].get();
    return subscription && subscription->consumer == consumer ? subscription : nullptr;
  }
  // Those of a kind, in no order, as they are at this moment.
  std::vector<Subscription*> all(SubscriptionKind kind) const;

  std::size_t count(SubscriptionKind kind) const {
    return by_name_[static_cast<std::size_t>(kind)].size();
  }
  // The number in confirmations: shard channels are counted by themselves.
  std::size_t shown_count(SubscriptionKind kind) const;
  bool empty() const { return size_ == 0; }
  bool full() const { return size_ > slot_mask; }

 private:
  // A consumer id is a slot, and above it how often the slot was used. A slot that is left comes
  // last again, and between a subscription's end and the next one in its slot lies a fence, which
  // all mail for the old one has passed; so even after the number wraps round no message is
  // mistaken.
  static constexpr std::uint32_t slot_bits = 20;
  static constexpr std::uint32_t slot_mask = (1U << slot_bits) - 1;

  using ByName = boost::unordered_flat_map<std::string_view, Subscription*>;

  std::array<ByName, subscription_kinds> by_name_;
  std::vector<std::unique_ptr<Subscription>> slots_;
  std::vector<std::uint16_t> uses_;  // by slot
  std::deque<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace wharf::redis
