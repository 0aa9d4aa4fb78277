#include "net/inbox.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace wharf::net {

std::span<std::byte> Inbox::prepare(std::span<std::byte> shared) {
  ASSERT(!shared_ && shared.size() > shared_rest_max);
  std::size_t kept = unread_.size();
  if (kept <= shared_rest_max) {
    if (kept > 0) std::memcpy(shared.data(), unread_.data(), kept);
    shared_ = shared.data();
    return shared.subspan(kept);
  }
  own_.resize(kept + std::clamp(kept, growth_min, growth_max));
  unread_ = Bytes(own_).first(kept);
  return std::span(own_).subspan(kept);
}

void Inbox::filled(std::size_t size) {
  std::size_t total = unread_.size() + size;
  unread_ = shared_ ? Bytes(shared_, total) : Bytes(own_).first(total);
}

void Inbox::keep_after(std::size_t used) {
  ASSERT(used <= unread_.size());
  Bytes rest = unread_.subspan(used);
  if (rest.empty()) {
    own_ = ByteVector();
  } else if (shared_) {
    own_.assign(rest.begin(), rest.end());
  } else if (used > 0) {
    own_ = ByteVector(rest.begin(), rest.end());
  }
  shared_ = nullptr;
  unread_ = Bytes(own_).first(rest.size());
}

}  // namespace wharf::net
