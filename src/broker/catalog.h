// broker/catalog.h: what exists, as one shard knows it: the exchanges, queues and bindings of every
// vhost. Every shard has a copy; the directory decides on that of shard 0.
//
// Changed by apply() alone. Applying the same changes in the same order makes equal copies.
// Invariants: a binding's two ends exist; names are unique a vhost and kind; queue ids are unique;
// the predeclared exchanges, the default exchange "" among them, are in every vhost and never go.
// Memory: about 500 bytes a queue and 200 a binding, besides long names and arguments.
// Pointers to entries are good until the next apply() that deletes the entry.
// Shard: owner only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "broker/api.h"
#include "broker/change.h"
#include "broker/exchange.h"

namespace wharf::broker {

// The name by which permission patterns know the default exchange, whose own name is empty.
inline constexpr std::string_view default_exchange_resource = "amq.default";
inline std::string_view exchange_resource(std::string_view name) {
  return name.empty() ? default_exchange_resource : name;
}

class Catalog {
 public:
  // Vhosts are 1 .. vhost_count. The default exchange is there whether it is in the list or not.
  Catalog(std::size_t vhost_count, std::span<const ExchangeSpec> predeclared);
  ~Catalog();
  Catalog(const Catalog&) = delete;
  Catalog& operator=(const Catalog&) = delete;

  // Deleting what is not there and putting a binding that is there change nothing. A queue's or an
  // exchange's bindings go with it. Nothing else follows: see change.h.
  // Faults, with nothing changed: not_found (unknown vhost, an end of a binding), precondition (the
  // name or the queue id is taken, a predeclared exchange would go). Planned changes never fail.
  Result<void> apply(const Change& change);
  // Whether a change that is about to be applied must be logged: its subject survives restarts.
  bool is_durable(const Change& change) const;
  // Grows with every apply() of a Change that changes something, so that callers may remember
  // answers.
  std::uint64_t generation() const { return generation_; }

  // None when there is no such thing.
  const ExchangeEntry* find_exchange(VhostId vhost, std::string_view name) const;
  const QueueEntry* find_queue(VhostId vhost, std::string_view name) const;
  const QueueEntry* find_queue(QueueId queue) const;
  const Binding* find_binding(VhostId vhost, const BindingSpec& spec) const;

  // The exclusive queues of a session.
  std::span<const QueueEntry* const> owned_by(SessionId session) const;
  std::size_t queue_count() const { return queues_by_id_.size(); }
  std::size_t binding_count() const { return bindings_.size(); }
  // In no particular order.
  void each_queue(const std::function<void(const QueueEntry&)>& visit) const;
  void each_exchange(VhostId vhost, const std::function<void(const ExchangeEntry&)>& visit) const;

  // The changes that make a catalog equal to this one out of an empty one, in an order that depends
  // on the content alone. `durable`: only what survives restarts, for a snapshot.
  enum class Extent : std::uint8_t { whole, durable };
  std::vector<Change> changes(Extent extent) const;

  // A number that no entry carries as its routed_mark yet.
  std::uint64_t next_mark() const { return ++mark_; }

 private:
  // A binding is told from others by its ends, its key and its origin arguments.
  struct BindingKey {
    const ExchangeEntry* source = nullptr;
    const void* destination = nullptr;  // the entry of the queue or exchange
    std::string_view key;
    const OriginArguments* arguments = nullptr;
  };
  static BindingKey key_of(const Binding& binding);
  struct BindingHash {
    using is_transparent = void;
    std::size_t operator()(const BindingKey& key) const;
    std::size_t operator()(const std::unique_ptr<Binding>& binding) const;
  };
  struct BindingEqual {
    using is_transparent = void;
    bool operator()(const std::unique_ptr<Binding>& one, const std::unique_ptr<Binding>& two) const;
    bool operator()(const BindingKey& one, const std::unique_ptr<Binding>& two) const;
    bool operator()(const std::unique_ptr<Binding>& one, const BindingKey& two) const;
  };
  // The keys of the maps lie in the entries.
  struct Vhost {
    ByText<std::unique_ptr<ExchangeEntry>> exchanges;
    ByText<std::unique_ptr<QueueEntry>> queues;
  };

  Result<void> on(const PutExchange& change);
  Result<void> on(const DeleteExchange& change);
  Result<void> on(const PutQueue& change);
  Result<void> on(const DeleteQueue& change);
  Result<void> on(const PutBinding& change);
  Result<void> on(const DeleteBinding& change);

  Vhost* vhost_of(VhostId vhost);
  const Vhost* vhost_of(VhostId vhost) const;
  void predeclare(Vhost& vhost, VhostId id, const ExchangeSpec& spec);
  void erase_binding(Binding& binding);
  void disown(const QueueEntry& queue);
  // None when an end is missing.
  std::optional<BindingKey> resolve(VhostId vhost, const BindingSpec& spec) const;

  std::vector<Vhost> vhosts_;
  boost::unordered_flat_set<std::unique_ptr<Binding>, BindingHash, BindingEqual> bindings_;
  boost::unordered_flat_map<QueueId, QueueEntry*> queues_by_id_;
  boost::unordered_flat_map<SessionId, std::vector<QueueEntry*>> owned_;
  std::uint64_t generation_ = 1;
  mutable std::uint64_t mark_ = 0;
};

}  // namespace wharf::broker
