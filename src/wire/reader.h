// wire/reader.h: bounds-checked cursor over received bytes. The first fault sticks and later reads
// yield zeros, so callers check once, at the end.
#pragma once

#include <bit>
#include <concepts>
#include <cstring>
#include <optional>
#include <utility>

#include "base/fault.h"
#include "wire/bytes.h"

namespace wharf {

template <std::integral T>
constexpr T from_big_endian(T value) {
  if constexpr (std::endian::native == std::endian::little) return std::byteswap(value);
  return value;
}

template <std::integral T>
constexpr T from_little_endian(T value) {
  if constexpr (std::endian::native == std::endian::big) return std::byteswap(value);
  return value;
}

class Reader {
 public:
  explicit Reader(Bytes bytes) : all_(bytes), rest_(bytes) {}

  Bytes take(std::size_t size) {
    if (rest_.size() < size) {
      fail(Errc::malformed, "field runs past the end");
      return {};
    }
    return std::exchange(rest_, rest_.subspan(size)).first(size);
  }

  template <std::integral T>
  T be() {
    return from_big_endian(raw<T>());
  }
  template <std::integral T>
  T le() {
    return from_little_endian(raw<T>());
  }

  // Unsigned LEB128, at most ten bytes.
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      std::uint8_t byte = be<std::uint8_t>();
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (shift == 63 && byte > 1) break;
      if ((byte & 0x80) == 0) return value;
    }
    fail(Errc::malformed, "varint too long");
    return 0;
  }

  void fail(Errc code, const char* why) {
    if (!fault_) fault_ = Fault{code, static_cast<std::uint32_t>(offset()), why};
    rest_ = {};
  }
  bool failed() const { return fault_.has_value(); }
  const std::optional<Fault>& why() const { return fault_; }
  Bytes rest() const { return rest_; }
  std::size_t left() const { return rest_.size(); }
  // Bytes used so far; meaningless after a fault.
  std::size_t offset() const { return all_.size() - rest_.size(); }

  // The input must be used up exactly.
  template <class T>
  Result<T> finish(T value) {
    if (!fault_ && !rest_.empty()) fail(Errc::malformed, "bytes after the last field");
    if (fault_) return std::unexpected(*fault_);
    return value;
  }

 private:
  template <std::integral T>
  T raw() {
    Bytes bytes = take(sizeof(T));
    T value{};
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }

  Bytes all_;
  Bytes rest_;
  std::optional<Fault> fault_;
};

}  // namespace wharf
