#include "broker/catalog_plan.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "base/assert.h"

namespace wharf::broker {

namespace {

using Failed = std::unexpected<Failure>;

Failed failed(Errc code, const char* why, Resource resource, std::string_view name) {
  return Failed(Failure{Fault{code, 0, why}, resource, std::string(name), Verb::configure});
}

// An empty outcome when `verb` on that resource is allowed.
Outcome<void> permit(const Requester& by, Verb verb, Resource resource, std::string_view name) {
  std::string_view known_as = resource == Resource::exchange ? exchange_resource(name) : name;
  if (by.access.authorize(by.who, verb, by.vhost, known_as)) return {};
  return Failed(
      Failure{Fault{Errc::refused, 0, "access refused"}, resource, std::string(known_as), verb});
}

// A passive declare tells no more than that the thing is there, so any right will do.
Outcome<void> permit_any(const Requester& by, Resource resource, std::string_view name) {
  for (Verb verb : {Verb::write, Verb::read}) {
    if (permit(by, verb, resource, name)) return {};
  }
  return permit(by, Verb::configure, resource, name);
}

// What a binding needs: write where it leads, read where it comes from.
Outcome<void> permit_binding(const Requester& by, const BindingSpec& binding) {
  auto destination = permit(by, Verb::write, binding.destination_kind, binding.destination);
  if (!destination) return destination;
  return permit(by, Verb::read, Resource::exchange, binding.source);
}

// What names another exchange needs besides `configure`: read on itself, write on that exchange.
Outcome<void> permit_link(const Requester& by, Resource resource, std::string_view name,
                          const std::optional<std::string>& linked) {
  if (!linked) return {};
  if (auto read = permit(by, Verb::read, resource, name); !read) return read;
  return permit(by, Verb::write, Resource::exchange, *linked);
}

bool belongs_to_other(const QueueEntry& queue, const Requester& by) {
  return queue.spec.exclusive && queue.owner != by.session;
}

Failed locked(std::string_view name) {
  return failed(Errc::locked, "exclusive to another session", Resource::queue, name);
}

// Bindings of the default exchange cannot be made or unmade.
Outcome<void> check_ends(const BindingSpec& binding) {
  bool to_default = binding.destination_kind == Resource::exchange && binding.destination.empty();
  if (!binding.source.empty() && !to_default) return {};
  return failed(Errc::not_allowed, "not on the default exchange", Resource::exchange, "");
}

// Collects exchanges which delete themselves because their last outgoing binding goes.
class Cascade {
 public:
  void lose(const Binding& binding) {
    const ExchangeEntry& source = *binding.source;
    std::size_t count = ++lost_[&source];
    if (count == source.outgoing.size() && source.spec.auto_delete && !source.predeclared) {
      doom(source);
    }
  }
  void doom(const ExchangeEntry& exchange) {
    if (doomed_set_.insert(&exchange).second) doomed_.push_back(&exchange);
  }
  void finish(std::vector<Change>& changes) {
    for (std::size_t index = 0; index < doomed_.size(); ++index) {
      for (const Binding* binding : doomed_[index]->incoming) lose(*binding);
      changes.push_back(DeleteExchange{doomed_[index]->vhost, doomed_[index]->spec.name});
    }
  }

