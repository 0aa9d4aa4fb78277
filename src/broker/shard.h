// broker/shard.h: one shard of the core: its queues, its store, its sessions, its copy of the
// catalog. Shard 0 holds the directory besides, which decides every change of the catalog for all.
//
// Life: open() recovers the store; start() makes the queues, once all shards are open and the
// catalog of shard 0 is known; then turns; then close(). A turn of the loop that carries the shard:
//   input of its connections -> begin_turn() -> sessions that were woken -> end_turn()
// and the loop must not sleep while has_work().
// Shard: every call on the thread that runs the shard (before start: on any one thread).
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "broker/api.h"
#include "broker/catalog.h"
#include "broker/directory.h"
#include "broker/live_table.h"
#include "broker/live_writer.h"
#include "broker/queue.h"
#include "broker/router.h"
#include "broker/session_table.h"
#include "broker/shard_message.h"
#include "runtime/timer_wheel.h"
#include "storage/disk.h"
#include "storage/store.h"

namespace wharf::broker {

struct ShardLimits {
  std::uint64_t memory_bytes_max = 256 << 20;  // messages held in memory by this shard
  std::uint32_t queues_max = 1'000'000;        // of the whole broker
};

struct ShardSetup {
  ShardIndex index = 0;
  ShardIndex count = 1;
  ShardPost* post = nullptr;  // between all shards of the process; outlives them
  storage::Disk* disk = nullptr;
  const Clock* clock = nullptr;
  Random* random = nullptr;
  const auth::Access* access = nullptr;
  const Formats* formats = nullptr;
  // Exchanges that every vhost has from the beginning.
  std::vector<ExchangeSpec> predeclared;
  // The one of them whose bindings take part in live publishes, and whose publishes are heard live.
  std::string live_exchange;
  storage::StoreOptions store;
  ShardLimits limits;
};

class Shard final : public Core, private QueueHost, private DirectoryHost {
 public:
  explicit Shard(const ShardSetup& setup);
  ~Shard() override;

  // ---- life
  // Faults: those of Store::open.
  Result<void> open(storage::OpenReport& report);
  // `directory` is shard 0 (for shard 0 itself too), open and not yet running.
  void start(const Shard& directory);
  // Mail, disk, timers, then deliveries: fills sessions' mailboxes.
  void begin_turn();
  // Hands over what is for other shards and starts what the disk can take.
  void end_turn();
  // Something is left to do at once, though nothing new has come.
  bool has_work() const;
  // The earliest moment at which a turn has something to do unasked.
  std::optional<Instant> next_deadline() const;
  // Blocking. REQUIRES: all sessions detached.
  void close();
  // The log has failed: nothing becomes durable any more, publishes are refused.
  bool failed() const { return store_ && store_->failed(); }
  // Messages that were passed over since the start because what the disk holds of them is damaged.
  std::uint64_t unreadable_records() const { return unreadable_records_; }

  struct Stats {
    std::uint64_t sessions = 0;
    std::uint64_t queues = 0;
    std::uint64_t ready = 0;
    std::uint64_t leased = 0;
    std::uint64_t memory_bytes = 0;
    storage::Store::Stats store;
  };
  Stats stats() const;

  // ---- Core
  SessionId attach(EventListener& listener, VhostId vhost, const Principal& who) override;
  void detach(SessionId session, std::optional<RequestId> request) override;
  void forget(SessionId session) override;
  void take_events(SessionId session, std::vector<Event>& events) override;
  Outcome<Published> publish(SessionId session, const Message& message,
                             const PublishOptions& options) override;
  Outcome<LivePublished> publish_live(SessionId session, const LiveMessage& message,
                                      const PublishOptions& options) override;
  Outcome<void> listen(SessionId session, const ListenSpec& spec) override;
  void unlisten(SessionId session, ConsumerId consumer) override;
  void fence(SessionId session, RequestId request) override;
  void take_live(SessionId session, LiveMail& mail) override;
  void set_slow(SessionId session, bool is_slow) override;
  std::uint32_t count_listeners(VhostId vhost, Room room, std::string_view name) const override;
  void each_name(VhostId vhost, Room room, const NameVisitor& visit) const override;
  std::uint32_t count_patterns(VhostId vhost, Room room) const override;
  bool send(SessionId to, ConsumerId consumer, const Message& message) override;
  bool inbox_alive(SessionId session) const override;
  void find_inbox(SessionId session, RequestId request, SessionId to,
                  std::string_view name) override;
  const ExchangeSpec* find_exchange(VhostId vhost, std::string_view name) const override;
  const QueueSpec* find_queue(VhostId vhost, std::string_view name) const override;
  void declare_queue(SessionId session, RequestId request, const QueueSpec& spec,
                     bool passive) override;
  void delete_queue(SessionId session, RequestId request, std::string_view name,
                    DeleteConditions conditions) override;
  void purge_queue(SessionId session, RequestId request, std::string_view name) override;
  void declare_exchange(SessionId session, RequestId request, const ExchangeSpec& spec,
                        bool passive) override;
  void delete_exchange(SessionId session, RequestId request, std::string_view name,
                       bool if_unused) override;
  void bind(SessionId session, RequestId request, const BindingSpec& binding) override;
  void unbind(SessionId session, RequestId request, const BindingSpec& binding) override;
  void subscribe(SessionId session, RequestId request, const SubscribeSpec& spec) override;
  void unsubscribe(SessionId session, RequestId request, QueueId queue,
                   ConsumerId consumer) override;
  void grant(SessionId session, QueueId queue, ConsumerId consumer, std::uint32_t messages,
             std::uint64_t bytes) override;
  void get(SessionId session, RequestId request, std::string_view queue, bool leased) override;
  void settle(SessionId session, QueueId queue, std::span<const RecordRef> records,
              Disposition disposition, std::optional<Token> receipt) override;
  const auth::Access& access() const override { return *setup_.access; }
  const Formats& formats() const override { return *setup_.formats; }
  const Clock& clock() const override { return *setup_.clock; }
  Random& random() override { return *setup_.random; }

