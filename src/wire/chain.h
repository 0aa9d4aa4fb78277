// wire/chain.h: what is to be written to a peer, as a gather list: small pieces are copied
// together, large bodies are shared, and one writev sends all. Owned by one connection.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "wire/buffer.h"

namespace wharf {

class Chain {
 public:
  // Below this a copy is cheaper than another entry of the gather list.
  static constexpr std::size_t share_size_min = 4096;

  // Space for exactly `size` more bytes at the end; the caller fills all of it before the next
  // call.
  std::span<std::byte> extend(std::size_t size);
  void append(Bytes bytes);
  // Sends `size` bytes of `buffer` from `offset`: shared when large, copied when small.
  void append(const Buffer& buffer, std::size_t offset, std::size_t size);

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Up to `max` pieces from the front, valid until the next call that is not const.
  void front_pieces(std::vector<Bytes>& out, std::size_t max) const;
  // Drops `size` bytes from the front. REQUIRES: size <= this->size().
  void consume(std::size_t size);
  void clear();
  // A flat copy, for tests and small answers.
  std::string flatten() const;

 private:
  // A block of its own, not cleared before it is filled, which grows up to block_size and is then
  // left as it is; or a shared one.
  struct Piece {
    std::unique_ptr<std::byte[]> data;
    std::size_t size = 0;
    std::size_t capacity = 0;
    Buffer shared;
    Bytes bytes() const { return shared ? shared.bytes() : Bytes(data.get(), size); }
  };
  static constexpr std::size_t block_size = 64 * 1024;
  static constexpr std::size_t block_size_min = 256;

  void grow(Piece& piece, std::size_t size);

  std::deque<Piece> pieces_;
  std::size_t front_offset_ = 0;  // bytes of the first piece that are already gone
  std::size_t size_ = 0;
};

}  // namespace wharf
