#include "protocol/amqp/frame.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "protocol/amqp/codes.h"

namespace wharf::amqp {
namespace {

using namespace std::string_literals;

// A frame as the drawing in frame.h has it.
std::string frame_bytes(char type, std::uint16_t channel, const std::string& payload) {
  auto octet = [](std::size_t value) { return static_cast<char>(value & 0xff); };
  return type + std::string{octet(channel >> 8u),        octet(channel),
                            octet(payload.size() >> 24), octet(payload.size() >> 16),
                            octet(payload.size() >> 8),  octet(payload.size())} +
         payload + '\xce';
}

Result<std::optional<Frame>> read(const std::string& bytes, std::size_t payload_max = 4096) {
  return read_frame(bytes_of(bytes), payload_max);
}

std::vector<Frame> all_frames(std::string_view bytes) {
  std::vector<Frame> frames;
  Bytes rest = bytes_of(bytes);
  while (!rest.empty()) {
    Result<std::optional<Frame>> frame = read_frame(rest, bytes.size());
    EXPECT_TRUE(frame && *frame);
    if (!frame || !*frame) break;
    frames.push_back(**frame);
    rest = rest.subspan(size_of(**frame));
  }
  return frames;
}

TEST(Greeting, ToldApart) {
  struct Case {
    std::string bytes;
    Greeting greeting;
  };
  for (const Case& c :
       {Case{"AMQP\x00\x00\x09\x01"s, Greeting::v0_9_1},
        Case{"AMQP\x01\x01\x00\x09"s, Greeting::v0_9},
        Case{"AMQP\x01\x01\x08\x00"s, Greeting::v0_8},
        Case{"AMQP\x00\x01\x00\x00"s, Greeting::v1_0},
        Case{"AMQP\x03\x01\x00\x00"s, Greeting::v1_0_sasl},
        Case{"AMQP\x00\x00\x0a\x00"s, Greeting::later_0},
        Case{"AMQP\x00\x00\x08\x00"s, Greeting::other},
        Case{"AMQP\x02\x01\x00\x00"s, Greeting::other}, Case{"GET / HTTP/1.1"s, Greeting::other},
        Case{"\x16\x03\x01"s, Greeting::other}, Case{"AMX"s, Greeting::other}}) {
    EXPECT_EQ(read_greeting(bytes_of(c.bytes)), c.greeting) << c.bytes;
  }
  for (std::size_t size = 0; size < greeting_size; ++size) {
    EXPECT_EQ(read_greeting(Bytes(greeting_0_9_1).first(size)), std::nullopt) << size;
  }
}

TEST(Frame, EverySplit) {
  std::string bytes = frame_bytes(1, 258, "payload");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    std::vector<char> exact(bytes.begin(), bytes.begin() + std::ptrdiff_t(size));
    auto frame = read_frame(bytes_of({exact.data(), exact.size()}), 4096);
    ASSERT_TRUE(frame) << size;
    EXPECT_FALSE(*frame) << size;
  }
  std::string more = bytes + "next";
  Frame frame = read(more).value().value();
  EXPECT_EQ(frame.type, FrameType::method);
  EXPECT_EQ(frame.channel, 258);
  EXPECT_EQ(text_of(frame.payload), "payload");
  EXPECT_EQ(size_of(frame), bytes.size());
}

TEST(Frame, Heartbeat) {
  Chain out;
  write_heartbeat(out);
  EXPECT_EQ(out.flatten(), "\x08\x00\x00\x00\x00\x00\x00\xce"s);
  EXPECT_EQ(read(out.flatten()).value()->type, FrameType::heartbeat);
  EXPECT_EQ(read(frame_bytes(8, 0, "x").substr(0, 7)).error().code, Errc::malformed);
}

TEST(Frame, RefusedAsSoonAsItIsWrong) {
  for (int type = 0; type < 256; ++type) {
    if (type == 1 || type == 2 || type == 3 || type == 8) continue;
    EXPECT_EQ(read(std::string(1, static_cast<char>(type))).error().code, Errc::malformed) << type;
  }
  EXPECT_EQ(read("\x01\x00\x01\xff\xff\xff\xff"s).error().code, Errc::too_large);
  EXPECT_TRUE(read(frame_bytes(3, 1, std::string(4096, 'x'))).value());
  EXPECT_EQ(read(frame_bytes(3, 1, std::string(4097, 'x'))).error().code, Errc::too_large);
  std::string bytes = frame_bytes(1, 1, "payload");
  bytes.back() = '\xcf';
  auto wrong = read(bytes);
  EXPECT_EQ(wrong.error().code, Errc::malformed);
  EXPECT_EQ(wrong.error().at, 14u);
}

TEST(Frame, ShortPayloads) {
  EXPECT_FALSE(read_method(bytes_of("abc")));
  std::string id = "\x00\x32\x00\x0a"s;
  EXPECT_EQ(read_method(bytes_of(id)).value().id, QueueDeclare::id);
  std::string header(12, '\0');
  EXPECT_TRUE(read_content_header(bytes_of(header)));
  EXPECT_FALSE(read_content_header(bytes_of(header).first(11)));
}

// Worked by hand from the specification: class 50, method 40, ticket 0, "ghost", if-empty.
TEST(Frame, MethodGolden) {
  Chain out;
  write_method(out, 1, QueueDelete{.queue = "ghost", .if_empty = true});
  EXPECT_EQ(out.flatten(),
            "\x01\x00\x01\x00\x00\x00\x0d\x00\x32\x00\x28\x00\x00\x05ghost\x02\xce"s);
}

// Method 70 of class 10, which pika does not know.
TEST(Frame, UpdateSecretGolden) {
  Chain out;
  write_method(out, 0, ConnectionUpdateSecret{.new_secret = bytes_of("s3"), .reason = "r"});
  EXPECT_EQ(out.flatten(),
            "\x01\x00\x00\x00\x00\x00\x0c\x00\x0a\x00\x46\x00\x00\x00\x02s3\x01r\xce"s);
  EXPECT_EQ(ConnectionUpdateSecretOk::id, 10u << 16 | 71);
}

TEST(Frame, NamesOfMethods) {
  EXPECT_EQ(method_name(ExchangeUnbindOk::id), "exchange.unbind-ok");
  EXPECT_EQ(method_of(ExchangeUnbindOk::id), 51);
  EXPECT_EQ(method_name(BasicRecoverAsync::id), "basic.recover-async");
  EXPECT_EQ(method_name(60 << 16 | 61), "");
}

class Content : public ::testing::Test {
 protected:
  // Writes a delivery with a body of `size` bytes, reads the frames back, and checks that they are
  // it.
  std::size_t write_and_check(std::size_t size, std::size_t frame_max, bool shared) {
    Buffer block(size + 3);
    for (std::size_t i = 0; i < block.size(); ++i) block.writable()[i] = std::byte(i * 7 % 251);
    Bytes expected = block.bytes().subspan(3);
    Chain out;
    out.append(bytes_of("before"));
    BasicDeliver deliver{.consumer_tag = "ctag", .delivery_tag = 7, .routing_key = "key"};
    Body body = shared ? Body(block, 3, size) : Body(expected);
    write_content(out, 9, deliver, bytes_of(properties), body, frame_max);
    std::string all = out.flatten();
    EXPECT_EQ(all.size(), out.size());
    EXPECT_EQ(all.substr(0, 6), "before");
    check_frames(std::string_view(all).substr(6), deliver, expected, frame_max);
    std::vector<Bytes> pieces;
    out.front_pieces(pieces, 1000);
    return pieces.size();
  }

