// The scheduler. Faults are in world_faults.cpp, the end of a run in world_end.cpp.
#include "sim/world.h"

#include <algorithm>

namespace wharf::sim {

namespace {

constexpr Duration wait_max = std::chrono::seconds(300);
constexpr Duration jump_max = std::chrono::seconds(10);
constexpr std::uint64_t steps_base = 60'000;
constexpr std::uint64_t steps_per_operation = 400;

amqp::AmqpOptions make_amqp_options(Chance& chance) {
  amqp::AmqpOptions options;
  options.heartbeat_s = 0;
  options.handshake_timeout = std::chrono::hours(24);
  options.ack_timeout = Duration::zero();
  if (chance.permille(300))
    options.credit_messages = static_cast<std::uint32_t>(chance.between(1, 10));
  if (chance.permille(300)) options.credit_bytes = chance.between(1, 20'000);
  if (chance.permille(300)) options.output_high = chance.between(4'000, 64'000);
  return options;
}

}  // namespace

World::Weights::Weights(Chance& chance) {
  for (std::uint32_t* weight : {&turn, &disk, &act, &flush, &read}) {
    *weight = static_cast<std::uint32_t>(chance.between(1, 20));
  }
}

World::World(const SimOptions& options)
    : options_(options),
      plan_(make_plan(options)),
      trace_(options.verbose),
      chance_(options.seed, Stream::schedule),
      weights_(chance_),
      amqp_(make_amqp_options(chance_)),
      broker_(options, plan_, clock_, trace_),
      shadow_(plan_, clock_, trace_,
              {[this](QueueIndex queue, MessageId message, std::size_t body_size) {
                 auto owner = broker_.owner(plan_.queues[queue].name);
                 return owner && broker_.disk(*owner).has_synced(message, body_size);
               },
               [this](QueueIndex queue) {
                 auto owner = broker_.owner(plan_.queues[queue].name);
                 return owner ? broker_.shard(*owner).unreadable_records() : 0;
               }}) {
  for (std::size_t i = 0; i < plan_.clients; ++i) {
    clients_.push_back(
        std::make_unique<Client>(i, plan_, options.seed, shadow_, clock_, trace_, last_uid_));
  }
  connections_.resize(clients_.size());
  broker_.watched().on_release = [this](std::string_view queue, MessageId message) {
    if (std::optional<QueueIndex> index = find_queue(plan_, queue))
      shadow_.released(*index, message);
  };
  steps_max_ = steps_base + steps_per_operation * options.operations;
}

World::~World() {
  connections_.clear();
  orphans_.clear();
}

void World::describe_plan() {
  trace_.note("{} shards, {} clients, memory {} bytes, segments of {} bytes", plan_.shards,
              plan_.clients, plan_.memory_bytes_max, plan_.store.segment_bytes);
  for (const QueuePlan& queue : plan_.queues) {
    trace_.note("queue {}:{}{}{}{}{} overflow {} ttl {} length {} limit {} dead to '{}' {}",
                queue.name, queue.durable ? " durable" : "", queue.counted ? " counted" : "",
                queue.auto_ack ? " auto-ack" : "", queue.single_active ? " single-active" : "",
                queue.priority_max ? " priorities" : "", static_cast<int>(queue.overflow),
                queue.ttl_ms.value_or(0), queue.length_max.value_or(0),
                queue.delivery_limit.value_or(0), queue.dead_letter_exchange.value_or("-"),
                queue.dead_letter_key.value_or("-"));
  }
  for (const BindingPlan& binding : plan_.bindings) {
    trace_.note("binding {} {} -> {}", plan_.exchanges[binding.exchange].name, binding.key,
                plan_.queues[binding.queue].name);
  }
}

SimReport World::run() {
  describe_plan();
  reopen();
  if (!failed()) work();
  if (!failed()) drain();
  SimReport report;
  report.steps = steps_;
  report.messages = shadow_.message_count();
  report.confirms = shadow_.confirm_count();
  report.deliveries = shadow_.delivery_count();
  report.restarts = restarts_;
  report.power_cuts = power_cuts_;
  report.faults = faults_;
  for (broker::ShardIndex i = 0; i < broker_.count(); ++i) {
    report.faults += broker_.disk(i).stalls() + broker_.disk(i).torn_sectors();
    trace_.count("disk: stall", broker_.disk(i).stalls());
    trace_.count("disk: unsynced sector lost", broker_.disk(i).torn_sectors());
    trace_.count("disk: write torn", broker_.disk(i).torn_writes());
  }
  report.tally = trace_.tally();
  trace_.mix(steps_);
  report.digest = trace_.digest();
  report.violation = shadow_.violation();
  return report;
}

void World::work() {
  auto operations = [&] {
    std::uint64_t sum = 0;
    for (const auto& client : clients_) sum += client->operations();
    return sum;
  };
  std::uint64_t steps_end = steps_max_;
  while (!failed() && steps_ < steps_end && operations() < options_.operations) {
    maybe_fail();
    if (failed()) return;
    if (!step()) break;
    if (steps_ % 256 == 0) check_waits();
  }
  steps_max_ = steps_ + steps_base;
}

// ---- one step

bool World::step() {
  ++steps_;
  trace_.set_step(steps_);
  clock_.advance(chance_.between(std::chrono::microseconds(1), std::chrono::microseconds(20)));
  collect_choices();
  if (choices_.empty()) return wait_for_deadline(wait_max);
  if (chance_.permille(30)) wait_for_deadline(jump_max);
  std::uint32_t sum = 0;
  for (const Choice& choice : choices_) sum += choice.weight;
  auto point = static_cast<std::uint32_t>(chance_.below(sum));
  for (const Choice& choice : choices_) {
    if (point < choice.weight) {
      carry_out(choice);
      break;
    }
    point -= choice.weight;
  }
  return true;
}

void World::collect_choices() {
  choices_.clear();
  for (broker::ShardIndex i = 0; i < broker_.count(); ++i) {
    bool runnable = broker_.runnable(i);
    auto wants_turn = [&](const std::unique_ptr<Connection>& connection) {
      return connection && connection->shard() == i && !connection->closed() &&
             (connection->arriving() > 0 || connection->runnable(clock_.now()));
    };
    runnable = runnable || std::ranges::any_of(connections_, wants_turn) ||
               std::ranges::any_of(orphans_, wants_turn);
    if (runnable) choices_.push_back({Action::turn, i, weights_.turn});
    if (broker_.disk(i).can_step()) choices_.push_back({Action::disk, i, weights_.disk});
  }
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    Client& client = *clients_[i];
    Connection* connection = connections_[i].get();
    if (!connection) {
      if (accepts_connections_) choices_.push_back({Action::connect, i, weights_.act});
      continue;
    }
    if (clients_act_ && client.may_act()) choices_.push_back({Action::act, i, weights_.act});
    if (connection->flushable() > 0) choices_.push_back({Action::flush, i, weights_.flush});
    bool something = !connection->inbox().empty() || connection->closed();
    if (something && client.reads_at(clock_.now())) {
      choices_.push_back({Action::read, i, weights_.read});
    }
  }
  for (std::size_t i = 0; i < orphans_.size(); ++i) {
    if (orphans_[i]->flushable() > 0) {
      choices_.push_back({Action::flush, connections_.size() + i, weights_.flush});
    }
  }
}

void World::carry_out(const Choice& choice) {
  trace_.mix(static_cast<std::uint64_t>(choice.action) << 32 | choice.index);
  switch (choice.action) {
    case Action::turn:
      return turn(static_cast<broker::ShardIndex>(choice.index));
    case Action::disk: {
      auto shard = static_cast<broker::ShardIndex>(choice.index);
      if (broker_.disk(shard).step()) broker_.wake(shard);
      return;
    }
    case Action::act:
      (void)clients_[choice.index]->act();
      return;
    case Action::flush: {
      std::size_t index = choice.index;
      bool orphan = index >= connections_.size();
      Connection& connection =
          orphan ? *orphans_[index - connections_.size()] : *connections_[index];
      std::size_t size = connection.flushable();
      return connection.flush(chance_.coin() ? size : chance_.skewed(size));
    }
    case Action::read:
      clients_[choice.index]->read();
      if (connections_[choice.index]->closed()) {
        clients_[choice.index]->lost();
        connections_[choice.index].reset();
      }
      return;
    case Action::connect:
      return connect(choice.index);
  }
}

void World::turn(broker::ShardIndex shard) {
  auto each = [&](auto&& visit) {
    for (auto* list : {&connections_, &orphans_}) {
      for (auto& connection : *list) {
        if (connection && connection->shard() == shard && !connection->closed()) visit(*connection);
      }
    }
  };
  each([&](Connection& connection) {
    std::size_t size = connection.arriving();
    if (size == 0 || chance_.permille(300)) return;
    connection.arrive(chance_.coin() ? size : chance_.skewed(size));
  });
  broker_.begin_turn(shard);
  each([&](Connection& connection) { connection.work(clock_.now()); });
  broker_.end_turn(shard);
  check_unreadable(shard);
  each([&](Connection& connection) {
    if (!connection.finished()) return;
    connection.close();
    broker_.wake(shard);
  });
  std::erase_if(orphans_, [](const auto& connection) { return connection->closed(); });
}

void World::connect(std::size_t index) {
  auto shard = static_cast<broker::ShardIndex>(chance_.below(broker_.count()));
  Client& client = *clients_[index];
  connections_[index] = std::make_unique<Connection>(
      shard, broker_.core(shard), amqp_, [&client](Bytes output) { client.overhear(output); });
  client.connect(*connections_[index]);
  trace_.note("client {} connects to shard {}", index, shard);
}

// ---- time

std::optional<Instant> World::next_deadline() const {
  std::optional<Instant> next = broker_.next_deadline();
  auto consider = [&](std::optional<Instant> moment) {
    if (moment && (!next || *moment < *next)) next = moment;
  };
  for (broker::ShardIndex i = 0; i < broker_.count(); ++i) {
    consider(broker_.disk(i).next_ready());
  }
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    if (!connections_[i]) continue;
    if (!connections_[i]->closed()) consider(connections_[i]->next_deadline());
    consider(clients_[i]->pause_end());
  }
  for (const auto& orphan : orphans_) consider(orphan->next_deadline());
  consider(healed_at_);
  return next;
}

bool World::wait_for_deadline(Duration longest) {
  std::optional<Instant> next = next_deadline();
  if (!next || *next > clock_.now() + longest) return false;
  clock_.advance_to(*next);
  return true;
}

// Whoever asked is answered, unless the broker holds its publishers back.
void World::check_waits() {
  if (healed_at_ || broker_.any_failed()) return;
  for (const auto& client : clients_) {
    std::optional<Instant> since = client->waiting_since();
    if (!since || client->blocked() || clock_.now() - *since < wait_max) continue;
    shadow_.violate(fmt::format(
        "no answer: a client has waited for {} for {} s", client->waiting_for(),
        std::chrono::duration_cast<std::chrono::seconds>(clock_.now() - *since).count()));
  }
}

void World::settle_down(Duration patience) {
  while (!failed()) {
    if (steps_ >= steps_max_) return shadow_.violate("the broker never comes to rest");
    ++steps_;
    trace_.set_step(steps_);
    collect_choices();
    if (choices_.empty()) {
      if (!wait_for_deadline(patience)) return;
      continue;
    }
    carry_out(choices_[chance_.below(choices_.size())]);
    clock_.advance(std::chrono::microseconds(5));
  }
}

}  // namespace wharf::sim
