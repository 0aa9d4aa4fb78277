// broker/catalog_testing.h: short ways to say what a catalog holds, for the tests of catalog,
// plans, codec and router.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "auth/access.h"
#include "base/assert.h"
#include "base/random.h"
#include "broker/catalog.h"
#include "broker/change_codec.h"

namespace wharf::broker::catalog_testing {

inline constexpr VhostId home{1};
inline constexpr VhostId other_vhost{2};

inline ExchangeSpec exchange(std::string name, ExchangeKind kind, bool durable = true) {
  ExchangeSpec spec;
  spec.name = std::move(name);
  spec.kind = kind;
  spec.durable = durable;
  return spec;
}

inline ExchangeSpec auto_delete_exchange(std::string name) {
  ExchangeSpec spec = exchange(std::move(name), ExchangeKind::fanout);
  spec.auto_delete = true;
  return spec;
}

inline QueueSpec queue(std::string name, bool durable = true) {
  QueueSpec spec;
  spec.name = std::move(name);
  spec.durable = durable;
  return spec;
}

inline QueueSpec exclusive_queue(std::string name) {
  QueueSpec spec = queue(std::move(name), false);
  spec.exclusive = true;
  return spec;
}

inline BindingSpec to_queue(std::string source, std::string queue_name, std::string key = "") {
  BindingSpec spec;
  spec.source = std::move(source);
  spec.destination = std::move(queue_name);
  spec.key = std::move(key);
  return spec;
}

inline BindingSpec to_exchange(std::string source, std::string destination, std::string key = "") {
  BindingSpec spec = to_queue(std::move(source), std::move(destination), std::move(key));
  spec.destination_kind = Resource::exchange;
  return spec;
}

// One of each kind, and the default exchange, with names of their own.
inline std::vector<ExchangeSpec> predeclared() {
  return {exchange("", ExchangeKind::direct), exchange("std.direct", ExchangeKind::direct),
          exchange("std.fanout", ExchangeKind::fanout), exchange("std.topic", ExchangeKind::topic),
          exchange("std.headers", ExchangeKind::headers)};
}

// Vhosts "/" and "other"; user "all" may do everything in both, "none" has no permission.
inline std::shared_ptr<const auth::Access> open_access() {
  auth::AccessSpec spec;
  spec.vhosts = {"/", "other"};
  spec.users.resize(2);
  spec.users[0].name = "all";
  spec.users[1].name = "none";
  spec.permissions = {{"all", "/"}, {"all", "other"}};
  std::string why;
  auto access = auth::Access::build(spec, why);
  ASSERT(access);
  return *access;
}

// A change that may or may not make sense, over few names, so that they meet.
inline Change random_change(Random& random, const Catalog& catalog, std::uint64_t& next_queue) {
  VhostId vhost = random.below(4) == 0 ? other_vhost : home;
  auto exchange_name = [&] { return "e" + std::to_string(random.below(5)); };
  auto queue_name = [&] { return "q" + std::to_string(random.below(6)); };
  auto binding = [&] {
    BindingSpec spec = random.below(3) == 0 ? to_exchange(exchange_name(), exchange_name())
                                            : to_queue(exchange_name(), queue_name());
    static constexpr const char* keys[] = {"", "a", "a.b", "a.*", "#.b", "#"};
    spec.key = keys[random.below(std::size(keys))];
    if (random.below(3) == 0) {
      spec.match = static_cast<HeaderMatch>(random.below(4));
      spec.headers.emplace_back("h", Value(static_cast<std::int64_t>(random.below(2))));
      spec.arguments = {Format(1), ByteVector(1, static_cast<std::byte>(random.below(2)))};
    }
    return spec;
  };
  switch (random.below(14)) {
    case 0:
    case 1: {
      auto kind = static_cast<ExchangeKind>(1 + random.below(4));
      ExchangeSpec spec = exchange(exchange_name(), kind, random.below(2) == 0);
      spec.auto_delete = random.below(3) == 0;
      if (random.below(3) == 0) spec.alternate = exchange_name();
      return PutExchange{vhost, spec};
    }
    case 2:
      return DeleteExchange{vhost, exchange_name()};
    case 3:
    case 4: {
      QueueSpec spec = random.below(4) == 0 ? exclusive_queue(queue_name())
                                            : queue(queue_name(), random.below(2) == 0);
      SessionId owner(spec.exclusive ? 1 + random.below(2) : 0);
      return PutQueue{vhost, QueueId(next_queue++), owner, spec};
    }
    case 5: {
      std::string name = queue_name();
      const QueueEntry* entry = catalog.find_queue(vhost, name);
      bool right = entry && random.below(4) > 0;
      return DeleteQueue{vhost, right ? entry->id : QueueId(next_queue), name};
    }
    case 6:
      return DeleteBinding{vhost, binding()};
    default:
      return PutBinding{vhost, binding()};
  }
}

// All that a catalog holds, as bytes; equal for equal catalogs (but for owners, which are not
// encoded).
inline ByteVector fingerprint(const Catalog& catalog, const auth::Access& access) {
  ByteVector bytes;
  encode_changes(catalog.changes(Catalog::Extent::whole), access, bytes);
  return bytes;
}

}  // namespace wharf::broker::catalog_testing