  void check_frames(std::string_view bytes, const BasicDeliver& deliver, Bytes body,
                    std::size_t frame_max) {
    std::vector<Frame> frames = all_frames(bytes);
    ASSERT_GE(frames.size(), 2u);
    ASSERT_EQ(frames[0].type, FrameType::method);
    Method method = read_method(frames[0].payload).value();
    EXPECT_EQ(method.id, BasicDeliver::id);
    auto decoded = schema::decode<BasicDeliver>(method.arguments);
    ASSERT_TRUE(decoded);
    EXPECT_TRUE(schema::same(*decoded, deliver));
    ASSERT_EQ(frames[1].type, FrameType::header);
    ContentHeader header = read_content_header(frames[1].payload).value();
    EXPECT_EQ(header.class_id, 60);
    EXPECT_EQ(header.body_size, body.size());
    EXPECT_EQ(text_of(header.properties), properties);
    std::string joined;
    for (std::size_t i = 2; i < frames.size(); ++i) {
      EXPECT_EQ(frames[i].type, FrameType::body);
      EXPECT_EQ(frames[i].channel, 9);
      std::size_t size_max = frame_max == 0 ? bytes.size() : frame_max;
      EXPECT_LE(size_of(frames[i]), size_max);
      bool cut = i + 1 < frames.size();
      EXPECT_TRUE(!cut || size_of(frames[i]) == size_max);
      joined += text_of(frames[i].payload);
    }
    EXPECT_EQ(joined, text_of(body));
  }

  std::string properties = "\x10\x00\x02"s;
};

TEST_F(Content, EverySizeAroundTheEdges) {
  constexpr std::size_t frame_max = 4096 + 1000;
  for (std::size_t size : {0, 1, 100, 4095, 4096, 4097, 5087, 5088, 5089, 10176, 10177, 100000}) {
    for (bool shared : {true, false}) {
      SCOPED_TRACE(size);
      write_and_check(size, frame_max, shared);
      write_and_check(size, 4096, shared);
      write_and_check(size, 0, shared);
      if (size < 1000) write_and_check(size, 9, shared);
    }
  }
}

TEST_F(Content, SmallIsOnePieceAndLargeIsShared) {
  EXPECT_EQ(write_and_check(1024, 131072, true), 1u);
  EXPECT_EQ(write_and_check(100000, 131072, true), 3u);  // heads, body, end octet
  EXPECT_EQ(write_and_check(300000, 131072, true), 7u);
}

TEST_F(Content, NoPropertiesAreTwoZeroOctets) {
  Chain out;
  write_content(out, 1, BasicPublish{}, {}, Body(Bytes{}), 4096);
  std::string bytes = out.flatten();
  std::vector<Frame> frames = all_frames(bytes);
  ASSERT_EQ(frames.size(), 2u);  // an empty body has no frame
  EXPECT_EQ(text_of(read_content_header(frames[1].payload).value().properties), "\0\0"s);
}

TEST(Codes, NamesAndWhatTheyEnd) {
  EXPECT_EQ(name_of(ReplyCode::precondition_failed), "PRECONDITION_FAILED");
  EXPECT_EQ(number_of(ReplyCode::resource_locked), 405);
  EXPECT_FALSE(is_hard(ReplyCode::not_found));
  EXPECT_FALSE(is_hard(ReplyCode::content_too_large));
  EXPECT_TRUE(is_hard(ReplyCode::connection_forced));
  EXPECT_TRUE(is_hard(ReplyCode::invalid_path));
  EXPECT_TRUE(is_hard(ReplyCode::not_allowed));
}

}  // namespace
}  // namespace wharf::amqp
