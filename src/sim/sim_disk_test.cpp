#include "sim/sim_disk.h"

#include <set>

#include <gtest/gtest.h>

#include "sim/clock.h"

namespace wharf::sim {
namespace {

using storage::DiskRequest;
using storage::DiskResult;
using Kind = DiskRequest::Kind;

constexpr std::uint64_t capacity_bytes = 1 << 20;
constexpr std::size_t block_size = 8 * SimDisk::sector_size;

DiskRequest request(Kind kind, const std::string& file) {
  DiskRequest made;
  made.kind = kind;
  made.token = 7;
  made.file = file;
  return made;
}

DiskRequest write(const std::string& file, std::uint64_t offset, const std::string& text) {
  DiskRequest made = request(Kind::write_sync, file);
  made.offset = offset;
  made.data = Buffer::copy_of(bytes_of(text));
  return made;
}

DiskRequest allocate(const std::string& file, std::uint64_t size) {
  DiskRequest made = request(Kind::allocate, file);
  made.size = size;
  return made;
}

struct Rig {
  explicit Rig(std::uint64_t seed) : disk(clock, seed, 0, {}, capacity_bytes) {
    EXPECT_TRUE(disk.execute(allocate("a", 4 * block_size)));
  }
  void finish() {
    for (int i = 0; i < 1000 && disk.busy(); ++i) {
      if (disk.can_step()) {
        disk.step();
      } else {
        clock.advance_to(*disk.next_ready());
      }
    }
    ASSERT_FALSE(disk.busy());
  }
  std::string text(std::uint64_t offset, std::uint64_t size) {
    Result<Buffer> read = disk.read("a", offset, size);
    return read ? std::string(text_of(read->bytes())) : "";
  }
  SimClock clock;
  SimDisk disk;
};

TEST(SimDisk, WhatIsAnsweredOutlivesAPowerCut) {
  for (std::uint64_t seed = 1; seed < 30; ++seed) {
    Rig rig(seed);
    rig.disk.submit(write("a", 0, std::string(block_size, 'x')));
    rig.finish();
    std::vector<DiskResult> results;
    rig.disk.poll(results);
    ASSERT_EQ(results.size(), 1u);
    EXPECT_TRUE(results[0].outcome);
    EXPECT_EQ(results[0].token, 7u);
    rig.disk.power_cut();
    EXPECT_EQ(rig.text(0, block_size), std::string(block_size, 'x'));
  }
}

// Every subset of sectors is possible, so over many seeds all three outcomes are seen.
TEST(SimDisk, WhatIsNotSyncedIsLostBySectors) {
  int whole = 0;
  int lost = 0;
  int torn = 0;
  for (std::uint64_t seed = 1; seed < 200; ++seed) {
    Rig rig(seed);
    rig.disk.submit(write("a", block_size, std::string(block_size, 'x')));
    rig.disk.step();  // started, not completed
    EXPECT_EQ(rig.text(block_size, 4), "xxxx") << "the cache shows it";
    rig.disk.power_cut();
    std::size_t kept = 0;
    for (std::size_t sector = 0; sector < block_size; sector += SimDisk::sector_size) {
      std::string text = rig.text(block_size + sector, SimDisk::sector_size);
      ASSERT_EQ(std::set<char>(text.begin(), text.end()).size(), 1u) << "a sector is whole";
      if (text[0] == 'x') ++kept;
    }
    ++(kept == 0 ? lost : kept == block_size / SimDisk::sector_size ? whole : torn);
  }
  EXPECT_GT(whole, 5);
  EXPECT_GT(lost, 5);
  EXPECT_GT(torn, 5);
}

TEST(SimDisk, AKillLosesOnlyWhatWasNotStarted) {
  Rig rig(1);
  rig.disk.submit(write("a", 0, std::string(block_size, 'x')));
  rig.disk.step();
  rig.disk.submit(write("a", block_size, std::string(block_size, 'y')));
  rig.disk.kill();
  EXPECT_EQ(rig.text(0, 4), "xxxx");
  EXPECT_EQ(rig.text(block_size, 4), std::string(4, '\0'));
  EXPECT_FALSE(rig.disk.busy());
}

TEST(SimDisk, ASyncTakesInWhatAKilledProcessLeft) {
  for (std::uint64_t seed = 1; seed < 30; ++seed) {
    Rig rig(seed);
    rig.disk.submit(write("a", 0, std::string(block_size, 'x')));
    rig.disk.step();
    rig.disk.kill();
    rig.disk.submit(write("a", block_size, std::string(block_size, 'y')));
    rig.finish();
    rig.disk.power_cut();
    EXPECT_EQ(rig.text(0, block_size), std::string(block_size, 'x'));
  }
}

TEST(SimDisk, NamesChangeWhollyOrNotAtAll) {
  for (std::uint64_t seed = 1; seed < 100; ++seed) {
    Rig rig(seed);
    ASSERT_TRUE(rig.disk.execute(write("a", 0, "old")));
    DiskRequest replace = request(Kind::replace, "a");
    replace.data = Buffer::copy_of(bytes_of("new"));
    rig.disk.submit(replace);
    rig.disk.step();
    rig.disk.power_cut();
    std::string text = rig.text(0, 3);
    EXPECT_TRUE(text == "old" || text == "new") << text;
  }
}

TEST(SimDisk, FullAndBrokenAreSaid) {
  Rig rig(1);
  rig.disk.fill_up();
  EXPECT_EQ(rig.disk.free_bytes(), 0u);
  EXPECT_EQ(rig.disk.execute(allocate("b", block_size)).error().code, Errc::overloaded);
  EXPECT_TRUE(rig.disk.execute(write("a", 0, "room was taken before")));
  rig.disk.break_writes();
  EXPECT_EQ(rig.disk.execute(write("a", 0, "x")).error().code, Errc::io);
  rig.disk.repair();
  EXPECT_TRUE(rig.disk.execute(allocate("b", block_size)));
  EXPECT_EQ(rig.disk.execute(request(Kind::rename, "none")).error().code, Errc::not_found);
  EXPECT_TRUE(rig.disk.execute(request(Kind::remove, "none")));
}

TEST(SimDisk, ACutInInlineModeFailsAllThatFollows) {
  Rig rig(1);
  rig.disk.cut_after(2);
  EXPECT_TRUE(rig.disk.execute(write("a", 0, "one")));
  EXPECT_FALSE(rig.disk.execute(write("a", 0, "two")));
  EXPECT_TRUE(rig.disk.was_cut());
  EXPECT_FALSE(rig.disk.execute(allocate("b", block_size)));
  rig.disk.power_cut();
  EXPECT_TRUE(rig.disk.execute(allocate("b", block_size)));
}

TEST(SimDisk, KnowsWhichMessagesAreOnThePlatter) {
  Rig rig(1);
  std::string body = make_body(5, 100);
  rig.disk.submit(write("a", 0, make_mark(Mark::head, 5) + body));
  rig.disk.step();
  EXPECT_FALSE(rig.disk.has_synced(5, 100));
  rig.finish();
  EXPECT_TRUE(rig.disk.has_synced(5, 100));
  EXPECT_FALSE(rig.disk.has_synced(6, 0));
  EXPECT_EQ(rig.disk.messages_in(rig.disk.recent_writes().back()), std::vector<MessageId>{5});
}

}  // namespace
}  // namespace wharf::sim