 private:
  using Waiter = decltype(PublishTo::waiter);
  // A waiter whose message stands in the log below `lsn`.
  struct Waiting {
    storage::Lsn lsn = 0;
    Waiter waiter;
  };
  struct DeadLetter {
    QueueId queue;
    std::optional<RecordRef> record;
    Message message;
    DeathReason reason = DeathReason::rejected;
  };
  // A dead message on its way to queues of other shards; it stays in its old queue until then.
  struct Transfer {
    QueueId queue;
    RecordRef record;
    std::uint32_t missing = 0;
  };
  struct Timer {
    runtime::TimerId id;
    Instant deadline;
  };
  struct Sink;  // what recovery tells

  // ---- turns
  void restore_queues();
  void receive_mail();
  void take_fetched();
  void dispatch_queues();
  void shed_some();
  void restate_alarm();
  Alarm alarm() const;

  // ---- mail
  void send_to(ShardIndex shard, ShardMessage message);
  void on(PublishTo& message);
  void on(TransferStored& message);
  void on(SettleAt& message);
  void on(SubscribeAt& message);
  void on(UnsubscribeAt& message);
  void on(GrantAt& message);
  void on(GetAt& message);
  void on(PurgeAt& message);
  void on(DescribeAt& message);
  void on(RetireAt& message);
  void on(SessionGone& message);
  void on(Boxed<CatalogAsk>& message);
  void on(Retired& message);
  void on(QueueUnused& message);
  void on(ChangesApplied& message);
  void on(ApplyChanges& message);
  void on(AlarmAt& message);
  void on(EventFor& message);
  void on(FindInboxAt& message);
  void on(ListenAt& message);
  void on(UnlistenAt& message);
  void on(SlowAt& message);
  void on(LiveAt& message);
  void on(FenceAt& message);
  void on(PublishesTaken& message);

  // ---- publishing
  Outcome<const ExchangeEntry*> writable_exchange(SessionState& state, std::string_view name);
  bool may_write(SessionState& state, std::string_view exchange);
  // All queues of routes_; returns on how many shards they are.
  std::uint32_t distribute(const Message& message, const Waiter& waiter);
  std::uint32_t distribute_remote(const Message& message, const Waiter& waiter);
  void select_local();
  bool place(const Message& message, std::span<const QueueId> queues, const Waiter& waiter);
  // What became of an append for all of admitted_ that are to be stored.
  struct Appended {
    bool stored = true;  // false: the log had no room, all were abandoned
    bool durable = false;
    bool refused = false;  // no room for those that were to be spilled beside durable ones
  };
  Appended append_admitted(const Message& message);
  bool append(const Message& message, Storing first, Storing second);
  // Sends more than other shards take: it is to wait.
  bool must_wait(SessionId session, SessionState& state);
  void release();
  std::optional<Instant> next_release() const;
  // Notes the queue if it is crowded.
  bool is_in_crowd(const Queue& queue);
  void watch_crowds();
  void tell_to_wait(SessionId session);
  void report_taken();
  void notify(const Waiter& waiter, bool stored);
  void notify_durable();
  void fail_waiting();
  void run_dead_letters();
  void report_unused();
  void send_dead_letter(const DeadLetter& letter);

  // ---- live messages
  bool may_write_name(SessionState& state, std::string_view name);
  bool route_live(VhostId vhost, const LiveMessage& message, LiveRoute& route);
  Message to_message(const LiveMessage& message) const;
  void hear_message(SessionId session, VhostId vhost, const Message& message, Published& published);
  void hear(SessionId from, const LiveRoute& route, const LiveMessage& message,
            LivePublished& published);
  const LiveListener* pick(const LiveGroup& group, SessionId from);
  void hand_over_live(const LiveListener& listener, const LiveRecord* record);
  void send_live_mail();

