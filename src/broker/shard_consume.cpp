// Queues of this shard: consuming, settling, deleting, and what they ask of their shard.
#include "base/assert.h"
#include "broker/shard.h"

namespace wharf::broker {

namespace {

Failure queue_failure(Errc code, const char* why) {
  return {Fault{code, 0, why}, Resource::queue, {}, Verb::read};
}

}  // namespace

Queue* Shard::find_local(QueueId id) {
  auto it = queues_.find(id);
  return it == queues_.end() ? nullptr : it->second.queue.get();
}

// ---- from sessions of this shard

void Shard::subscribe(SessionId session, RequestId request, const SubscribeSpec& spec) {
  Outcome<const QueueEntry*> entry = readable_queue(session, spec.queue);
  if (!entry) return reply(session, request, std::unexpected(entry.error()));
  note_shard(session, shard_of((*entry)->id));
  send_to(shard_of((*entry)->id), SubscribeAt{session, request, (*entry)->id, spec});
}

void Shard::unsubscribe(SessionId session, RequestId request, QueueId queue, ConsumerId consumer) {
  send_to(shard_of(queue), UnsubscribeAt{session, request, queue, consumer});
}

void Shard::grant(SessionId session, QueueId queue, ConsumerId consumer, std::uint32_t messages,
                  std::uint64_t bytes) {
  if (shard_of(queue) == setup_.index) {
    if (Queue* local = find_local(queue)) local->grant(session, consumer, messages, bytes);
  } else {
    send_to(shard_of(queue), GrantAt{session, queue, consumer, messages, bytes});
  }
}

void Shard::get(SessionId session, RequestId request, std::string_view queue, bool leased) {
  Outcome<const QueueEntry*> entry = readable_queue(session, queue);
  if (!entry) return reply(session, request, std::unexpected(entry.error()));
  const QueueSpec& spec = (*entry)->spec;
  if (spec.kind == QueueKind::counted && spec.single_active) {
    Failure failure = queue_failure(Errc::not_allowed, "single active");
    failure.name = spec.name;
    return reply(session, request, std::unexpected(std::move(failure)));
  }
  note_shard(session, shard_of((*entry)->id));
  send_to(shard_of((*entry)->id), GetAt{session, request, (*entry)->id, leased});
}

void Shard::settle(SessionId session, QueueId queue, std::span<const RecordRef> records,
                   Disposition disposition, std::optional<Token> receipt) {
  if (shard_of(queue) != setup_.index) {
    send_to(shard_of(queue),
            SettleAt{session, queue, {records.begin(), records.end()}, disposition, receipt});
    return;
  }
  if (Queue* local = find_local(queue)) local->settle(session, records, disposition);
  if (!receipt) return;
  store_->request_sync();
  waiting_.push_back({store_->end(), ReceiptTo{session, *receipt}});
}

void Shard::purge_queue(SessionId session, RequestId request, std::string_view name) {
  Outcome<const QueueEntry*> entry = readable_queue(session, name);
  if (!entry) return reply(session, request, std::unexpected(entry.error()));
  send_to(shard_of((*entry)->id), PurgeAt{session, request, (*entry)->id});
}

// ---- from sessions of any shard

void Shard::on(SubscribeAt& message) {
  Queue* queue = find_local(message.queue);
  if (!queue || queue->retired()) {
    Failure failure = queue_failure(Errc::not_found, "no such queue");
    failure.name = message.spec.queue;
    return reply(message.session, message.request, std::unexpected(failure));
  }
  sessions_.touch(message.session, message.queue);
  Outcome<void> subscribed = queue->subscribe(message.session, message.spec);
  if (!subscribed) {
    Failure failure = subscribed.error();
    failure.resource = Resource::queue;
    failure.name = message.spec.queue;
    return reply(message.session, message.request, std::unexpected(failure));
  }
  reply(message.session, message.request, Subscribed{message.queue});
}

void Shard::on(UnsubscribeAt& message) {
  if (Queue* queue = find_local(message.queue)) {
    queue->unsubscribe(message.session, message.consumer);
  }
  reply(message.session, message.request, Done{});
}

void Shard::on(GrantAt& message) {
  if (Queue* queue = find_local(message.queue)) {
    queue->grant(message.session, message.consumer, message.messages, message.bytes);
  }
}

void Shard::on(SettleAt& message) {
  settle(message.session, message.queue, message.records, message.disposition, message.receipt);
}

void Shard::on(GetAt& message) {
  Queue* queue = find_local(message.queue);
  if (!queue || queue->retired()) {
    return reply(message.session, message.request,
                 std::unexpected(queue_failure(Errc::not_found, "no such queue")));
  }
  sessions_.touch(message.session, message.queue);
  queue->get(message.session, message.request, message.leased);
}

void Shard::on(PurgeAt& message) {
  Queue* queue = find_local(message.queue);
  std::uint64_t purged = queue ? queue->purge() : 0;
  reply(message.session, message.request, QueuePurged{purged});
}

void Shard::on(DescribeAt& message) {
  QueueDeclared declared{message.queue, 0, 0};
  if (Queue* queue = find_local(message.queue)) {
    queue->touch();
    declared.ready = queue->ready();
    declared.consumers = queue->consumers();
  }
  reply(message.session, message.request, declared);
}

void Shard::on(RetireAt& message) {
  Retired answer{message.operation, 0, nullptr};
  if (Queue* queue = find_local(message.queue)) {
    bool in_use = message.conditions.if_unused && queue->consumers() > 0;
    bool used_again = message.only_if_still_unused && !queue->is_unused();
    if (in_use || used_again) {
      answer.refused_why = "in use";
    } else if (message.conditions.if_empty && queue->ready() > 0) {
      answer.refused_why = "not empty";
    } else {
      answer.ready = queue->retire();
    }
  }
  send_to(0, answer);
}

void Shard::on(SessionGone& message) {
  live_.remove_all(message.session);
  for (QueueId id : sessions_.take_touched(message.session)) {
    if (Queue* queue = find_local(id)) queue->session_gone(message.session);
  }
}

// ---- QueueHost

void Shard::deliver(SessionId session, Delivery&& delivery) { tell(session, std::move(delivery)); }

void Shard::got(SessionId session, RequestId request, Got&& got) {
  reply(session, request, std::move(got));
}

void Shard::cancelled(SessionId session, ConsumerId consumer) {
  tell(session, ConsumerCancelled{consumer});
}

void Shard::unused(QueueId queue) {
  const QueueEntry* entry = catalog_.find_queue(queue);
  if (entry) unused_.push_back({queue, entry->vhost, entry->spec.name});
}

void Shard::wake_when_durable(QueueId queue, storage::Lsn lsn) {
  store_->request_sync();
  waiting_queues_.emplace_back(lsn, queue);
}

void Shard::set_timer(QueueId queue, Instant deadline) {
  Timer& timer = queue_timers_[queue];
  timers_->cancel(timer.id);
  timer.id = timers_->add(deadline, queue);
}

void Shard::fetch(QueueId queue, storage::LaneId lane, storage::Sequence from,
                  std::uint32_t count_max, std::uint64_t bytes_max) {
  std::uint64_t token = next_fetch_++;
  fetches_.emplace(token, queue);
  store_->fetch(lane, from, count_max, bytes_max, token);
}

}  // namespace wharf::broker
