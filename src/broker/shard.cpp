// The life of a shard and its turns. Publishing, consuming, sessions and the catalog have files of
// their own beside this one.
#include "broker/shard.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace wharf::broker {

namespace {
// Mail that a turn takes at most, so that connections and disk get theirs.
constexpr std::size_t mail_batches_max = 64;
// Queues that a turn asks for memory at most.
constexpr std::size_t shed_queues_max = 64;
}  // namespace

// Recovery fills shard 0's catalog; other shards have none of their own.
struct Shard::Sink final : storage::RecoverySink {
  explicit Sink(Shard& shard_in) : shard(shard_in) {}
  void on_snapshot(Bytes state) override {
    note(Directory::replay_snapshot(state, shard.access(), shard.catalog_,
                                    shard.next_queue_number_));
  }
  void on_meta(Bytes record) override {
    note(Directory::replay(record, shard.access(), shard.catalog_, shard.next_queue_number_));
  }
  void note(Result<void> result) {
    if (!result && outcome) outcome = result;
  }
  Shard& shard;
  Result<void> outcome;
};

Shard::Shard(const ShardSetup& setup)
    : setup_(setup),
      catalog_(setup.access->vhost_count(), setup.predeclared),
      router_(catalog_, *setup.formats),
      sessions_(setup.index, setup.count),
      alarms_(setup.count),
      taken_(setup.count),
      crowded_(setup.count),
      live_mail_(setup.count) {
  ASSERT(setup.index < setup.count);
  ASSERT(setup.post && setup.disk && setup.clock && setup.random && setup.access && setup.formats);
}

Shard::~Shard() = default;

Result<void> Shard::open(storage::OpenReport& report) {
  ASSERT(!store_);
  timers_.emplace(setup_.clock->now());
  Sink sink(*this);
  auto snapshot = [this](ByteVector& out) {
    if (directory_) directory_->snapshot(out);
  };
  auto opened = storage::Store::open(*setup_.disk, *setup_.clock, *setup_.random, setup_.store,
                                     sink, snapshot, report);
  if (!opened) return std::unexpected(opened.error());
  store_ = std::move(*opened);
  return sink.outcome;
}

void Shard::start(const Shard& directory) {
  ASSERT(store_);
  if (&directory != this) {
    for (const Change& change : directory.catalog_.changes(Catalog::Extent::whole)) {
      ASSERT(catalog_.apply(change).has_value());
    }
  }
  if (setup_.index == 0) {
    directory_.emplace(catalog_, *setup_.access, setup_.count, setup_.limits.queues_max,
                       next_queue_number_, static_cast<DirectoryHost&>(*this));
  }
  restore_queues();
}

// The catalog says which queues there are, the store what is in them. Lanes of queues that are not
// (any more) in the catalog are dropped: their deletion was decided, or they were never to outlive
// a stop.
void Shard::restore_queues() {
  boost::unordered_flat_map<QueueId, std::vector<storage::LaneState>> lanes;
  for (storage::LaneState& lane : store_->lanes()) {
    lanes[queue_of(lane.lane)].push_back(std::move(lane));
  }
  std::vector<const QueueEntry*> entries;
  catalog_.each_queue([&](const QueueEntry& entry) {
    if (shard_of(entry.id) == setup_.index) entries.push_back(&entry);
  });
  std::ranges::sort(entries, {}, &QueueEntry::id);
  for (const QueueEntry* entry : entries) {
    Queue* queue = add_queue(*entry);
    auto it = lanes.find(entry->id);
    if (it == lanes.end()) continue;
    for (const storage::LaneState& lane : it->second) queue->restore(lane);
    dirty_queues_.push_back(entry->id);
    lanes.erase(it);
  }
  for (const auto& [queue, states] : lanes) {
    for (const storage::LaneState& lane : states) store_->drop_lane(lane.lane);
  }
}

void Shard::begin_turn() {
  receive_mail();
  report_taken();
  take_fetched();
  notify_durable();
  timers_->advance(setup_.clock->now(), [this](QueueId id) {
    queue_timers_.erase(id);
    if (Queue* queue = find_local(id)) queue->on_timer();
  });
  dispatch_queues();
  watch_crowds();
  run_dead_letters();
  report_unused();
  shed_some();
  restate_alarm();
}

// The disk's answers are collected at the end of a turn; who waits for them has the next.
bool Shard::has_work() const {
  return !dirty_queues_.empty() || !dead_.empty() || !unused_.empty() || shed_left_ > 0 ||
         store_->durable_up_to() != notified_up_to_ || store_->failed() != notified_of_failure_;
}

