// What the store does when the disk lies: torn tails are dropped, corruption is reported with its
// exact place and never passed over in silence, whatever byte it hits.
#include <cstdlib>
#include <map>

#include <gtest/gtest.h>

#include "storage/block.h"
#include "storage/crc32c.h"
#include "storage/recovery.h"
#include "storage/segment_reader.h"
#include "storage/store_rig.h"

namespace wharf::storage {
namespace {

struct Placed {
  std::string file;
  BlockHeader header;
  std::uint64_t offset = 0;
};

// The blocks of all segments, in order.
std::vector<Placed> blocks_of(StoreRig& rig) {
  std::vector<Placed> found;
  Layout layout{rig.options.segment_bytes};
  ShardKey key = read_superblocks(rig.disk)->front().key;
  std::vector<std::uint64_t> files = *numbered_files(rig.disk, "wal");
  for (std::uint64_t number : files) {
    SegmentReader reader(rig.disk, number, layout, key);
    std::uint64_t offset = segment_header_bytes;
    while (offset + page_bytes <= layout.segment_bytes) {
      Result<SegmentReader::Block> block = reader.block_at(offset);
      if (!block) break;
      found.push_back({wal_name(number), block->header, offset});
      offset = block->end();
    }
  }
  return found;
}

// Five blocks of one record each; the last is vouched for by a mark.
StoreRig& five_blocks(StoreRig& rig) {
  rig.open();
  for (Sequence s = 1; s <= 5; ++s) {
    rig.append(1, s, "record " + std::to_string(s));
    rig.sync();
  }
  rig.clock.advance(std::chrono::milliseconds(30));
  rig.turns(3);
  rig.kill();
  return rig;
}

TEST(StoreDamage, ABlockInTheMiddleIsReportedExactly) {
  StoreRig rig;
  five_blocks(rig);
  std::vector<Placed> blocks = blocks_of(rig);
  ASSERT_EQ(blocks.size(), 6u);
  Placed victim = blocks[2];
  rig.disk.flip_bit(victim.file, victim.offset + 80, 3);
  Result<void> opened = rig.try_open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::malformed);
  ASSERT_EQ(rig.report.damage.size(), 1u);
  EXPECT_EQ(rig.report.damage[0].file, victim.file);
  EXPECT_EQ(rig.report.damage[0].offset, victim.offset);
  EXPECT_EQ(rig.report.damage[0].size, victim.header.total_bytes());
  // A second look says the same: nothing was changed.
  ASSERT_FALSE(rig.try_open());
  ASSERT_EQ(rig.report.damage.size(), 1u);

