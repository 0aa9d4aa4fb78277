// broker/queue_test_store.h: for tests only: a store in memory, whose disk is as slow as the test
// wants and which can crash at any point; and a clock that tests move.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "broker/lane.h"
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
    if (full) return fault(Errc::io, "no room");
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
  bool has_space() const override { return !full; }
  bool is_behind() const override { return false; }
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
  bool fails_reads = false;
  std::set<Sequence> damaged;  // of any lane
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
    if (fails_reads) {
      result.records = fault(Errc::io, "cannot read");
      return result;
    }
    auto lane = lanes_.find(id);
    if (lane == lanes_.end()) return result;
    std::uint64_t bytes = 0;
    for (auto it = lane->second.records.lower_bound(from); it != lane->second.records.end(); ++it) {
      if (result.records->size() == count_max || bytes > bytes_max) return result;
      if (damaged.contains(it->first)) {
        result.scanned_to = it->first;
        if (result.records->empty()) result.records = fault(Errc::malformed, "bad record");
        return result;
      }
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

}  // namespace wharf::broker::test
