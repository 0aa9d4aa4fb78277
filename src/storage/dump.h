// storage/dump.h: prints and verifies what a shard's directory holds, by docs/formats/. Reads only,
// so it may look at a copy, or at a directory whose owner has stopped.
#pragma once

#include <cstdint>
#include <iosfwd>

#include "storage/disk.h"

namespace wharf::storage {

struct DumpSummary {
  std::uint64_t segments = 0;
  std::uint64_t blocks = 0;
  std::uint64_t records = 0;
  std::uint64_t bad_superblocks = 0;  // one may be torn at any time; two are damage
  std::uint64_t unreadable_segments = 0;
};

// Writes a line for each superblock, segment, block and record; with `verify_only` none for records
// and blocks. A segment is followed from its start as far as blocks of its own generation chain on;
// what lies behind is the zeroes of a new file or the remains of an older use, and is not looked
// at. Faults: malformed when no superblock is valid, io.
Result<DumpSummary> dump_log(Disk& disk, std::ostream& out, bool verify_only);

}  // namespace wharf::storage
