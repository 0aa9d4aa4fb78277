// storage/recovery.h: from what a disk holds to the state of a store: newest valid superblock, its
// snapshot, then the log behind it. Reads only, but for creating a new store; so a crash during it
// is no event, and doing it twice gives the same.
#pragma once

#include <cstdint>
#include <vector>

#include "storage/catalog.h"
#include "storage/layout.h"
#include "storage/offsets.h"
#include "storage/superblock.h"

namespace wharf::storage {

struct Recovered {
  Superblock super;        // the one that was used, or the first one of a new store
  Lsn older_snapshot = 0;  // of the other superblock, if that is valid
  Catalog catalog;
  Chain tail;
  std::uint64_t last_segment = 0;  // the segment that the log ends in; 0 for none
  std::uint32_t epoch_max = 0;
  std::vector<SegmentOffsets> offsets;    // of segments whose index is to be written
  std::vector<std::uint64_t> wal_files;   // ascending
  std::vector<std::uint64_t> idle_files;  // of these, what nobody needs
};

// Faults: malformed for damage that the options do not accept, io.
Result<Recovered> recover(Disk& disk, Random& random, const StoreOptions& options,
                          RecoverySink& sink, OpenReport& report);

// The valid superblocks, the one that counts first.
Result<std::vector<Superblock>> read_superblocks(Disk& disk);
// Numbers of the files in `directory`, ascending; other names are left out.
Result<std::vector<std::uint64_t>> numbered_files(Disk& disk, const std::string& directory);

}  // namespace wharf::storage
