#include "protocol/nats/nkey.h"

#include <algorithm>
#include <cstdint>

#include "wire/writer.h"

namespace wharf::nats {

namespace {

constexpr std::size_t text_size = 56;
constexpr std::size_t raw_size = 35;
constexpr std::uint8_t user_prefix = 20 << 3;

// Groups of `bits` bits, most significant first; none for a letter that `value_of` does not know.
template <class ValueOf>
std::optional<ByteVector> decode(std::string_view text, unsigned bits, const ValueOf& value_of) {
  ByteVector bytes;
  std::uint32_t held = 0;
  unsigned held_bits = 0;
  for (char letter : text) {
    int value = value_of(letter);
    if (value < 0) return std::nullopt;
    held = held << bits | static_cast<std::uint32_t>(value);
    held_bits += bits;
    if (held_bits < 8) continue;
    held_bits -= 8;
    bytes.push_back(static_cast<std::byte>(held >> held_bits & 0xff));
  }
  return bytes;
}

int base32_value(char letter) {
  if (letter >= 'A' && letter <= 'Z') return letter - 'A';
  if (letter >= '2' && letter <= '7') return letter - '2' + 26;
  return -1;
}

int base64_value(char letter) {
  if (letter >= 'A' && letter <= 'Z') return letter - 'A';
  if (letter >= 'a' && letter <= 'z') return letter - 'a' + 26;
  if (letter >= '0' && letter <= '9') return letter - '0' + 52;
  if (letter == '+' || letter == '-') return 62;
  if (letter == '/' || letter == '_') return 63;
  return -1;
}

// CRC-16/XMODEM.
std::uint16_t crc16(Bytes bytes) {
  std::uint32_t crc = 0;
  for (std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte) << 8;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
  }
  return static_cast<std::uint16_t>(crc);
}

}  // namespace

std::optional<auth::Ed25519Key> read_user_key(std::string_view text) {
  if (text.size() != text_size) return std::nullopt;
  std::optional<ByteVector> raw = decode(text, 5, base32_value);
  if (!raw || raw->size() != raw_size) return std::nullopt;
  std::uint32_t sum =
      std::to_integer<std::uint32_t>((*raw)[33]) | std::to_integer<std::uint32_t>((*raw)[34]) << 8;
  bool sound = sum == crc16(Bytes(*raw).first(33)) &&
               std::to_integer<std::uint8_t>((*raw)[0]) == user_prefix;
  if (!sound) return std::nullopt;
  auth::Ed25519Key key;
  std::copy_n(raw->begin() + 1, key.size(), key.begin());
  return key;
}

bool verify_nonce(std::string_view key, std::string_view nonce, std::string_view signature) {
  std::optional<auth::Ed25519Key> public_key = read_user_key(key);
  while (signature.ends_with('=')) signature.remove_suffix(1);
  std::optional<ByteVector> raw = decode(signature, 6, base64_value);
  return public_key && raw && auth::verify_ed25519(*public_key, bytes_of(nonce), *raw);
}

}  // namespace wharf::nats
