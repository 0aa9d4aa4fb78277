// broker/testing.h: a whole core for tests of what stands on it: a few shards on disks in memory,
// one thread, time that the test moves. A protocol's session is made on core(i) and driven by the
// test; turn() does what a turn of the broker's loops would do.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/assert.h"
#include "broker/shard.h"
#include "storage/memory_disk.h"

namespace wharf::broker {

class TestClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  WallTime wall() const override {
    return WallTime(std::chrono::milliseconds(1'700'000'000'000)) +
           std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch());
  }
  void advance(Duration by) { now_ += by; }

 private:
  Instant now_{std::chrono::hours(1)};
};

class TestBroker {
 public:
  struct Options {
    std::uint16_t shards = 1;
    std::vector<ExchangeSpec> predeclared;
    std::string live_exchange;
    std::shared_ptr<const auth::Access> access;  // none: guest, guest, everything in "/"
    Formats formats;
  };

  TestBroker() : TestBroker(Options()) {}
  explicit TestBroker(Options options)
      : options_(std::move(options)), post_(options_.shards, [](std::size_t) {}) {
    if (!options_.access) options_.access = open_access();
    for (std::uint16_t index = 0; index < options_.shards; ++index) add_shard(index);
    for (auto& part : parts_) part->shard->start(*parts_[0]->shard);
  }

  Core& core(std::size_t shard = 0) { return *parts_[shard]->shard; }
  TestClock& clock() { return clock_; }
  // All shards, as often as mail and disk may need to go to and fro. Sessions that were woken are
  // the test's.
  void turn() {
    for (int round = 0; round < 12; ++round) {
      for (auto& part : parts_) part->shard->begin_turn();
      for (auto& part : parts_) part->shard->end_turn();
    }
  }

  static std::shared_ptr<const auth::Access> open_access() {
    auth::AccessSpec spec;
    spec.vhosts = {"/"};
    spec.users.push_back({"guest", auth::Secret("guest"), {}, false, false});
    spec.permissions.push_back({"guest", "/", ".*", ".*", ".*"});
    std::string culprit;
    auto access = auth::Access::build(spec, culprit);
    ASSERT(access.has_value());
    return *access;
  }

 private:
  struct Part {
    storage::MemoryDisk disk;
    SeededRandom random{1};
    std::unique_ptr<Shard> shard;
  };

  void add_shard(std::uint16_t index) {
    auto part = std::make_unique<Part>();
    part->random = SeededRandom(index + 1U);
    ShardSetup setup;
    setup.index = index;
    setup.count = options_.shards;
    setup.post = &post_;
    setup.disk = &part->disk;
    setup.clock = &clock_;
    setup.random = &part->random;
    setup.access = options_.access.get();
    setup.formats = &options_.formats;
    setup.predeclared = options_.predeclared;
    setup.live_exchange = options_.live_exchange;
    setup.store.segment_bytes = 1 << 20;
    setup.store.free_bytes_min = 0;
    part->shard = std::make_unique<Shard>(setup);
    storage::OpenReport report;
    ASSERT(part->shard->open(report).has_value());
    parts_.push_back(std::move(part));
  }

  Options options_;
  TestClock clock_;
  ShardPost post_;
  std::vector<std::unique_ptr<Part>> parts_;
};

}  // namespace wharf::broker
