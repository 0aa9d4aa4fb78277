#include "broker/catalog.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/assert.h"

namespace wharf::broker {

namespace {

bool same_bytes(const OriginArguments& one, const OriginArguments& two) {
  return one.format == two.format && one.bytes == two.bytes;
}

const OriginArguments& arguments_of(const Binding& binding) {
  static const OriginArguments none;
  return binding.extras ? binding.extras->arguments : none;
}

template <class Map>
typename Map::mapped_type::pointer find_in(const Map& map, std::string_view name) {
  auto it = map.find(name);
  return it == map.end() ? nullptr : it->second.get();
}

// The text of the key lies in the entry, so the entry goes after its place in the map.
template <class Map>
void erase_entry(Map& map, std::string_view name) {
  auto it = map.find(name);
  ASSERT(it != map.end());
  auto entry = std::move(it->second);
  map.erase(it);
}

template <class Entry>
std::vector<const Entry*> sorted_by_name(std::vector<const Entry*> entries) {
  std::ranges::sort(entries, {},
                    [](const Entry* entry) { return std::string_view(entry->spec.name); });
  return entries;
}

auto order_of(const Binding& binding) {
  const std::string& destination =
      binding.queue ? binding.queue->spec.name : binding.exchange->spec.name;
  const OriginArguments& arguments = arguments_of(binding);
  return std::tuple(std::string_view(binding.source->spec.name), binding.queue == nullptr,
                    std::string_view(destination), std::string_view(binding.key),
                    arguments.format.value(), text_of(arguments.bytes));
}

}  // namespace

// ---- bindings by identity

Catalog::BindingKey Catalog::key_of(const Binding& binding) {
  const void* destination = binding.queue;
  if (!destination) destination = binding.exchange;
  return {binding.source, destination, binding.key, &arguments_of(binding)};
}

std::size_t Catalog::BindingHash::operator()(const BindingKey& key) const {
  std::size_t seed = std::hash<std::string_view>{}(key.key);
  boost::hash_combine(seed, key.source);
  boost::hash_combine(seed, key.destination);
  boost::hash_combine(seed, std::hash<std::string_view>{}(text_of(key.arguments->bytes)));
  return seed;
}

std::size_t Catalog::BindingHash::operator()(const std::unique_ptr<Binding>& binding) const {
  return (*this)(key_of(*binding));
}

bool Catalog::BindingEqual::operator()(const std::unique_ptr<Binding>& one,
                                       const std::unique_ptr<Binding>& two) const {
  return one == two || (*this)(key_of(*one), two);
}

bool Catalog::BindingEqual::operator()(const BindingKey& one,
                                       const std::unique_ptr<Binding>& two) const {
  BindingKey other = key_of(*two);
  return one.source == other.source && one.destination == other.destination &&
         one.key == other.key && same_bytes(*one.arguments, *other.arguments);
}

bool Catalog::BindingEqual::operator()(const std::unique_ptr<Binding>& one,
                                       const BindingKey& two) const {
  return (*this)(two, one);
}

// ---- making

Catalog::Catalog(std::size_t vhost_count, std::span<const ExchangeSpec> predeclared)
    : vhosts_(vhost_count) {
  for (std::size_t index = 0; index < vhost_count; ++index) {
    VhostId id(static_cast<std::uint32_t>(index + 1));
    ExchangeSpec by_queue_name;
    by_queue_name.durable = true;
    predeclare(vhosts_[index], id, by_queue_name);
    for (const ExchangeSpec& spec : predeclared) predeclare(vhosts_[index], id, spec);
  }
}

Catalog::~Catalog() = default;

void Catalog::predeclare(Vhost& vhost, VhostId id, const ExchangeSpec& spec) {
  auto entry = std::make_unique<ExchangeEntry>();
  entry->vhost = id;
  entry->spec = spec;
  entry->predeclared = true;
  if (spec.name.empty()) {
    ASSERT(spec.kind == ExchangeKind::direct);
    if (vhost.exchanges.contains(spec.name)) return;
  }
  std::string_view name = entry->spec.name;
  bool is_new = vhost.exchanges.emplace(name, std::move(entry)).second;
  ASSERT(is_new);
}

// ---- changing

Result<void> Catalog::apply(const Change& change) {
  return std::visit([this](const auto& one) { return on(one); }, change);
}

Result<void> Catalog::on(const PutExchange& change) {
  Vhost* vhost = vhost_of(change.vhost);
  if (!vhost) return fault(Errc::not_found, "no such vhost");
  if (vhost->exchanges.contains(change.spec.name)) {
    return fault(Errc::precondition, "the name of the exchange is taken");
  }
  auto entry = std::make_unique<ExchangeEntry>();
  entry->vhost = change.vhost;
  entry->spec = change.spec;
  std::string_view name = entry->spec.name;
  vhost->exchanges.emplace(name, std::move(entry));
  ++generation_;
  return {};
}

Result<void> Catalog::on(const DeleteExchange& change) {
  Vhost* vhost = vhost_of(change.vhost);
  if (!vhost) return fault(Errc::not_found, "no such vhost");
  ExchangeEntry* entry = find_in(vhost->exchanges, change.name);
  if (!entry) return {};
  if (entry->predeclared) return fault(Errc::precondition, "a predeclared exchange cannot go");
  while (!entry->incoming.empty()) erase_binding(*entry->incoming.back());
  while (!entry->outgoing.empty()) erase_binding(*entry->outgoing.back());
  erase_entry(vhost->exchanges, change.name);
  ++generation_;
  return {};
}

Result<void> Catalog::on(const PutQueue& change) {
  Vhost* vhost = vhost_of(change.vhost);
  if (!vhost) return fault(Errc::not_found, "no such vhost");
  if (!change.queue || change.spec.name.empty()) {
    return fault(Errc::precondition, "a queue without id or name");
  }
  if (vhost->queues.contains(change.spec.name)) {
    return fault(Errc::precondition, "the name of the queue is taken");
  }
  if (queues_by_id_.contains(change.queue)) {
    return fault(Errc::precondition, "the id of the queue is taken");
  }
  auto entry = std::make_unique<QueueEntry>();
  entry->vhost = change.vhost;
  entry->id = change.queue;
  entry->owner = change.owner;
  entry->spec = change.spec;
  queues_by_id_.emplace(entry->id, entry.get());
  if (entry->owner) {
    std::vector<QueueEntry*>& owned = owned_[entry->owner];
    entry->owned_index = static_cast<std::uint32_t>(owned.size());
    owned.push_back(entry.get());
  }
  std::string_view name = entry->spec.name;
  vhost->queues.emplace(name, std::move(entry));
  ++generation_;
  return {};
}

Result<void> Catalog::on(const DeleteQueue& change) {
  Vhost* vhost = vhost_of(change.vhost);
  if (!vhost) return fault(Errc::not_found, "no such vhost");
  QueueEntry* entry = find_in(vhost->queues, change.name);
  if (!entry || entry->id != change.queue) return {};
  while (!entry->incoming.empty()) erase_binding(*entry->incoming.back());
  queues_by_id_.erase(entry->id);
  if (entry->owner) disown(*entry);
  erase_entry(vhost->queues, change.name);
  ++generation_;
  return {};
}

void Catalog::disown(const QueueEntry& queue) {
  auto it = owned_.find(queue.owner);
  ASSERT(it != owned_.end());
  std::vector<QueueEntry*>& owned = it->second;
  ASSERT(owned[queue.owned_index] == &queue);
  owned[queue.owned_index] = owned.back();
  owned[queue.owned_index]->owned_index = queue.owned_index;
  owned.pop_back();
  if (owned.empty()) owned_.erase(it);
}

Result<void> Catalog::on(const PutBinding& change) {
  const BindingSpec& spec = change.binding;
  std::optional<BindingKey> key = resolve(change.vhost, spec);
  if (!key) return fault(Errc::not_found, "an end of the binding is missing");
  if (bindings_.contains(*key)) return {};
  Vhost* vhost = vhost_of(change.vhost);
  auto binding = std::make_unique<Binding>();
  binding->source = find_in(vhost->exchanges, spec.source);
  binding->key = spec.key;
  if (spec.destination_kind == Resource::queue) {
    binding->queue = find_in(vhost->queues, spec.destination);
    add_incoming(binding->queue->incoming, *binding);
  } else {
    binding->exchange = find_in(vhost->exchanges, spec.destination);
    add_incoming(binding->exchange->incoming, *binding);
  }
  if (spec.match != HeaderMatch::all || !spec.headers.empty() ||
      spec.arguments != OriginArguments()) {
    binding->extras =
        std::make_unique<BindingExtras>(BindingExtras{spec.match, spec.headers, spec.arguments});
  }
  binding->source->add_outgoing(*binding);
  bindings_.insert(std::move(binding));
  ++generation_;
  return {};
}

Result<void> Catalog::on(const DeleteBinding& change) {
  if (!vhost_of(change.vhost)) return fault(Errc::not_found, "no such vhost");
  std::optional<BindingKey> key = resolve(change.vhost, change.binding);
  if (!key) return {};
  auto it = bindings_.find(*key);
  if (it == bindings_.end()) return {};
  erase_binding(**it);
  ++generation_;
  return {};
}

void Catalog::erase_binding(Binding& binding) {
  auto it = bindings_.find(key_of(binding));
  ASSERT(it != bindings_.end());
  binding.source->remove_outgoing(binding);
  remove_incoming(binding.queue ? binding.queue->incoming : binding.exchange->incoming, binding);
  bindings_.erase(it);
}

std::optional<Catalog::BindingKey> Catalog::resolve(VhostId vhost, const BindingSpec& spec) const {
  const ExchangeEntry* source = find_exchange(vhost, spec.source);
  // The default exchange has the bindings of its rule and no others.
  if (!source || spec.source.empty() || spec.destination.empty()) return std::nullopt;
  const void* destination = nullptr;
  if (spec.destination_kind == Resource::queue) destination = find_queue(vhost, spec.destination);
  if (spec.destination_kind == Resource::exchange) {
    destination = find_exchange(vhost, spec.destination);
  }
  if (!destination) return std::nullopt;
  return BindingKey{source, destination, spec.key, &spec.arguments};
}

// ---- asking

namespace {

struct IsDurable {
  const Catalog& catalog;