  // ---- the catalog
  void apply(const Change& change);
  Queue* add_queue(const QueueEntry& entry);
  void remove_queue(QueueId id);
  void ask_directory(SessionId session, std::optional<RequestId> request, CatalogRequest what);

  // ---- sessions
  void tell(SessionId session, Event event);
  void reply(SessionId session, RequestId request, Outcome<ReplyBody> outcome);
  Outcome<const QueueEntry*> readable_queue(SessionId session, std::string_view name) const;
  // None when it lives elsewhere or is no more.
  Queue* find_local(QueueId queue);
  // The shard holds something of the session from now on.
  void note_shard(SessionId session, ShardIndex shard);

  // ---- QueueHost
  void deliver(SessionId session, Delivery&& delivery) override;
  void got(SessionId session, RequestId request, Got&& got) override;
  void cancelled(SessionId session, ConsumerId consumer) override;
  void dead_letter(QueueId queue, std::optional<RecordRef> record, const Message& message,
                   DeathReason reason) override;
  void unused(QueueId queue) override;
  void wants_dispatch(QueueId queue) override { dirty_queues_.push_back(queue); }
  void wake_when_durable(QueueId queue, storage::Lsn lsn) override;
  void set_timer(QueueId queue, Instant deadline) override;
  void fetch(QueueId queue, storage::LaneId lane, storage::Sequence from, std::uint32_t count_max,
             std::uint64_t bytes_max) override;
  void add_memory(std::int64_t bytes) override;
  bool memory_tight() const override;
  storage::Store& store() override { return *store_; }

  // ---- DirectoryHost
  void to_shard(ShardIndex shard, ShardMessage message) override;
  storage::Lsn log_change(Bytes record) override;

  ShardSetup setup_;
  std::unique_ptr<storage::Store> store_;
  Catalog catalog_;
  Router router_;
  std::uint64_t next_queue_number_ = 1;  // as recovered; the directory counts on
  std::uint64_t catalog_order_ = 0;      // of the last change applied
  std::optional<Directory> directory_;   // on shard 0 only
  SessionTable sessions_;
  struct Held {
    std::unique_ptr<Queue> queue;
    std::size_t place = 0;  // in queue_list_
  };
  boost::unordered_flat_map<QueueId, Held> queues_;
  std::vector<QueueId> queue_list_;  // the same, for walks in parts
  // A walk over idle queues that are to give up memory: where it stands, how many are left of it,
  // and what was still held after the last one.
  std::size_t shed_at_ = 0;
  std::size_t shed_left_ = 0;
  std::uint64_t shed_floor_ = 0;
  std::vector<QueueId> dirty_queues_;
  std::vector<std::pair<storage::Lsn, QueueId>> waiting_queues_;
  std::deque<Waiting> waiting_;  // in order of lsn
  std::vector<PublishTo>
      early_;  // for queues that this shard has not heard of yet, in order of arrival
  std::vector<DeadLetter> dead_;
  std::vector<QueueUnused> unused_;
  boost::unordered_flat_map<std::uint64_t, Transfer> transfers_;
  std::uint64_t next_transfer_ = 1;
  boost::unordered_flat_map<std::uint64_t, QueueId> fetches_;
  std::uint64_t next_fetch_ = 1;
  std::optional<runtime::TimerWheel<QueueId>> timers_;
  boost::unordered_flat_map<QueueId, Timer> queue_timers_;
  std::vector<Alarm> alarms_;         // of each shard
  storage::Lsn notified_up_to_ = 0;   // the durable mark that waiters have been told of
  bool notified_of_failure_ = false;  // and that there will be none any more
  std::uint64_t mail_bytes_ = 0;      // publishes that other shards have not taken yet
  std::vector<std::uint64_t> taken_;  // the same in this turn, from each other shard
  std::vector<SessionId> held_;       // told to wait until mail and queues are short again
  Instant held_since_;
  std::vector<QueueId> crowds_;   // queues of this shard
  std::vector<bool> crowded_;     // other shards, as they said last
  bool placed_in_crowd_ = false;  // by the publish under way
  LiveTable live_;
  LiveWriter live_writer_;
  std::vector<LiveAt> live_mail_;  // to each shard, of this turn
  std::minstd_rand live_chance_;   // who of a group
  std::uint64_t memory_bytes_ = 0;
  std::uint64_t unreadable_records_ = 0;

  // Kept between calls to keep their memory.
  RouteResult routes_;
  std::vector<QueueId> local_queues_;
  std::vector<std::pair<Queue*, Admission>> admitted_;
  std::vector<storage::LaneRef> refs_;
  std::vector<storage::FetchResult> fetched_;
};

}  // namespace wharf::broker
