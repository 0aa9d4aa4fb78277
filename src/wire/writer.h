// wire/writer.h: appends fields to a growing byte string. Cheap to make; the caller owns the
// string. For bytes of a size known ahead, write into Chain::extend or a Buffer with put_be /
// put_le instead.
#pragma once

#include <concepts>
#include <cstring>
#include <vector>

#include "wire/bytes.h"
#include "wire/reader.h"

namespace wharf {

using ByteVector = std::vector<std::byte>;

template <std::integral T>
void put_be(std::byte* at, T value) {
  value = from_big_endian(value);
  std::memcpy(at, &value, sizeof(T));
}

template <std::integral T>
void put_le(std::byte* at, T value) {
  value = from_little_endian(value);
  std::memcpy(at, &value, sizeof(T));
}

class Writer {
 public:
  explicit Writer(ByteVector& out) : out_(out) {}

  void bytes(Bytes raw) { out_.insert(out_.end(), raw.begin(), raw.end()); }
  void text(std::string_view raw) { bytes(bytes_of(raw)); }

  template <std::integral T>
  void be(T value) {
    put_be(grow(sizeof(T)), value);
  }
  template <std::integral T>
  void le(T value) {
    put_le(grow(sizeof(T)), value);
  }

  void varint(std::uint64_t value) {
    while (value >= 0x80) {
      be(static_cast<std::uint8_t>(value | 0x80));
      value >>= 7;
    }
    be(static_cast<std::uint8_t>(value));
  }

  // Where the next byte goes, to patch a length once it is known.
  std::size_t offset() const { return out_.size(); }
  template <std::integral T>
  void patch_be(std::size_t offset, T value) {
    put_be(out_.data() + offset, value);
  }

 private:
  std::byte* grow(std::size_t size) {
    out_.resize(out_.size() + size);
    return out_.data() + out_.size() - size;
  }

  ByteVector& out_;
};

}  // namespace wharf
