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
  trace_.count("hang-up");
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
  trace_.count(broken ? "disk: broken" : "disk: full");
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
  if (!broker_.any_failed()) return;
  trace_.count("disk: a log failed");
  restart(chance_.coin() ? Restart::kill : Restart::power_cut);
}

// ---- restarts

void World::restart(Restart kind) {
  ++restarts_;
  bool clean = kind == Restart::clean_stop && !healed_at_ && !broker_.any_failed();
  if (clean) {
    stop_cleanly();
    if (failed()) return;
  } else {
    const char* how = kind == Restart::power_cut ? "power cut" : "kill";
    trace_.note("{}", how);
    trace_.count(how);
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
  trace_.count("clean stop");
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

// ---- bit flips

// One bit of a block that was written before the stop, or of any other file. What it held must be
// reported, or be whole.
void World::flip_a_bit() {
  if (flip_) return;
  Flip flip;
  flip.shard = static_cast<broker::ShardIndex>(chance_.below(broker_.count()));
  SimDisk& disk = broker_.disk(flip.shard);
  const std::deque<Extent>& writes = disk.recent_writes();
  bool in_log = chance_.coin() && !writes.empty();
  flip.extent = in_log ? writes[chance_.below(writes.size())] : disk.some_small_file();
  if (flip.extent.size == 0) return;
  std::uint64_t bit = chance_.below(flip.extent.size * 8);
  flip.at = flip.extent.offset + bit / 8;
  flip.messages = disk.messages_in(flip.extent);
  if (!disk.flip_bit(flip.extent, bit)) return;
  ++faults_;
  std::string_view kind = std::string_view(flip.extent.file).substr(0, 4);
  trace_.count(fmt::format("disk: bit flipped in {}", kind.substr(0, kind.find_first_of("/."))));
  trace_.note("a bit flips on disk {} in {} at {}, of {} bytes at {} with {} messages", flip.shard,
              flip.extent.file, flip.at, flip.extent.size, flip.extent.offset,
              flip.messages.size());
  flip_ = std::move(flip);
}

// What a start reports as damaged lies where the bit flipped, and nowhere else.
void World::check_reports(const SimBroker::Opened& opened) {
  for (broker::ShardIndex i = 0; i < broker_.count(); ++i) {
    for (const storage::Damage& damage : opened.reports[i].damage) {
      trace_.note("disk {}: damage in {} at {}, {} bytes: {}", i, damage.file, damage.offset,
                  damage.size, damage.reason);
      bool here = flip_ && i == flip_->shard && damage.file == flip_->extent.file &&
                  damage.offset <= flip_->at && flip_->at < damage.offset + damage.size;
      const Extent extent = flip_ ? flip_->extent : Extent{};
      bool exact = damage.offset >= extent.offset &&
                   damage.offset + damage.size <= extent.offset + extent.size;
      if (here && exact) continue;
      shadow_.violate(
          fmt::format("disk {} is whole and reported as damaged: {} at {}, {} bytes: {}", i,
                      damage.file, damage.offset, damage.size, damage.reason));
    }
  }
}

// What a shard cannot read lies where the bit flipped.
void World::check_unreadable(broker::ShardIndex shard) {
  std::uint64_t count = broker_.shard(shard).unreadable_records();
  if (count == 0) return;
  if (!flip_ || flip_->shard != shard || flip_->messages.empty()) {
    return shadow_.violate(
        fmt::format("shard {} is whole and cannot read {} records", shard, count));
  }
  if (!flip_->told) report_damage("a message cannot be read");
}

void World::report_damage(std::string_view what) {
  trace_.note("damage is reported: {}", what);
  trace_.count("damage reported");
  flip_->told = true;
  std::vector<bool> queues;
  for (const QueuePlan& queue : plan_.queues) {
    queues.push_back(broker_.owner(queue.name) == flip_->shard);
  }
  shadow_.damaged(flip_->messages, queues);
}

// ---- coming back

void World::reopen() {
  std::uint64_t cut_permille = faults_on_ ? plan_.faults.cut_in_recovery_permille : 0;
  if (restarts_ > 0 && chance_.permille(100)) {
    trace_.count("recovered twice");
    std::string differs = broker_.recover_twice(chance_.below(30), flip_.has_value());
    if (!differs.empty()) {
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
      trace_.count("power cut in recovery");
      ++power_cuts_;
      broker_.power_cut();
      continue;
    }
    if (opened.up) {
      for (broker::ShardIndex i = 0; i < broker_.count(); ++i) broker_.disk(i).cut_never();
      break;
    }
    check_reports(opened);
    if (failed()) return;
    if (!flip_ || accept_damage_) return shadow_.violate("does not open: " + opened.why);
    accept_damage_ = true;
    report_damage(opened.why);
    broker_.kill();
  }
  accept_damage_ = false;
  trace_.note("up again");
}

}  // namespace wharf::sim
