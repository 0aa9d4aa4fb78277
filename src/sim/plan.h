// sim/plan.h: what one seed decides once, before anything happens: how many of what, which features
// take part and how often things go wrong. Not every run has everything: what is absent lets the
// rest show. The topology is fixed for a run; queues may be deleted and declared again, bindings
// with them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/api.h"
#include "sim/options.h"
#include "sim/sim_disk.h"
#include "storage/store.h"

namespace wharf::sim {

using QueueIndex = std::size_t;

struct QueuePlan {
  std::string name;
  bool durable = true;
  bool counted = false;
  std::optional<std::uint32_t> ttl_ms{};
  std::optional<std::uint32_t> length_max{};
  broker::Overflow overflow = broker::Overflow::drop_head;
  std::uint8_t priority_max = 0;
  std::optional<std::uint32_t> delivery_limit{};
  std::optional<std::string> dead_letter_exchange{};
  std::optional<std::string> dead_letter_key{};
  bool single_active = false;
  bool auto_ack = false;  // consumed without acknowledgements as well

  // It may give messages up by itself.
  bool kills() const { return ttl_ms || length_max || counted; }
};

struct ExchangePlan {
  std::string name;
  std::string type;
  std::string alternate{};  // gets what no binding of this one takes
};

struct BindingPlan {
  std::size_t exchange = 0;
  QueueIndex queue = 0;
  std::string key;
};

// How often a client with nothing to wait for does what, in parts of their sum.
struct OperationWeights {
  std::uint32_t publish = 0;
  std::uint32_t settle = 0;
  std::uint32_t consume = 0;
  std::uint32_t cancel = 0;
  std::uint32_t get = 0;
  std::uint32_t qos = 0;
  std::uint32_t recover = 0;
  std::uint32_t purge = 0;
  std::uint32_t delete_queue = 0;
  std::uint32_t commit = 0;  // or roll back
  std::uint32_t close_channel = 0;
  std::uint32_t close_connection = 0;
  std::uint32_t pause_reading = 0;
};

struct FaultRates {  // per 100,000 steps
  std::uint32_t power_cut = 0;
  std::uint32_t kill = 0;
  std::uint32_t clean_stop = 0;
  std::uint32_t hang_up = 0;
  std::uint32_t disk_full = 0;
  std::uint32_t disk_broken = 0;
  std::uint32_t cut_in_recovery_permille = 0;  // of restarts
  std::uint32_t bit_flip_permille = 0;         // of clean stops
};

struct Plan {
  std::uint16_t shards = 1;
  std::size_t clients = 1;
  std::vector<QueuePlan> queues;
  std::vector<ExchangePlan> exchanges;
  std::vector<BindingPlan> bindings;
  std::vector<OperationWeights> weights;  // by client
  std::uint32_t confirm_permille = 500;   // of channels
  std::uint32_t tx_permille = 100;
  std::uint32_t persistent_permille = 800;
  std::uint32_t ttl_permille = 0;  // of messages
  std::uint32_t large_permille = 20;
  std::uint32_t frame_max = 131072;
  std::uint64_t memory_bytes_max = 64 << 20;
  std::uint32_t batch_max = 1;  // publishes in one go
  storage::StoreOptions store;
  DiskRates disk;
  FaultRates faults;
};

Plan make_plan(const SimOptions& options);

// Where a message goes as long as all queues are there: each queue once, ascending.
std::vector<QueueIndex> route(const Plan& plan, std::string_view exchange, std::string_view key);
// The queues of the exchange's alternate, ascending; empty when it has none.
std::vector<QueueIndex> route_alternate(const Plan& plan, std::string_view exchange);
std::optional<QueueIndex> find_queue(const Plan& plan, std::string_view name);

}  // namespace wharf::sim
