#include "sim/plan.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "sim/chance.h"

namespace wharf::sim {

namespace {

constexpr std::string_view keys[] = {"a.b", "a.c", "b.c", "a.b.c"};

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    std::size_t dot = text.find('.');
    words.push_back(text.substr(0, dot));
    if (dot == text.npos) return words;
    text.remove_prefix(dot + 1);
  }
}

bool topic_matches(std::span<const std::string_view> pattern,
                   std::span<const std::string_view> key) {
  if (pattern.empty()) return key.empty();
  if (pattern[0] == "#") {
    for (std::size_t skipped = 0; skipped <= key.size(); ++skipped) {
      if (topic_matches(pattern.subspan(1), key.subspan(skipped))) return true;
    }
    return false;
  }
  if (key.empty() || (pattern[0] != "*" && pattern[0] != key[0])) return false;
  return topic_matches(pattern.subspan(1), key.subspan(1));
}

bool matches(std::string_view type, std::string_view pattern, std::string_view key) {
  if (type == "fanout") return true;
  if (type == "direct") return pattern == key;
  return topic_matches(words_of(pattern), words_of(key));
}

QueuePlan make_queue(Chance& chance, std::size_t index) {
  QueuePlan queue;
  queue.name = fmt::format("q{}", index);
  switch (chance.below(10)) {
    case 0:
      queue.durable = false;
      break;
    case 1:
      queue.ttl_ms =
          static_cast<std::uint32_t>(chance.coin() ? chance.below(50) : chance.below(5000));
      break;
    case 2:
      queue.length_max = static_cast<std::uint32_t>(chance.between(1, 20));
      queue.overflow = static_cast<broker::Overflow>(chance.below(3));
      break;
    case 3:
      queue.priority_max = static_cast<std::uint8_t>(chance.between(1, 9));
      break;
    case 4:
    case 5:
      queue.counted = true;
      queue.delivery_limit = static_cast<std::uint32_t>(chance.between(1, 5));
      break;
    case 6:
      queue.auto_ack = true;
      break;
    default:
      break;
  }
  // The last word on overflow needs a place for what is refused.
  bool wants_dead_letters = queue.overflow == broker::Overflow::reject_publish_dead_letter;
  if (wants_dead_letters || chance.permille(400)) {
    queue.dead_letter_exchange = chance.coin() ? "dead" : "";
    if (queue.dead_letter_exchange->empty()) queue.dead_letter_key = "dlq";
  }
  return queue;
}

void make_topology(Plan& plan, Chance& chance) {
  std::size_t count = chance.between(1, 6);
  for (std::size_t i = 0; i < count; ++i) plan.queues.push_back(make_queue(chance, i));
  plan.queues.push_back({.name = "dlq"});
  plan.exchanges = {{"dead", "fanout"}, {"d", "direct"}, {"f", "fanout"}, {"t", "topic"}};
  plan.bindings.push_back({0, count, ""});
  if (chance.permille(300)) {
    // A retry loop: refused by q0, it waits in a queue that nobody reads, and comes back.
    plan.queues.push_back({.name = "retry",
                           .ttl_ms = static_cast<std::uint32_t>(chance.between(1, 500)),
                           .dead_letter_exchange = "",
                           .dead_letter_key = "q0"});
    plan.queues[0].dead_letter_exchange = "";
    plan.queues[0].dead_letter_key = "retry";
  }
  constexpr std::string_view patterns[] = {"#", "a.*", "*.c", "a.#", "a.b", "#.c"};
  for (std::size_t i = 0; i < count; ++i) {
    std::set<std::pair<std::size_t, std::string>> made;
    for (std::uint64_t n = chance.below(4); n > 0; --n) {
      std::size_t exchange = chance.between(1, 3);
      std::string key(exchange == 3 ? patterns[chance.below(std::size(patterns))]
                                    : keys[chance.below(std::size(keys))]);
      if (made.insert({exchange, key}).second) plan.bindings.push_back({exchange, i, key});
    }
  }
}

OperationWeights make_weights(Chance& chance) {
  OperationWeights weights;
  auto some = [&](std::uint64_t permille, std::uint64_t high) {
    return chance.permille(permille) ? static_cast<std::uint32_t>(chance.between(1, high)) : 0u;
  };
  bool publisher = chance.permille(650);
  bool consumer = !publisher || chance.permille(500);
  if (publisher) weights.publish = static_cast<std::uint32_t>(chance.between(20, 100));
  if (consumer) {
    weights.settle = static_cast<std::uint32_t>(chance.between(20, 100));
    weights.consume = static_cast<std::uint32_t>(chance.between(2, 15));
    weights.cancel = some(400, 5);
    weights.get = some(300, 20);
    weights.qos = some(500, 4);
    weights.recover = some(300, 4);
    weights.pause_reading = some(300, 4);
  }
  weights.commit = static_cast<std::uint32_t>(chance.between(5, 20));
  weights.purge = some(100, 2);
  weights.delete_queue = some(100, 2);
  weights.close_channel = some(400, 3);
  weights.close_connection = some(400, 2);
  return weights;
}

