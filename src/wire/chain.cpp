#include "wire/chain.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace wharf {

std::span<std::byte> Chain::extend(std::size_t size) {
  bool has_block = !pieces_.empty() && !pieces_.back().shared;
  if (!has_block || pieces_.back().capacity - pieces_.back().size < size) {
    bool may_grow = has_block && pieces_.back().size + size <= block_size;
    if (!may_grow) pieces_.emplace_back();
    grow(pieces_.back(), size);
  }
  Piece& piece = pieces_.back();
  std::span<std::byte> space(piece.data.get() + piece.size, size);
  piece.size += size;
  size_ += size;
  return space;
}

// Room for so much more.
void Chain::grow(Piece& piece, std::size_t size) {
  piece.capacity = std::max({piece.size + size, 2 * piece.capacity, block_size_min});
  if (piece.size + size <= block_size) piece.capacity = std::min(piece.capacity, block_size);
  auto data = std::make_unique_for_overwrite<std::byte[]>(piece.capacity);
  if (piece.size > 0) std::memcpy(data.get(), piece.data.get(), piece.size);
  piece.data = std::move(data);
}

void Chain::append(Bytes bytes) {
  if (bytes.empty()) return;
  std::memcpy(extend(bytes.size()).data(), bytes.data(), bytes.size());
}

void Chain::append(const Buffer& buffer, std::size_t offset, std::size_t size) {
  if (size < share_size_min) return append(buffer.bytes().subspan(offset, size));
  pieces_.emplace_back().shared = buffer.slice(offset, size);
  size_ += size;
}

void Chain::front_pieces(std::vector<Bytes>& out, std::size_t max) const {
  out.clear();
  std::size_t skip = front_offset_;
  for (const Piece& piece : pieces_) {
    if (out.size() == max) return;
    Bytes bytes = piece.bytes().subspan(skip);
    skip = 0;
    if (!bytes.empty()) out.push_back(bytes);
  }
}

void Chain::consume(std::size_t size) {
  ASSERT(size <= size_);
  size_ -= size;
  while (!pieces_.empty()) {
    std::size_t left = pieces_.front().bytes().size() - front_offset_;
    if (size < left) break;
    size -= left;
    front_offset_ = 0;
    // The last block is kept for the next turn, so that a busy connection does not allocate.
    if (pieces_.size() == 1 && !pieces_.front().shared) {
      pieces_.front().size = 0;
      return;
    }
    pieces_.pop_front();
  }
  front_offset_ += size;
}

void Chain::clear() {
  pieces_.clear();
  front_offset_ = 0;
  size_ = 0;
}

std::string Chain::flatten() const {
  std::string flat;
  flat.reserve(size_);
  std::vector<Bytes> pieces;
  front_pieces(pieces, pieces_.size());
  for (Bytes piece : pieces) flat += text_of(piece);
  return flat;
}

}  // namespace wharf
