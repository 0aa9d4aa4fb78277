#include "protocol/amqp/field_text.h"

#include <fmt/format.h>

#include "protocol/amqp/errors.h"

namespace wharf::amqp {

namespace {

constexpr std::size_t shown_bytes_max = 64;

struct TypeName {
  std::string_view operator()(std::monostate) const { return "void"; }
  std::string_view operator()(bool) const { return "bool"; }
  std::string_view operator()(std::int8_t) const { return "byte"; }
  std::string_view operator()(std::uint8_t) const { return "unsignedbyte"; }
  std::string_view operator()(std::int16_t) const { return "short"; }
  std::string_view operator()(std::uint16_t) const { return "unsignedshort"; }
  std::string_view operator()(std::int32_t) const { return "signedint"; }
  std::string_view operator()(std::uint32_t) const { return "unsignedint"; }
  std::string_view operator()(std::int64_t) const { return "long"; }
  std::string_view operator()(float) const { return "float"; }
  std::string_view operator()(double) const { return "double"; }
  std::string_view operator()(Decimal) const { return "decimal"; }
  std::string_view operator()(Timestamp) const { return "timestamp"; }
  std::string_view operator()(std::string_view) const { return "longstr"; }
  std::string_view operator()(Blob) const { return "binary"; }
  std::string_view operator()(TableView) const { return "table"; }
  std::string_view operator()(ArrayView) const { return "array"; }
};

struct ValueText {
  std::string operator()(std::monostate) const { return "undefined"; }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  template <std::integral T>
  std::string operator()(T value) const {
    return std::to_string(value);
  }
  template <std::floating_point T>
  std::string operator()(T value) const {
    return fmt::format("{}", value);
  }
  std::string operator()(Decimal value) const {
    return fmt::format("{{{},{}}}", value.scale, value.unscaled);
  }
  std::string operator()(Timestamp value) const { return std::to_string(value.seconds); }
  std::string operator()(std::string_view value) const { return std::string(value); }
  std::string operator()(Blob value) const { return erlang_binary(value.bytes, shown_bytes_max); }
  std::string operator()(TableView value) const { return print(value); }
  std::string operator()(ArrayView value) const {
    return erlang_binary(value.bytes(), shown_bytes_max);
  }
};

}  // namespace

std::string_view type_name(const FieldValue& value) { return std::visit(TypeName{}, value); }

std::string value_text(const FieldValue& value) { return std::visit(ValueText{}, value); }

}  // namespace wharf::amqp
