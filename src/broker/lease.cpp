#include "broker/lease.h"

#include <utility>

#include "base/assert.h"

namespace wharf::broker {

namespace {
// Kept for the next leases when the last one is settled; more is given back.
constexpr std::size_t kept_leases_max = 1024;
}  // namespace

LeaseTable::LeaseTable() : holders_(1) {}

LeaseTable::Slot LeaseTable::holder_of(SessionId session) {
  ASSERT(session);
  auto [it, is_new] = sessions_.try_emplace(session, none);
  if (!is_new) return it->second;
  if (free_holders_.empty()) {
    it->second = static_cast<Slot>(holders_.size());
    holders_.emplace_back();
  } else {
    it->second = free_holders_.back();
    free_holders_.pop_back();
  }
  holders_[it->second].session = session;
  return it->second;
}

LeaseTable::Slot LeaseTable::add(Slot holder, std::uint8_t lane, Entry&& entry) {
  Slot slot = free_;
  if (slot == none) {
    slot = static_cast<Slot>(leases_.size());
    ASSERT(slot != none);
    leases_.emplace_back();
  } else {
    free_ = leases_[slot].next;
  }
  bool is_new = index_.emplace(key_of(lane, entry.sequence), slot).second;
  ASSERT(is_new);
  Holder& owner = holders_[holder];
  Lease& lease = leases_[slot];
  lease.entry = std::move(entry);
  lease.holder = holder;
  lease.lane = lane;
  lease.before = none;
  lease.next = owner.first;
  if (owner.first != none) leases_[owner.first].before = slot;
  owner.first = slot;
  ++owner.count;
  return slot;
}

LeaseTable::Slot LeaseTable::find(RecordRef record) const {
  auto it = index_.find(key_of(record.lane, record.sequence));
  return it == index_.end() ? none : it->second;
}

Entry LeaseTable::remove(Slot slot) {
  Lease& lease = leases_[slot];
  Holder& holder = holders_[lease.holder];
  Slot& from_before = lease.before == none ? holder.first : leases_[lease.before].next;
  from_before = lease.next;
  if (lease.next != none) leases_[lease.next].before = lease.before;
  --holder.count;
  index_.erase(key_of(lease.lane, lease.entry.sequence));
  Entry entry = std::move(lease.entry);
  lease.next = free_;
  free_ = slot;
  if (index_.empty() && leases_.size() > kept_leases_max) {
    leases_ = {};
    index_ = {};
    free_ = none;
  }
  return entry;
}

void LeaseTable::lease(SessionId session, std::uint8_t lane, Entry&& entry) {
  add(holder_of(session), lane, std::move(entry));
}

std::optional<Entry> LeaseTable::take(SessionId session, RecordRef record) {
  Slot slot = find(record);
  if (slot == none) return std::nullopt;
  Slot holder = leases_[slot].holder;
  if (holder == itself || holders_[holder].session != session) return std::nullopt;
  return remove(slot);
}

std::optional<LeaseTable::Taken> LeaseTable::take_any(SessionId session) {
  auto it = sessions_.find(session);
  if (it == sessions_.end() || holders_[it->second].count == 0) return std::nullopt;
  Slot slot = holders_[it->second].first;
  std::uint8_t lane = leases_[slot].lane;
  return Taken{lane, remove(slot)};
}

void LeaseTable::forget(SessionId session) {
  auto it = sessions_.find(session);
  if (it == sessions_.end()) return;
  ASSERT(holders_[it->second].count == 0);
  holders_[it->second] = {};
  free_holders_.push_back(it->second);
  sessions_.erase(it);
}

void LeaseTable::transfer(std::uint8_t lane, Entry&& entry, DeathReason reason) {
  leases_[add(itself, lane, std::move(entry))].reason = reason;
}

std::optional<Entry> LeaseTable::take_transferred(RecordRef record) {
  Slot slot = find(record);
  if (slot == none || leases_[slot].holder != itself) return std::nullopt;
  return remove(slot);
}

std::optional<DeathReason> LeaseTable::death_of(RecordRef record) const {
  Slot slot = find(record);
  if (slot == none || leases_[slot].holder != itself) return std::nullopt;
  return leases_[slot].reason;
}

}  // namespace wharf::broker