 private:
  boost::unordered_flat_map<const ExchangeEntry*, std::size_t> lost_;
  boost::unordered_flat_set<const ExchangeEntry*> doomed_set_;
  std::vector<const ExchangeEntry*> doomed_;
};

}  // namespace

bool equivalent(const QueueSpec& one, const QueueSpec& two) {
  auto durable = [](const QueueSpec& spec) { return spec.durable && !spec.exclusive; };
  return one.name == two.name && one.kind == two.kind && durable(one) == durable(two) &&
         one.exclusive == two.exclusive && one.auto_delete == two.auto_delete &&
         one.single_active == two.single_active && one.message_ttl_ms == two.message_ttl_ms &&
         one.expires_ms == two.expires_ms && one.length_max == two.length_max &&
         one.length_bytes_max == two.length_bytes_max && one.overflow == two.overflow &&
         one.dead_letter_exchange == two.dead_letter_exchange &&
         one.dead_letter_key == two.dead_letter_key && one.priority_max == two.priority_max &&
         one.delivery_limit == two.delivery_limit;
}

bool equivalent(const ExchangeSpec& one, const ExchangeSpec& two) {
  return one.name == two.name && one.kind == two.kind && one.durable == two.durable &&
         one.auto_delete == two.auto_delete && one.internal == two.internal &&
         one.alternate == two.alternate;
}

// ---- queues

Outcome<Declaration<QueueEntry>> plan_declare_queue(const Catalog& catalog, const Requester& by,
                                                    const QueueSpec& spec, bool passive) {
  auto permitted = passive ? permit_any(by, Resource::queue, spec.name)
                           : permit(by, Verb::configure, Resource::queue, spec.name);
  if (!permitted) return Failed(permitted.error());
  const QueueEntry* current = catalog.find_queue(by.vhost, spec.name);
  if (!current) {
    if (passive) return failed(Errc::not_found, "no queue", Resource::queue, spec.name);
    auto linked = permit_link(by, Resource::queue, spec.name, spec.dead_letter_exchange);
    if (!linked) return Failed(linked.error());
    return Declaration<QueueEntry>{};
  }
  if (belongs_to_other(*current, by)) return locked(spec.name);
  if (passive) return Declaration<QueueEntry>{Declared::equal, current};
  if (current->spec.exclusive != spec.exclusive) return locked(spec.name);
  bool same = equivalent(current->spec, spec);
  return Declaration<QueueEntry>{same ? Declared::equal : Declared::different, current};
}

PutQueue create_queue(const Requester& by, QueueId id, const QueueSpec& spec) {
  PutQueue change{by.vhost, id, spec.exclusive ? by.session : SessionId(), spec};
  if (spec.exclusive) change.spec.durable = false;
  return change;
}

Outcome<const QueueEntry*> plan_delete_queue(const Catalog& catalog, const Requester& by,
                                             std::string_view name) {
  auto permitted = permit(by, Verb::configure, Resource::queue, name);
  if (!permitted) return Failed(permitted.error());
  const QueueEntry* queue = catalog.find_queue(by.vhost, name);
  if (queue && belongs_to_other(*queue, by)) return locked(name);
  return queue;
}

std::vector<Change> remove_queues(const Catalog& catalog, std::span<const QueueId> queues) {
  std::vector<Change> changes;
  Cascade cascade;
  boost::unordered_flat_set<QueueId> seen;
  for (QueueId id : queues) {
    const QueueEntry* queue = catalog.find_queue(id);
    if (!queue || !seen.insert(id).second) continue;
    changes.push_back(DeleteQueue{queue->vhost, id, queue->spec.name});
    for (const Binding* binding : queue->incoming) cascade.lose(*binding);
  }
  cascade.finish(changes);
  return changes;
}

Outcome<const QueueEntry*> usable_queue(const Catalog& catalog, const Requester& by,
                                        std::string_view name, Verb verb) {
  auto permitted = permit(by, verb, Resource::queue, name);
  if (!permitted) return Failed(permitted.error());
  const QueueEntry* queue = catalog.find_queue(by.vhost, name);
  if (!queue) return failed(Errc::not_found, "no queue", Resource::queue, name);
  if (belongs_to_other(*queue, by)) return locked(name);
  return queue;
}

// ---- exchanges

Outcome<Declaration<ExchangeEntry>> plan_declare_exchange(const Catalog& catalog,
                                                          const Requester& by,
                                                          const ExchangeSpec& spec, bool passive) {
  auto permitted = passive ? permit_any(by, Resource::exchange, spec.name)
                           : permit(by, Verb::configure, Resource::exchange, spec.name);
  if (!permitted) return Failed(permitted.error());
  if (spec.name.empty()) {
    return failed(Errc::not_allowed, "not on the default exchange", Resource::exchange, "");
  }
  const ExchangeEntry* current = catalog.find_exchange(by.vhost, spec.name);
  if (!current) {
    if (passive) return failed(Errc::not_found, "no exchange", Resource::exchange, spec.name);
    auto linked = permit_link(by, Resource::exchange, spec.name, spec.alternate);
    if (!linked) return Failed(linked.error());
    return Declaration<ExchangeEntry>{};
  }
  bool same = passive || equivalent(current->spec, spec);
  return Declaration<ExchangeEntry>{same ? Declared::equal : Declared::different, current};
}

Outcome<std::vector<Change>> plan_delete_exchange(const Catalog& catalog, const Requester& by,
                                                  std::string_view name, bool if_unused) {
  auto permitted = permit(by, Verb::configure, Resource::exchange, name);
  if (!permitted) return Failed(permitted.error());
  std::vector<Change> changes;
  const ExchangeEntry* exchange = catalog.find_exchange(by.vhost, name);
  if (!exchange) return changes;
  if (exchange->predeclared) {
    return failed(Errc::not_allowed, "a predeclared exchange stays", Resource::exchange, name);
  }
  if (if_unused && !exchange->outgoing.empty()) {
    return failed(Errc::precondition, "in use", Resource::exchange, name);
  }
  Cascade cascade;
  cascade.doom(*exchange);
  cascade.finish(changes);
  return changes;
}

// ---- bindings

Outcome<std::vector<Change>> plan_bind(const Catalog& catalog, const Requester& by,
                                       const BindingSpec& binding) {
  if (auto ends = check_ends(binding); !ends) return Failed(ends.error());
  if (auto permitted = permit_binding(by, binding); !permitted) return Failed(permitted.error());
  if (!catalog.find_exchange(by.vhost, binding.source)) {
    return failed(Errc::not_found, "no exchange", Resource::exchange, binding.source);
  }
  if (binding.destination_kind == Resource::queue) {
    const QueueEntry* queue = catalog.find_queue(by.vhost, binding.destination);
    if (!queue) return failed(Errc::not_found, "no queue", Resource::queue, binding.destination);
    if (belongs_to_other(*queue, by)) return locked(binding.destination);
  } else if (!catalog.find_exchange(by.vhost, binding.destination)) {
    return failed(Errc::not_found, "no exchange", Resource::exchange, binding.destination);
  }
  std::vector<Change> changes;
  if (!catalog.find_binding(by.vhost, binding)) changes.push_back(PutBinding{by.vhost, binding});
  return changes;
}

Outcome<std::vector<Change>> plan_unbind(const Catalog& catalog, const Requester& by,
                                         const BindingSpec& binding) {
  if (auto ends = check_ends(binding); !ends) return Failed(ends.error());
  if (auto permitted = permit_binding(by, binding); !permitted) return Failed(permitted.error());
  std::vector<Change> changes;
  if (binding.destination_kind == Resource::queue) {
    const QueueEntry* queue = catalog.find_queue(by.vhost, binding.destination);
    if (queue && belongs_to_other(*queue, by)) return locked(binding.destination);
  }
  const Binding* there = catalog.find_binding(by.vhost, binding);
  if (!there) return changes;
  changes.push_back(DeleteBinding{by.vhost, binding});
  Cascade cascade;
  cascade.lose(*there);
  cascade.finish(changes);
  return changes;
}

}  // namespace wharf::broker
