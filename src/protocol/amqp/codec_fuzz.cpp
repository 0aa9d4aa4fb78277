// Any bytes: nothing may crash, and what decodes must encode to something that decodes to the same.
#include "base/assert.h"
#include "protocol/amqp/frame.h"
#include "protocol/amqp/properties.h"
#include "protocol/amqp/table.h"

namespace wharf::amqp {
namespace {

constexpr std::size_t payload_max = 1 << 16;

void check_method(const Frame& frame) {
  Result<Method> method = read_method(frame.payload);
  if (!method) return;
  visit_method(method->id, [&]<class M>() {
    Result<M> decoded = schema::decode<M>(method->arguments);
    if (!decoded) return;
    ByteVector encoded;
    schema::encode(encoded, *decoded);
    ASSERT(encoded.size() == method->arguments.size());
    Result<M> again = schema::decode<M>(encoded);
    ASSERT(again && schema::same(*decoded, *again));
    ASSERT(schema::print(*decoded) == schema::print(*again));
  });
}

void check_table(TableView table) {
  TableWriter typed;
  TableWriter raw;
  for (const TableField& field : table.items()) {
    typed.add(field.name, field.value);
    raw.copy(field);
    ASSERT(find(table, field.name));
  }
  ASSERT(text_of(raw.bytes()) == text_of(table.bytes()));
  Result<TableView> again = TableView::parse(typed.bytes());
  ASSERT(again && typed.bytes().size() == table.bytes().size());
  print(table);
}

void check_header(const Frame& frame) {
  Result<ContentHeader> header = read_content_header(frame.payload);
  if (!header) return;
  Result<Properties> properties = Properties::parse(header->properties);
  if (!properties) return;
  if (properties->headers) check_table(*properties->headers);
  ByteVector encoded = properties->encode();
  ASSERT(encoded.size() == header->properties.size());
  Result<Properties> again = Properties::parse(encoded);
  ASSERT(again && *again == *properties);
}

void check_frames(Bytes input) {
  while (true) {
    Result<std::optional<Frame>> frame = read_frame(input, payload_max);
    if (!frame || !*frame) return;
    ASSERT(size_of(**frame) <= input.size());
    if ((*frame)->type == FrameType::method) check_method(**frame);
    if ((*frame)->type == FrameType::header) check_header(**frame);
    input = input.subspan(size_of(**frame));
  }
}

}  // namespace
}  // namespace wharf::amqp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wharf::Bytes input(reinterpret_cast<const std::byte*>(data), size);
  wharf::amqp::read_greeting(input);
  wharf::amqp::check_frames(input);
  // Straight at the inner decoders as well, so that the fuzzer need not find frames first.
  if (auto table = wharf::amqp::TableView::parse(input)) wharf::amqp::check_table(*table);
  wharf::amqp::check_method({wharf::amqp::FrameType::method, 0, input});
  wharf::amqp::check_header({wharf::amqp::FrameType::header, 0, input});
  return 0;
}
