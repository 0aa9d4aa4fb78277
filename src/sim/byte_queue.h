// sim/byte_queue.h: bytes on their way in one direction.
#pragma once

#include <cstddef>
#include <vector>

#include "base/assert.h"
#include "wire/bytes.h"

namespace wharf::sim {

class ByteQueue {
 public:
  void append(Bytes bytes) { data_.insert(data_.end(), bytes.begin(), bytes.end()); }
  Bytes bytes() const { return Bytes(data_).subspan(front_); }
  std::size_t size() const { return data_.size() - front_; }
  bool empty() const { return size() == 0; }
  void drop(std::size_t size_dropped) {
    ASSERT(size_dropped <= size());
    front_ += size_dropped;
    if (front_ * 2 < data_.size()) return;
    data_.erase(data_.begin(), data_.begin() + static_cast<std::ptrdiff_t>(front_));
    front_ = 0;
  }
  void cut_to(std::size_t size_kept) { data_.resize(front_ + size_kept); }
  // Moves the first bytes to the end of another queue.
  void move_to(ByteQueue& other, std::size_t size_moved) {
    other.append(bytes().first(size_moved));
    drop(size_moved);
  }

 private:
  std::vector<std::byte> data_;
  std::size_t front_ = 0;
};

}  // namespace wharf::sim
