#include "storage/crc32c.h"

#include <climits>

#include <isa-l/crc.h>

#include "base/assert.h"

namespace wharf::storage {

std::uint32_t crc32c(Bytes bytes, std::uint32_t before) {
  ASSERT(bytes.size() <= INT_MAX);
  if (bytes.empty()) return before;
  // The library reads only, but its signature was made before const.
  auto* data = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data()));
  return ~crc32_iscsi(data, static_cast<int>(bytes.size()), ~before);
}

}  // namespace wharf::storage
