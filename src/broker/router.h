// broker/router.h: from a message to the queues that get it.
//
// An exchange's matching bindings lead to queues or on to exchanges, which look at key and headers
// afresh; each exchange is entered once and each queue counted once. Where no binding of an
// exchange matched, its alternate exchange is entered instead. All keys of the message count. Cost:
// default exchange and direct with one key: one hash look-up a key, no allocation; fanout
// O(bindings); topic O(words * live states of the trie); headers O(bindings * their headers).
// Shard: owner only, like the Catalog.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/catalog.h"
#include "broker/message.h"
#include "broker/value.h"

namespace wharf::broker {

// What routing looks at. Views into the caller's bytes.
struct RouteInput {
  std::span<const Key> keys;  // at least one
  Format format;
  Bytes properties;
};

// Kept by the caller between calls, so that its memory is. Only `queues` is for reading.
struct RouteResult {
  std::vector<QueueId> queues;  // distinct

  std::vector<Key> keys;
  std::vector<const ExchangeEntry*> worklist;
  std::vector<std::string_view> words;
  std::vector<std::pair<std::string, Value>> headers;  // sorted by name
  bool headers_read = false;
};

class Router {
 public:
  // Both outlive the router.
  Router(const Catalog& catalog, const Formats& formats) : catalog_(catalog), formats_(formats) {}

  // Replaces result.queues; empty when nobody gets the message. `from` are entries of the catalog;
  // the caller has looked at permission and `internal`.
  void route(std::span<const ExchangeEntry* const> from, const RouteInput& input,
             RouteResult& result);
  void route(const ExchangeEntry& from, const RouteInput& input, RouteResult& result) {
    const ExchangeEntry* one = &from;
    route(std::span(&one, 1), input, result);
  }
  void route(const ExchangeEntry& from, const Message& message, RouteResult& result);
  // False when there is no such exchange.
  bool route(VhostId vhost, std::string_view exchange, const Message& message, RouteResult& result);

 private:
  // Both return whether any binding matched.
  bool follow(const ExchangeEntry& exchange, const RouteInput& input, RouteResult& result);
  bool follow_default(VhostId vhost, const RouteInput& input, RouteResult& result);
  bool follow_fanout(const ExchangeEntry& exchange, RouteResult& result);
  bool follow_direct(const ExchangeEntry& exchange, const RouteInput& input, RouteResult& result);
  bool follow_topic(const ExchangeEntry& exchange, const RouteInput& input, RouteResult& result);
  bool follow_headers(const ExchangeEntry& exchange, const RouteInput& input, RouteResult& result);
  void take(const Binding& binding, RouteResult& result);
  void add(const QueueEntry& queue, RouteResult& result) {
    if (std::exchange(queue.routed_mark, mark_) != mark_) result.queues.push_back(queue.id);
  }
  void enter(const ExchangeEntry& exchange, RouteResult& result);
  void read_headers(const RouteInput& input, RouteResult& result);

  const Catalog& catalog_;
  const Formats& formats_;
  std::uint64_t mark_ = 0;  // of the current call; entries that are in carry it
};

}  // namespace wharf::broker
