// broker/live_writer.h: where a shard copies live messages to: into blocks that those who hear them
// share. A block is written behind what is in it already, so its bytes never change once they are
// shared. Shard: owner only.
#pragma once

#include <cstddef>

#include "broker/live.h"
#include "wire/buffer.h"

namespace wharf::broker {

class LiveWriter {
 public:
  // Copies the message; good as long as somebody holds block().
  const LiveRecord* write(const LiveMessage& message);
  // Of the last record.
  const Buffer& block() const { return block_; }

 private:
  // A larger message has a block of its own.
  static constexpr std::size_t block_size = 64 << 10;

  Buffer block_;
  std::byte* space_ = nullptr;  // of block_
  std::size_t used_ = 0;
};

}  // namespace wharf::broker