  bool operator()(const PutExchange& change) const { return change.spec.durable; }
  bool operator()(const DeleteExchange& change) const {
    const ExchangeEntry* entry = catalog.find_exchange(change.vhost, change.name);
    return entry && entry->spec.durable;
  }
  bool operator()(const PutQueue& change) const {
    return change.spec.durable && !change.spec.exclusive;
  }
  bool operator()(const DeleteQueue& change) const {
    const QueueEntry* entry = catalog.find_queue(change.vhost, change.name);
    return entry && entry->id == change.queue && entry->durable();
  }
  bool operator()(const PutBinding& change) const {
    const BindingSpec& spec = change.binding;
    const ExchangeEntry* source = catalog.find_exchange(change.vhost, spec.source);
    if (!source || !source->spec.durable) return false;
    if (spec.destination_kind == Resource::queue) {
      const QueueEntry* queue = catalog.find_queue(change.vhost, spec.destination);
      return queue && queue->durable();
    }
    const ExchangeEntry* exchange = catalog.find_exchange(change.vhost, spec.destination);
    return exchange && exchange->spec.durable;
  }
  bool operator()(const DeleteBinding& change) const {
    const Binding* binding = catalog.find_binding(change.vhost, change.binding);
    return binding && binding->durable();
  }
};

}  // namespace

bool Catalog::is_durable(const Change& change) const {
  return std::visit(IsDurable{*this}, change);
}

Catalog::Vhost* Catalog::vhost_of(VhostId vhost) {
  return vhost && vhost.value() <= vhosts_.size() ? &vhosts_[vhost.value() - 1] : nullptr;
}

const Catalog::Vhost* Catalog::vhost_of(VhostId vhost) const {
  return vhost && vhost.value() <= vhosts_.size() ? &vhosts_[vhost.value() - 1] : nullptr;
}

const ExchangeEntry* Catalog::find_exchange(VhostId vhost, std::string_view name) const {
  const Vhost* home = vhost_of(vhost);
  return home ? find_in(home->exchanges, name) : nullptr;
}

const QueueEntry* Catalog::find_queue(VhostId vhost, std::string_view name) const {
  const Vhost* home = vhost_of(vhost);
  return home ? find_in(home->queues, name) : nullptr;
}

const QueueEntry* Catalog::find_queue(QueueId queue) const {
  auto it = queues_by_id_.find(queue);
  return it == queues_by_id_.end() ? nullptr : it->second;
}

const Binding* Catalog::find_binding(VhostId vhost, const BindingSpec& spec) const {
  std::optional<BindingKey> key = resolve(vhost, spec);
  if (!key) return nullptr;
  auto it = bindings_.find(*key);
  return it == bindings_.end() ? nullptr : it->get();
}

std::span<const QueueEntry* const> Catalog::owned_by(SessionId session) const {
  auto it = owned_.find(session);
  if (it == owned_.end()) return {};
  return it->second;
}

void Catalog::each_queue(const std::function<void(const QueueEntry&)>& visit) const {
  for (const Vhost& vhost : vhosts_) {
    for (const auto& [name, entry] : vhost.queues) visit(*entry);
  }
}

void Catalog::each_exchange(VhostId vhost,
                            const std::function<void(const ExchangeEntry&)>& visit) const {
  const Vhost* home = vhost_of(vhost);
  if (!home) return;
  for (const auto& [name, entry] : home->exchanges) visit(*entry);
}

std::vector<Change> Catalog::changes(Extent extent) const {
  bool only_durable = extent == Extent::durable;
  std::vector<Change> changes;
  for (std::size_t index = 0; index < vhosts_.size(); ++index) {
    VhostId vhost(static_cast<std::uint32_t>(index + 1));
    std::vector<const ExchangeEntry*> exchanges;
    std::vector<const QueueEntry*> queues;
    std::vector<const Binding*> bindings;
    for (const auto& [name, entry] : vhosts_[index].exchanges) exchanges.push_back(entry.get());
    for (const auto& [name, entry] : vhosts_[index].queues) queues.push_back(entry.get());
    for (const ExchangeEntry* entry : sorted_by_name(std::move(exchanges))) {
      for (const Binding* binding : entry->outgoing) {
        if (!only_durable || binding->durable()) bindings.push_back(binding);
      }
      if (entry->predeclared || (only_durable && !entry->spec.durable)) continue;
      changes.push_back(PutExchange{vhost, entry->spec});
    }
    for (const QueueEntry* entry : sorted_by_name(std::move(queues))) {
      if (only_durable && !entry->durable()) continue;
      changes.push_back(PutQueue{vhost, entry->id, entry->owner, entry->spec});
    }
    std::ranges::sort(bindings, {}, [](const Binding* binding) { return order_of(*binding); });
    for (const Binding* binding : bindings) changes.push_back(PutBinding{vhost, binding->spec()});
  }
  return changes;
}

}  // namespace wharf::broker
