#include "storage/dump.h"

#include <sstream>

#include <gtest/gtest.h>

#include "storage/store_rig.h"

namespace wharf::storage {
namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Dump, ShowsEveryRecordAndTheVerdict) {
  StoreRig rig;
  rig.open();
  rig.append(7, 1, "hello");
  rig.append(7, 2, "world", true);
  rig.settle(7, 1, "hello");
  rig.meta("x");
  rig.sync();
  rig.store->drop_lane(LaneId{7});
  rig.close();
  std::ostringstream out;
  Result<DumpSummary> summary = dump_log(rig.disk, out, false);
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->blocks, 3u);
  EXPECT_EQ(summary->records, 5u);
  EXPECT_TRUE(summary->clean);
  EXPECT_TRUE(summary->damage.empty());
  for (const char* part :
       {"message at 4160", "charge 5, in lane 7 #1", "volatile", "settled", "#1-1", "drop_lane",
        "meta", "seal", "log ends behind block 3, clean stop, 0 bytes torn, 0 ranges lost"}) {
    EXPECT_TRUE(has(out.str(), part)) << part << "\n" << out.str();
  }
}

TEST(Dump, NamesWhatIsLost) {
  StoreRig rig;
  rig.open();
  for (Sequence s = 1; s <= 3; ++s) {
    rig.append(1, s, "x");
    rig.sync();
  }
  rig.kill();
  MemoryDisk::Files before = rig.disk.files();
  rig.disk.flip_bit("wal/0000000000000001", 4096 + 70, 1);
  std::ostringstream out;
  Result<DumpSummary> summary = dump_log(rig.disk, out, true);
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->unreadable_segments, 1u);
  ASSERT_EQ(summary->damage.size(), 1u);
  EXPECT_EQ(summary->damage[0].offset, 4096u);
  EXPECT_TRUE(has(out.str(), "DAMAGED wal/0000000000000001: 4096 bytes at 4096"));
  EXPECT_TRUE(has(out.str(), "PAYLOAD DOES NOT MATCH"));
  // Looking changes nothing.
  rig.disk.flip_bit("wal/0000000000000001", 4096 + 70, 1);
  EXPECT_EQ(rig.disk.files(), before);
}

}  // namespace
}  // namespace wharf::storage
