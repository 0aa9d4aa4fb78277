// Against the bytes of another encoder, pika's: tests/wire/amqp/codec.golden, made by the script
// beside it. Each line must decode to what it says and encode to the very same bytes.
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "protocol/amqp/frame.h"
#include "protocol/amqp/properties.h"
#include "protocol/amqp/table.h"

namespace wharf::amqp {
namespace {

struct Line {
  std::string kind;
  std::string bytes;
  std::string meaning;
};

std::string from_hex(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return out;
}

std::vector<Line> golden_lines(std::string_view kind) {
  std::filesystem::path here(__FILE__);
  std::ifstream file(here.parent_path() / "../../../tests/wire/amqp/codec.golden");
  std::vector<Line> lines;
  std::string text;
  while (std::getline(file, text)) {
    std::istringstream words(text);
    Line line;
    std::string hex;
    words >> line.kind >> hex >> std::ws;
    std::getline(words, line.meaning);
    line.bytes = from_hex(hex);
    if (line.kind == kind) lines.push_back(line);
  }
  return lines;
}

Frame only_frame(const std::string& bytes) {
  Result<std::optional<Frame>> frame = read_frame(bytes_of(bytes), bytes.size());
  EXPECT_TRUE(frame && *frame);
  if (!frame || !*frame) return {};
  EXPECT_EQ(size_of(**frame), bytes.size());
  return **frame;
}

// What write_content puts behind a method frame, for any properties and any size of body.
std::string header_frame(std::uint16_t channel, std::uint64_t body_size, Bytes properties) {
  Chain out;
  write_content(out, channel, BasicPublish{}, properties, Body(Bytes{}), 0);
  std::string all = out.flatten();
  Frame method = read_frame(bytes_of(all), all.size()).value().value();
  std::string header = all.substr(size_of(method));
  constexpr std::size_t body_size_offset = frame_header_size + 4;
  put_be(reinterpret_cast<std::byte*>(header.data()) + body_size_offset, body_size);
  return header;
}

std::string print(const Properties& properties) {
  constexpr std::array<std::string_view, 14> names = {
      "content_type",   "content_encoding", "headers",    "delivery_mode", "priority",
      "correlation_id", "reply_to",         "expiration", "message_id",    "timestamp",
      "type",           "user_id",          "app_id",     "cluster_id"};
  std::string out;
  std::size_t index = 0;
  auto field = [&](const auto& value) {
    std::string_view name = names[index++];
    if (!value) return;
    if (!out.empty()) out += ' ';
    out += name;
    out += '=';
    if constexpr (requires { value->bytes(); }) {
      schema::detail::print_value(out, value->bytes());
    } else {
      schema::detail::print_value(out, *value);
    }
  };
  std::apply([&](auto... member) { (field(properties.*member), ...); }, Properties::fields());
  return out;
}

TEST(Golden, Methods) {
  std::set<MethodId> seen;
  for (const Line& line : golden_lines("method")) {
    SCOPED_TRACE(line.meaning);
    Frame frame = only_frame(line.bytes);
    ASSERT_EQ(frame.type, FrameType::method);
    Result<Method> method = read_method(frame.payload);
    ASSERT_TRUE(method);
    seen.insert(method->id);
    bool known = visit_method(method->id, [&]<class M>() {
      Result<M> decoded = schema::decode<M>(method->arguments);
      ASSERT_TRUE(decoded) << decoded.error().why;
      EXPECT_EQ(schema::print(*decoded), line.meaning);
      Chain out;
      if constexpr (M::has_content) {
        write_content(out, frame.channel, *decoded, {}, Body(Bytes{}), 0);
      } else {
        write_method(out, frame.channel, *decoded);
      }
      EXPECT_EQ(out.flatten().substr(0, line.bytes.size()), line.bytes);
    });
    EXPECT_TRUE(known);
  }
  EXPECT_EQ(seen.size(), 64u);  // pika knows all but update-secret and its answer
}

TEST(Golden, EveryPrefixOfAMethodAndOneByteMoreIsRefused) {
  for (const Line& line : golden_lines("method")) {
    SCOPED_TRACE(line.meaning);
    Method method = read_method(only_frame(line.bytes).payload).value();
    visit_method(method.id, [&]<class M>() {
      for (std::size_t size = 0; size < method.arguments.size(); ++size) {
        ByteVector exact(method.arguments.begin(), method.arguments.begin() + std::ptrdiff_t(size));
        EXPECT_FALSE(schema::decode<M>(exact));
      }
      ByteVector longer(method.arguments.begin(), method.arguments.end());
      longer.push_back(std::byte{0});
      EXPECT_FALSE(schema::decode<M>(longer));
    });
  }
}

TEST(Golden, Headers) {
  std::vector<Line> lines = golden_lines("header");
  EXPECT_EQ(lines.size(), 16u);
  for (const Line& line : lines) {
    SCOPED_TRACE(line.meaning);
    Frame frame = only_frame(line.bytes);
    ASSERT_EQ(frame.type, FrameType::header);
    Result<ContentHeader> header = read_content_header(frame.payload);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->class_id, class_of(BasicPublish::id));
    EXPECT_EQ(header->weight, 0);
    EXPECT_GE(header->body_size, 4294967296u);
    Result<Properties> properties = Properties::parse(header->properties);
    ASSERT_TRUE(properties);
    EXPECT_EQ(print(*properties), line.meaning);
    ByteVector encoded = properties->encode();
    EXPECT_EQ(text_of(encoded), text_of(header->properties));
    EXPECT_EQ(header_frame(frame.channel, header->body_size, encoded), line.bytes);

    for (std::size_t size = 0; size < header->properties.size(); ++size) {
      ByteVector exact(encoded.begin(), encoded.begin() + std::ptrdiff_t(size));
      EXPECT_FALSE(Properties::parse(exact)) << size;
    }
    encoded.push_back(std::byte{0});
    EXPECT_FALSE(Properties::parse(encoded));
  }
}

TEST(Golden, Tables) {
  std::vector<Line> lines = golden_lines("table");
  EXPECT_EQ(lines.size(), 7u);
  for (const Line& line : lines) {
    SCOPED_TRACE(line.meaning);
    Result<TableView> table = TableView::parse(bytes_of(line.bytes));
    ASSERT_TRUE(table);
    EXPECT_EQ(print(*table), line.meaning);
    TableWriter typed;
    TableWriter raw;
    for (const TableField& field : table->items()) {
      typed.add(field.name, field.value);
      raw.copy(field);
    }
    EXPECT_EQ(text_of(typed.bytes()), line.bytes);
    EXPECT_EQ(text_of(raw.bytes()), line.bytes);
  }
}

}  // namespace
}  // namespace wharf::amqp
