// broker/session_table.h: the sessions of one shard: who they are, what waits in their mailboxes,
// which queues and shards know them. Shard: owner only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "broker/api.h"
#include "broker/shard_message.h"
#include "broker/text_hash.h"

namespace wharf::broker {

struct SessionState {
  EventListener* listener = nullptr;  // null once detached
  VhostId vhost;
  Principal who;
  std::vector<Event> events;
  LiveMail live;
  bool notified = false;                // the listener knows that there is something to take
  std::vector<bool> shards;             // those that hold something of it
  bool has_exclusive_queues = false;    // or had one
  bool held = false;                    // told to wait; see Shard::release
  std::uint32_t crowded_publishes = 0;  // since it was held
  // Answers of Access::authorize for publishing, by exchange. Access never changes, so they stay
  // true.
  boost::unordered_flat_map<std::string, bool, TextHash, std::equal_to<>> may_write;
  // The same for live names; not asked where everything is allowed.
  bool may_write_all_names = false;
  boost::unordered_flat_map<std::string, bool, TextHash, std::equal_to<>> may_write_name;
  struct Fence {
    RequestId request = 0;
    std::uint32_t missing = 0;  // shards that have not passed it
  };
  std::vector<Fence> fences;
};

class SessionTable {
 public:
  explicit SessionTable(ShardIndex shard, ShardIndex shards) : shard_(shard), shards_(shards) {}

  SessionId add(EventListener& listener, VhostId vhost, const Principal& who);
  // Null when there is no such session (any more).
  SessionState* find(SessionId id);
  const SessionState* find(SessionId id) const;
  void remove(SessionId id) { sessions_.erase(id); }
  std::size_t size() const { return sessions_.size(); }

  // Puts the event into the mailbox and wakes the listener, once. Nothing for a session that is
  // gone.
  void tell(SessionId id, Event event);
  // The same for live mail; `block` holds the record.
  static void tell(SessionState& state, const LiveRecord* record, const Buffer& block,
                   ConsumerId consumer);
  void tell_all(const Event& event);

  // The queues of this shard at which a session of any shard holds leases or consumers.
  void touch(SessionId session, QueueId queue) { touched_[session].insert(queue); }
  std::vector<QueueId> take_touched(SessionId session);

 private:
  static void notify(SessionState& state);

  ShardIndex shard_;
  ShardIndex shards_;
  std::uint64_t next_ = 1;
  boost::unordered_flat_map<SessionId, std::unique_ptr<SessionState>> sessions_;
  boost::unordered_flat_map<SessionId, boost::unordered_flat_set<QueueId>> touched_;
};

}  // namespace wharf::broker
