// storage/snapshot.h: the state at one point of the log, so that a start need not read what came
// before. Pure: bytes to values and back. Bytes: docs/formats/snapshot.md.
#pragma once

#include <cstdint>

#include "base/fault.h"
#include "storage/catalog.h"
#include "storage/layout.h"
#include "wire/buffer.h"
#include "wire/bytes.h"
#include "wire/writer.h"

namespace wharf::storage {

// The snapshot holds what all blocks up to `chain` mean, and nothing of what follows.
struct SnapshotHead {
  Chain chain;
  std::uint32_t epoch = 0;
};

// Volatile records are left out, as if settled.
Buffer encode_snapshot(const SnapshotHead& head, const Catalog& catalog, Bytes caller_state,
                       const ShardKey& key);

// Fills `catalog` (REQUIRES: empty) and `caller_state`. Faults: malformed; both are then half
// filled.
Result<SnapshotHead> decode_snapshot(Bytes file, const ShardKey& key, Catalog& catalog,
                                     ByteVector& caller_state);

}  // namespace wharf::storage
