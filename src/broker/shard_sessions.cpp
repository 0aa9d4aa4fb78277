// Sessions of this shard, and what they ask of the catalog.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "broker/shard.h"

namespace wharf::broker {

// ---- sessions

SessionId Shard::attach(EventListener& listener, VhostId vhost, const Principal& who) {
  SessionId session = sessions_.add(listener, vhost, who);
  sessions_.find(session)->may_write_all_names =
      setup_.access->authorizes_all(who, Verb::write, vhost);
  if (alarm() != Alarm{}) sessions_.tell(session, alarm());
  return session;
}

void Shard::detach(SessionId session, std::optional<RequestId> request) {
  SessionState* state = sessions_.find(session);
  ASSERT(state && state->listener);
  for (ShardIndex shard = 0; shard < setup_.count; ++shard) {
    if (state->shards[shard]) send_to(shard, SessionGone{session});
  }
  if (state->has_exclusive_queues) {
    ask_directory(session, request, EndSessionRequest{});
  } else if (request) {
    tell(session, Reply{*request, Done{}});
  }
  if (!request) sessions_.remove(session);
}

void Shard::forget(SessionId session) { sessions_.remove(session); }

void Shard::take_events(SessionId session, std::vector<Event>& events) {
  SessionState* state = sessions_.find(session);
  if (!state) return;
  state->notified = false;
  if (events.empty()) {
    std::swap(events, state->events);
  } else {
    std::ranges::move(state->events, std::back_inserter(events));
    state->events.clear();
  }
}

void Shard::tell(SessionId session, Event event) {
  if (shard_of(session) == setup_.index) {
    sessions_.tell(session, std::move(event));
  } else {
    send_to(shard_of(session), EventFor{session, std::move(event)});
  }
}

void Shard::on(EventFor& message) { sessions_.tell(message.session, std::move(message.event)); }

void Shard::reply(SessionId session, RequestId request, Outcome<ReplyBody> outcome) {
  tell(session, Reply{request, std::move(outcome)});
}

void Shard::note_shard(SessionId session, ShardIndex shard) {
  SessionState* state = sessions_.find(session);
  ASSERT(state);
  state->shards[shard] = true;
}

bool Shard::inbox_alive(SessionId session) const {
  ShardIndex shard = shard_of(session);
  if (shard >= setup_.count) return false;
  return shard != setup_.index || sessions_.find(session) != nullptr;
}

void Shard::find_inbox(SessionId session, RequestId request, SessionId to, std::string_view name) {
  FindInboxAt question{session, request, to, std::string(name)};
  // A number that no session has is answered here.
  send_to(shard_of(to) < setup_.count ? shard_of(to) : setup_.index, std::move(question));
}

void Shard::on(FindInboxAt& message) {
  if (sessions_.find(message.to)) {
    return reply(message.session, message.request, QueueDeclared{{}, 0, 1});
  }
  reply(message.session, message.request,
        std::unexpected(Failure{Fault{Errc::not_found, 0, "nobody listens there"},
                                Resource::queue,
                                std::move(message.name),
                                {}}));
}

bool Shard::send(SessionId to, ConsumerId consumer, const Message& message) {
  if (!inbox_alive(to)) return false;
  tell(to, Direct{consumer, message});
  return true;
}

// ---- the catalog

const ExchangeSpec* Shard::find_exchange(VhostId vhost, std::string_view name) const {
  const ExchangeEntry* entry = catalog_.find_exchange(vhost, name);
  return entry ? &entry->spec : nullptr;
}

const QueueSpec* Shard::find_queue(VhostId vhost, std::string_view name) const {
  const QueueEntry* entry = catalog_.find_queue(vhost, name);
  return entry ? &entry->spec : nullptr;
}

Outcome<const QueueEntry*> Shard::readable_queue(SessionId session, std::string_view name) const {
  const SessionState* state = sessions_.find(session);
  ASSERT(state);
  Requester by{*setup_.access, state->who, state->vhost, session};
  return usable_queue(catalog_, by, name, Verb::read);
}

void Shard::ask_directory(SessionId session, std::optional<RequestId> request,
                          CatalogRequest what) {
  SessionState* state = sessions_.find(session);
  ASSERT(state);
  send_to(0, Boxed(CatalogAsk{session, request, state->vhost, state->who, std::move(what)}));
}

void Shard::declare_queue(SessionId session, RequestId request, const QueueSpec& spec,
                          bool passive) {
  if (spec.exclusive) sessions_.find(session)->has_exclusive_queues = true;
  ask_directory(session, request, DeclareQueueRequest{spec, passive});
}

void Shard::delete_queue(SessionId session, RequestId request, std::string_view name,
                         DeleteConditions conditions) {
  ask_directory(session, request, DeleteQueueRequest{std::string(name), conditions});
}

void Shard::declare_exchange(SessionId session, RequestId request, const ExchangeSpec& spec,
                             bool passive) {
  ask_directory(session, request, DeclareExchangeRequest{spec, passive});
}

void Shard::delete_exchange(SessionId session, RequestId request, std::string_view name,
                            bool if_unused) {
  ask_directory(session, request, DeleteExchangeRequest{std::string(name), if_unused});
}

void Shard::bind(SessionId session, RequestId request, const BindingSpec& binding) {
  ask_directory(session, request, BindRequest{binding});
}

void Shard::unbind(SessionId session, RequestId request, const BindingSpec& binding) {
  ask_directory(session, request, UnbindRequest{binding});
}

void Shard::on(Boxed<CatalogAsk>& message) { directory_->ask(std::move(*message)); }
void Shard::on(Retired& message) { directory_->retired(message); }
void Shard::on(QueueUnused& message) { directory_->unused(message); }
void Shard::on(ChangesApplied& message) { directory_->applied(message.shard, message.order); }

void Shard::on(ApplyChanges& message) {
  for (const Change& change : message.changes) apply(change);
  catalog_order_ = message.order;
  if (directory_) return;
  send_to(0, ChangesApplied{setup_.index, message.order});
  for (PublishTo& publish : std::exchange(early_, {})) on(publish);
}

void Shard::apply(const Change& change) {
  if (const auto* gone = std::get_if<DeleteQueue>(&change)) remove_queue(gone->queue);
  ASSERT(catalog_.apply(change).has_value());
  if (const auto* put = std::get_if<PutQueue>(&change)) {
    if (shard_of(put->queue) == setup_.index) add_queue(*catalog_.find_queue(put->queue));
  }
}

Queue* Shard::add_queue(const QueueEntry& entry) {
  auto queue = std::make_unique<Queue>(entry.id, entry.spec, static_cast<QueueHost&>(*this));
  auto [it, is_new] = queues_.emplace(entry.id, Held{std::move(queue), queue_list_.size()});
  ASSERT(is_new);
  queue_list_.push_back(entry.id);
  return it->second.queue.get();
}

void Shard::remove_queue(QueueId id) {
  auto it = queues_.find(id);
  if (it == queues_.end()) return;
  Queue& queue = *it->second.queue;
  if (!queue.retired()) queue.retire();
  queue.drop();
  // The last of the list takes its place.
  std::size_t place = it->second.place;
  queue_list_[place] = queue_list_.back();
  queues_.find(queue_list_[place])->second.place = place;
  queue_list_.pop_back();
  queues_.erase(it);
  auto timer = queue_timers_.find(id);
  if (timer == queue_timers_.end()) return;
  timers_->cancel(timer->second.id);
  queue_timers_.erase(timer);
}

void Shard::to_shard(ShardIndex shard, ShardMessage message) { send_to(shard, std::move(message)); }

storage::Lsn Shard::log_change(Bytes record) {
  store_->append_meta(record);
  store_->request_sync();
  return store_->end();
}

}  // namespace wharf::broker
