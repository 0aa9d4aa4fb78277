#include "storage/layout.h"

#include <charconv>

#include "base/assert.h"
#include "storage/crc32c.h"

namespace wharf::storage {

ShardKey ShardKey::of(const std::array<std::byte, 16>& uuid) { return {uuid, crc32c(uuid)}; }

std::string hex16(std::uint64_t number) {
  std::string text(16, '0');
  for (std::size_t i = 16; i-- > 0; number >>= 4) text[i] = "0123456789abcdef"[number & 15];
  return text;
}

std::optional<std::uint64_t> parse_hex16(std::string_view text) {
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (text.size() != 16 || error != std::errc() || end != text.data() + 16) return std::nullopt;
  if (hex16(number) != text) return std::nullopt;
  return number;
}

std::string wal_name(std::uint64_t segment) { return "wal/" + hex16(segment); }
std::string index_name(std::uint64_t segment) { return "idx/" + hex16(segment); }
std::string snapshot_name(Lsn lsn) { return "snap/" + hex16(lsn); }
std::string free_name(std::uint64_t number) { return "free/" + hex16(number); }

std::string super_name(unsigned which) {
  ASSERT(which < 2);
  return which == 0 ? "super.0" : "super.1";
}

}  // namespace wharf::storage