// While memory is tight, queues are asked in turn to give up what they can do without; a few in a
// turn of the loop, so that a great number of them delays nobody. A new round begins only once
// memory has grown again by a part of what there is of it: what can be given up is found, and what
// cannot does not keep the shard busy.
void Shard::shed_some() {
  if (!memory_tight()) {
    shed_left_ = 0;
    shed_floor_ = 0;
    return;
  }
  shed_floor_ = std::min(shed_floor_, memory_bytes_);
  if (shed_left_ == 0) {
    if (memory_bytes_ - shed_floor_ < setup_.limits.memory_bytes_max / 64) return;
    shed_left_ = queue_list_.size();
  }
  shed_left_ = std::min(shed_left_, queue_list_.size());
  for (std::size_t asked = 0; asked < shed_queues_max && shed_left_ > 0; ++asked, --shed_left_) {
    if (shed_at_ >= queue_list_.size()) shed_at_ = 0;
    if (Queue* queue = find_local(queue_list_[shed_at_++])) queue->shed();
    if (!memory_tight()) break;
  }
  if (shed_left_ == 0) shed_floor_ = memory_bytes_;
}

void Shard::report_unused() {
  for (QueueUnused& report : std::exchange(unused_, {})) send_to(0, std::move(report));
}

void Shard::receive_mail() {
  std::vector<ShardMessage> batch;
  for (std::size_t batches = 0; batches < mail_batches_max; ++batches) {
    if (!setup_.post->receive(setup_.index, batch)) return;
    for (ShardMessage& message : batch) {
      std::visit([this](auto& body) { on(body); }, message);
    }
  }
  setup_.post->wake(setup_.index);
}

void Shard::dispatch_queues() {
  std::vector<QueueId> queues = std::exchange(dirty_queues_, {});
  for (QueueId id : queues) {
    if (Queue* queue = find_local(id)) queue->dispatch();
  }
}

void Shard::take_fetched() {
  store_->take_fetched(fetched_);
  for (storage::FetchResult& result : fetched_) {
    auto it = fetches_.find(result.token);
    ASSERT(it != fetches_.end());
    QueueId id = it->second;
    fetches_.erase(it);
    bool damaged = !result.records && result.records.error().code == Errc::malformed;
    if (damaged) ++unreadable_records_;
    if (Queue* queue = find_local(id)) queue->fetched(std::move(result));
  }
  fetched_.clear();
}

void Shard::end_turn() {
  send_live_mail();
  setup_.post->flush(setup_.index);
  store_->on_turn_end();
}

std::optional<Instant> Shard::next_deadline() const {
  std::optional<Instant> next = timers_->next();
  std::optional<Instant> disk = store_->next_deadline();
  if (disk && (!next || *disk < *next)) next = disk;
  std::optional<Instant> look = next_release();
  if (look && (!next || *look < *next)) next = look;
  return next;
}

void Shard::close() {
  ASSERT(sessions_.size() == 0);
  store_->close();
}

void Shard::send_to(ShardIndex shard, ShardMessage message) {
  if (shard == setup_.index) {
    std::visit([this](auto& body) { on(body); }, message);
  } else {
    setup_.post->send(setup_.index, shard, std::move(message));
  }
}

// ---- alarms: each shard tells all others of its own state, and its sessions of the sum

void Shard::restate_alarm() {
  Alarm own = alarms_[setup_.index];
  std::uint64_t limit = setup_.limits.memory_bytes_max;
  // Two marks, so that one message more or less does not ring.
  own.memory = memory_bytes_ > (own.memory ? limit / 10 * 8 : limit);
  own.disk = !store_->has_space();
  own.behind = store_->is_behind();
  if (own == alarms_[setup_.index]) return;
  for (ShardIndex shard = 0; shard < setup_.count; ++shard) {
    send_to(shard, AlarmAt{setup_.index, own});
  }
}

void Shard::on(AlarmAt& message) {
  Alarm before = alarm();
  alarms_[message.shard] = message.alarm;
  if (alarm() == before) return;
  sessions_.tell_all(alarm());
  for (SessionId session : held_) tell_to_wait(session);
}

void Shard::tell_to_wait(SessionId session) {
  Alarm alarm_and_mail = alarm();
  alarm_and_mail.behind = true;
  sessions_.tell(session, alarm_and_mail);
}

Alarm Shard::alarm() const {
  Alarm sum;
  for (const Alarm& one : alarms_) {
    sum.memory |= one.memory;
    sum.disk |= one.disk;
    sum.behind |= one.behind;
  }
  return sum;
}

void Shard::add_memory(std::int64_t bytes) {
  memory_bytes_ += static_cast<std::uint64_t>(bytes);
  ASSERT(static_cast<std::int64_t>(memory_bytes_) >= 0);
}

bool Shard::memory_tight() const { return memory_bytes_ > setup_.limits.memory_bytes_max / 2; }

Shard::Stats Shard::stats() const {
  Stats stats;
  stats.sessions = sessions_.size();
  stats.queues = queues_.size();
  for (const auto& [id, held] : queues_) {
    stats.ready += held.queue->ready();
    stats.leased += held.queue->leased();
  }
  stats.memory_bytes = memory_bytes_;
  if (store_) stats.store = store_->stats();
  return stats;
}

}  // namespace wharf::broker
