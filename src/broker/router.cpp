#include "broker/router.h"

#include <algorithm>

#include "base/assert.h"

namespace wharf::broker {

namespace {

// The first header of that name; none when there is none.
const Value* find_header(const RouteResult& result, std::string_view name) {
  auto by_name = [](const auto& header) { return std::string_view(header.first); };
  auto it = std::ranges::lower_bound(result.headers, name, {}, by_name);
  return it != result.headers.end() && it->first == name ? &it->second : nullptr;
}

// Clients differ in whether they send a text as one or as bytes, so these two match by content.
bool same_value(const Value& wanted, const Value& found) {
  const auto* text = std::get_if<std::string>(&wanted);
  const auto* blob = std::get_if<Blob>(&found);
  if (text && blob) return *text == blob->bytes;
  text = std::get_if<std::string>(&found);
  blob = std::get_if<Blob>(&wanted);
  if (text && blob) return *text == blob->bytes;
  return wanted == found;
}

bool headers_match(const BindingExtras& wanted, const RouteResult& result) {
  bool with_x = wanted.match == HeaderMatch::all_with_x || wanted.match == HeaderMatch::any_with_x;
  bool any = wanted.match == HeaderMatch::any || wanted.match == HeaderMatch::any_with_x;
  for (const auto& [name, value] : wanted.headers) {
    if (!with_x && name.starts_with("x-")) continue;
    const Value* found = find_header(result, name);
    bool fits =
        found && (std::holds_alternative<std::monostate>(value) || same_value(value, *found));
    if (fits == any) return any;
  }
  return !any;
}

}  // namespace

void Router::route(std::span<const ExchangeEntry* const> from, const RouteInput& input,
                   RouteResult& result) {
  ASSERT(!input.keys.empty());
  result.queues.clear();
  result.worklist.clear();
  result.headers_read = false;
  mark_ = catalog_.next_mark();
  for (const ExchangeEntry* exchange : from) enter(*exchange, result);
  while (!result.worklist.empty()) {
    const ExchangeEntry& exchange = *result.worklist.back();
    result.worklist.pop_back();
    if (follow(exchange, input, result) || !exchange.spec.alternate) continue;
    const ExchangeEntry* alternate =
        catalog_.find_exchange(exchange.vhost, *exchange.spec.alternate);
    if (alternate) enter(*alternate, result);
  }
}

void Router::route(const ExchangeEntry& from, const Message& message, RouteResult& result) {
  result.keys.clear();
  for (std::size_t index = 0; index < message.key_count(); ++index) {
    result.keys.push_back(message.key(index));
  }
  route(from, RouteInput{result.keys, message.format(), message.properties()}, result);
}

bool Router::route(VhostId vhost, std::string_view exchange, const Message& message,
                   RouteResult& result) {
  const ExchangeEntry* from = catalog_.find_exchange(vhost, exchange);
  if (!from) {
    result.queues.clear();
    return false;
  }
  route(*from, message, result);
  return true;
}

bool Router::follow(const ExchangeEntry& exchange, const RouteInput& input, RouteResult& result) {
  switch (exchange.spec.kind) {
    case ExchangeKind::direct:
      if (exchange.spec.name.empty()) return follow_default(exchange.vhost, input, result);
      return follow_direct(exchange, input, result);
    case ExchangeKind::fanout:
      return follow_fanout(exchange, result);
    case ExchangeKind::topic:
      return follow_topic(exchange, input, result);
    case ExchangeKind::headers:
      return follow_headers(exchange, input, result);
  }
  std::unreachable();
}

bool Router::follow_default(VhostId vhost, const RouteInput& input, RouteResult& result) {
  bool matched = false;
  for (const Key& key : input.keys) {
    const QueueEntry* queue = catalog_.find_queue(vhost, key.text);
    if (!queue) continue;
    add(*queue, result);
    matched = true;
  }
  return matched;
}

bool Router::follow_direct(const ExchangeEntry& exchange, const RouteInput& input,
                           RouteResult& result) {
  bool matched = false;
  for (const Key& key : input.keys) {
    auto it = exchange.by_key.find(key.text);
    if (it == exchange.by_key.end()) continue;
    const Binding* binding = it->second;
    do {
      take(*binding, result);
      binding = binding->same_key_next;
    } while (binding != it->second);
    matched = true;
  }
  return matched;
}

bool Router::follow_fanout(const ExchangeEntry& exchange, RouteResult& result) {
  for (const Binding* binding : exchange.outgoing) take(*binding, result);
  return !exchange.outgoing.empty();
}

bool Router::follow_topic(const ExchangeEntry& exchange, const RouteInput& input,
                          RouteResult& result) {
  bool matched = false;
  for (const Key& key : input.keys) {
    result.words.clear();
    split_segments(key.text, result.words);
    exchange.by_topic.match(result.words, [&](const Binding* binding) {
      take(*binding, result);
      matched = true;
    });
  }
  return matched;
}

bool Router::follow_headers(const ExchangeEntry& exchange, const RouteInput& input,
                            RouteResult& result) {
  static const BindingExtras match_all;
  bool matched = false;
  if (!exchange.outgoing.empty()) read_headers(input, result);
  for (const Binding* binding : exchange.outgoing) {
    if (!headers_match(binding->extras ? *binding->extras : match_all, result)) continue;
    take(*binding, result);
    matched = true;
  }
  return matched;
}

void Router::take(const Binding& binding, RouteResult& result) {
  if (binding.queue) return add(*binding.queue, result);
  enter(*binding.exchange, result);
}

void Router::enter(const ExchangeEntry& exchange, RouteResult& result) {
  if (std::exchange(exchange.routed_mark, mark_) != mark_) result.worklist.push_back(&exchange);
}

void Router::read_headers(const RouteInput& input, RouteResult& result) {
  if (std::exchange(result.headers_read, true)) return;
  result.headers.clear();
  formats_.each_header(input.format, input.properties, [&](std::string_view name, Value value) {
    result.headers.emplace_back(name, std::move(value));
  });
  std::ranges::stable_sort(result.headers, {},
                           [](const auto& header) -> const std::string& { return header.first; });
}

}  // namespace wharf::broker
