// protocol/amqp/table.h: field tables and field arrays, in the letters that RabbitMQ and its
// clients use, which are not those of the 0-9-1 document:
//
//   t bool   b i8   B u8   s i16   u u16   I i32   i u32   l i64   f float   d double   V nothing
//   D decimal (scale u8, u32)   T seconds u64   S text (u32 length)   x bytes (u32 length)
//   F table (u32 length)   A array (u32 length)
//   L i64, read only: written as l        U i16, read only: written as s
//
//   table := *( name-size u8, name, letter, value )      array := *( letter, value )
//
// The bytes of a table are always those behind its length. TableView and ArrayView show bytes that
// were checked once, as a whole, when the outermost was parsed; looking at them allocates nothing
// and cannot fail. To keep fields as they came, to the letter, copy them raw from a view to a
// writer.
#pragma once

#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/fault.h"
#include "wire/bytes.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace wharf::amqp {

struct Decimal {
  std::uint8_t scale = 0;
  std::uint32_t unscaled = 0;
  friend bool operator==(Decimal, Decimal) = default;
};

struct Timestamp {
  std::uint64_t seconds = 0;
  friend bool operator==(Timestamp, Timestamp) = default;
};

struct Blob {
  Bytes bytes{};
  friend bool operator==(Blob a, Blob b) { return text_of(a.bytes) == text_of(b.bytes); }
};

struct TableField;
struct ArrayElement;
template <class Item>
class FieldRange;

inline constexpr std::size_t table_depth_max = 32;
// Fields and elements of a table in all its depth; one of a peer's bytes can be as much work as one
// element, so this bounds the work that a frame can ask for.
inline constexpr std::size_t table_fields_max = 65536;

// A sequence of fields (TableView) or of elements (ArrayView). Lives as long as its bytes.
template <class Item>
class FieldSequence {
 public:
  FieldSequence() = default;
  // Checks everything, in depth. Faults: malformed; too_large beyond the two limits.
  static Result<FieldSequence> parse(Bytes bytes);
  // REQUIRES: the bytes come from a writer, or from a sequence that was parsed.
  static FieldSequence trusted(Bytes bytes) { return FieldSequence(bytes); }

  bool empty() const { return bytes_.empty(); }
  Bytes bytes() const { return bytes_; }
  FieldRange<Item> items() const;
  friend bool operator==(FieldSequence a, FieldSequence b) {
    return text_of(a.bytes_) == text_of(b.bytes_);
  }

 private:
  explicit FieldSequence(Bytes bytes) : bytes_(bytes) {}
  Bytes bytes_{};
};

using TableView = FieldSequence<TableField>;
using ArrayView = FieldSequence<ArrayElement>;

using FieldValue =
    std::variant<std::monostate, bool, std::int8_t, std::uint8_t, std::int16_t, std::uint16_t,
                 std::int32_t, std::uint32_t, std::int64_t, float, double, Decimal, Timestamp,
                 std::string_view, Blob, TableView, ArrayView>;

struct ArrayElement {
  FieldValue value;
  Bytes raw{};  // letter and value, as they came
};

struct TableField {
  std::string_view name;
  FieldValue value;
  Bytes raw{};  // letter and value, as they came
};

template <class Item>
class FieldIterator {
 public:
  using value_type = Item;
  using difference_type = std::ptrdiff_t;

  explicit FieldIterator(Bytes bytes) : in_(bytes) { advance(); }
  const Item& operator*() const { return item_; }
  const Item* operator->() const { return &item_; }
  FieldIterator& operator++() {
    advance();
    return *this;
  }
  void operator++(int) { advance(); }
  bool operator==(std::default_sentinel_t) const { return done_; }

 private:
  void advance();

  Reader in_;
  Item item_;
  bool done_ = false;
};

// for (const TableField& field : table.items()) ...
template <class Item>
class FieldRange {
 public:
  explicit FieldRange(Bytes bytes) : bytes_(bytes) {}
  FieldIterator<Item> begin() const { return FieldIterator<Item>(bytes_); }
  std::default_sentinel_t end() const { return {}; }

 private:
  Bytes bytes_;
};

template <class Item>
FieldRange<Item> FieldSequence<Item>::items() const {
  return FieldRange<Item>(bytes_);
}

// The first field of that name.
std::optional<FieldValue> find(TableView table, std::string_view name);

// The number, whatever its letter: clients choose the letter by their own taste. Integers only.
std::optional<std::int64_t> as_integer(const FieldValue& value);

// The letter that the value is written with.
char letter_of(const FieldValue& value);

// For logs and tests: `{"x-max-length": I 10, "list": A [S "a", V]}`, without the outer letter.
std::string print(TableView table);

// Makes the bytes of a table, without a length in front.
class TableWriter {
 public:
  // REQUIRES: a name of 255 bytes at most; bytes and texts below 4 GiB. Views are copied.
  void add(std::string_view name, const FieldValue& value);
  // A field as it came, to the letter.
  void copy(const TableField& field);

  bool empty() const { return bytes_.empty(); }
  Bytes bytes() const { return bytes_; }
  TableView view() const { return TableView::trusted(bytes_); }
  ByteVector take() { return std::move(bytes_); }

 private:
  void put_name(std::string_view name);
  ByteVector bytes_;
};

class ArrayWriter {
 public:
  void add(const FieldValue& value);
  void copy(const ArrayElement& element);

  bool empty() const { return bytes_.empty(); }
  Bytes bytes() const { return bytes_; }
  ArrayView view() const { return ArrayView::trusted(bytes_); }

 private:
  ByteVector bytes_;
};

}  // namespace wharf::amqp
