#include "sim/sim_broker.h"

#include <utility>

#include "protocol/amqp/convert.h"

namespace wharf::sim {

namespace {

constexpr std::uint64_t disk_capacity_bytes = 64 << 20;

// Everything that a store would give back, in words, to be compared.
struct Recovered final : storage::RecoverySink {
  void on_snapshot(Bytes) override {}
  void on_meta(Bytes) override {}
};

std::string describe(const storage::Store& store) {
  std::map<std::uint64_t, std::string> lanes;
  for (const storage::LaneState& lane : store.lanes()) {
    std::string& text = lanes[lane.lane.value()];
    text = fmt::format("next {} count {} charge {} delivered {}", lane.next, lane.count,
                       lane.charge_bytes, lane.maybe_delivered);
    for (const auto& [sequence, failures] : lane.failures) {
      text += fmt::format(" {}x{}", sequence, failures);
    }
  }
  std::string all;
  for (const auto& [lane, text] : lanes) all += fmt::format("[{:x}: {}]", lane, text);
  return all;
}

}  // namespace

void Watch::declare_queue(broker::SessionId session, broker::RequestId request,
                          const broker::QueueSpec& spec, bool passive) {
  asked_[{session, request}] = spec.name;
  CoreProxy::declare_queue(session, request, spec, passive);
}

void Watch::take_events(broker::SessionId session, std::vector<broker::Event>& events) {
  std::size_t before = events.size();
  CoreProxy::take_events(session, events);
  for (std::size_t i = before; i < events.size(); ++i) {
    if (const auto* reply = std::get_if<broker::Reply>(&events[i])) on_reply(session, *reply);
    if (const auto* delivery = std::get_if<broker::Delivery>(&events[i])) on_delivery(*delivery);
  }
}

void Watch::on_reply(broker::SessionId session, const broker::Reply& reply) {
  if (!reply.outcome) return;
  if (const auto* declared = std::get_if<broker::QueueDeclared>(&*reply.outcome)) {
    auto it = asked_.find({session, reply.request});
    if (it == asked_.end()) return;
    watched_.owners[it->second] = broker::shard_of(declared->queue);
    watched_.names[declared->queue] = it->second;
    asked_.erase(it);
  } else if (const auto* got = std::get_if<broker::Got>(&*reply.outcome)) {
    if (got->delivery) on_delivery(*got->delivery);
  }
}

void Watch::on_delivery(const broker::Delivery& delivery) {
  if (!delivery.leased) return;
  each_mark(delivery.message.properties(), [&](Mark mark, MessageId id) {
    if (mark == Mark::head) leased_[{delivery.queue, delivery.record}] = id;
  });
}

void Watch::settle(broker::SessionId session, broker::QueueId queue,
                   std::span<const broker::RecordRef> records, broker::Disposition disposition,
                   std::optional<broker::Token> receipt) {
  for (const broker::RecordRef& record : records) {
    auto it = leased_.find({queue, record});
    if (it == leased_.end()) continue;
    if (disposition == broker::Disposition::release) {
      watched_.on_release(watched_.names[queue], it->second);
    }
    leased_.erase(it);
  }
  CoreProxy::settle(session, queue, records, disposition, receipt);
}

SimBroker::SimBroker(const SimOptions& options, const Plan& plan, SimClock& clock, Trace& trace)
    : plan_(plan),
      bug_(options.bug),
      clock_(clock),
      trace_(trace),
      bug_chance_(options.seed, Stream::broker, 1000),
      woken_(plan.shards, false) {
  formats_.add(amqp::amqp_format, amqp::read_headers, amqp::read_common);
  for (broker::ShardIndex i = 0; i < plan.shards; ++i) {
    chances_.push_back(std::make_unique<Chance>(options.seed, Stream::broker, i));
    disks_.push_back(
        std::make_unique<SimDisk>(clock, options.seed, i, plan.disk, disk_capacity_bytes));
    buggy_disks_.push_back(make_buggy_disk(bug_, *disks_.back()));
  }
}

SimBroker::~SimBroker() { drop_shards(); }

broker::ShardSetup SimBroker::setup_of(broker::ShardIndex index, bool accept_damage) {
  broker::ShardSetup setup;
  setup.index = index;
  setup.count = plan_.shards;
  setup.post = post_.get();
  setup.disk = disks_[index].get();
  if (buggy_disks_[index]) setup.disk = buggy_disks_[index].get();
  setup.clock = &clock_;
  setup.random = &chances_[index]->random();
  setup.access = &access_;
  setup.formats = &formats_;
  setup.store = plan_.store;
  setup.store.accept_damage = accept_damage;
  setup.limits.memory_bytes_max = plan_.memory_bytes_max;
  return setup;
}

SimBroker::Opened SimBroker::open(bool accept_damage) {
  ASSERT(!up());
  Opened opened;
  opened.reports.resize(plan_.shards);
  post_ = std::make_unique<broker::ShardPost>(plan_.shards,
                                              [this](std::size_t to) { woken_[to] = true; });
  std::vector<std::unique_ptr<broker::Shard>> shards;
  for (broker::ShardIndex i = 0; i < plan_.shards; ++i) {
    shards.push_back(std::make_unique<broker::Shard>(setup_of(i, accept_damage)));
    disks_[i]->set_inline(true);
    Result<void> result = shards.back()->open(opened.reports[i]);
    disks_[i]->set_inline(false);
    opened.cut |= disks_[i]->was_cut();
    if (!result && opened.why.empty()) {
      opened.why = fmt::format("shard {}: {}", i, result.error().why);
    }
  }
  if (opened.cut) opened.why.clear();
  if (opened.cut || !opened.why.empty()) return opened;
  for (auto& shard : shards) shard->start(*shards[0]);
  shards_ = std::move(shards);
  for (auto& shard : shards_) {
    buggy_cores_.push_back(make_buggy_core(bug_, *shard, bug_chance_));
    broker::Core& core = buggy_cores_.back() ? *buggy_cores_.back() : *shard;
    cores_.push_back(std::make_unique<Watch>(core, watched_));
  }
  woken_.assign(plan_.shards, true);
  opened.up = true;
  return opened;
}

void SimBroker::drop_shards() {
  cores_.clear();
  buggy_cores_.clear();
  shards_.clear();
  post_.reset();
}

void SimBroker::power_cut() {
  drop_shards();
  for (auto& disk : disks_) {
    disk->power_cut();
    spoil_before_recovery(bug_, *disk);
  }
}

void SimBroker::kill() {
  drop_shards();
  for (auto& disk : disks_) {
    disk->kill();
    spoil_before_recovery(bug_, *disk);
  }
}

void SimBroker::stop() {
  for (broker::ShardIndex i = 0; i < plan_.shards; ++i) {
    disks_[i]->set_inline(true);
    shards_[i]->close();
    disks_[i]->set_inline(false);
  }
  drop_shards();
}

std::string SimBroker::recover_twice(std::uint64_t cut_after, bool accept_damage) {
  storage::StoreOptions options = plan_.store;
  options.accept_damage = accept_damage;
  for (broker::ShardIndex i = 0; i < plan_.shards; ++i) {
    SimDisk disk(*disks_[i]);
    disk.set_inline(true);
    std::string first;
    for (int life = 0; life < 3; ++life) {
      Recovered sink;
      storage::OpenReport report;
      SeededRandom random(cut_after);
      // The second life is cut short; the third must find what the first found.
      if (life == 1) disk.cut_after(cut_after);
      Result<std::unique_ptr<storage::Store>> store =
          storage::Store::open(disk, clock_, random, options, sink, [](ByteVector&) {}, report);
      if (life != 1 && !store) {
        return fmt::format("shard {} does not open: {}", i, store.error().why);
      }
      if (life == 0) first = describe(**store);
      if (life == 2) {
        std::string second = describe(**store);
        if (first != second) return fmt::format("shard {}: {} became {}", i, first, second);
      }
      if (store) store->reset();
      disk.power_cut();
    }
  }
  return {};
}

std::optional<broker::ShardIndex> SimBroker::owner(std::string_view queue) const {
  auto it = watched_.owners.find(queue);
  if (it == watched_.owners.end()) return std::nullopt;
  return it->second;
}

bool SimBroker::runnable(broker::ShardIndex shard) const {
  if (woken_[shard]) return true;
  std::optional<Instant> deadline = shards_[shard]->next_deadline();
  return deadline && *deadline <= clock_.now();
}

void SimBroker::begin_turn(broker::ShardIndex shard) {
  woken_[shard] = false;
  shards_[shard]->begin_turn();
}

void SimBroker::end_turn(broker::ShardIndex shard) {
  shards_[shard]->end_turn();
  if (shards_[shard]->has_work()) woken_[shard] = true;
}

std::optional<Instant> SimBroker::next_deadline() const {
  std::optional<Instant> next;
  for (const auto& shard : shards_) {
    std::optional<Instant> one = shard->next_deadline();
    if (one && (!next || *one < *next)) next = one;
  }
  return next;
}

bool SimBroker::any_failed() const {
  for (const auto& shard : shards_) {
    if (shard->failed()) return true;
  }
  return false;
}

}  // namespace wharf::sim
