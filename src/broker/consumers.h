// broker/consumers.h: the consumers of one queue and whose turn it is: the highest priority with
// credit, round robin among equals. At a single active queue only the one that registered first
// takes part. Owner: its queue. Cost: O(1) a delivery and a grant, but for a walk over the
// priorities in use.
#pragma once

#include <cstdint>
#include <list>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "broker/api.h"

namespace wharf::broker {

struct Consumer {
  SessionId session;
  ConsumerId id = 0;
  bool leased = true;
  std::int32_t priority = 0;
  std::uint32_t credit = 0;
  std::int64_t credit_bytes = 0;

  // For Consumers only: its place among those of its priority that may be served.
  bool waiting = false;
  Consumer* before = nullptr;
  Consumer* next = nullptr;
};

class Consumers {
 public:
  explicit Consumers(bool single_active) : single_active_(single_active) {}

  // Failures as in Queue::subscribe.
  Outcome<void> add(SessionId session, const SubscribeSpec& spec);
  // False if there was none.
  bool remove(SessionId session, ConsumerId id);
  bool remove_all(SessionId session);
  void grant(SessionId session, ConsumerId id, std::uint32_t messages, std::uint64_t bytes);

  std::uint32_t count() const { return static_cast<std::uint32_t>(all_.size()); }
  bool any_waiting() const { return waiting_count_ > 0; }
  // Whose turn it is. REQUIRES: any_waiting().
  Consumer& first_waiting();
  // It got a message: takes the credit, and its turn is over.
  void charge(Consumer& consumer, std::uint32_t bytes);

  template <class Each>
  void each(Each&& each) const {
    for (const Consumer& consumer : all_) each(consumer);
  }
  void clear();

  void check() const;

 private:
  using Iterator = std::list<Consumer>::iterator;
  // Those of one priority; `first` to `last` have credit and wait for a message.
  struct Level {
    std::int32_t priority = 0;
    std::uint32_t members = 0;
    Consumer* first = nullptr;
    Consumer* last = nullptr;
  };

  Level& level_of(std::int32_t priority);
  bool may_wait(const Consumer& consumer) const;
  void wait(Consumer& consumer);
  void leave(Consumer& consumer);
  void erase(Iterator it);

  bool single_active_;
  bool exclusive_ = false;     // the only consumer is to stay the only one
  std::list<Consumer> all_;    // in the order in which they registered
  std::vector<Level> levels_;  // highest priority first
  std::size_t waiting_count_ = 0;
  boost::unordered_flat_map<SessionId, std::vector<Iterator>> by_session_;
};

}  // namespace wharf::broker
