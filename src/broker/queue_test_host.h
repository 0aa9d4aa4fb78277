// broker/queue_test_host.h: for tests only: a store in memory whose disk is as slow as the test wants and
// which can crash at any point, and a shard with nothing but queues in it.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "broker/message.h"
#include "broker/queue.h"
#include "storage/store.h"

namespace wharf::broker::test {

class FakeClock final : public Clock {
 public:
  Instant now() const override { return Instant(passed); }
  WallTime wall() const override {
    return WallTime(std::chrono::hours(1000) +
                    std::chrono::duration_cast<std::chrono::milliseconds>(passed));
  }
  Duration passed = std::chrono::seconds(1);
};

class FakeStore final : public storage::Store {
 public:
  using Lsn = storage::Lsn;
  using LaneRef = storage::LaneRef;

  // What a crash leaves when everything before `cut` reached the disk.
  std::unique_ptr<FakeStore> crash(Lsn cut) const {
    ASSERT(cut >= durable_ && cut <= end_);
    auto after = std::make_unique<FakeStore>();
    for (const auto& [lsn, change] : changes_) {
      if (lsn > cut) break;
      after->log(change);
    }
    for (auto& [id, lane] : after->lanes_) {
      std::erase_if(lane.records, [](const auto& item) { return item.second.is_volatile; });
    }
    after->flush();
    return after;
  }
  void flush() { durable_ = end_; }

  std::vector<storage::LaneState> lanes() const override {
    std::vector<storage::LaneState> states;
    for (const auto& [id, lane] : lanes_) {
      storage::LaneState state;
      state.lane = id;
      state.next = lane.next;
      state.maybe_delivered = lane.deliverable;
      state.count = lane.records.size();
      for (const auto& [sequence, record] : lane.records) {
        state.charge_bytes += record.charge;
        if (record.failures > 0) state.failures[sequence] = record.failures;
      }
      states.push_back(state);
    }
    return states;
  }

  Result<void> append(std::span<const LaneRef> refs, std::span<const Bytes> payload,
                      std::uint32_t charge, bool is_volatile) override {
    if (full) return fault(Errc::overloaded, "no room");
    ASSERT(payload.size() == 1 && !refs.empty());
    Buffer copy = Buffer::copy_of(payload[0]);
    std::vector<LaneRef> all(refs.begin(), refs.end());
    log([=](FakeStore& store) {
      for (const LaneRef& ref : all) {
        Lane& lane = store.lanes_[ref.lane];
        ASSERT(ref.sequence >= lane.next);
        lane.next = ref.sequence + 1;
        lane.records[ref.sequence] = {copy, charge, is_volatile, 0};
      }
    });
    ++appends;
    return {};
  }
  void settle(LaneRef ref, std::uint32_t charge) override {
    const Record& record = record_at(ref);
    ASSERT(record.charge == charge);
    log([=](FakeStore& store) { store.lanes_[ref.lane].records.erase(ref.sequence); });
  }
  void note_failures(LaneRef ref, std::uint32_t failures) override {
    ASSERT(failures > record_at(ref).failures);
    log([=](FakeStore& store) {
      auto& records = store.lanes_[ref.lane].records;
      if (auto it = records.find(ref.sequence); it != records.end()) it->second.failures = failures;
    });
  }
  void note_deliverable(LaneId id, Sequence sequence) override {
    log([=](FakeStore& store) {
      Lane& lane = store.lanes_[id];
      lane.deliverable = std::max(lane.deliverable, sequence);
    });
  }
  void drop_lane(LaneId id) override {
    ASSERT(lanes_.contains(id));
    log([=](FakeStore& store) { store.lanes_.erase(id); });
  }
  void settle_below(LaneId id, Sequence end) override {
    ASSERT(lanes_.contains(id));
    log([=](FakeStore& store) {
      std::erase_if(store.lanes_[id].records, [&](const auto& item) { return item.first < end; });
    });
  }
  void append_meta(Bytes) override { ASSERT(false && "queues have no state of their own"); }

  Lsn end() const override { return end_; }
  Lsn durable_up_to() const override { return durable_; }
  void request_sync() override { ++syncs; }

  // Reads when it is asked, or, with `reads_late`, when the answer is taken.
  void fetch(LaneId lane, Sequence from, std::uint32_t count_max, std::uint64_t bytes_max,
             std::uint64_t token) override {
    ++fetches;
    auto read = [=, this] { return read_now(lane, from, count_max, bytes_max, token); };
    if (reads_late) {
      reading_.push_back({fetch_delay, read});
    } else {
      reading_.push_back({fetch_delay, [result = read()] { return result; }});
    }
  }
  void take_fetched(std::vector<storage::FetchResult>& results) override {
    std::deque<Reading> later;
    for (Reading& reading : reading_) {
      if (reading.turns > 0) {
        --reading.turns;
        later.push_back(std::move(reading));
      } else {
        results.push_back(reading.read());
      }
    }
    reading_ = std::move(later);
  }
  bool is_reading() const { return !reading_.empty(); }

