// wire/buffer.h: a counted block of bytes, filled once by its maker and never changed after it was
// shared. Copies share; the last one frees. The count is atomic, because a body goes from the shard
// that stores it to the shard whose connection sends it; nothing else of a message crosses that
// way.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "wire/bytes.h"

namespace wharf {

class Buffer {
 public:
  Buffer() = default;
  // One allocation of `size` bytes, not cleared.
  explicit Buffer(std::size_t size);
  static Buffer copy_of(Bytes bytes);

  Buffer(const Buffer& other) noexcept : block_(other.block_), view_(other.view_) { retain(); }
  Buffer(Buffer&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)), view_(std::exchange(other.view_, {})) {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(block_, other.block_);
    std::swap(view_, other.view_);
    return *this;
  }
  ~Buffer() { release(); }

  // REQUIRES: this is the only reference; the maker writes before it shares.
  std::span<std::byte> writable();
  Bytes bytes() const { return view_; }
  std::size_t size() const { return view_.size(); }
  explicit operator bool() const { return block_ != nullptr; }
  // Shares the block, shows a part of it. REQUIRES: offset + size <= this->size().
  Buffer slice(std::size_t offset, std::size_t size) const;

 private:
  struct Block {
    std::atomic<std::uint32_t> count{1};
  };
  void retain() const noexcept {
    if (block_) block_->count.fetch_add(1, std::memory_order_relaxed);
  }
  void release() noexcept;

  Block* block_ = nullptr;
  Bytes view_;
};

}  // namespace wharf
