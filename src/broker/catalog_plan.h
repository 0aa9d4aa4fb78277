// broker/catalog_plan.h: what a request comes to, judged on the catalog as it is: the changes to
// apply, or why not. Pure; the directory calls these on the copy of shard 0 and applies what they
// return before it judges the next request. Names reserved to the broker are the session's to
// refuse. Order of the checks: permission, existence, exclusive ownership, then the request's own
// conditions. Which right each operation needs: configure to declare and delete; write on what a
// binding leads to and read on what it comes from; write to publish; read to consume, get and
// purge. What names a dead-letter or alternate exchange needs, when it is created, read on itself
// and write on that exchange.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "auth/access.h"
#include "broker/catalog.h"

namespace wharf::broker {

// Who asks. References must outlive the call only.
struct Requester {
  const auth::Access& access;
  const Principal& who;
  VhostId vhost;
  SessionId session;
};

enum class Declared : std::uint8_t { absent, equal, different };

// What a declare meets. `absent`: it may be created. `current` is set otherwise.
template <class Entry>
struct Declaration {
  Declared what = Declared::absent;
  const Entry* current = nullptr;
};

// Passive: only whether it is there, never `absent` nor `different`.
// Failures: refused; locked (exclusive to another session, or the exclusive flag differs; looked at
// before anything is compared); not_found (passive).
Outcome<Declaration<QueueEntry>> plan_declare_queue(const Catalog& catalog, const Requester& by,
                                                    const QueueSpec& spec, bool passive);
// The change that creates a queue once plan_declare_queue has said absent. An exclusive queue
// belongs to the requester and is not durable, whatever its spec says.
PutQueue create_queue(const Requester& by, QueueId id, const QueueSpec& spec);

// Failures: refused; not_found (passive); not_allowed for the default exchange.
Outcome<Declaration<ExchangeEntry>> plan_declare_exchange(const Catalog& catalog,
                                                          const Requester& by,
                                                          const ExchangeSpec& spec, bool passive);

// The queue that may be deleted by the requester, none if it is missing, which is not a failure.
// Its owner shard has to agree; then comes remove_queues. Failures: refused, locked.
Outcome<const QueueEntry*> plan_delete_queue(const Catalog& catalog, const Requester& by,
                                             std::string_view name);
// All that goes when these queues go: they, and exchanges which delete themselves. Ids that are not
// there are passed over.
std::vector<Change> remove_queues(const Catalog& catalog, std::span<const QueueId> queues);

// Nothing to do when it is missing. Failures: refused; not_allowed for a predeclared one;
// precondition "in use" with if_unused.
Outcome<std::vector<Change>> plan_delete_exchange(const Catalog& catalog, const Requester& by,
                                                  std::string_view name, bool if_unused);

// Nothing to do when the binding is there. Failures: refused; not_allowed for the default exchange;
// not_found (the source first); locked.
Outcome<std::vector<Change>> plan_bind(const Catalog& catalog, const Requester& by,
                                       const BindingSpec& binding);
// Nothing to do when the binding, or an end of it, is missing. Else as plan_bind, and exchanges
// which delete themselves go along.
Outcome<std::vector<Change>> plan_unbind(const Catalog& catalog, const Requester& by,
                                         const BindingSpec& binding);

// For requests that use a queue: read to consume, get and purge. Failures: refused, not_found,
// locked.
Outcome<const QueueEntry*> usable_queue(const Catalog& catalog, const Requester& by,
                                        std::string_view name, Verb verb);

// Whether a redeclaration asks for what is there: all but OriginArguments (queues), and kind,
// durable, auto_delete, internal and alternate (exchanges). An exclusive queue counts as not
// durable.
bool equivalent(const QueueSpec& one, const QueueSpec& two);
bool equivalent(const ExchangeSpec& one, const ExchangeSpec& two);

}  // namespace wharf::broker
