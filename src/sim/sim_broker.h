// sim/sim_broker.h: the real broker, all its shards on simulated disks, without threads: turns
// happen when the scheduler says so. It dies, is stopped and comes back on what its disks then
// hold.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/shard.h"
#include "sim/bugs.h"
#include "sim/clock.h"
#include "sim/open_access.h"
#include "sim/plan.h"
#include "sim/sim_disk.h"
#include "sim/trace.h"

namespace wharf::sim {

// What the oracle must know and clients cannot see.
struct Watched {
  std::map<std::string, broker::ShardIndex, std::less<>> owners;  // by queue
  std::map<broker::QueueId, std::string> names;
  // A session gives a message back that it was handed and did not write to its client: that is no
  // redelivery, though it changes the order.
  std::function<void(std::string_view queue, MessageId message)> on_release;
};

// Stands between the sessions of a shard and its core.
class Watch final : public CoreProxy {
 public:
  Watch(broker::Core& inner, Watched& watched) : CoreProxy(inner), watched_(watched) {}

  void declare_queue(broker::SessionId session, broker::RequestId request,
                     const broker::QueueSpec& spec, bool passive) override;
  void take_events(broker::SessionId session, std::vector<broker::Event>& events) override;
  void settle(broker::SessionId session, broker::QueueId queue,
              std::span<const broker::RecordRef> records, broker::Disposition disposition,
              std::optional<broker::Token> receipt) override;

 private:
  void on_reply(broker::SessionId session, const broker::Reply& reply);
  void on_delivery(const broker::Delivery& delivery);

  Watched& watched_;
  std::map<std::pair<broker::SessionId, broker::RequestId>, std::string> asked_;
  std::map<std::pair<broker::QueueId, broker::RecordRef>, MessageId> leased_;
};

class SimBroker {
 public:
  SimBroker(const SimOptions& options, const Plan& plan, SimClock& clock, Trace& trace);
  ~SimBroker();

  // What opening the shards found.
  struct Opened {
    bool up = false;
    bool cut = false;  // the power went meanwhile: power_cut, then open again
    std::string why;   // it would not open; empty when up or cut
    std::vector<storage::OpenReport> reports;
  };
  Opened open(bool accept_damage = false);
  // Either may follow at any time; sessions must be gone by then.
  void power_cut();
  void kill();
  // Seals the logs. REQUIRES: all sessions detached and all turns done.
  void stop();
  // What recovery makes of a copy of the disks, twice over, with a power cut in between: empty when
  // both agree, else what differs.
  std::string recover_twice(std::uint64_t cut_after, bool accept_damage);

  bool up() const { return !shards_.empty(); }
  std::uint16_t count() const { return plan_.shards; }
  broker::Core& core(broker::ShardIndex shard) { return *cores_[shard]; }
  broker::Shard& shard(broker::ShardIndex shard) { return *shards_[shard]; }
  SimDisk& disk(broker::ShardIndex shard) { return *disks_[shard]; }
  const SimDisk& disk(broker::ShardIndex shard) const { return *disks_[shard]; }
  Watched& watched() { return watched_; }
  // None when nobody has declared it.
  std::optional<broker::ShardIndex> owner(std::string_view queue) const;

  // ---- turns
  void wake(broker::ShardIndex shard) { woken_[shard] = true; }
  bool runnable(broker::ShardIndex shard) const;
  void begin_turn(broker::ShardIndex shard);
  void end_turn(broker::ShardIndex shard);
  std::optional<Instant> next_deadline() const;
  bool any_failed() const;

 private:
  broker::ShardSetup setup_of(broker::ShardIndex index, bool accept_damage);
  void drop_shards();

  const Plan& plan_;
  Bug bug_;
  SimClock& clock_;
  Trace& trace_;
  OpenAccess access_;
  broker::Formats formats_;
  Chance bug_chance_;
  Watched watched_;
  std::vector<std::unique_ptr<Chance>> chances_;  // of the shards, across restarts
  std::vector<std::unique_ptr<SimDisk>> disks_;
  std::vector<std::unique_ptr<storage::Disk>> buggy_disks_;
  std::unique_ptr<broker::ShardPost> post_;
  std::vector<std::unique_ptr<broker::Shard>> shards_;
  std::vector<std::unique_ptr<broker::Core>> buggy_cores_;
  std::vector<std::unique_ptr<Watch>> cores_;
  std::vector<bool> woken_;
};

}  // namespace wharf::sim