  void on_turn_end() override {}
  std::optional<Instant> next_deadline() const override { return std::nullopt; }
  bool has_room() const override { return !full; }
  bool failed() const override { return false; }
  void close() override {}
  Stats stats() const override { return {}; }

  std::size_t record_count(LaneId id) const {
    auto it = lanes_.find(id);
    return it == lanes_.end() ? 0 : it->second.records.size();
  }
  Sequence deliverable(LaneId id) const { return lanes_.at(id).deliverable; }
  std::uint32_t failures_of(LaneRef ref) const { return record_at(ref).failures; }
  bool has_lane(LaneId id) const { return lanes_.contains(id); }

  bool full = false;
  bool reads_late = false;
  bool keeps_changes = true;  // crash() needs them
  unsigned fetch_delay = 0;   // in turns
  std::optional<Errc> fetch_fault;
  std::uint64_t appends = 0;
  std::uint64_t fetches = 0;
  std::uint64_t syncs = 0;

 private:
  struct Record {
    Buffer payload;
    std::uint32_t charge = 0;
    bool is_volatile = false;
    std::uint32_t failures = 0;
  };
  struct Lane {
    Sequence next = 1;
    Sequence deliverable = 0;
    std::map<Sequence, Record> records;
  };
  struct Reading {
    unsigned turns = 0;
    std::function<storage::FetchResult()> read;
  };
  using Update = std::function<void(FakeStore&)>;

  const Record& record_at(LaneRef ref) const {
    auto lane = lanes_.find(ref.lane);
    ASSERT(lane != lanes_.end());
    auto it = lane->second.records.find(ref.sequence);
    ASSERT(it != lane->second.records.end());
    return it->second;
  }

  void log(Update change) {
    change(*this);
    end_ += 10;
    if (keeps_changes) changes_.emplace_back(end_, std::move(change));
  }

  storage::FetchResult read_now(LaneId id, Sequence from, std::uint32_t count_max,
                                std::uint64_t bytes_max, std::uint64_t token) const {
    storage::FetchResult result{token, std::vector<storage::Fetched>(), from};
    if (fetch_fault) {
      result.records = fault(*fetch_fault, "bad record");
      return result;
    }
    auto lane = lanes_.find(id);
    if (lane == lanes_.end()) return result;
    std::uint64_t bytes = 0;
    for (auto it = lane->second.records.lower_bound(from); it != lane->second.records.end(); ++it) {
      if (result.records->size() == count_max || bytes > bytes_max) return result;
      result.records->push_back({it->first, it->second.payload});
      result.scanned_to = it->first + 1;
      bytes += it->second.payload.size();
    }
    result.scanned_to = std::max(from, lane->second.next);
    return result;
  }

  std::map<LaneId, Lane> lanes_;
  std::deque<Reading> reading_;
  std::deque<std::pair<Lsn, Update>> changes_;
  Lsn end_ = 0;
  Lsn durable_ = 0;
};

struct MessageOptions {
  bool persistent = false;
  std::uint8_t priority = 0;
  std::optional<std::uint64_t> ttl_ms{};
};

inline Message make_message(const Clock& clock, std::string_view body,
                            const MessageOptions& options = {}) {
  Envelope envelope;
  envelope.persistent = options.persistent;
  envelope.priority = options.priority;
  envelope.ttl_ms = options.ttl_ms;
  envelope.arrived = clock.wall();
  MessageBuilder builder(envelope, body.size());
  builder.append(bytes_of(body));
  return builder.finish();
}

// What queues told their host, in order.
struct Told {
  enum class What { delivered, got, cancelled, dead, unused } what = What::delivered;
  QueueId queue{};
  SessionId session{};
  RequestId request = 0;
  ConsumerId consumer = 0;
  std::optional<Delivery> delivery{};
  std::uint64_t ready = 0;
  std::optional<RecordRef> record{};
  Message message{};
  DeathReason reason{};

  std::string body() const {
    return std::string(text_of((delivery ? delivery->message : message).body()));
  }
};

class TestHost final : public QueueHost {
 public:
  TestHost() : store_(std::make_unique<FakeStore>()) {}

  // ---- for tests
  FakeClock time;
  bool tight = false;
  bool flushes = true;  // the disk follows at once
  std::vector<Told> told;
  std::function<void(const Told&)> on_told;  // instead of `told`
  std::int64_t memory = 0;

