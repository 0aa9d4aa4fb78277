// The end of a run: the broker is emptied, and what came out is compared with what must have.
#include "sim/world.h"

namespace wharf::sim {

namespace {
constexpr Duration settle_patience = std::chrono::seconds(15);
constexpr int rounds_max = 30;
}  // namespace

void World::drain() {
  trace_.note("the end begins");
  clients_act_ = false;
  accepts_connections_ = false;
  if (healed_at_) heal();
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    if (connections_[i]) hang_up(i);
  }
  settle_down(settle_patience);
  if (!failed()) restart_failed();
  if (!failed() && chance_.permille(700)) restart(static_cast<Restart>(chance_.below(3)));
  // The last chance for a bit to flip, while there are messages.
  if (!failed() && plan_.faults.bit_flip_permille > 0 && !flip_) restart(Restart::clean_stop);
  faults_on_ = false;
  if (failed()) return;

  clients_.clear();
  clients_.push_back(std::make_unique<Client>(plan_.clients, plan_, options_.seed, shadow_, clock_,
                                              trace_, last_uid_));
  clients_[0]->begin_drain();
  connections_.clear();
  connections_.resize(1);
  shadow_.begin_drain();
  empty_all();
  if (failed()) return;
  check_empty();
  shadow_.check_end();
  if (failed()) return;

  // What was settled stays settled over a clean stop.
  restart(Restart::clean_stop);
  if (!failed()) empty_all();
}

// Round after round, since what dies in one queue may turn up in another later.
void World::empty_all() {
  int quiet = 0;
  for (int round = 0; quiet < 2 && !failed(); ++round) {
    if (round == rounds_max) return shadow_.violate("the queues do not become empty");
    std::uint64_t found = drain_round();
    if (failed()) return;
    quiet = found == 0 ? quiet + 1 : 0;
    // Longer than any time to live.
    clock_.advance(std::chrono::seconds(6));
  }
  accepts_connections_ = false;
  if (connections_[0]) hang_up(0);
  settle_down(settle_patience);
}

std::uint64_t World::drain_round() {
  accepts_connections_ = true;
  clients_act_ = true;
  Client& client = *clients_[0];
  client.begin_drain_round();
  steps_max_ = steps_ + 200'000;
  while (!failed() && !client.drain_round_done()) {
    if (steps_ >= steps_max_) {
      shadow_.violate("no answer: the broker cannot be emptied, waiting for " +
                      client.waiting_for());
    } else if (!step()) {
      shadow_.violate("no answer: all is quiet, waiting for " + client.waiting_for());
    }
  }
  settle_down(settle_patience);
  return client.drained_in_round();
}

void World::check_empty() {
  for (broker::ShardIndex i = 0; i < broker_.count(); ++i) {
    broker::Shard::Stats stats = broker_.shard(i).stats();
    if (stats.ready == 0 && stats.leased == 0 && stats.memory_bytes == 0 && stats.sessions == 0) {
      continue;
    }
    shadow_.violate(
        fmt::format("shard {} is empty and holds {} ready, {} leased, {} bytes, {} sessions", i,
                    stats.ready, stats.leased, stats.memory_bytes, stats.sessions));
  }
}

}  // namespace wharf::sim
