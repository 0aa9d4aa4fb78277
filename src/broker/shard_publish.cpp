// Publishing: routes are known on every shard, so a message is routed where it arrives, stored once
// on each shard that holds a queue of it, and answered for when it is on disk.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "broker/dead_letter.h"
#include "broker/shard.h"

namespace wharf::broker {

namespace {

// Answers are remembered by exchange; a client that asks for ever new names must not fill the
// memory.
constexpr std::size_t may_write_kept_max = 256;

// What a publish takes up on its way: the record and, about, what stands around it.
std::uint64_t mail_size(const Message& message) {
  return message.record().bytes().size() + sizeof(ShardMessage) + 128;
}

}  // namespace

bool Shard::may_write(SessionState& state, std::string_view exchange) {
  auto it = state.may_write.find(exchange);
  if (it != state.may_write.end()) return it->second;
  bool allowed =
      setup_.access->authorize(state.who, Verb::write, state.vhost, exchange_resource(exchange));
  if (state.may_write.size() >= may_write_kept_max) state.may_write.clear();
  state.may_write.emplace(exchange, allowed);
  return allowed;
}

// The right is asked first: who has none cannot tell what is there.
Outcome<const ExchangeEntry*> Shard::writable_exchange(SessionState& state, std::string_view name) {
  const ExchangeEntry* exchange = catalog_.find_exchange(state.vhost, name);
  Failure failure{{}, Resource::exchange, {}, Verb::write};
  if (!may_write(state, name)) {
    failure.fault = {Errc::refused, 0, "no right to write"};
  } else if (!exchange) {
    failure.fault = {Errc::not_found, 0, "no such exchange"};
  } else if (exchange->spec.internal) {
    failure.fault = {Errc::not_allowed, 0, "exchange is internal"};
  } else if (store_->failed()) {
    failure.fault = {Errc::io, 0, "the log has failed"};
  } else {
    return exchange;
  }
  failure.name = name;
  return std::unexpected(std::move(failure));
}

Outcome<Published> Shard::publish(SessionId session, const Message& message,
                                  const PublishOptions& options) {
  SessionState* state = sessions_.find(session);
  ASSERT(state);
  auto exchange = writable_exchange(*state, message.exchange());
  if (!exchange) return std::unexpected(std::move(exchange.error()));
  router_.route(**exchange, message, routes_);
  Published published;
  published.queues = static_cast<std::uint32_t>(routes_.queues.size());
  hear_message(session, state->vhost, message, published);
  if (published.queues == 0) return published;
  Waiter waiter;
  if (options.receipt) waiter = ReceiptTo{session, *options.receipt};
  placed_in_crowd_ = false;
  published.receipts = distribute(message, waiter);
  published.must_wait = must_wait(session, *state);
  return published;
}

void Shard::select_local() {
  local_queues_.clear();
  for (QueueId queue : routes_.queues) {
    if (shard_of(queue) == setup_.index) local_queues_.push_back(queue);
  }
}

// Stores the message in all queues of routes_; returns on how many shards they are.
std::uint32_t Shard::distribute(const Message& message, const Waiter& waiter) {
  select_local();
  std::uint32_t shards = 0;
  if (local_queues_.size() < routes_.queues.size()) shards = distribute_remote(message, waiter);
  if (!local_queues_.empty()) {
    place(message, local_queues_, waiter);
    ++shards;
  }
  return shards;
}

std::uint32_t Shard::distribute_remote(const Message& message, const Waiter& waiter) {
  std::uint32_t shards = 0;
  for (ShardIndex shard = 0; shard < setup_.count; ++shard) {
    if (shard == setup_.index) continue;
    std::vector<QueueId> queues;
    for (QueueId queue : routes_.queues) {
      if (shard_of(queue) == shard) queues.push_back(queue);
    }
    if (queues.empty()) continue;
    mail_bytes_ += mail_size(message);
    placed_in_crowd_ |= crowded_[shard];
    send_to(shard, PublishTo{message, std::move(queues), waiter, catalog_order_, setup_.index});
    ++shards;
  }
  return shards;
}

// False when the log did not take it (failed, or it is too large): then no queue has it, and the
// waiter was told so.
bool Shard::place(const Message& message, std::span<const QueueId> queues, const Waiter& waiter) {
  bool refused = false;
  admitted_.clear();
  for (QueueId id : queues) {
    Queue* queue = find_local(id);
    if (!queue) continue;  // deleted meanwhile: what it held is gone as well
    Admission admission = queue->admit(message);
    refused |= admission.verdict == Verdict::refuse;
    if (admission.verdict == Verdict::place) admitted_.emplace_back(queue, admission);
  }
  Appended appended = append_admitted(message);
  if (!appended.stored) {
    notify(waiter, false);
    return false;
  }
  refused |= appended.refused;
  for (auto& [queue, admission] : admitted_) {
    queue->place(admission, message);
    placed_in_crowd_ |= is_in_crowd(*queue);
  }
  if (std::holds_alternative<std::monostate>(waiter)) return true;
  if (appended.durable && !refused) {
    store_->request_sync();
    waiting_.push_back({store_->end(), waiter});
  } else {
    notify(waiter, !refused);
  }
  return true;
}

// One append for all queues of this shard that must have the message on disk: a record is stored
// once. Where a persistent message is only spilled, the whole queue does not outlive a restart, so
// the record may. A transient one must be forgotten there, also when another queue keeps it: then
// there is a second, volatile record.
Shard::Appended Shard::append_admitted(const Message& message) {
  Appended done;
  bool spilled = false;
  for (const auto& [queue, admission] : admitted_) {
    done.durable |= admission.storing == Storing::durable;
    spilled |= admission.storing == Storing::spilled;
  }
  if (!done.durable && !spilled) return done;
  bool apart = done.durable && spilled && !message.persistent();
  done.stored = append(message, Storing::durable, apart ? Storing::durable : Storing::spilled);
  if (!done.stored) {
    for (auto& [queue, admission] : admitted_) queue->abandon(admission);
  } else if (apart && !append(message, Storing::spilled, Storing::spilled)) {
    done.refused = true;
    std::erase_if(admitted_, [](auto& admitted) {
      if (admitted.second.storing != Storing::spilled) return false;
      admitted.first->abandon(admitted.second);
      return true;
    });
  }
  return done;
}

// To those of admitted_ that store it in one of the two ways.
bool Shard::append(const Message& message, Storing first, Storing second) {
  refs_.clear();
  bool durable = false;
  for (const auto& [queue, admission] : admitted_) {
    if (admission.storing != first && admission.storing != second) continue;
    refs_.push_back(admission.ref);
    durable |= admission.storing == Storing::durable;
  }
  Bytes record = message.record().bytes();
  return store_->append(refs_, std::span(&record, 1), charge_of(message), !durable).has_value();
}

void Shard::on(PublishTo& message) {
  if (message.order > catalog_order_) {
    early_.push_back(std::move(message));
  } else {
    place(message.message, message.queues, message.waiter);
    taken_[message.from] += mail_size(message.message);
  }
}

void Shard::notify(const Waiter& waiter, bool stored) {
  if (const auto* receipt = std::get_if<ReceiptTo>(&waiter)) {
    tell(receipt->session, Receipt{receipt->token, stored});
  } else if (const auto* transfer = std::get_if<TransferTo>(&waiter)) {
    // Refused is done with as well. A log that has failed may have it or not: the record stays in
    // transfer, and is in its queue again after the next start.
    if (stored || !store_->failed()) {
      send_to(transfer->shard, TransferStored{transfer->transfer});
    }
  }
}

void Shard::notify_durable() {
  storage::Lsn durable = store_->durable_up_to();
  notified_up_to_ = durable;
  notified_of_failure_ = store_->failed();
  while (!waiting_.empty() && waiting_.front().lsn <= durable) {
    notify(waiting_.front().waiter, true);
    waiting_.pop_front();
  }
  std::erase_if(waiting_queues_, [&](const auto& waiting) {
    if (waiting.first > durable) return false;
    dirty_queues_.push_back(waiting.second);
    return true;
  });
  if (directory_) directory_->durable(durable);
  if (store_->failed()) fail_waiting();
}

// Nothing becomes durable any more. Publishers are told no: their messages may be on disk, or not.
void Shard::fail_waiting() {
  while (!waiting_.empty()) {
    notify(waiting_.front().waiter, false);
    waiting_.pop_front();
  }
  if (directory_) directory_->log_failed();
}

// ---- dead letters

// Only noted here: a queue gives records up in the middle of its own work, and routing a copy may
// lead back to it.
void Shard::dead_letter(QueueId queue, std::optional<RecordRef> record, const Message& message,
                        DeathReason reason) {
  dead_.push_back({queue, record, message, reason});
}

void Shard::run_dead_letters() {
  for (const DeadLetter& letter : std::exchange(dead_, {})) send_dead_letter(letter);
}

// A copy goes out; the record leaves its queue when the copy is safe. Copies for this shard's own
// queues stand in the log before the settle of the record, so nothing is waited for; copies for
// other shards are in other logs, and the record stays until they answer.
void Shard::send_dead_letter(const DeadLetter& letter) {
  Queue* queue = find_local(letter.queue);
  const QueueEntry* entry = catalog_.find_queue(letter.queue);
  if (!queue || !entry) return;
  Message dead =
      make_dead_letter(letter.message, queue->spec(), letter.reason, setup_.clock->wall());
  std::uint32_t remote = 0;
  if (router_.route(entry->vhost, dead.exchange(), dead, routes_)) {
    std::vector<Death> deaths = dead.deaths();
    std::erase_if(routes_.queues, [&](QueueId target) {
      const QueueEntry* target_entry = catalog_.find_queue(target);
      return target_entry && is_dead_letter_cycle(deaths, target_entry->spec.name);
    });
    select_local();
    bool stored = local_queues_.empty() || place(dead, local_queues_, {});
    // The record stays in transfer until the next start, as in notify.
    if (!stored && store_->failed()) return;
    std::uint64_t transfer = next_transfer_++;
    Waiter waiter;
    if (letter.record) waiter = TransferTo{setup_.index, transfer};
    remote = distribute_remote(dead, waiter);
    if (letter.record && remote > 0) {
      transfers_.emplace(transfer, Transfer{letter.queue, *letter.record, remote});
    }
  }
  if (letter.record && remote == 0) queue->dead_lettered(*letter.record);
}

void Shard::on(TransferStored& message) {
  auto it = transfers_.find(message.transfer);
  if (it == transfers_.end() || --it->second.missing > 0) return;
  Transfer transfer = it->second;
  transfers_.erase(it);
  if (Queue* queue = find_local(transfer.queue)) queue->dead_lettered(transfer.record);
}

}  // namespace wharf::broker
