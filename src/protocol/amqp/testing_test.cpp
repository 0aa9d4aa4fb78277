// The parts of testing.h that need not be compiled into every test.
#include "protocol/amqp/testing.h"

namespace wharf::amqp::testing {

std::string show(const Frame& frame) {
  std::string channel = std::to_string(frame.channel) + " ";
  switch (frame.type) {
    case FrameType::heartbeat:
      return "heartbeat";
    case FrameType::header: {
      Result<ContentHeader> header = read_content_header(frame.payload);
      std::string text = channel + "header(" + std::to_string(header->body_size) + " ";
      schema::detail::print_value(text, header->properties);
      return text + ")";
    }
    case FrameType::body: {
      std::string text = channel + "body(";
      schema::detail::print_value(text, text_of(frame.payload));
      return text + ")";
    }
    case FrameType::method:
      break;
  }
  Result<Method> method = read_method(frame.payload);
  std::string text = channel + "?";
  visit_method(method->id, [&]<class M>() {
    Result<M> decoded = schema::decode<M>(method->arguments);
    if (decoded) text = channel + schema::print(*decoded);
  });
  return text;
}

TEST(Show, NamesMethodsAndFields) {
  Bytes payload = bytes_of(std::string_view("\0\x3c\0\x50\0\0\0\0\0\0\0\7\1", 13));
  EXPECT_EQ(show({FrameType::method, 3, payload}), "3 basic.ack(delivery_tag=7 multiple=true)");
  EXPECT_EQ(show({FrameType::body, 1, bytes_of("x")}), "1 body(\"x\")");
}

}  // namespace wharf::amqp::testing
