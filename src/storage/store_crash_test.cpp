// A store under random work, killed at random points with writes torn, compared with a shadow: what
// is durable stays, what is settled stays settled, and what survives is the state after some prefix
// of the changes, never a mixture. WHARF_STORE_SEEDS=n runs more seeds than the few of every day.
#include <cstdlib>

#include <gtest/gtest.h>

#include "storage/store_rig.h"
#include "storage/store_shadow.h"

namespace wharf::storage {
namespace {

using Kind = ShadowChange::Kind;

class CrashWorld {
 public:
  explicit CrashWorld(std::uint64_t seed) : chance_(seed) {
    rig_.random = SeededRandom(seed * 31);
    rig_.options.segment_bytes = 64 << 10;
    rig_.options.block_bytes_max = chance_.below(2) == 0 ? 8 << 10 : 32 << 10;
    rig_.options.snapshot_interval_bytes = (64 << 10) << chance_.below(4);
    rig_.options.clean_segments_min = static_cast<std::uint32_t>(2 + chance_.below(6));
    settle_share_ = 20 + chance_.below(60);
    large_ = chance_.below(3) == 0;
    rig_.open();
  }

  void run(int steps) {
    for (int step = 0; step < steps && !::testing::Test::HasFailure(); ++step) {
      rig_.disk.set_automatic(false);
      std::uint64_t ops = chance_.below(6);
      for (std::uint64_t i = 0; i < ops; ++i) change();
      if (chance_.below(3) == 0) rig_.store->request_sync();
      if (chance_.below(2) == 0) rig_.clock.advance(std::chrono::milliseconds(chance_.below(15)));
      if (chance_.below(4) != 0) rig_.store->on_turn_end();
      for (std::uint64_t i = chance_.below(5); i > 0; --i) rig_.disk.step(chance_);
      answers();
      if (chance_.below(12) == 0) fetch();
      fold();
      if (chance_.below(150) == 0) crash();
      if (chance_.below(1500) == 0) stop_cleanly();
    }
    if (!::testing::Test::HasFailure()) crash();
  }
  Store::Stats totals() const { return totals_; }

 private:
  void note(ShadowChange change) {
    now_.apply(change);
    change.end = rig_.store->end();
    changes_.push_back(std::move(change));
  }

  std::uint64_t some_lane() { return lane_base_ + 1 + chance_.below(6); }

