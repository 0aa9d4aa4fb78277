#include "protocol/amqp/table.h"

#include <concepts>
#include <limits>
#include <utility>

#include "base/assert.h"
#include "wire/schema.h"

namespace wharf::amqp {

namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

template <class T>
concept Integer = std::integral<T> && !std::same_as<T, bool>;

Bytes read_sized(Reader& in) { return in.take(in.be<std::uint32_t>()); }

// One letter and its value. What lies inside a table or an array is not looked at.
FieldValue read_value(Reader& in) {
  switch (in.be<char>()) {
    case 't':
      return in.be<std::uint8_t>() != 0;
    case 'b':
      return in.be<std::int8_t>();
    case 'B':
      return in.be<std::uint8_t>();
    case 's':
    case 'U':
      return in.be<std::int16_t>();
    case 'u':
      return in.be<std::uint16_t>();
    case 'I':
      return in.be<std::int32_t>();
    case 'i':
      return in.be<std::uint32_t>();
    case 'l':
    case 'L':
      return in.be<std::int64_t>();
    case 'f':
      return std::bit_cast<float>(in.be<std::uint32_t>());
    case 'd':
      return std::bit_cast<double>(in.be<std::uint64_t>());
    case 'D': {
      auto scale = in.be<std::uint8_t>();
      return Decimal{scale, in.be<std::uint32_t>()};
    }
    case 'T':
      return Timestamp{in.be<std::uint64_t>()};
    case 'S':
      return text_of(read_sized(in));
    case 'x':
      return Blob{read_sized(in)};
    case 'F':
      return TableView::trusted(read_sized(in));
    case 'A':
      return ArrayView::trusted(read_sized(in));
    case 'V':
      return std::monostate{};
    default:
      in.fail(Errc::malformed, "unknown type of field");
      return std::monostate{};
  }
}

template <class Item>
void read_item(Reader& in, Item& item) {
  if constexpr (std::same_as<Item, TableField>) item.name = text_of(in.take(in.be<std::uint8_t>()));
  Bytes before = in.rest();
  item.value = read_value(in);
  if (!in.failed()) item.raw = before.first(before.size() - in.left());
}

// Bounds of depth and of work, for one outermost sequence.
class Checker {
 public:
  template <class Item>
  std::optional<Fault> check(Bytes bytes, std::size_t depth) {
    if (depth > table_depth_max) return Fault{Errc::too_large, 0, "tables nested too deep"};
    Reader in(bytes);
    Item item;
    while (in.left() > 0) {
      if (count_++ == table_fields_max) return Fault{Errc::too_large, 0, "too many fields"};
      read_item(in, item);
      if (in.failed()) return in.why();
      std::optional<Fault> inside;
      if (auto* table = std::get_if<TableView>(&item.value)) {
        inside = check<TableField>(table->bytes(), depth + 1);
      } else if (auto* array = std::get_if<ArrayView>(&item.value)) {
        inside = check<ArrayElement>(array->bytes(), depth + 1);
      }
      if (inside) return inside;
    }
    return std::nullopt;
  }