  rig.options.accept_damage = true;
  rig.open();
  ASSERT_EQ(rig.report.damage.size(), 1u);
  std::string rest = "1:record 1 2:record 2 4:record 4 5:record 5";
  EXPECT_EQ(rig.all(1), rest);
  rig.append(1, 6, "new");
  rig.sync();
  // Accepted once, it is behind.
  rig.options.accept_damage = false;
  rig.reopen();
  EXPECT_TRUE(rig.report.damage.empty());
  EXPECT_EQ(rig.all(1), rest + " 6:new");
}

TEST(StoreDamage, TheLastBlockIsVouchedForByTheMark) {
  StoreRig rig;
  five_blocks(rig);
  Placed last = blocks_of(rig)[4];
  rig.disk.flip_bit(last.file, last.offset + 70, 0);
  EXPECT_FALSE(rig.try_open());
  EXPECT_EQ(rig.report.damage.at(0).offset, last.offset);
}

TEST(StoreDamage, TheMarkItselfIsNoLoss) {
  StoreRig rig;
  five_blocks(rig);
  Placed mark = blocks_of(rig)[5];
  EXPECT_EQ(mark.header.flags, BlockHeader::flag_mark);
  rig.disk.flip_bit(mark.file, mark.offset + 10, 0);
  rig.open();
  EXPECT_TRUE(rig.report.damage.empty());
  EXPECT_EQ(rig.lane(1).count, 5u);
}

TEST(StoreDamage, ATornBlockIsDroppedAndLeftWhereItIs) {
  StoreRig rig;
  rig.open();
  rig.append(1, 1, "one");
  rig.sync();
  rig.append(1, 2, std::string(9000, 'x'));
  rig.sync();
  rig.kill();
  Placed last = blocks_of(rig)[1];
  // The header came to the disk, the end of the payload did not.
  auto& file = rig.disk.files()[last.file];
  std::fill_n(file.begin() + static_cast<std::ptrdiff_t>(last.offset) + 8192, 512, std::byte{0});
  std::vector<std::byte> evidence = file;
  rig.open();
  EXPECT_GE(rig.report.torn_bytes, 9000u);
  EXPECT_EQ(rig.all(1), "1:one");
  rig.append(1, 2, "again");
  rig.sync();
  EXPECT_EQ(rig.disk.files()[last.file], evidence);
  rig.reopen();
  EXPECT_EQ(rig.all(1), "1:one 2:again");
}

TEST(StoreDamage, ABlockInsideAMessageIsNoEvidence) {
  StoreRig rig;
  rig.open();
  rig.append(1, 1, "one");
  rig.sync();
  // Pages that look like later, durable blocks, but of somebody who does not know the shard's uuid.
  std::string forged(12 * page_bytes, 'x');
  for (std::size_t page = 0; page < 12; ++page) {
    for (std::uint64_t shift = 0; shift < page_bytes; shift += 64) {
      BlockHeader header{.generation = 1, .sequence = 900 + page, .durable = 899};
      auto* at = reinterpret_cast<std::byte*>(forged.data() + page * page_bytes + shift);
      encode_block_header(header, ShardKey::of({}), {at, block_header_bytes});
    }
  }
  rig.append(1, 2, forged);
  rig.sync();
  rig.kill();
  Placed last = blocks_of(rig)[1];
  rig.disk.flip_bit(last.file, last.offset + 8, 0);
  rig.open();
  EXPECT_EQ(rig.all(1), "1:one");
}

TEST(StoreDamage, AMissingSegmentIsReported) {
  StoreRig rig;
  rig.open();
  for (Sequence s = 1; s <= 500; ++s) {
    rig.append(1, s, std::string(900, 'x'));
    if (s % 10 == 0) rig.sync();
  }
  rig.kill();
  MemoryDisk::Files whole = rig.disk.files();
  std::vector<std::uint64_t> segments = *numbered_files(rig.disk, "wal");
  ASSERT_GT(segments.size(), 6u);
  for (std::uint64_t number : {segments[1], segments[4], segments[segments.size() - 2]}) {
    rig.disk.files() = whole;
    rig.disk.files().erase(wal_name(number));
    rig.options.accept_damage = false;
    EXPECT_FALSE(rig.try_open());
    ASSERT_FALSE(rig.report.damage.empty());
    rig.options.accept_damage = true;
    rig.open();
    std::uint64_t count = rig.lane(1).count;
    EXPECT_LT(count, 500u);
    EXPECT_GT(count, 400u);
    FetchResult all = rig.fetch(1, 1, 1000);
    ASSERT_TRUE(all.records);
    EXPECT_EQ(all.records->size(), count);
    rig.options.accept_damage = false;
    rig.reopen();
    EXPECT_EQ(rig.lane(1).count, count);
    rig.kill();
  }
}

// A store with history: several snapshots, sealed segments with indexes, dead and live records.
void fill(StoreRig& rig) {
  rig.open();
  std::string text(700, 't');
  for (Sequence s = 1; s <= 900; ++s) {
    rig.append(1 + s % 3, s, text + std::to_string(s));
    if (s % 5 == 0) rig.append(9, s, "slow " + std::to_string(s));
    if (s > 200 && s % 2 == 0) {
      Sequence old = s - 200;
      rig.settle(1 + old % 3, old, text + std::to_string(old));
    }
    if (s % 100 == 0) rig.meta("meta " + std::to_string(s));
    if (s % 10 == 0) rig.sync();
  }
  rig.sync();
  rig.clock.advance(std::chrono::milliseconds(30));
  rig.turns(5);
}

using Contents = std::map<std::pair<std::uint64_t, Sequence>, std::string>;

// Everything that can be read; a record that is answered with a fault is left out and noted.
Contents read_all(StoreRig& rig, std::uint64_t& faults) {
  Contents contents;
  faults = 0;
  for (const LaneState& lane : rig.store->lanes()) {
    std::uint64_t count = 0;
    Sequence from = 1;
    while (from < lane.next) {
      FetchResult result = rig.fetch(lane.lane.value(), from, 200);
      if (!result.records) {
        EXPECT_EQ(result.records.error().code, Errc::malformed);
        ++faults;
        ++count;
        from = result.scanned_to + 1;
        continue;
      }
      for (const Fetched& record : *result.records) {
        contents[{lane.lane.value(), record.sequence}] = text_of(record.payload.bytes());
        ++count;
      }
      from = result.scanned_to;
    }
    EXPECT_EQ(count, lane.count);
  }
  return contents;
}

TEST(StoreDamage, ASnapshotOrSuperblockThatRotsIsNoLoss) {
  StoreRig rig;
  fill(rig);
  std::uint64_t faults = 0;
  Contents before = read_all(rig, faults);
  rig.kill();
  MemoryDisk::Files whole = rig.disk.files();
  std::vector<Superblock> supers = *read_superblocks(rig.disk);
  ASSERT_EQ(supers.size(), 2u);
  std::string newest = snapshot_name(supers[0].snapshot);
  for (const std::string& file : {std::string("super.0"), std::string("super.1"), newest}) {
    rig.disk.files() = whole;
    rig.disk.flip_bit(file, 40, 1);
    rig.open();
    EXPECT_EQ(read_all(rig, faults), before) << file;
    EXPECT_EQ(rig.sink.texts.size(), 9u);
    rig.kill();
  }
  rig.disk.files() = whole;
  rig.disk.flip_bit("super.0", 40, 1);
  rig.disk.flip_bit("super.1", 40, 1);
  EXPECT_FALSE(rig.try_open());
  rig.disk.files() = whole;
  rig.disk.flip_bit(newest, 40, 1);
  rig.disk.flip_bit(snapshot_name(supers[1].snapshot), 40, 1);
  EXPECT_FALSE(rig.try_open());
}

// A snapshot may be due behind the seal as well.
TEST(StoreDamage, TheLastSnapshotOfACleanStopIsNotTheOnlyOne) {
  for (std::uint64_t interval = 512; interval <= 128 << 10; interval += 512) {
    StoreRig rig;
    rig.options.snapshot_interval_bytes = interval;
    rig.open();
    for (Sequence s = 1; s <= 20; ++s) {
      rig.append(1, s, std::string(3000, 'a'));
      rig.sync();
    }
    rig.close();
    std::vector<Superblock> supers = *read_superblocks(rig.disk);
    ASSERT_EQ(supers.size(), 2u);
    EXPECT_NE(supers[0].snapshot, supers[1].snapshot) << interval;
    rig.disk.flip_bit(snapshot_name(supers[0].snapshot), 40, 1);
    ASSERT_TRUE(rig.try_open()) << interval;
    EXPECT_EQ(rig.lane(1).count, 20u);
  }
}

TEST(StoreDamage, AnIndexThatRotsIsRebuilt) {
  StoreRig rig;
  fill(rig);
  std::uint64_t faults = 0;
  Contents before = read_all(rig, faults);
  rig.kill();
  MemoryDisk::Files whole = rig.disk.files();
  for (bool remove : {false, true}) {
    rig.disk.files() = whole;
    std::vector<std::uint64_t> indexes = *numbered_files(rig.disk, "idx");
    for (std::uint64_t number : indexes) {
      if (remove) rig.disk.files().erase(index_name(number));
      if (!remove) rig.disk.flip_bit(index_name(number), 5, 1);
    }
    rig.open();
    EXPECT_EQ(read_all(rig, faults), before);
    EXPECT_EQ(faults, 0u);
    rig.kill();
  }
}

TEST(StoreDamage, NoFlippedBitIsPassedOverInSilence) {
  StoreRig rig;
  fill(rig);
  std::uint64_t faults = 0;
  Contents before = read_all(rig, faults);
  std::vector<std::string> metas = rig.sink.texts;
  rig.kill();
  MemoryDisk::Files whole = rig.disk.files();
  std::vector<std::string> names;
  for (const auto& [name, bytes] : whole) names.push_back(name);
  SeededRandom random(5);
  int refused = 0;
  int faulted = 0;
  const char* wanted = std::getenv("WHARF_STORE_FLIPS");
  int flips = wanted ? std::atoi(wanted) : 60;
  for (int i = 0; i < flips; ++i) {
    rig.disk.files() = whole;
    const std::string& file = names[random.below(names.size())];
    std::uint64_t offset = random.below(whole[file].size());
    // Headers are small and matter most.
    if (random.below(2) == 0) offset = offset / page_bytes * page_bytes + random.below(64);
    if (offset >= whole[file].size()) continue;
    rig.disk.flip_bit(file, offset, static_cast<unsigned>(random.below(8)));
    SCOPED_TRACE(file + " at " + std::to_string(offset));
    rig.options.accept_damage = false;
    if (rig.try_open()) {
      Contents now = read_all(rig, faults);
      EXPECT_EQ(now.size() + faults, before.size());
      if (faults > 0) ++faulted;
      EXPECT_EQ(rig.sink.texts, metas);
    } else {
      ++refused;
      EXPECT_FALSE(rig.report.damage.empty());
      rig.options.accept_damage = true;
      rig.open();
    }
    for (const auto& [place, text] : read_all(rig, faults)) {
      auto known = before.find(place);
      // With damage accepted a lost settle may bring a settled record back, never a wrong one.
      if (known == before.end()) continue;
      EXPECT_EQ(known->second, text);
    }
    rig.kill();
    if (HasFailure()) return;
  }
  EXPECT_GT(refused, 0);
  EXPECT_GT(faulted, 0);
}

// How many whole blocks of an older segment lie behind the end of the newest.
int stale_blocks(StoreRig& rig) {
  ShardKey key = read_superblocks(rig.disk)->front().key;
  Placed last = blocks_of(rig).back();
  Bytes file(rig.disk.files()[last.file]);
  int stale = 0;
  for (std::uint64_t at = last.offset; at < file.size(); at += page_bytes) {
    Result<BlockHeader> header = decode_block_header(file.subspan(at), key);
    if (header && header->generation != last.header.generation) ++stale;
  }
  return stale;
}

TEST(StoreDamage, BytesOfAnEarlierUseAreNotTaken) {
  StoreRig rig;
  rig.open();
  std::string text(900, 'm');
  Sequence next = 1;
  int stale = 0;
  for (int round = 0; round < 100 && stale == 0; ++round) {
    for (int i = 0; i < 200; ++i, ++next) {
      rig.append(1, next, text);
      rig.settle(1, next, text);
      if (i % 10 == 0) rig.sync();
    }
    stale = stale_blocks(rig);
  }
  EXPECT_GT(stale, 0);
  rig.append(1, next, "last");
  rig.sync();
  rig.reopen();
  EXPECT_EQ(rig.all(1), std::to_string(next) + ":last");
}

TEST(StoreDisk, AFullDiskHoldsProducersAndLetsConsumersGoOn) {
  StoreRig rig;
  rig.options.snapshot_interval_bytes = 128 << 10;
  rig.open();
  std::string text(900, 'f');
  for (Sequence s = 1; s <= 300; ++s) {
    rig.append(1, s, text);
    if (s % 10 == 0) rig.sync();
  }
  rig.turns(5);
  EXPECT_TRUE(rig.store->has_space());
  rig.disk.set_free_bytes(1000);
  Sequence next = 301;
  for (int turn = 0; turn < 1000 && rig.store->has_space(); ++turn) {
    rig.clock.advance(std::chrono::milliseconds(100));
    rig.append(1, next++, text);
    rig.sync();
  }
  EXPECT_FALSE(rig.store->has_space());
  // Consumers go on, and what they say becomes durable.
  for (Sequence s = 1; s < 300; ++s) {
    rig.settle(1, s, text);
    if (s % 50 == 0) rig.sync();
  }
  rig.sync();
  EXPECT_EQ(rig.store->durable_up_to(), rig.store->end());
  rig.disk.set_free_bytes(std::uint64_t{1} << 40);
  for (int turn = 0; turn < 10; ++turn) {
    rig.clock.advance(std::chrono::milliseconds(400));
    rig.turns(2);
  }
  EXPECT_TRUE(rig.store->has_space());
  rig.reopen();
  EXPECT_EQ(rig.lane(1).count, next - 300);
}

TEST(StoreDisk, LowSpaceHoldsProducersBeforeTheDiskIsFull) {
  StoreRig rig;
  rig.options.free_bytes_min = 10 << 20;
  rig.open();
  rig.turns(3);
  EXPECT_TRUE(rig.store->has_space());
  rig.disk.set_free_bytes(9 << 20);
  rig.clock.advance(std::chrono::seconds(2));
  rig.turns(1);
  EXPECT_FALSE(rig.store->has_space());
  EXPECT_TRUE(rig.store->next_deadline().has_value());
  rig.disk.set_free_bytes(11 << 20);
  rig.clock.advance(std::chrono::seconds(2));
  rig.turns(1);
  EXPECT_TRUE(rig.store->has_space());
}

TEST(StoreDisk, ALogBehindTheDiskSaysSoAndRefusesNothing) {
  StoreRig rig;
  rig.options.pending_bytes_max = 64 << 10;
  rig.open();
  std::string text(900, 'b');
  for (Sequence s = 1; s <= 300; ++s) {
    EXPECT_EQ(rig.store->is_behind(), rig.store->stats().pending_bytes > 64 << 10);
    rig.append(1, s, text);
  }
  EXPECT_TRUE(rig.store->is_behind());
  EXPECT_TRUE(rig.store->has_space());
  rig.sync();
  EXPECT_FALSE(rig.store->is_behind());
  rig.reopen();
  EXPECT_EQ(rig.lane(1).count, 300U);
}

TEST(StoreDisk, AFailedSyncIsForGood) {
  StoreRig rig;
  rig.open();
  rig.append(1, 1, "safe");
  rig.sync();
  Lsn durable = rig.store->durable_up_to();
  rig.disk.fail_syncs();
  rig.append(1, 2, "not safe");
  rig.sync();
  EXPECT_TRUE(rig.store->failed());
  EXPECT_FALSE(rig.store->has_space());
  EXPECT_EQ(rig.store->durable_up_to(), durable);
  EXPECT_EQ(rig.all(1), "1:safe 2:not safe");
  LaneRef ref{LaneId{1}, 3};
  Bytes payload = bytes_of("x");
  EXPECT_EQ(rig.store->append({&ref, 1}, {&payload, 1}, 1, false).error().code, Errc::io);
  // The disk works again; the store has learnt not to trust it.
  std::uint64_t completed = rig.disk.completed();
  rig.settle(1, 1, "safe");
  rig.clock.advance(std::chrono::seconds(1));
  rig.turns(5);
  EXPECT_EQ(rig.disk.completed(), completed);
  EXPECT_EQ(rig.store->durable_up_to(), durable);
  rig.reopen();
  EXPECT_EQ(rig.all(1), "1:safe");
}

}  // namespace
}  // namespace wharf::storage
