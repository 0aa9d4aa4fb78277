// sim/world.h: one run. The seed chooses, step by step, what happens next among all that can: a
// turn of a shard, a step of a disk, a client's operation, some bytes moving in either direction,
// time passing, a connection cut, the power gone. When the clients have done their share, the
// broker is restarted a last time, emptied, and the books are closed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/client.h"
#include "sim/connection.h"
#include "sim/options.h"
#include "sim/plan.h"
#include "sim/shadow.h"
#include "sim/sim_broker.h"

namespace wharf::sim {

class World {
 public:
  explicit World(const SimOptions& options);
  ~World();
  SimReport run();

 private:
  enum class Action : std::uint8_t { turn, disk, act, flush, read, connect };
  struct Choice {
    Action action;
    std::size_t index = 0;
    std::uint32_t weight = 0;
  };
  // How the scheduler prefers one kind of step to another; by the seed.
  struct Weights {
    explicit Weights(Chance& chance);
    std::uint32_t turn, disk, act, flush, read;
  };
  enum class Restart : std::uint8_t { power_cut, kill, clean_stop };

  // A bit that was flipped, and what the broker made of it.
  struct Flip {
    broker::ShardIndex shard = 0;
    Extent extent;         // what was written in one piece
    std::uint64_t at = 0;  // the byte, in the file
    std::vector<MessageId> messages;
    bool told = false;
  };

  void describe_plan();

  // ---- steps
  bool failed() const { return shadow_.violation().has_value(); }
  // One step; false when nothing can happen any more, not even by waiting.
  bool step();
  void collect_choices();
  void carry_out(const Choice& choice);
  void turn(broker::ShardIndex shard);
  void connect(std::size_t client);
  bool wait_for_deadline(Duration longest);
  std::optional<Instant> next_deadline() const;
  void check_waits();
  // Steps until nothing moves, without waiting longer than `patience` for any one deadline.
  void settle_down(Duration patience);

  // ---- faults
  void maybe_fail();
  void hang_up_one();
  void hang_up(std::size_t client);
  void break_disk(bool broken);
  void restart(Restart kind);
  void stop_cleanly();
  void reopen();
  void flip_a_bit();
  void check_reports(const SimBroker::Opened& opened);
  void check_unreadable(broker::ShardIndex shard);
  void report_damage(std::string_view what);
  void heal();
  void restart_failed();

  // ---- the end
  void work();
  void drain();
  void empty_all();
  std::uint64_t drain_round();  // how many messages it found
  void check_empty();

  SimOptions options_;
  Plan plan_;
  SimClock clock_;
  Trace trace_;
  Chance chance_;
  Weights weights_;
  amqp::AmqpOptions amqp_;
  SimBroker broker_;
  Shadow shadow_;
  ChannelUid last_uid_ = 0;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::unique_ptr<Connection>> connections_;  // of the client of that index, or null
  std::vector<std::unique_ptr<Connection>> orphans_;      // whose client has hung up
  std::vector<Choice> choices_;
  std::optional<Instant> healed_at_;  // when a disk that is full or broken is mended
  std::optional<Flip> flip_;          // at most once a run: two may do what none can mend
  bool accept_damage_ = false;
  bool faults_on_ = true;
  bool accepts_connections_ = true;
  bool clients_act_ = true;
  std::uint64_t steps_ = 0;
  std::uint64_t steps_max_ = 0;
  std::uint64_t restarts_ = 0;
  std::uint64_t power_cuts_ = 0;
  std::uint64_t faults_ = 0;
};

}  // namespace wharf::sim
