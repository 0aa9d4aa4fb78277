// protocol/nats/subscriptions.h: the subscriptions of one connection, found by the client's sid and
// by the number that the core gives back with each message. Cost: the one found last is found again
// without a look-up. Memory: about 250 bytes each, and the subject twice.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <boost/unordered/unordered_flat_map.hpp>

#include "broker/api.h"

namespace wharf::nats {

struct Subscription {
  broker::ConsumerId id = 0;
  std::string sid;
  std::string subject;  // as it came
  std::string group;    // empty: none
  bool literal = false;
  bool ended = false;           // the client wants no more; what is on its way still goes out
  bool filtered = false;        // may hear what its user may not: each message is asked for
  std::uint64_t delivered = 0;  // since the SUB
  std::uint64_t max = 0;        // it ends with that many; 0: never
  // A message's line up to reply or size, for a subject without wildcards: "MSG subject sid ".
  std::string head;
};

class Subscriptions {
 public:
  // Null when there is one of that sid, or no number is left. The result is good until remove.
  Subscription* add(std::string_view sid);
  Subscription* find_sid(std::string_view sid);
  Subscription* find(broker::ConsumerId id) {
    return last_ && last_->id == id ? last_ : find_slowly(id);
  }
  void remove(Subscription& subscription);
  // Its sid is free, it is found by its number only.
  void retire(Subscription& subscription);
  void clear();
  std::size_t size() const { return by_id_.size(); }

  // All, in no order; `visit` returns false to end it.
  template <class Visit>
  void each(const Visit& visit) const {
    for (const auto& [id, subscription] : by_id_) {
      if (!visit(*subscription)) return;
    }
  }

 private:
  Subscription* find_slowly(broker::ConsumerId id);

  boost::unordered_flat_map<broker::ConsumerId, std::unique_ptr<Subscription>> by_id_;
  boost::unordered_flat_map<std::string_view, Subscription*> by_sid_;  // keys are in the values
  Subscription* last_ = nullptr;
  broker::ConsumerId next_id_ = 1;  // never used twice
};

}  // namespace wharf::nats
