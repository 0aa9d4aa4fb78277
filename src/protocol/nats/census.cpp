#include "protocol/nats/census.h"

#include <utility>

namespace wharf::nats {

Census::~Census() {
  Block* block = first_.next.load();
  while (block) delete std::exchange(block, block->next.load());
}

ConnectionRow& Census::enter() {
  total_connections.fetch_add(1, std::memory_order_relaxed);
  Block* block = &first_;
  while (true) {
    for (ConnectionRow& row : block->rows) {
      bool free = !row.taken.load(std::memory_order_relaxed);
      if (free && !row.taken.exchange(true, std::memory_order_acquire)) return row;
    }
    Block* next = block->next.load(std::memory_order_acquire);
    if (!next) {
      auto made = std::make_unique<Block>();
      if (block->next.compare_exchange_strong(next, made.get())) next = made.release();
    }
    block = next;
  }
}

void Census::leave(ConnectionRow& row) {
  ConnectionCounters& counters = row.counters;
  gone_in_messages += counters.in_messages.exchange(0);
  gone_in_bytes += counters.in_bytes.exchange(0);
  gone_out_messages += counters.out_messages.exchange(0);
  gone_out_bytes += counters.out_bytes.exchange(0);
  counters.pending_bytes = 0;
  counters.subscriptions = 0;
  counters.last_activity_ms = 0;
  counters.rtt_us = 0;
  row.facts.store(nullptr);
  row.taken.store(false, std::memory_order_release);
}

std::vector<Census::Shown> Census::connections() const {
  std::vector<Shown> shown;
  for (const Block* block = &first_; block; block = block->next.load(std::memory_order_acquire)) {
    for (const ConnectionRow& row : block->rows) {
      if (auto facts = row.facts.load()) shown.push_back({std::move(facts), &row.counters});
    }
  }
  return shown;
}

}  // namespace wharf::nats