void make_faults(Plan& plan, Chance& chance) {
  FaultRates& faults = plan.faults;
  auto sometimes = [&](std::uint64_t permille, std::uint64_t high) {
    return chance.permille(permille) ? static_cast<std::uint32_t>(chance.between(1, high)) : 0u;
  };
  if (chance.permille(150)) return;  // a run in which nothing breaks
  faults.power_cut = sometimes(600, 60);
  faults.kill = sometimes(300, 40);
  faults.clean_stop = sometimes(300, 40);
  faults.hang_up = sometimes(500, 200);
  faults.disk_full = sometimes(200, 40);
  faults.disk_broken = sometimes(150, 30);
  faults.cut_in_recovery_permille = sometimes(300, 500);
  plan.disk.stall_permille = sometimes(250, 20);
}

storage::StoreOptions make_store(Chance& chance) {
  storage::StoreOptions store;
  store.segment_bytes = std::uint64_t{64} << (10 + chance.below(3));
  store.block_bytes_max = std::uint64_t{8} << (10 + chance.below(3));
  store.snapshot_interval_bytes = store.segment_bytes * chance.between(1, 4);
  store.pending_bytes_max = chance.permille(200) ? 64 << 10 : 8 << 20;
  store.free_bytes_min = 256 << 10;
  store.spare_segments = static_cast<std::uint32_t>(chance.between(1, 2));
  store.clean_segments_min = static_cast<std::uint32_t>(chance.between(2, 4));
  return store;
}

// What came to the plan later draws from a stream of its own, so that the seeds of before mean what
// they meant.
void make_additions(Plan& plan, Chance chance) {
  for (QueuePlan& queue : plan.queues) {
    // The clients get messages one by one, which a counted one of these refuses.
    queue.single_active = chance.permille(100) && !queue.counted;
  }
  if (chance.permille(300)) {
    plan.exchanges.push_back({"alt", "fanout"});
    plan.exchanges[1].alternate = "alt";
    plan.bindings.push_back({plan.exchanges.size() - 1, 0, ""});
  }
  if (chance.permille(400)) plan.faults.bit_flip_permille = 700;
}

}  // namespace

Plan make_plan(const SimOptions& options) {
  Chance chance(options.seed, Stream::plan);
  Plan plan;
  plan.shards = static_cast<std::uint16_t>(chance.between(1, 3));
  if (options.shards != 0) plan.shards = options.shards;
  plan.clients = chance.between(1, 4);
  make_topology(plan, chance);
  for (std::size_t i = 0; i < plan.clients; ++i) plan.weights.push_back(make_weights(chance));
  // Somebody must have something to say.
  if (plan.weights[0].publish == 0) plan.weights[0].publish = 50;
  plan.confirm_permille = static_cast<std::uint32_t>(chance.below(1001));
  plan.tx_permille = chance.permille(300) ? static_cast<std::uint32_t>(chance.below(500)) : 0;
  plan.persistent_permille = static_cast<std::uint32_t>(chance.between(500, 1000));
  plan.ttl_permille = chance.permille(200) ? 100 : 0;
  plan.large_permille = chance.permille(300) ? 100 : 10;
  plan.frame_max = chance.coin() ? 4096 : 131072;
  plan.memory_bytes_max = chance.permille(200) ? 32 << 10 : 64 << 20;
  plan.batch_max = static_cast<std::uint32_t>(chance.between(1, 8));
  plan.store = make_store(chance);
  make_faults(plan, chance);
  make_additions(plan, Chance(options.seed, Stream::plan, 1));
  return plan;
}

std::vector<QueueIndex> route(const Plan& plan, std::string_view exchange, std::string_view key) {
  std::vector<QueueIndex> queues;
  if (exchange.empty()) {
    if (std::optional<QueueIndex> queue = find_queue(plan, key)) queues.push_back(*queue);
    return queues;
  }
  for (const BindingPlan& binding : plan.bindings) {
    const ExchangePlan& from = plan.exchanges[binding.exchange];
    if (from.name == exchange && matches(from.type, binding.key, key))
      queues.push_back(binding.queue);
  }
  if (queues.empty()) return route_alternate(plan, exchange);
  std::ranges::sort(queues);
  queues.erase(std::ranges::unique(queues).begin(), queues.end());
  return queues;
}

std::vector<QueueIndex> route_alternate(const Plan& plan, std::string_view exchange) {
  auto it = std::ranges::find(plan.exchanges, exchange, &ExchangePlan::name);
  if (it == plan.exchanges.end() || it->alternate.empty()) return {};
  return route(plan, it->alternate, "");
}

std::optional<QueueIndex> find_queue(const Plan& plan, std::string_view name) {
  for (QueueIndex i = 0; i < plan.queues.size(); ++i) {
    if (plan.queues[i].name == name) return i;
  }
  return std::nullopt;
}

}  // namespace wharf::sim