  FakeStore& disk() { return *store_; }
  void replace_store(std::unique_ptr<FakeStore> store) { store_ = std::move(store); }
  void add(Queue& queue) { queues_[queue.id()] = &queue; }
  // Forgets what queues asked for.
  void forget() {
    queues_.clear();
    dirty_.clear();
    wakes_.clear();
    timers_.clear();
    fetching_.clear();
  }

  bool publish(Queue& queue, const Message& message) {
    Admission admission = queue.admit(message);
    if (admission.verdict != Verdict::place) return admission.verdict == Verdict::discard;
    if (admission.storing != Storing::none) {
      Bytes record = message.record().bytes();
      auto stored = store_->append(std::span(&admission.ref, 1), std::span(&record, 1),
                                   charge_of(message), admission.storing != Storing::durable);
      if (!stored) {
        queue.abandon(admission);
        return false;
      }
    }
    queue.place(admission, message);
    return true;
  }

  // One turn of a shard; true if more is to come without anybody's doing.
  bool turn() {
    std::vector<storage::FetchResult> fetched;
    store_->take_fetched(fetched);
    for (storage::FetchResult& result : fetched) {
      auto it = fetching_.find(result.token);
      if (it == fetching_.end()) continue;
      QueueId id = it->second;
      fetching_.erase(it);
      queues_.at(id)->fetched(std::move(result));
    }
    if (flushes) store_->flush();
    std::erase_if(wakes_, [&](const auto& wake) {
      if (wake.first > store_->durable_up_to()) return false;
      dirty_.push_back(wake.second);
      return true;
    });
    for (const auto& [id, deadline] : std::map(timers_)) {
      if (deadline > time.now()) continue;
      timers_.erase(id);
      queues_.at(id)->on_timer();
    }
    for (QueueId id : std::exchange(dirty_, {})) queues_.at(id)->dispatch();
    bool is_due = false;
    for (const auto& [id, deadline] : timers_) is_due |= deadline <= time.now();
    bool wakes_soon = flushes && !wakes_.empty();
    return !dirty_.empty() || store_->is_reading() || is_due || wakes_soon;
  }
  void run() {
    for (int turns = 0; turn(); ++turns) ASSERT(turns < 100'000 && "does not come to rest");
  }
  void pass(Duration duration) {
    time.passed += duration;
    run();
  }
  std::optional<Instant> timer(QueueId id) const {
    auto it = timers_.find(id);
    if (it == timers_.end()) return std::nullopt;
    return it->second;
  }

  // ---- QueueHost
  void deliver(SessionId session, Delivery&& delivery) override {
    Told one{Told::What::delivered, delivery.queue, session};
    one.consumer = delivery.consumer;
    one.delivery = std::move(delivery);
    tell(std::move(one));
  }
  void got(SessionId session, RequestId request, Got&& got) override {
    Told one{Told::What::got, {}, session, request};
    one.delivery = std::move(got.delivery);
    one.ready = got.ready;
    tell(std::move(one));
  }
  void cancelled(SessionId session, ConsumerId consumer) override {
    tell({Told::What::cancelled, {}, session, 0, consumer});
  }
  void dead_letter(QueueId queue, std::optional<RecordRef> record, const Message& message,
                   DeathReason reason) override {
    Told one{Told::What::dead, queue};
    one.record = record;
    one.message = message;
    one.reason = reason;
    tell(std::move(one));
  }
  void unused(QueueId queue) override { tell({Told::What::unused, queue}); }
  void wants_dispatch(QueueId queue) override { dirty_.push_back(queue); }
  void wake_when_durable(QueueId queue, storage::Lsn lsn) override {
    wakes_.emplace_back(lsn, queue);
  }
  void set_timer(QueueId queue, Instant deadline) override { timers_[queue] = deadline; }
  void fetch(QueueId queue, LaneId lane, Sequence from, std::uint32_t count_max,
             std::uint64_t bytes_max) override {
    fetching_.emplace(next_token_, queue);
    store_->fetch(lane, from, count_max, bytes_max, next_token_++);
  }
  void add_memory(std::int64_t bytes) override {
    memory += bytes;
    ASSERT(memory >= 0);
  }
  bool memory_tight() const override { return tight; }
  storage::Store& store() override { return *store_; }
  const Clock& clock() const override { return time; }

 private:
  void tell(Told&& one) {
    if (on_told) {
      on_told(one);
    } else {
      told.push_back(std::move(one));
    }
  }

  std::unique_ptr<FakeStore> store_;
  std::map<QueueId, Queue*> queues_;
  std::vector<QueueId> dirty_;
  std::vector<std::pair<storage::Lsn, QueueId>> wakes_;
  std::map<QueueId, Instant> timers_;
  std::map<std::uint64_t, QueueId> fetching_;
  std::uint64_t next_token_ = 1;
};

}  // namespace wharf::broker::test