 private:
  std::size_t count_ = 0;
};

void write_sized(Writer& out, Bytes bytes) {
  ASSERT(bytes.size() <= std::numeric_limits<std::uint32_t>::max());
  out.be(static_cast<std::uint32_t>(bytes.size()));
  out.bytes(bytes);
}

void write_value(ByteVector& bytes, const FieldValue& value) {
  Writer out(bytes);
  out.be(letter_of(value));
  std::visit(Overloaded{[](std::monostate) {}, [&](bool flag) { out.be(std::uint8_t{flag}); },
                        [&](Integer auto number) { out.be(number); },
                        [&](float number) { out.be(std::bit_cast<std::uint32_t>(number)); },
                        [&](double number) { out.be(std::bit_cast<std::uint64_t>(number)); },
                        [&](Decimal number) {
                          out.be(number.scale);
                          out.be(number.unscaled);
                        },
                        [&](Timestamp time) { out.be(time.seconds); },
                        [&](std::string_view text) { write_sized(out, bytes_of(text)); },
                        [&](Blob blob) { write_sized(out, blob.bytes); },
                        [&](TableView table) { write_sized(out, table.bytes()); },
                        [&](ArrayView array) { write_sized(out, array.bytes()); }},
             value);
}

void print_array(std::string& out, ArrayView array);
void print_table(std::string& out, TableView table);

void print_value(std::string& out, const FieldValue& value) {
  out += letter_of(value);
  if (!std::holds_alternative<std::monostate>(value)) out += ' ';
  std::visit(Overloaded{[](std::monostate) {}, [&](bool flag) { out += flag ? "true" : "false"; },
                        [&](Integer auto number) { out += std::to_string(number); },
                        [&](std::floating_point auto number) { out += std::to_string(number); },
                        [&](Decimal number) {
                          out +=
                              std::to_string(number.unscaled) + "e-" + std::to_string(number.scale);
                        },
                        [&](Timestamp time) { out += std::to_string(time.seconds); },
                        [&](std::string_view text) { schema::detail::print_value(out, text); },
                        [&](Blob blob) { schema::detail::print_value(out, blob.bytes); },
                        [&](TableView table) { print_table(out, table); },
                        [&](ArrayView array) { print_array(out, array); }},
             value);
}

void print_array(std::string& out, ArrayView array) {
  out += '[';
  std::string_view between;
  for (const ArrayElement& element : array.items()) {
    out += std::exchange(between, ", ");
    print_value(out, element.value);
  }
  out += ']';
}

void print_table(std::string& out, TableView table) {
  out += '{';
  std::string_view between;
  for (const TableField& field : table.items()) {
    out += std::exchange(between, ", ");
    schema::detail::print_value(out, field.name);
    out += ": ";
    print_value(out, field.value);
  }
  out += '}';
}

}  // namespace

template <class Item>
Result<FieldSequence<Item>> FieldSequence<Item>::parse(Bytes bytes) {
  std::optional<Fault> wrong = Checker().check<Item>(bytes, 1);
  if (wrong) return std::unexpected(*wrong);
  return FieldSequence(bytes);
}

template <class Item>
void FieldIterator<Item>::advance() {
  done_ = in_.left() == 0;
  if (done_) return;
  read_item(in_, item_);
  done_ = in_.failed();
}

template class FieldSequence<TableField>;
template class FieldSequence<ArrayElement>;
template class FieldIterator<TableField>;
template class FieldIterator<ArrayElement>;

std::optional<FieldValue> find(TableView table, std::string_view name) {
  for (const TableField& field : table.items()) {
    if (field.name == name) return field.value;
  }
  return std::nullopt;
}

std::optional<std::int64_t> as_integer(const FieldValue& value) {
  return std::visit(
      Overloaded{[](const Integer auto& number) -> std::optional<std::int64_t> { return number; },
                 [](const auto&) -> std::optional<std::int64_t> { return std::nullopt; }},
      value);
}

char letter_of(const FieldValue& value) {
  // In the order of the variant.
  constexpr std::string_view letters = "VtbBsuIilfdDTSxFA";
  static_assert(letters.size() == std::variant_size_v<FieldValue>);
  return letters[value.index()];
}

std::string print(TableView table) {
  std::string out;
  print_table(out, table);
  return out;
}

void TableWriter::put_name(std::string_view name) {
  ASSERT(name.size() <= std::numeric_limits<std::uint8_t>::max());
  Writer out(bytes_);
  out.be(static_cast<std::uint8_t>(name.size()));
  out.text(name);
}

void TableWriter::add(std::string_view name, const FieldValue& value) {
  put_name(name);
  write_value(bytes_, value);
}

void TableWriter::copy(const TableField& field) {
  put_name(field.name);
  Writer(bytes_).bytes(field.raw);
}

void ArrayWriter::add(const FieldValue& value) { write_value(bytes_, value); }

void ArrayWriter::copy(const ArrayElement& element) { Writer(bytes_).bytes(element.raw); }

}  // namespace wharf::amqp
