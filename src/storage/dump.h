// storage/dump.h: prints and verifies what a shard's directory holds, by docs/formats/. Reads only,
// so it may look at a copy, or at a directory whose owner has stopped.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <vector>

#include "storage/disk.h"
#include "storage/store.h"

namespace wharf::storage {

struct DumpSummary {
  std::uint64_t segments = 0;
  std::uint64_t blocks = 0;
  std::uint64_t records = 0;
  std::uint64_t bad_superblocks = 0;      // one may be torn at any time; two are damage
  std::uint64_t unreadable_segments = 0;  // those with a range in `damage`
  std::uint64_t torn_bytes = 0;           // of a tail that nobody was told is safe: no damage
  bool clean = false;                     // the last stop sealed the log
  std::vector<Damage> damage;             // what a start would refuse for
};

// Writes a line for each superblock, segment, block and record, then what a start would say: clean
// stop, torn tail, ranges lost. With `verify_only` no lines for records and intact blocks. A
// segment is followed from its start as far as blocks of its own generation go; what lies behind is
// the zeroes of a new file or the remains of an older use. Faults: malformed when no superblock or
// no snapshot is valid, io.
Result<DumpSummary> dump_log(Disk& disk, std::ostream& out, bool verify_only);

}  // namespace wharf::storage
