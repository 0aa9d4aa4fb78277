// protocol/amqp/credit.h: how much one consumer has been granted, and how much it has earned back.
// The core knows only credit (messages and bytes); AMQP knows prefetch counts. A consumer with a
// prefetch count earns a message back when one is settled; one without earns it when one is
// written, and is renewed as the output drains. Bytes are always earned by writing and renewed as
// the output drains, so that a client that never reads costs bounded memory.
#pragma once

#include <cstdint>

namespace wharf::amqp {

struct Grant {
  std::uint32_t messages = 0;
  std::uint64_t bytes = 0;
  explicit operator bool() const { return messages > 0 || bytes > 0; }
};

class Credit {
 public:
  Credit() = default;
  // `per_settle`: messages come back by settling. `messages` and `bytes` are what it begins with.
  Credit(bool per_settle, std::uint32_t messages, std::uint64_t bytes)
      : per_settle_(per_settle), messages_max_(messages), bytes_max_(bytes) {}

  Grant all() const { return {messages_max_, bytes_max_}; }

  void on_written(std::uint64_t bytes) {
    bytes_ += bytes;
    if (!per_settle_) ++messages_;
  }
  void on_settled() {
    if (per_settle_) ++messages_;
  }
  // A delivery was handed back unread because of a limit of the whole channel.
  void on_held(std::uint64_t bytes) {
    bytes_ += bytes;
    ++held_;
  }
  std::uint32_t held() const { return held_; }
  // That limit has room for `count` more. REQUIRES: count <= held().
  void release_held(std::uint32_t count) {
    held_ -= count;
    released_ += count;
  }

  // What to grant now; it counts as granted afterwards. Small amounts wait for more, but never so
  // that the consumer could run dry.
  Grant take(bool output_is_low) {
    Grant grant;
    bool renew = per_settle_ || (output_is_low && messages_ >= (messages_max_ + 1) / 2);
    if (renew) {
      grant.messages = messages_;
      messages_ = 0;
    }
    grant.messages += released_;
    released_ = 0;
    if (output_is_low && bytes_ > 0 && bytes_ >= bytes_max_ / 2) {
      grant.bytes = bytes_;
      bytes_ = 0;
    }
    return grant;
  }

 private:
  bool per_settle_ = false;
  std::uint32_t messages_max_ = 0;
  std::uint64_t bytes_max_ = 0;
  std::uint32_t messages_ = 0;  // earned
  std::uint64_t bytes_ = 0;     // earned
  std::uint32_t held_ = 0;      // handed back, and not granted again yet
  std::uint32_t released_ = 0;  // of those, to be granted at the next take
};

}  // namespace wharf::amqp
