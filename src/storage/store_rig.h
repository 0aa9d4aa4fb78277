// storage/store_rig.h: what tests of the store share: a clock that stands until told, a store on a
// MemoryDisk, and the few verbs that make a test four lines long.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/random.h"
#include "storage/memory_disk.h"
#include "storage/store.h"

namespace wharf::storage {

class StandingClock final : public Clock {
 public:
  Instant now() const override { return Instant(time_); }
  WallTime wall() const override {
    return WallTime(std::chrono::duration_cast<std::chrono::milliseconds>(time_));
  }
  void advance(Duration by) { time_ += by; }

 private:
  Duration time_ = std::chrono::hours(1);
};

// The caller's own state is a list of texts.
class TextSink final : public RecoverySink {
 public:
  void on_snapshot(Bytes state) override {
    ASSERT(texts.empty());
    std::string_view rest = text_of(state);
    while (!rest.empty()) {
      std::size_t end = rest.find('\n');
      texts.emplace_back(rest.substr(0, end));
      rest.remove_prefix(end + 1);
    }
  }
  void on_meta(Bytes record) override { texts.emplace_back(text_of(record)); }
  std::vector<std::string> texts;
};

struct StoreRig {
  MemoryDisk disk;
  StandingClock clock;
  SeededRandom random{1};
  StoreOptions options{.segment_bytes = 64 << 10,
                       .block_bytes_max = 16 << 10,
                       .snapshot_interval_bytes = 256 << 10,
                       .free_bytes_min = 0,
                       .clean_segments_min = 4};
  TextSink sink;
  OpenReport report;
  std::unique_ptr<Store> store;

  Result<void> try_open() {
    sink = {};
    auto source = [this](ByteVector& out) {
      for (const std::string& text : sink.texts) Writer(out).text(text + "\n");
    };
    Result<std::unique_ptr<Store>> opened =
        Store::open(disk, clock, random, options, sink, source, report);
    if (!opened) return std::unexpected(opened.error());
    store = std::move(*opened);
    return {};
  }
  void open() { ASSERT(try_open().has_value()); }
  // The process dies and nothing of it was torn: all that was queued is lost.
  void kill() {
    store.reset();
    SeededRandom none{7};
    MemoryDisk::Files files = disk.files();
    disk.crash(none);
    disk.files() = std::move(files);
  }
  void reopen() {
    kill();
    open();
  }
  void close() {
    store->close();
    store.reset();
  }

  void append(std::uint64_t lane, Sequence sequence, std::string_view text,
              bool is_volatile = false) {
    LaneRef ref{LaneId{lane}, sequence};
    Bytes payload = bytes_of(text);
    ASSERT(store->append({&ref, 1}, {&payload, 1}, charge(text), is_volatile).has_value());
  }
  static std::uint32_t charge(std::string_view text) {
    return static_cast<std::uint32_t>(text.size());
  }
  void settle(std::uint64_t lane, Sequence sequence, std::string_view text) {
    store->settle({LaneId{lane}, sequence}, charge(text));
  }
  void meta(const std::string& text) {
    sink.texts.push_back(text);
    store->append_meta(bytes_of(text));
  }
  // Turns until all changes are durable.
  void sync() {
    for (int turn = 0; turn < 100; ++turn) {
      store->request_sync();
      store->on_turn_end();
      if (store->durable_up_to() >= store->end()) return;
    }
    ASSERT(store->failed());
  }
  void turns(int count) {
    for (int turn = 0; turn < count; ++turn) store->on_turn_end();
  }
  FetchResult fetch(std::uint64_t lane, Sequence from, std::uint32_t count_max = 1000,
                    std::uint64_t bytes_max = 10 << 20) {
    store->fetch(LaneId{lane}, from, count_max, bytes_max, 77);
    std::vector<FetchResult> results;
    for (int turn = 0; turn < 1000 && results.empty(); ++turn) {
      store->on_turn_end();
      store->take_fetched(results);
    }
    ASSERT(results.size() == 1 && results[0].token == 77);
    return std::move(results[0]);
  }
  // "1:text 2:text" of everything unsettled in the lane.
  std::string all(std::uint64_t lane) {
    std::string text;
    Sequence from = 1;
    for (;;) {
      FetchResult result = fetch(lane, from);
      if (!result.records) return text + "!" + std::to_string(result.scanned_to);
      for (const Fetched& record : *result.records) {
        if (!text.empty()) text += ' ';
        text += std::to_string(record.sequence) + ":";
        text += text_of(record.payload.bytes());
      }
      if (result.records->empty()) return text;
      from = result.scanned_to;
    }
  }
  LaneState lane(std::uint64_t id) const {
    for (LaneState& state : store->lanes()) {
      if (state.lane == LaneId{id}) return state;
    }
    return {};
  }
};

}  // namespace wharf::storage
