#include "broker/exchange.h"

#include "base/assert.h"

namespace wharf::broker {

BindingSpec Binding::spec() const {
  BindingSpec spec;
  spec.source = source->spec.name;
  spec.destination_kind = queue ? Resource::queue : Resource::exchange;
  spec.destination = queue ? queue->spec.name : exchange->spec.name;
  spec.key = key;
  if (extras) {
    spec.match = extras->match;
    spec.headers = extras->headers;
    spec.arguments = extras->arguments;
  }
  return spec;
}

bool Binding::durable() const {
  return source->spec.durable && (queue ? queue->durable() : exchange->spec.durable);
}

namespace {

void join_ring(ByText<Binding*>& by_key, Binding& binding) {
  auto [it, is_first] = by_key.emplace(binding.key, &binding);
  if (is_first) {
    binding.same_key_next = &binding;
    binding.same_key_previous = &binding;
    return;
  }
  Binding& first = *it->second;
  binding.same_key_next = &first;
  binding.same_key_previous = first.same_key_previous;
  first.same_key_previous->same_key_next = &binding;
  first.same_key_previous = &binding;
}

void leave_ring(ByText<Binding*>& by_key, Binding& binding) {
  auto it = by_key.find(binding.key);
  ASSERT(it != by_key.end());
  Binding* next = binding.same_key_next;
  if (it->second == &binding) {
    // The map's key lies in this binding: another's must take its place.
    by_key.erase(it);
    if (next != &binding) by_key.emplace(next->key, next);
  }
  binding.same_key_previous->same_key_next = next;
  next->same_key_previous = binding.same_key_previous;
}

}  // namespace

void ExchangeEntry::add_outgoing(Binding& binding) {
  binding.outgoing_index = static_cast<std::uint32_t>(outgoing.size());
  outgoing.push_back(&binding);
  if (spec.kind == ExchangeKind::direct) join_ring(by_key, binding);
  if (spec.kind == ExchangeKind::topic) {
    bool is_new = by_topic.add(topic_pattern(binding.key), &binding);
    ASSERT(is_new);
  }
}

void ExchangeEntry::remove_outgoing(Binding& binding) {
  ASSERT(outgoing[binding.outgoing_index] == &binding);
  outgoing[binding.outgoing_index] = outgoing.back();
  outgoing[binding.outgoing_index]->outgoing_index = binding.outgoing_index;
  outgoing.pop_back();
  if (spec.kind == ExchangeKind::direct) leave_ring(by_key, binding);
  if (spec.kind == ExchangeKind::topic) {
    bool was_there = by_topic.remove(topic_pattern(binding.key), &binding);
    ASSERT(was_there);
  }
}

void add_incoming(std::vector<Binding*>& incoming, Binding& binding) {
  binding.incoming_index = static_cast<std::uint32_t>(incoming.size());
  incoming.push_back(&binding);
}

void remove_incoming(std::vector<Binding*>& incoming, Binding& binding) {
  ASSERT(incoming[binding.incoming_index] == &binding);
  incoming[binding.incoming_index] = incoming.back();
  incoming[binding.incoming_index]->incoming_index = binding.incoming_index;
  incoming.pop_back();
}

SubjectPattern topic_pattern(std::string_view key) {
  std::vector<std::string_view> words;
  split_segments(key, words);
  SubjectPattern pattern;
  pattern.reserve(words.size());
  for (std::string_view word : words) {
    if (word == "*") {
      pattern.push_back({SegmentKind::one, {}});
    } else if (word == "#") {
      pattern.push_back({SegmentKind::any, {}});
    } else {
      pattern.push_back({SegmentKind::literal, std::string(word)});
    }
  }
  return pattern;
}

}  // namespace wharf::broker
