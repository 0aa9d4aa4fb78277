// broker/change.h: what can happen to the catalog, as values. The directory on shard 0 decides
// changes and their one order; every shard applies all of them in that order, so all copies stay
// equal.
//
// A Change says everything: what follows from a request besides (an exchange that goes with its
// last binding) is a change of its own, made by catalog_plan.h, so that replaying those changes
// that were logged comes to the same as having lived through all. Only bindings go silently with
// their ends. Bytes of a change: change_codec.h.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "broker/api.h"

namespace wharf::broker {

struct PutExchange {
  VhostId vhost;
  ExchangeSpec spec;
};
// Its bindings go with it, in both directions.
struct DeleteExchange {
  VhostId vhost;
  std::string name;
};
struct PutQueue {
  VhostId vhost;
  QueueId queue;
  SessionId owner;  // of an exclusive queue, else none
  QueueSpec spec;
};
// Its bindings go with it. Does nothing when the name stands for another queue by now.
struct DeleteQueue {
  VhostId vhost;
  QueueId queue;
  std::string name;
};
struct PutBinding {
  VhostId vhost;
  BindingSpec binding;
};
struct DeleteBinding {
  VhostId vhost;
  BindingSpec binding;
};

using Change =
    std::variant<PutExchange, DeleteExchange, PutQueue, DeleteQueue, PutBinding, DeleteBinding>;

}  // namespace wharf::broker
