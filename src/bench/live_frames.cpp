#include "bench/live_frames.h"

namespace wharf::bench {

FrameBlock::FrameBlock(const Frame& frame, std::size_t size_max)
    : frame_size_(frame.size()),
      body_at_(frame.head.size()),
      body_size_(frame.body_size),
      count_(std::max<std::size_t>(1, size_max / frame_size_)) {
  std::string one = frame.head + std::string(frame.body_size, 'x') + frame.tail;
  bytes_.reserve(count_ * frame_size_);
  for (std::size_t i = 0; i < count_; ++i) {
    Bytes bytes = bytes_of(one);
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
}

std::optional<std::string_view> first_line(Bytes input) {
  std::string_view text = text_of(input);
  std::size_t end = text.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  return text.substr(0, end);
}

}  // namespace wharf::bench
