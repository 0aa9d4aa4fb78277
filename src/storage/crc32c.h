// storage/crc32c.h: the checksum of every file of the log (CRC-32C, Castagnoli), by ISA-L.
#pragma once

#include <cstdint>

#include "wire/bytes.h"

namespace wharf::storage {

// Of `bytes`, or of what came before and then `bytes` when `before` is the checksum of that.
std::uint32_t crc32c(Bytes bytes, std::uint32_t before = 0);

}  // namespace wharf::storage
