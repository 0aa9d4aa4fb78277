#include "protocol/amqp/properties.h"

#include <limits>

#include "base/assert.h"
#include "wire/reader.h"

namespace wharf::amqp {

namespace {

constexpr std::uint16_t first_flag = 0x8000;

void read(Reader& in, std::optional<std::string_view>& text) {
  text = text_of(in.take(in.be<std::uint8_t>()));
}

template <std::unsigned_integral T>
void read(Reader& in, std::optional<T>& number) {
  number = in.be<T>();
}

void read(Reader& in, std::optional<TableView>& table) {
  Bytes bytes = in.take(in.be<std::uint32_t>());
  if (in.failed()) return;
  Result<TableView> parsed = TableView::parse(bytes);
  if (!parsed) return in.fail(parsed.error().code, parsed.error().why);
  table = *parsed;
}

void write(Writer& out, std::string_view text) {
  ASSERT(text.size() <= std::numeric_limits<std::uint8_t>::max());
  out.be(static_cast<std::uint8_t>(text.size()));
  out.text(text);
}

template <std::unsigned_integral T>
void write(Writer& out, T number) {
  out.be(number);
}

void write(Writer& out, TableView table) {
  ASSERT(table.bytes().size() <= std::numeric_limits<std::uint32_t>::max());
  out.be(static_cast<std::uint32_t>(table.bytes().size()));
  out.bytes(table.bytes());
}

}  // namespace

Result<Properties> Properties::parse(Bytes raw) {
  Reader in(raw);
  Properties properties;
  unsigned flags = in.be<std::uint16_t>();
  unsigned flag = first_flag;
  auto field = [&](auto member) {
    if (flags & flag) read(in, properties.*member);
    flag >>= 1;
  };
  std::apply([&](auto... member) { (field(member), ...); }, fields());
  return in.finish(properties);
}

ByteVector Properties::encode() const {
  ByteVector bytes;
  Writer out(bytes);
  out.be(std::uint16_t{0});
  unsigned flags = 0;
  unsigned flag = first_flag;
  auto field = [&](auto member) {
    if (this->*member) {
      flags |= flag;
      write(out, *(this->*member));
    }
    flag >>= 1;
  };
  std::apply([&](auto... member) { (field(member), ...); }, fields());
  out.patch_be(0, static_cast<std::uint16_t>(flags));
  return bytes;
}

}  // namespace wharf::amqp
