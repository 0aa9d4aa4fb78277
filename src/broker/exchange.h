// broker/exchange.h: the things that a Catalog holds: queues and exchanges as entries, bindings
// between them, and for each exchange an index of its bindings that answers which of them match a
// message. Owned by the Catalog; everybody else has const pointers, good until the next
// Catalog::apply. Cost: adding and removing a binding O(1) (topic: O(words)), whatever the number
// of bindings.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "broker/api.h"
#include "broker/subject_trie.h"
#include "broker/text_hash.h"

namespace wharf::broker {

struct Binding;
struct ExchangeEntry;

// Keyed by a text that lies in what it leads to.
template <class Value>
using ByText = boost::unordered_flat_map<std::string_view, Value, TextHash>;

struct QueueEntry {
  VhostId vhost;
  QueueId id;
  SessionId owner;  // of an exclusive queue, else none
  QueueSpec spec;
  std::vector<Binding*> incoming;
  std::uint32_t owned_index = 0;  // where it stands among its owner's queues
  // The last routing that put this queue into its result; see Router.
  mutable std::uint64_t routed_mark = 0;

  // Survives a restart; an exclusive queue goes with its session.
  bool durable() const { return spec.durable && !spec.exclusive; }
};

// What few bindings have.
struct BindingExtras {
  HeaderMatch match = HeaderMatch::all;
  std::vector<std::pair<std::string, Value>> headers;
  OriginArguments arguments;
};

// Exactly one of `queue` and `exchange` is set.
struct Binding {
  ExchangeEntry* source = nullptr;
  QueueEntry* queue = nullptr;
  ExchangeEntry* exchange = nullptr;
  std::string key;
  std::unique_ptr<BindingExtras> extras;  // none when all of it has its default
  // Where the binding stands in the lists of its two ends, to leave them at once.
  std::uint32_t outgoing_index = 0;
  std::uint32_t incoming_index = 0;
  // The bindings of a direct exchange with the same key, in a ring of their own.
  Binding* same_key_next = nullptr;
  Binding* same_key_previous = nullptr;

  BindingSpec spec() const;
  // Survives a restart: both ends do.
  bool durable() const;
};

struct ExchangeEntry {
  VhostId vhost;
  ExchangeSpec spec;
  bool predeclared = false;
  std::vector<Binding*> outgoing;
  std::vector<Binding*> incoming;
  // Of a direct exchange: for each key the first binding of its ring. The key lies in that binding.
  ByText<Binding*> by_key;
  // Of a topic exchange.
  SubjectTrie<Binding*> by_topic;
  mutable std::uint64_t routed_mark = 0;

  // Into and out of `outgoing` and the index of the kind.
  void add_outgoing(Binding& binding);
  void remove_outgoing(Binding& binding);
};

// Into and out of the list at a binding's destination.
void add_incoming(std::vector<Binding*>& incoming, Binding& binding);
void remove_incoming(std::vector<Binding*>& incoming, Binding& binding);

// The pattern of a topic binding: words split at '.', `*` for one word, `#` for any number.
SubjectPattern topic_pattern(std::string_view key);

}  // namespace wharf::broker
