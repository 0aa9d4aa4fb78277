#include "broker/directory.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "broker/change_codec.h"

namespace wharf::broker {

namespace {

// Queue numbers are reserved in the log this many at a time, so that making a volatile queue costs
// no write, and yet no number is used twice in a data directory.
constexpr std::uint64_t reservation_count = 4096;

std::string key_of(VhostId vhost, std::string_view name) {
  std::string key = std::to_string(vhost.value());
  key += '/';
  key += name;
  return key;
}

}  // namespace

Directory::Directory(const Catalog& catalog, const auth::Access& access, ShardIndex shards,
                     std::uint32_t queues_max, std::uint64_t next_queue_number, DirectoryHost& host)
    : catalog_(catalog),
      access_(access),
      shards_(shards),
      queues_max_(queues_max),
      next_queue_number_(next_queue_number),
      host_(host),
      applied_(shards) {
  reserve_queue_numbers();
}

void Directory::ask(CatalogAsk ask) {
  Requester by{access_, ask.who, ask.vhost, ask.session};
  const std::string* name = nullptr;
  if (const auto* declare = std::get_if<DeclareQueueRequest>(&ask.what)) name = &declare->spec.name;
  if (const auto* drop = std::get_if<DeleteQueueRequest>(&ask.what)) name = &drop->name;
  if (name) {
    auto waiting = waiting_.find(key_of(ask.vhost, *name));
    if (waiting != waiting_.end()) {
      waiting->second.push_back(std::move(ask));
      return;
    }
  }
  std::visit([&](auto& request) { carry_out(ask, by, request); }, ask.what);
}

// ---- queues

void Directory::carry_out(const CatalogAsk& ask, const Requester& by,
                          DeclareQueueRequest& request) {
  auto plan = plan_declare_queue(catalog_, by, request.spec, request.passive);
  if (!plan) return fail(ask, plan.error());
  if (plan->what == Declared::different) return answer(ask, QueueDiffers{plan->current->spec});
  QueueId queue;
  if (plan->what == Declared::absent) {
    if (catalog_.queue_count() >= queues_max_) {
      return fail(ask, {Fault{Errc::overloaded, 0, "too many queues"}, Resource::queue,
                        request.spec.name, Verb::configure});
    }
    queue = new_queue_id(ask.vhost, request.spec.name);
    change({create_queue(by, queue, request.spec)});
  } else {
    queue = plan->current->id;
  }
  if (!ask.request) return;
  answer_with(ask, shard_of(queue), DescribeAt{ask.session, *ask.request, queue});
}

void Directory::carry_out(const CatalogAsk& ask, const Requester& by, DeleteQueueRequest& request) {
  auto plan = plan_delete_queue(catalog_, by, request.name);
  if (!plan) return fail(ask, plan.error());
  if (!*plan) return answer(ask, QueueDeleted{0});
  RetireAt question;
  question.queue = (*plan)->id;
  question.conditions = request.conditions;
  retire(ask, request.name, question);
}

void Directory::unused(const QueueUnused& report) {
  if (waiting_.contains(key_of(report.vhost, report.name))) return;
  const QueueEntry* entry = catalog_.find_queue(report.queue);
  if (!entry) return;
  CatalogAsk nobody;
  nobody.vhost = report.vhost;
  RetireAt question;
  question.queue = report.queue;
  question.only_if_still_unused = true;
  retire(nobody, report.name, question);
}

void Directory::retire(const CatalogAsk& ask, std::string_view name, RetireAt question) {
  std::string key = key_of(ask.vhost, name);
  waiting_.try_emplace(key);
  question.operation = next_operation_++;
  retiring_.emplace(question.operation, Retiring{ask, question.queue, std::move(key)});
  host_.to_shard(shard_of(question.queue), question);
}

void Directory::retired(const Retired& reply) {
  auto it = retiring_.find(reply.operation);
  ASSERT(it != retiring_.end());
  Retiring retiring = std::move(it->second);
  retiring_.erase(it);
  if (reply.refused_why) {
    fail(retiring.ask, {Fault{Errc::precondition, 0, reply.refused_why}, Resource::queue,
                        std::get_if<DeleteQueueRequest>(&retiring.ask.what)
                            ? std::get<DeleteQueueRequest>(retiring.ask.what).name
                            : std::string(),
                        Verb::configure});
  } else {
    change(remove_queues(catalog_, std::span(&retiring.queue, 1)));
    answer(retiring.ask, QueueDeleted{reply.ready});
  }
  auto waiting = waiting_.find(retiring.name_key);
  ASSERT(waiting != waiting_.end());
  std::deque<CatalogAsk> asks = std::move(waiting->second);
  waiting_.erase(waiting);
  for (CatalogAsk& next : asks) ask(std::move(next));
}

// ---- exchanges and bindings

void Directory::carry_out(const CatalogAsk& ask, const Requester& by,
                          DeclareExchangeRequest& request) {
  auto plan = plan_declare_exchange(catalog_, by, request.spec, request.passive);
  if (!plan) return fail(ask, plan.error());
  if (plan->what == Declared::different) return answer(ask, ExchangeDiffers{plan->current->spec});
  if (plan->what == Declared::absent) change({PutExchange{ask.vhost, request.spec}});
  answer(ask, Done{});
}

void Directory::carry_out(const CatalogAsk& ask, const Requester& by,
                          DeleteExchangeRequest& request) {
  carry_out_plan(ask, plan_delete_exchange(catalog_, by, request.name, request.if_unused));
}

void Directory::carry_out(const CatalogAsk& ask, const Requester& by, BindRequest& request) {
  carry_out_plan(ask, plan_bind(catalog_, by, request.binding));
}

void Directory::carry_out(const CatalogAsk& ask, const Requester& by, UnbindRequest& request) {
  carry_out_plan(ask, plan_unbind(catalog_, by, request.binding));
}

void Directory::carry_out(const CatalogAsk& ask, const Requester&, EndSessionRequest&) {
  std::vector<QueueId> queues;
  for (const QueueEntry* entry : catalog_.owned_by(ask.session)) queues.push_back(entry->id);
  if (!queues.empty()) change(remove_queues(catalog_, queues));
  answer(ask, Done{});
}

void Directory::carry_out_plan(const CatalogAsk& ask, Outcome<std::vector<Change>> plan) {
  if (!plan) return fail(ask, plan.error());
  if (!plan->empty()) change(std::move(*plan));
  answer(ask, Done{});
}

// ---- changing and answering

void Directory::change(std::vector<Change> changes) {
  ++order_;
  std::vector<Change> durable;
  // Each change is judged on the catalog that it meets, so they are applied one by one on this
  // shard.
  for (const Change& one : changes) {
    if (catalog_.is_durable(one)) durable.push_back(one);
    host_.to_shard(0, ApplyChanges{order_, {one}});
  }
  if (!durable.empty()) {
    ByteVector record{std::byte{record_changes}};
    encode_changes(durable, access_, record);
    lsn_ = host_.log_change(record);
  }
  applied_[0] = order_;
  broadcasts_.push_back({lsn_, {order_, std::move(changes)}});
  broadcast();
}

// Other shards hear of a change once the log has it: a message that one of them stores in a new
// queue must not be safe before the queue itself is.
void Directory::broadcast() {
  while (!broadcasts_.empty() && broadcasts_.front().lsn <= durable_up_to_) {
    ApplyChanges changes = std::move(broadcasts_.front().changes);
    broadcasts_.pop_front();
    for (ShardIndex shard = 1; shard < shards_; ++shard) host_.to_shard(shard, changes);
  }
}

void Directory::answer(const CatalogAsk& ask, ReplyBody body) {
  if (!ask.request) return;
  answer_with(ask, shard_of(ask.session),
              EventFor{ask.session, Reply{*ask.request, std::move(body)}});
}

void Directory::answer_with(const CatalogAsk& ask, ShardIndex shard, ShardMessage message) {
  pending_.push_back({order_, lsn_, ask.session, *ask.request, shard, std::move(message)});
  if (log_failed_) {
    log_failed();
  } else {
    settle_pending();
  }
}

// A refusal changes nothing, but must not overtake what the same session asked for before.
void Directory::fail(const CatalogAsk& ask, Failure failure) {
  if (!ask.request) return;
  answer_with(ask, shard_of(ask.session),
              EventFor{ask.session, Reply{*ask.request, std::unexpected(std::move(failure))}});
}

void Directory::applied(ShardIndex shard, std::uint64_t order) {
  ASSERT(order >= applied_[shard]);
  applied_[shard] = order;
  settle_pending();
}

void Directory::durable(storage::Lsn up_to) {
  if (up_to == durable_up_to_) return;
  durable_up_to_ = up_to;
  broadcast();
  settle_pending();
}

void Directory::settle_pending() {
  std::uint64_t everywhere = std::ranges::min(applied_);
  while (!pending_.empty()) {
    Pending& first = pending_.front();
    if (first.order > everywhere || first.lsn > durable_up_to_) return;
    Pending done = std::move(first);
    pending_.pop_front();
    host_.to_shard(done.answer_shard, std::move(done.answer));
  }
}

void Directory::log_failed() {
  log_failed_ = true;
  for (Pending& pending : std::exchange(pending_, {})) {
    Failure failure{Fault{Errc::io, 0, "the log has failed"}, {}, {}, {}};
    host_.to_shard(
        shard_of(pending.session),
        EventFor{pending.session, Reply{pending.request, std::unexpected(std::move(failure))}});
  }
}

// ---- queue numbers

QueueId Directory::new_queue_id(VhostId vhost, std::string_view name) {
  if (next_queue_number_ + reservation_count / 2 >= reserved_queue_number_) reserve_queue_numbers();
  ShardIndex owner = static_cast<ShardIndex>(TextHash{}(key_of(vhost, name)) % shards_);
  return QueueId((std::uint64_t{owner} << 48) | next_queue_number_++);
}

void Directory::reserve_queue_numbers() {
  reserved_queue_number_ = next_queue_number_ + reservation_count;
  ByteVector record;
  encode_reservation(reserved_queue_number_, record);
  host_.log_change(record);
}

// ---- records

void Directory::encode_reservation(std::uint64_t next_queue_number, ByteVector& out) {
  Writer writer(out);
  writer.le(record_reservation);
  writer.le(next_queue_number);
}

void Directory::snapshot(ByteVector& out) const {
  Writer writer(out);
  ByteVector record;
  encode_reservation(reserved_queue_number_, record);
  writer.le(static_cast<std::uint32_t>(record.size()));
  writer.bytes(record);
  record.assign(1, std::byte{record_changes});
  std::vector<Change> changes = catalog_.changes(Catalog::Extent::durable);
  encode_changes(changes, access_, record);
  writer.le(static_cast<std::uint32_t>(record.size()));
  writer.bytes(record);
}

Result<void> Directory::replay(Bytes record, const auth::Access& access, Catalog& catalog,
                               std::uint64_t& next_queue_number) {
  Reader reader(record);
  auto kind = reader.le<std::uint8_t>();
  if (kind == record_reservation) {
    auto number = reader.finish(reader.le<std::uint64_t>());
    if (!number) return std::unexpected(number.error());
    next_queue_number = std::max(next_queue_number, *number);
    return {};
  }
  if (kind != record_changes) return fault(Errc::unsupported, "catalog record of unknown kind");
  Result<std::vector<Change>> changes = decode_changes(reader.rest(), access);
  if (!changes) return std::unexpected(changes.error());
  for (const Change& change : *changes) {
    if (Result<void> applied = catalog.apply(change); !applied) return applied;
  }
  return {};
}

Result<void> Directory::replay_snapshot(Bytes records, const auth::Access& access, Catalog& catalog,
                                        std::uint64_t& next_queue_number) {
  Reader reader(records);
  while (reader.left() > 0 && !reader.failed()) {
    Bytes record = reader.take(reader.le<std::uint32_t>());
    if (reader.failed()) break;
    if (Result<void> one = replay(record, access, catalog, next_queue_number); !one) return one;
  }
  if (reader.failed()) return std::unexpected(*reader.why());
  return {};
}

}  // namespace wharf::broker
