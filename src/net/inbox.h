// net/inbox.h: what a connection has received and its session has not used. Bytes are read into one
// large buffer that all connections of a thread share; only the unused rest is kept here, so that
// an idle connection has no read buffer. Flow: prepare, (receive), filled, offer unread(),
// keep_after.
#pragma once

#include <cstddef>
#include <span>

#include "wire/bytes.h"
#include "wire/writer.h"

namespace wharf::net {

class Inbox {
 public:
  // Space for the next bytes, behind those that are kept; never empty. Lies in `shared` while
  // little is kept, and then what is in it must not be touched by others before keep_after.
  // REQUIRES: `shared` is larger than shared_rest_max.
  std::span<std::byte> prepare(std::span<std::byte> shared);
  // `size` bytes have come into the prepared space.
  void filled(std::size_t size);
  // All that is not used yet, in one piece. Valid until the next call that is not const.
  Bytes unread() const { return unread_; }
  // The first `used` bytes are done with. REQUIRES: used <= unread().size().
  void keep_after(std::size_t used);

 private:
  // A rest above this is not copied to and fro; it grows where it is.
  static constexpr std::size_t shared_rest_max = 64 * 1024;
  static constexpr std::size_t growth_min = 64 * 1024;
  static constexpr std::size_t growth_max = 1024 * 1024;

  ByteVector own_;
  Bytes unread_;
  std::byte* shared_ = nullptr;  // where unread_ lies, between prepare and keep_after
};

}  // namespace wharf::net
