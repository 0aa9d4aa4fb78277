// broker/lease.h: the records of one queue that are out: leased to a session, or in transfer to
// where dead messages go, when the queue itself holds them. Found by record; a session's own are
// listed, so that they can be given back without looking at those of others. Owner: its queue.
// Cost: O(1) each; 64 bytes a lease and 16 in the index.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "broker/api.h"
#include "broker/lane.h"

namespace wharf::broker {

class LeaseTable {
 public:
  struct Taken {
    std::uint8_t lane = 0;
    Entry entry;
  };

  LeaseTable();

  std::uint64_t leased() const { return index_.size() - in_transfer(); }
  std::uint64_t in_transfer() const { return holders_[itself].count; }

  // REQUIRES: the record is not out.
  void lease(SessionId session, std::uint8_t lane, Entry&& entry);
  // None unless the record is leased to this session.
  std::optional<Entry> take(SessionId session, RecordRef record);
  // Any one of the session's leases; none when it has no more.
  std::optional<Taken> take_any(SessionId session);
  // The session will not lease again. REQUIRES: it has no leases.
  void forget(SessionId session);

  // REQUIRES: the record is not out.
  void transfer(std::uint8_t lane, Entry&& entry, DeathReason reason);
  std::optional<Entry> take_transferred(RecordRef record);
  // Why a record in transfer died; none if it is not in transfer.
  std::optional<DeathReason> death_of(RecordRef record) const;

  // Hands each entry that is out to `each`, in no order.
  template <class Each>
  void each(Each&& each) const {
    for (const auto& [key, slot] : index_) each(leases_[slot].lane, leases_[slot].entry);
  }

 private:
  using Slot = std::uint32_t;
  static constexpr Slot none = std::numeric_limits<Slot>::max();
  static constexpr Slot itself = 0;  // the holder of records in transfer

  struct Lease {
    Entry entry;
    Slot holder = none;
    Slot next = none;  // of the same holder, or of the free ones
    Slot before = none;
    std::uint8_t lane = 0;
    DeathReason reason{};
  };
  static_assert(sizeof(Lease) <= 64);
  struct Holder {
    SessionId session;
    Slot first = none;
    std::uint32_t count = 0;
  };

  static std::uint64_t key_of(std::uint8_t lane, Sequence sequence) {
    return static_cast<std::uint64_t>(lane) << 56 | sequence;
  }
  Slot add(Slot holder, std::uint8_t lane, Entry&& entry);
  Slot find(RecordRef record) const;
  Entry remove(Slot slot);
  Slot holder_of(SessionId session);

  std::vector<Lease> leases_;
  Slot free_ = none;
  boost::unordered_flat_map<std::uint64_t, Slot> index_;
  std::vector<Holder> holders_;
  std::vector<Slot> free_holders_;
  boost::unordered_flat_map<SessionId, Slot> sessions_;
};

}  // namespace wharf::broker
