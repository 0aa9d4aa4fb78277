#include "wire/utf8.h"

#include <cstdint>
#include <cstring>

namespace wharf {

namespace {

// What may follow a lead byte (RFC 3629, section 4): how many bytes, and the range of the first
// one.
struct Tail {
  std::size_t count = 0;  // 0: not a lead byte
  std::uint8_t first_min = 0x80;
  std::uint8_t first_max = 0xbf;
};

Tail tail_after(std::uint8_t lead) {
  if (lead >= 0xc2 && lead <= 0xdf) return {1};
  if (lead == 0xe0) return {2, 0xa0, 0xbf};
  if (lead == 0xed) return {2, 0x80, 0x9f};
  if (lead >= 0xe1 && lead <= 0xef) return {2};
  if (lead == 0xf0) return {3, 0x90, 0xbf};
  if (lead >= 0xf1 && lead <= 0xf3) return {3};
  if (lead == 0xf4) return {3, 0x80, 0x8f};
  return {};
}

bool is_tail(std::string_view bytes, Tail tail) {
  if (tail.count == 0 || bytes.size() < tail.count) return false;
  auto first = static_cast<std::uint8_t>(bytes[0]);
  if (first < tail.first_min || first > tail.first_max) return false;
  for (char byte : bytes.substr(1, tail.count - 1)) {
    if ((static_cast<std::uint8_t>(byte) & 0xc0) != 0x80) return false;
  }
  return true;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    std::uint64_t eight = 0;
    if (text.size() >= sizeof(eight)) {
      std::memcpy(&eight, text.data(), sizeof(eight));
      if ((eight & 0x8080808080808080) == 0) {
        text.remove_prefix(sizeof(eight));
        continue;
      }
    }
    auto lead = static_cast<std::uint8_t>(text[0]);
    text.remove_prefix(1);
    if (lead < 0x80) continue;
    Tail tail = tail_after(lead);
    if (!is_tail(text, tail)) return false;
    text.remove_prefix(tail.count);
  }
  return true;
}

}  // namespace wharf
