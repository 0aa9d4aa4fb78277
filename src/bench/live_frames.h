// bench/live_frames.h: messages of one kind, made in blocks and read in blocks. A body begins with
// the moment of sending (8 bytes) and then, if it has 16, with its sender and number.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "bench/live_protocol.h"
#include "wire/bytes.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace wharf::bench {

inline constexpr std::size_t stamped_size = 8;    // of a body that has a moment
inline constexpr std::size_t numbered_size = 16;  // of a body that also has sender and number

// Sender and number in one: senders are below 2^16, numbers below 2^48.
struct Serial {
  std::uint32_t sender = 0;
  std::uint64_t number = 0;
};

// REQUIRES: the body is of stamped_size, of numbered_size.
inline Instant stamp_of(Bytes body) { return Instant(Duration(Reader(body).be<std::int64_t>())); }
inline Serial serial_of(Bytes body) {
  auto value = Reader(body.subspan(stamped_size)).be<std::uint64_t>();
  return {static_cast<std::uint32_t>(value >> 48), value & ((std::uint64_t{1} << 48) - 1)};
}

// Messages side by side, ready to be written at once: all that differs is stamped in before.
class FrameBlock {
 public:
  // As many as fit `size_max`, one at least.
  FrameBlock(const Frame& frame, std::size_t size_max);

  std::size_t count() const { return count_; }
  Bytes first(std::size_t count) const { return Bytes(bytes_).first(count * frame_size_); }
  // As much of it as the body has room for.
  void stamp(std::size_t index, Instant moment, Serial serial) {
    std::byte* body = bytes_.data() + index * frame_size_ + body_at_;
    if (body_size_ < stamped_size) return;
    put_be(body, moment.time_since_epoch().count());
    if (body_size_ < numbered_size) return;
    put_be(body + stamped_size, std::uint64_t{serial.sender} << 48 | serial.number);
  }

 private:
  std::size_t frame_size_;
  std::size_t body_at_;
  std::size_t body_size_;
  std::size_t count_;
  std::vector<std::byte> bytes_;
};

// Finds messages of one kind in what was received, by their length.
class FrameReader {
 public:
  // REQUIRES: a head of four bytes at least that do not vary.
  explicit FrameReader(Frame frame) : frame_(std::move(frame)), size_(frame_.size()) {
    std::memcpy(&start_, frame_.head.data(), sizeof(start_));
  }

  std::size_t frame_size() const { return size_; }
  Bytes body(Bytes input, std::size_t index) const {
    return input.subspan(index * size_ + frame_.head.size(), frame_.body_size);
  }
  // How many whole messages `input` begins with. Of each but the first and the last it looks at the
  // first bytes only: what stands between messages has other ones, or shifts those behind it.
  std::size_t count(Bytes input) const {
    std::size_t whole = input.size() / size_;
    bool straight = whole > 0 && is_frame(input, 0) && is_frame(input, whole - 1);
    const std::byte* at = input.data();
    for (std::size_t i = 0; straight && i < whole; ++i, at += size_) straight = starts(at);
    return straight ? whole : count_each(input);
  }
  // The same, and looks at all of the head and tail of each.
  std::size_t count_each(Bytes input) const {
    std::size_t count = 0;
    while ((count + 1) * size_ <= input.size() && is_frame(input, count)) ++count;
    return count;
  }
  // More bytes could make `input` begin with a message.
  bool may_begin(Bytes input) const {
    std::size_t fixed = frame_.varies_size > 0 ? frame_.varies_at : frame_.head.size();
    std::string_view text = text_of(input.first(std::min(input.size(), fixed)));
    return input.size() < size_ && frame_.head.starts_with(text);
  }

 private:
  bool starts(const std::byte* at) const {
    std::uint32_t start;
    std::memcpy(&start, at, sizeof(start));
    return start == start_;
  }
  bool is_frame(Bytes input, std::size_t index) const {
    const std::byte* at = input.data() + index * size_;
    std::size_t behind = frame_.varies_at + frame_.varies_size;
    return same(at, frame_.head, 0, frame_.varies_at) &&
           same(at, frame_.head, behind, frame_.head.size()) &&
           same(at + size_ - frame_.tail.size(), frame_.tail, 0, frame_.tail.size());
  }
  static bool same(const std::byte* at, const std::string& text, std::size_t from, std::size_t to) {
    return std::memcmp(at + from, text.data() + from, to - from) == 0;
  }

  Frame frame_;
  std::size_t size_;
  std::uint32_t start_;
};

// The line that `input` begins with, without its end; none when it is not whole.
std::optional<std::string_view> first_line(Bytes input);
inline constexpr std::size_t line_end_size = 2;

// That each sender's messages come one after the other, from number 0 on.
class OrderCheck {
 public:
  explicit OrderCheck(std::size_t senders) : next_(senders) {}

  void see(Serial serial) {
    if (serial.sender >= next_.size()) {
      ++out_of_order_;
      return;
    }
    std::uint64_t& next = next_[serial.sender];
    if (serial.number < next) {
      ++out_of_order_;
      return;
    }
    skipped_ += serial.number - next;
    next = serial.number + 1;
  }
  std::uint64_t skipped() const { return skipped_; }            // numbers that were jumped over
  std::uint64_t out_of_order() const { return out_of_order_; }  // late, twice, or of nobody

 private:
  std::vector<std::uint64_t> next_;
  std::uint64_t skipped_ = 0;
  std::uint64_t out_of_order_ = 0;
};

}  // namespace wharf::bench
