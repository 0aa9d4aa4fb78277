// What goes wrong in a run, and how the broker comes back.
#include <algorithm>

#include "sim/world.h"

namespace wharf::sim {

namespace {
constexpr Duration settle_patience = std::chrono::seconds(15);
}  // namespace

void World::maybe_fail() {
  if (healed_at_ && *healed_at_ <= clock_.now()) heal();
  if (!healed_at_) restart_failed();
  if (failed()) return;
  const FaultRates& rates = plan_.faults;
  std::uint64_t point = chance_.below(100'000);
  auto hit = [&](std::uint32_t rate) {
    bool is_hit = point < rate;
    point = is_hit ? ~std::uint64_t{0} : point - rate;
    return is_hit;
  };
  if (hit(rates.power_cut)) return restart(Restart::power_cut);
  if (hit(rates.kill)) return restart(Restart::kill);
  if (hit(rates.clean_stop)) return restart(Restart::clean_stop);
  if (hit(rates.hang_up)) return hang_up_one();
  if (hit(rates.disk_full)) return break_disk(false);
  if (hit(rates.disk_broken)) return break_disk(true);
}

void World::hang_up_one() {
  std::size_t index = chance_.below(clients_.size());
  if (connections_[index] && clients_[index]->may_hang_up()) hang_up(index);
}

void World::hang_up(std::size_t index) {
  trace_.note("client {} hangs up", index);
  std::unique_ptr<Connection> connection = std::move(connections_[index]);
  connection->hang_up(chance_.below(connection->arriving() + 1));
  clients_[index]->lost();
  broker::ShardIndex shard = connection->shard();
  if (!connection->closed()) orphans_.push_back(std::move(connection));
  broker_.wake(shard);
}

void World::break_disk(bool broken) {
  if (healed_at_) return;
  ++faults_;
  SimDisk& disk = broker_.disk(static_cast<broker::ShardIndex>(chance_.below(broker_.count())));
  trace_.note("a disk {}", broken ? "breaks" : "fills up");
  if (broken) {
    disk.break_writes();
  } else {
    disk.fill_up();
  }
  healed_at_ =
      clock_.now() + chance_.between(std::chrono::milliseconds(1), std::chrono::seconds(20));
}

void World::heal() {
  healed_at_.reset();
  for (broker::ShardIndex i = 0; i < broker_.count(); ++i) broker_.disk(i).repair();
  trace_.note("disks are mended");
}

// A shard whose log has failed stays so until it is started again. It may fail after the disk is
// mended, when the write that was refused is answered.
void World::restart_failed() {
  if (broker_.any_failed()) restart(chance_.coin() ? Restart::kill : Restart::power_cut);
}

// ---- restarts

void World::restart(Restart kind) {
  ++restarts_;
  bool clean = kind == Restart::clean_stop && !healed_at_ && !broker_.any_failed();
  if (clean) {
    stop_cleanly();
    if (failed()) return;
  } else {
    trace_.note("{}", kind == Restart::power_cut ? "power cut" : "kill");
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      // What had reached a client's machine it may still read.
      if (connections_[i] && chance_.coin()) clients_[i]->read();
    }
    shadow_.restarted(false);
    for (auto& client : clients_) client->forget_connection();
    connections_.clear();
    connections_.resize(clients_.size());
    orphans_.clear();
    if (kind == Restart::power_cut) {
      ++power_cuts_;
      broker_.power_cut();
    } else {
      broker_.kill();
    }
    for (broker::ShardIndex i = 0; i < broker_.count(); ++i) broker_.disk(i).repair();
    healed_at_.reset();
  }
  if (!failed()) reopen();
}

void World::stop_cleanly() {
  trace_.note("clean stop");
  bool acted = std::exchange(clients_act_, false);
  bool accepted = std::exchange(accepts_connections_, false);
  for (auto& connection : connections_) {
    if (connection && !connection->closed()) connection->shut_down();
  }
  settle_down(settle_patience);
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    if (connections_[i]) hang_up(i);
  }
  settle_down(settle_patience);
  clients_act_ = acted;
  accepts_connections_ = accepted;
  if (failed()) return;
  if (!orphans_.empty()) return shadow_.violate("a session does not end");
  broker_.stop();
  shadow_.restarted(true);
  if (faults_on_ && chance_.permille(plan_.faults.bit_flip_permille)) flip_a_bit();
}

// One bit of a block that was written before the stop. What it held must be reported, or be whole.
void World::flip_a_bit() {
  SimDisk& disk = broker_.disk(static_cast<broker::ShardIndex>(chance_.below(broker_.count())));
  if (disk.recent_writes().empty()) return;
  const Extent& extent = disk.recent_writes()[chance_.below(disk.recent_writes().size())];
  std::vector<MessageId> messages = disk.messages_in(extent);
  if (!disk.flip_bit(extent, chance_.random().next())) return;
  ++faults_;
  trace_.note("a bit flips in {} at {}, among {} messages", extent.file, extent.offset,
              messages.size());
  at_risk_ = std::move(messages);
  flipped_ = true;
}

void World::reopen() {
  std::uint64_t cut_permille = faults_on_ ? plan_.faults.cut_in_recovery_permille : 0;
  if (restarts_ > 0 && chance_.permille(100)) {
    std::string differs = broker_.recover_twice(chance_.below(30));
    if (!differs.empty() && !flipped_) {
      return shadow_.violate("recovering twice is not recovering once: " + differs);
    }
  }
  while (true) {
    bool cut = chance_.permille(cut_permille);
    auto shard = static_cast<broker::ShardIndex>(chance_.below(broker_.count()));
    if (cut) broker_.disk(shard).cut_after(chance_.below(20));
    SimBroker::Opened opened = broker_.open(accept_damage_);
    if (opened.cut) {
      trace_.note("power cut in recovery");
      ++power_cuts_;
      broker_.power_cut();
      continue;
    }
    if (opened.up) {
      for (broker::ShardIndex i = 0; i < broker_.count(); ++i) broker_.disk(i).cut_never();
      break;
    }
    if (!flipped_ || accept_damage_) return shadow_.violate("does not open: " + opened.why);
    trace_.note("damage is reported: {}", opened.why);
    accept_damage_ = true;
    shadow_.damaged(at_risk_);
    broker_.kill();
  }
  accept_damage_ = false;
  flipped_ = false;
  at_risk_.clear();
  trace_.note("up again");
}

}  // namespace wharf::sim
