#include "wire/buffer.h"

#include <cstring>
#include <new>

#include "base/assert.h"

namespace wharf {

Buffer::Buffer(std::size_t size) {
  void* raw = ::operator new(sizeof(Block) + size);
  block_ = new (raw) Block;
  view_ = Bytes(static_cast<const std::byte*>(raw) + sizeof(Block), size);
}

Buffer Buffer::copy_of(Bytes bytes) {
  Buffer buffer(bytes.size());
  if (!bytes.empty()) std::memcpy(buffer.writable().data(), bytes.data(), bytes.size());
  return buffer;
}

std::span<std::byte> Buffer::writable() {
  ASSERT(block_ && block_->count.load(std::memory_order_relaxed) == 1);
  return {const_cast<std::byte*>(view_.data()), view_.size()};
}

Buffer Buffer::slice(std::size_t offset, std::size_t size) const {
  ASSERT(offset <= view_.size() && size <= view_.size() - offset);
  Buffer part(*this);
  part.view_ = view_.subspan(offset, size);
  return part;
}

void Buffer::release() noexcept {
  if (block_ && block_->count.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    block_->~Block();
    ::operator delete(block_);
  }
}

}  // namespace wharf