  void change() {
    if (rig_.store->stats().pending_bytes > 300'000) return;
    std::uint64_t pick = chance_.below(100);
    if (pick < settle_share_) return settle();
    switch (chance_.below(40)) {
      case 0:
        return failures();
      case 1:
        return deliverable();
      case 2:
        return meta();
      case 3:
        return chance_.below(8) == 0 ? drop_lane() : settle_below();
      default:
        return append();
    }
  }

  void append() {
    ShadowChange change{Kind::append};
    change.is_volatile = chance_.below(5) == 0;
    std::uint64_t size = chance_.below(300);
    if (large_ && chance_.below(20) == 0) size = chance_.below(50'000);
    change.text = std::to_string(++records_) + "." + std::string(size, 'x');
    for (std::uint64_t i = 1 + chance_.below(chance_.below(4) + 1); i > 0; --i) {
      std::uint64_t lane = some_lane();
      bool twice = false;
      for (const LaneRef& ref : change.refs) twice |= ref.lane.value() == lane;
      if (twice) continue;
      Sequence next = now_.lanes[lane].next;
      if (chance_.below(10) == 0) next += chance_.below(chance_.below(20) == 0 ? 2000 : 4);
      change.refs.push_back({LaneId{lane}, next});
    }
    Bytes payload = bytes_of(change.text);
    std::array<Bytes, 2> pieces{payload.first(1), payload.subspan(1)};
    auto charge = static_cast<std::uint32_t>(change.text.size());
    ASSERT_TRUE(rig_.store->append(change.refs, pieces, charge, change.is_volatile));
    note(std::move(change));
  }

  // From the front mostly; lane 1 keeps its old ones, so that the cleaner has work.
  void settle() {
    std::uint64_t id = some_lane();
    auto& live = now_.lanes[id].live;
    if (live.empty()) return;
    auto it = live.begin();
    std::uint64_t skip = chance_.below(5) == 0 ? chance_.below(live.size()) : 0;
    if (id % 6 == 1)
      skip = std::max<std::uint64_t>(skip, std::min<std::uint64_t>(20, live.size() - 1));
    std::advance(it, static_cast<std::ptrdiff_t>(skip));
    ShadowChange change{Kind::settle, {{LaneId{id}, it->first}}};
    rig_.store->settle(change.refs[0], static_cast<std::uint32_t>(it->second.text.size()));
    note(std::move(change));
  }

  void failures() {
    std::uint64_t id = some_lane();
    auto& live = now_.lanes[id].live;
    if (live.empty()) return;
    ShadowChange change{Kind::failures, {{LaneId{id}, live.begin()->first}}};
    change.failures = static_cast<std::uint32_t>(1 + chance_.below(9));
    rig_.store->note_failures(change.refs[0], change.failures);
    note(std::move(change));
  }

  void deliverable() {
    std::uint64_t id = some_lane();
    ShadowChange change{Kind::deliverable, {{LaneId{id}, now_.lanes[id].next}}};
    rig_.store->note_deliverable(LaneId{id}, now_.lanes[id].next);
    note(std::move(change));
  }

  void meta() {
    ShadowChange change{Kind::meta, {}, std::to_string(++records_)};
    rig_.meta(change.text);
    note(std::move(change));
  }

  void settle_below() {
    std::uint64_t id = some_lane();
    const ShadowLane& lane = now_.lanes[id];
    Sequence end = lane.next - chance_.below(std::min<Sequence>(lane.next, 10));
    ShadowChange change{Kind::settle_below, {{LaneId{id}, end}}};
    rig_.store->settle_below(LaneId{id}, end);
    note(std::move(change));
  }

  // The next lanes have other ids.
  void drop_lane() {
    for (std::uint64_t lane = lane_base_ + 1; lane <= lane_base_ + 6; ++lane) {
      ShadowChange change{Kind::drop_lane, {{LaneId{lane}, 0}}};
      rig_.store->drop_lane(LaneId{lane});
      note(std::move(change));
    }
    lane_base_ += 6;
  }

  void fetch() {
    if (pending_fetches_.size() > 8) return;
    std::uint64_t id = some_lane();
    const ShadowLane& lane = now_.lanes[id];
    Sequence from = 1 + chance_.below(lane.next + 2);
    std::uint64_t token = ++records_;
    auto count = static_cast<std::uint32_t>(1 + chance_.below(40));
    rig_.store->fetch(LaneId{id}, from, count, 1 + chance_.below(20'000), token);
    Asked asked{id, from, count, {}};
    for (auto it = lane.live.lower_bound(from); it != lane.live.end(); ++it) {
      asked.live[it->first] = it->second.text;
    }
    pending_fetches_[token] = std::move(asked);
  }

  void answers() {
    std::vector<FetchResult> results;
    rig_.store->take_fetched(results);
    for (const FetchResult& result : results) {
      auto it = pending_fetches_.find(result.token);
      ASSERT_NE(it, pending_fetches_.end());
      check_answer(it->second, result);
      pending_fetches_.erase(it);
    }
  }

  struct Asked {
    std::uint64_t lane = 0;
    Sequence from = 0;
    std::uint32_t count = 0;
    std::map<Sequence, std::string> live;
  };

  // Everything that was alive all the time must be there; nothing that was not alive when asked,
  // but what came later.
  void check_answer(const Asked& asked, const FetchResult& result) {
    ASSERT_TRUE(result.records) << result.records.error().why;
    ASSERT_LE(result.records->size(), asked.count);
    auto lane = now_.lanes.find(asked.lane);
    std::map<Sequence, std::string> got;
    Sequence before = 0;
    for (const Fetched& record : *result.records) {
      ASSERT_GT(record.sequence, before);
      ASSERT_LT(record.sequence, result.scanned_to);
      before = record.sequence;
      got[record.sequence] = std::string(text_of(record.payload.bytes()));
      auto known = asked.live.find(record.sequence);
      if (known == asked.live.end()) continue;
      ASSERT_EQ(known->second, got[record.sequence]);
    }
    if (lane == now_.lanes.end()) return;
    for (const auto& [sequence, text] : asked.live) {
      if (sequence >= result.scanned_to) break;
      if (!lane->second.live.contains(sequence)) continue;
      ASSERT_TRUE(got.contains(sequence)) << asked.lane << " " << sequence;
    }
  }

  // What is durable by now is so for good.
  void fold() {
    Lsn durable = rig_.store->durable_up_to();
    ASSERT_GE(durable, durable_before_);
    ASSERT_GE(rig_.store->end(), durable);
    durable_before_ = durable;
    std::size_t count = 0;
    while (count < changes_.size() && changes_[count].end <= durable)
      base_.apply(changes_[count++]);
    changes_.erase(changes_.begin(), changes_.begin() + static_cast<std::ptrdiff_t>(count));
  }

  void add_up() {
    Store::Stats stats = rig_.store->stats();
    totals_.commits += stats.commits;
    totals_.snapshots += stats.snapshots;
    totals_.relocated_records += stats.relocated_records;
    totals_.segments = std::max(totals_.segments, stats.segments);
  }

  void stop_cleanly() {
    add_up();
    rig_.disk.set_automatic(true);
    rig_.close();
    for (const ShadowChange& change : changes_) base_.apply(change);
    changes_.clear();
    recover();
    ASSERT_TRUE(was_clean_);
  }

  void crash() {
    fold();
    add_up();
    rig_.store.reset();
    rig_.disk.crash(chance_);
    while (chance_.below(3) == 0) crash_in_recovery();
    recover();
  }

  void crash_in_recovery() {
    rig_.disk.cut_after(chance_.below(6));
    (void)rig_.try_open();
    rig_.store.reset();
    rig_.disk.crash(chance_);
  }

  void recover() {
    pending_fetches_.clear();
    durable_before_ = 0;
    Result<void> opened = rig_.try_open();
    for (const Damage& damage : rig_.report.damage) {
      ADD_FAILURE() << damage.file << " " << damage.offset << "+" << damage.size << " "
                    << damage.reason;
    }
    ASSERT_TRUE(opened) << opened.error().why;
    was_clean_ = rig_.report.clean;
    Shadow found = read_back();
    std::string text = found.describe();
    Shadow candidate = base_;
    std::size_t used = 0;
    while (candidate.survivors().describe() != text && used < changes_.size()) {
      candidate.apply(changes_[used++]);
    }
    ASSERT_EQ(candidate.survivors().describe(), text);
    changes_.clear();
    now_ = base_ = found;
    for (auto& [id, lane] : now_.lanes) lane_base_ = std::max(lane_base_, (id - 1) / 6 * 6);
    if (chance_.below(2) == 0) return;
    // Once more, with nothing done between: the same.
    rig_.store.reset();
    rig_.disk.crash(chance_);
    rig_.open();
    ASSERT_EQ(read_back().describe(), text);
  }

  Shadow read_back() {
    rig_.disk.set_automatic(true);
    Shadow found;
    found.metas = rig_.sink.texts;
    for (const LaneState& state : rig_.store->lanes()) {
      ShadowLane& lane = found.lanes[state.lane.value()];
      lane.next = state.next;
      lane.deliverable = state.maybe_delivered;
      for (Sequence from = 1;;) {
        FetchResult result = rig_.fetch(state.lane.value(), from, 100);
        EXPECT_TRUE(result.records) << result.records.error().why << " at " << result.scanned_to;
        if (!result.records || result.records->empty()) break;
        for (const Fetched& record : *result.records) {
          lane.live[record.sequence].text = text_of(record.payload.bytes());
        }
        from = result.scanned_to;
      }
      for (auto [sequence, count] : state.failures) lane.live[sequence].failures = count;
      EXPECT_EQ(lane.live.size(), state.count);
    }
    return found;
  }

  SeededRandom chance_;
  StoreRig rig_;
  Shadow base_;  // durable
  Shadow now_;   // with all changes
  std::vector<ShadowChange> changes_;
  std::map<std::uint64_t, Asked> pending_fetches_;
  std::uint64_t lane_base_ = 0;
  std::uint64_t records_ = 0;
  std::uint64_t settle_share_ = 50;
  bool large_ = false;
  bool was_clean_ = false;
  Lsn durable_before_ = 0;
  Store::Stats totals_;
};

TEST(StoreCrash, AnyPrefixAndNothingElseSurvives) {
  const char* wanted = std::getenv("WHARF_STORE_SEEDS");
  std::uint64_t seeds = wanted ? std::strtoull(wanted, nullptr, 10) : 12;
  const char* first = std::getenv("WHARF_STORE_SEED");
  std::uint64_t start = first ? std::strtoull(first, nullptr, 10) : 1;
  Store::Stats totals;
  for (std::uint64_t seed = start; seed < start + seeds; ++seed) {
    SCOPED_TRACE("WHARF_STORE_SEED=" + std::to_string(seed));
    CrashWorld world(seed);
    world.run(3000);
    totals.relocated_records += world.totals().relocated_records;
    totals.snapshots += world.totals().snapshots;
    totals.commits += world.totals().commits;
    if (HasFailure()) return;
  }
  std::printf("commits %lu, snapshots %lu, relocated %lu\n", totals.commits, totals.snapshots,
              totals.relocated_records);
  EXPECT_GT(totals.snapshots, 0u);
  EXPECT_GT(totals.relocated_records, 0u);
}

}  // namespace
}  // namespace wharf::storage
