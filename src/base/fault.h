// base/fault.h: what went wrong, as a value. Bugs do not come here; they ASSERT.
#pragma once

#include <cstdint>
#include <expected>
#include <type_traits>

namespace wharf {

enum class Errc : std::uint8_t {
  malformed,     // bytes that do not follow the format
  too_large,     // beyond a limit of size
  not_found,     // no such name
  locked,        // held exclusively by somebody else
  precondition,  // known, but not in the state or of the kind that the request needs
  refused,       // no permission
  not_allowed,   // forbidden to everybody in this place
  unsupported,   // a part of the protocol or of the model that is not built
  overloaded,    // a limit of the broker is reached; the same request may succeed later
  io,            // the disk or the network failed
};

// 16 bytes, no allocation: cheap enough for the hot path.
struct Fault {
  Errc code;
  std::uint32_t at = 0;  // byte offset in the input, 0 when not about bytes
  const char* why = "";  // static text only; a peer's bytes never travel in here
};
static_assert(sizeof(Fault) == 16 && std::is_trivially_copyable_v<Fault>);

template <class T>
using Result = std::expected<T, Fault>;

inline std::unexpected<Fault> fault(Errc code, const char* why, std::uint32_t at = 0) {
  return std::unexpected(Fault{code, at, why});
}

}  // namespace wharf
