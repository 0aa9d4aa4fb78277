#include "protocol/http/request.h"

#include <string>

#include <gtest/gtest.h>

#include "protocol/http/websocket.h"

namespace wharf::http {
namespace {

Result<std::optional<Request>> read(std::string_view text) { return read_request(bytes_of(text)); }

TEST(HttpRequest, Reads) {
  std::string_view text =
      "GET /a?x=1&y=a%20b+c&z HTTP/1.1\r\nHost: here\r\nConnection: keep-alive, "
      "Upgrade\r\n\r\nrest";
  auto request = read(text);
  ASSERT_TRUE(request && *request);
  EXPECT_EQ((*request)->method, "GET");
  EXPECT_EQ((*request)->path(), "/a");
  EXPECT_EQ((*request)->parameter("x"), "1");
  EXPECT_EQ((*request)->parameter("y"), "a b c");
  EXPECT_EQ((*request)->parameter("z"), "");
  EXPECT_FALSE((*request)->parameter("w"));
  EXPECT_EQ((*request)->header("HOST"), "here");
  EXPECT_TRUE(lists((*request)->header("connection"), "upgrade"));
  EXPECT_TRUE((*request)->keep_alive);
  EXPECT_EQ((*request)->size, text.size() - 4);
  for (std::size_t size = 0; size < text.size() - 4; ++size) {
    auto part = read(text.substr(0, size));
    EXPECT_TRUE(part && !*part) << size;
  }
}

TEST(HttpRequest, ClosesWhereAsked) {
  EXPECT_FALSE((*read("GET / HTTP/1.0\r\n\r\n"))->keep_alive);
  EXPECT_FALSE((*read("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n"))->keep_alive);
  EXPECT_TRUE((*read("POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n"))->has_body);
}

TEST(HttpRequest, Faults) {
  for (std::string_view bad : {"\r\n\r\n", "GET\r\n\r\n", "GET /\r\n\r\n", "GET x HTTP/1.1\r\n\r\n",
                               "GET / HTTP/2\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n",
                               "GET /a b HTTP/1.1\r\n\r\n"}) {
    EXPECT_FALSE(read(bad)) << bad;
  }
  auto large = read("GET /" + std::string(head_size_max, 'a'));
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, Errc::too_large);
}

TEST(WebSocket, FrameHeads) {
  auto head = [](std::string_view text) { return read_frame_head(bytes_of(text)); };
  using namespace std::literals;
  auto small = head(
      "\x82\x83"sv
      "abcd"sv
      "xyz"sv);
  ASSERT_TRUE(small && *small);
  EXPECT_EQ((*small)->opcode, Opcode::binary);
  EXPECT_EQ((*small)->payload_size, 3u);
  EXPECT_EQ((*small)->size, 6u);
  auto medium = head(
      "\x02\xfe\x01\x00"sv
      "abcd"sv);
  ASSERT_TRUE(medium && *medium);
  EXPECT_FALSE((*medium)->is_last);
  EXPECT_EQ((*medium)->payload_size, 256u);
  auto large = head(
      "\x82\xff\x00\x00\x00\x01\x00\x00\x00\x00"sv
      "abcd"sv);
  ASSERT_TRUE(large && *large);
  EXPECT_EQ((*large)->payload_size, std::uint64_t{1} << 32);
  EXPECT_FALSE(*head("\x82"sv));
  EXPECT_FALSE(
      *head("\x82\xfe\x01\x00"sv
            "abc"sv));
  for (std::string_view bad :
       {"\x82\x03"sv, "\xc2\x83"sv, "\x83\x83"sv, "\x89\xfe"sv, "\x09\x80"sv}) {
    EXPECT_FALSE(head(bad));
  }
}

TEST(WebSocket, WritesWhatAReaderUnderstands) {
  for (std::size_t size : {0u, 125u, 126u, 65'535u, 65'536u}) {
    Chain out;
    write_frame_head(out, Opcode::binary, size);
    std::string text = out.flatten();
    text[1] = static_cast<char>(text[1] | 0x80);  // as a client would
    text += "mask";
    auto head = read_frame_head(bytes_of(text));
    ASSERT_TRUE(head && *head);
    EXPECT_EQ((*head)->payload_size, size);
    EXPECT_EQ((*head)->size, text.size());
  }
}

}  // namespace
}  // namespace wharf::http
