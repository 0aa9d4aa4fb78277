#include "bench/live_frames.h"

#include <gtest/gtest.h>

namespace wharf::bench {
namespace {

Frame frame_of(std::size_t body_size) {
  return {.head = "MSG a 1 " + std::to_string(body_size) + "\r\n",
          .tail = "\r\n",
          .body_size = body_size};
}

TEST(FrameBlock, AsManyAsFitAndOneAtLeast) {
  Frame frame = frame_of(16);
  EXPECT_EQ(FrameBlock(frame, 10 * frame.size() + 1).count(), 10u);
  EXPECT_EQ(FrameBlock(frame, 1).count(), 1u);
  FrameBlock block(frame, 3 * frame.size());
  EXPECT_EQ(block.first(2).size(), 2 * frame.size());
  EXPECT_TRUE(block.first(0).empty());
}

TEST(FrameBlock, StampsComeBack) {
  Frame frame = frame_of(16);
  FrameBlock block(frame, 4 * frame.size());
  for (std::size_t i = 0; i < block.count(); ++i) {
    auto sender = static_cast<std::uint32_t>(65535 - i);
    block.stamp(i, Instant(Duration(1'000'000'000'000 + i)), {sender, (1ull << 48) - 1 - i});
  }
  FrameReader reader(frame);
  Bytes bytes = block.first(block.count());
  ASSERT_EQ(reader.count_each(bytes), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    Bytes body = reader.body(bytes, i);
    EXPECT_EQ(stamp_of(body), Instant(Duration(1'000'000'000'000 + i)));
    EXPECT_EQ(serial_of(body).sender, 65535 - i);
    EXPECT_EQ(serial_of(body).number, (1ull << 48) - 1 - i);
  }
}

// What has no room for a stamp is not written past.
TEST(FrameBlock, SmallBodies) {
  for (std::size_t size : {0u, 7u, 8u, 15u}) {
    Frame frame = frame_of(size);
    FrameBlock block(frame, 2 * frame.size());
    block.stamp(0, Instant(Duration(-1)), {1, 1});
    EXPECT_EQ(FrameReader(frame).count_each(block.first(2)), 2u) << size;
    std::string_view body = text_of(block.first(1)).substr(frame.head.size(), size);
    EXPECT_EQ(body.find('\xff') == 0, size >= stamped_size) << size;
  }
}

TEST(FrameReader, CountsWholeMessagesOnly) {
  Frame frame = frame_of(16);
  FrameBlock block(frame, 100 * frame.size());
  FrameReader reader(frame);
  for (std::size_t size = 0; size <= 3 * frame.size(); ++size) {
    Bytes input = block.first(3).first(size);
    EXPECT_EQ(reader.count(input), size / frame.size()) << size;
    EXPECT_EQ(reader.count_each(input), size / frame.size()) << size;
    EXPECT_EQ(reader.may_begin(input), size < frame.size()) << size;
  }
}

// A line between messages, wherever it stands, ends the run there.
TEST(FrameReader, SeesWhatIsInBetween) {
  Frame frame = frame_of(16);
  FrameReader reader(frame);
  std::string one(text_of(FrameBlock(frame, 1).first(1)));
  for (std::size_t before = 0; before < 5; ++before) {
    std::string input;
    for (std::size_t i = 0; i < 5; ++i) input += (i == before ? "PING\r\n" : "") + one;
    EXPECT_EQ(reader.count(bytes_of(input)), before);
    Bytes rest = bytes_of(input).subspan(before * frame.size());
    EXPECT_FALSE(reader.may_begin(rest));
    EXPECT_EQ(first_line(rest), "PING");
  }
  // Lines that together are as long as a message shift nothing.
  std::string filler = std::string(frame.size() - 2, 'P') + "\r\n";
  EXPECT_EQ(reader.count(bytes_of(one + filler + one)), 1u);
  EXPECT_FALSE(reader.may_begin(bytes_of("PIN")));
  EXPECT_FALSE(first_line(bytes_of("PING\r")));
}

TEST(FrameReader, APartMayVary) {
  Frame frame{.head = "MSG a 1 r.00 16\r\n",
              .tail = "\r\n",
              .body_size = 16,
              .varies_at = 8,
              .varies_size = 4};
  FrameReader reader(frame);
  std::string body(16, 'b');
  std::string input = "MSG a 1 r.01 16\r\n" + body + "\r\nMSG a 1 r.07 16\r\n" + body + "\r\n";
  EXPECT_EQ(reader.count_each(bytes_of(input)), 2u);
  EXPECT_TRUE(reader.may_begin(bytes_of("MSG a 1 r.07")));
  input[13] = '9';  // another size
  EXPECT_EQ(reader.count_each(bytes_of(input)), 0u);
}

TEST(OrderCheck, EachSenderForItself) {
  OrderCheck order(2);
  for (std::uint64_t i = 0; i < 3; ++i) {
    order.see({0, i});
    order.see({1, i});
  }
  EXPECT_EQ(order.skipped() + order.out_of_order(), 0u);
  order.see({0, 5});  // 3 and 4 are missing
  EXPECT_EQ(order.skipped(), 2u);
  order.see({0, 4});  // late
  order.see({1, 2});  // twice
  order.see({2, 0});  // of nobody
  EXPECT_EQ(order.out_of_order(), 3u);
  order.see({1, 3});
  EXPECT_EQ(order.skipped(), 2u);
}

}  // namespace
}  // namespace wharf::bench
