#include "protocol/amqp/table.h"

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace wharf::amqp {
namespace {

using namespace std::string_literals;

struct Case {
  std::string bytes;  // letter and value
  FieldValue value;
};

const std::string inner_table = "\x01kI\x00\x00\x00\x01"s;
const std::string inner_array = "VV"s;

std::vector<Case> cases() {
  return {{"V"s, std::monostate{}},
          {"t\x01"s, true},
          {"t\x00"s, false},
          {"b\x80"s, std::int8_t{-128}},
          {"B\xff"s, std::uint8_t{255}},
          {"s\xff\xfe"s, std::int16_t{-2}},
          {"u\xff\xfe"s, std::uint16_t{65534}},
          {"I\x80\x00\x00\x00"s, std::int32_t{-2147483647 - 1}},
          {"i\x80\x00\x00\x00"s, std::uint32_t{2147483648u}},
          {"l\xff\xff\xff\xff\xff\xff\xff\xff"s, std::int64_t{-1}},
          {"f\x3f\xc0\x00\x00"s, 1.5f},
          {"d\xc0\x04\x00\x00\x00\x00\x00\x00"s, -2.5},
          {"D\x02\x80\x00\x00\x01"s, Decimal{2, 2147483649u}},
          {"T\x00\x00\x00\x00\x65\x53\xf1\x00"s, Timestamp{1700000000}},
          {"S\x00\x00\x00\x02hi"s, std::string_view("hi")},
          {"x\x00\x00\x00\x02\x00\xff"s, Blob{bytes_of(std::string_view("\x00\xff", 2))}},
          {"F\x00\x00\x00\x07"s + inner_table, TableView::trusted(bytes_of(inner_table))},
          {"A\x00\x00\x00\x02"s + inner_array, ArrayView::trusted(bytes_of(inner_array))}};
}

TEST(Table, EveryLetterBothWays) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.bytes);
    std::string bytes = "\x04name" + c.bytes;
    Result<TableView> table = TableView::parse(bytes_of(bytes));
    ASSERT_TRUE(table);
    EXPECT_EQ(find(*table, "name"), c.value);
    EXPECT_EQ(letter_of(c.value), c.bytes[0]);
    TableWriter writer;
    writer.add("name", c.value);
    EXPECT_EQ(text_of(writer.bytes()), bytes);

    Result<ArrayView> array = ArrayView::parse(bytes_of(c.bytes));
    ASSERT_TRUE(array);
    EXPECT_EQ(array->items().begin()->value, c.value);
    ArrayWriter array_writer;
    array_writer.add(c.value);
    EXPECT_EQ(text_of(array_writer.bytes()), c.bytes);
  }
}

TEST(Table, EveryPrefixIsRefused) {
  for (const Case& c : cases()) {
    std::string bytes = "\x04name" + c.bytes;
    for (std::size_t size = 1; size < bytes.size(); ++size) {
      std::vector<char> exact(bytes.begin(), bytes.begin() + std::ptrdiff_t(size));
      EXPECT_FALSE(TableView::parse(bytes_of({exact.data(), exact.size()}))) << bytes << size;
    }
  }
}

// What RabbitMQ reads but never writes; a copy keeps the letter, since AMQP-CPP takes s for a
// string.
TEST(Table, LettersThatAreOnlyRead) {
  std::string bytes = "\x01nL\xff\xff\xff\xff\xff\xff\xff\xfe\x01mU\xff\xfe"s;
  TableView table = TableView::parse(bytes_of(bytes)).value();
  EXPECT_EQ(find(table, "n"), FieldValue(std::int64_t{-2}));
  EXPECT_EQ(find(table, "m"), FieldValue(std::int16_t{-2}));
  TableWriter copy;
  for (const TableField& field : table.items()) copy.copy(field);
  EXPECT_EQ(text_of(copy.bytes()), bytes);
}

TEST(Table, UnknownLettersAreRefused) {
  std::string known = "tbBsuIilLfdDTSxFAVU";
  for (int letter = 0; letter < 256; ++letter) {
    if (known.find(static_cast<char>(letter)) != std::string::npos) continue;
    std::string bytes = "\x01n"s + static_cast<char>(letter) + std::string(16, '\0');
    EXPECT_FALSE(TableView::parse(bytes_of(bytes))) << letter;
  }
}

TEST(Table, LengthsAreCheckedAgainstWhatIsLeft) {
  for (std::string letter : {"S", "x", "F", "A"}) {
    std::string bytes = "\x01n" + letter + "\xff\xff\xff\xff";
    EXPECT_EQ(TableView::parse(bytes_of(bytes)).error().code, Errc::malformed);
  }
  // The inner table claims a byte of what follows it.
  std::string bytes = "\x01nF\x00\x00\x00\x02\x01kV"s;
  EXPECT_FALSE(TableView::parse(bytes_of(bytes)));
}

std::string nested(std::size_t depth, char letter) {
  std::string bytes;
  for (std::size_t level = 1; level < depth; ++level) {
    std::string value{letter, 0, 0, static_cast<char>(bytes.size() >> 8),
                      static_cast<char>(bytes.size() & 0xff)};
    std::string name = letter == 'F' || level + 1 == depth ? std::string(1, '\0') : std::string();
    bytes = name + value + bytes;
  }
  return bytes;
}

TEST(Table, NestingIsBounded) {
  for (char letter : {'F', 'A'}) {
    EXPECT_TRUE(TableView::parse(bytes_of(nested(table_depth_max, letter)))) << letter;
    auto deeper = TableView::parse(bytes_of(nested(table_depth_max + 1, letter)));
    ASSERT_FALSE(deeper) << letter;
    EXPECT_EQ(deeper.error().code, Errc::too_large) << letter;
  }
}

TEST(Table, TheNumberOfFieldsIsBoundedInAllDepths) {
  std::string voids(table_fields_max, 'V');
  EXPECT_TRUE(ArrayView::parse(bytes_of(voids)));
  EXPECT_EQ(ArrayView::parse(bytes_of(voids + "V")).error().code, Errc::too_large);
  ArrayWriter inner;
  for (std::size_t i = 0; i < table_fields_max / 2; ++i) inner.add(std::monostate{});
  ArrayWriter outer;
  outer.add(inner.view());
  EXPECT_TRUE(ArrayView::parse(outer.bytes()));
  outer.add(inner.view());
  EXPECT_EQ(ArrayView::parse(outer.bytes()).error().code, Errc::too_large);
}

TEST(Table, FindsTheFirstOfAName) {
  TableWriter writer;
  writer.add("a", std::int32_t{1});
  writer.add("", "empty name");
  writer.add("a", std::int32_t{2});
  TableView table = TableView::parse(writer.bytes()).value();
  EXPECT_EQ(find(table, "a"), FieldValue(std::int32_t{1}));
  EXPECT_EQ(find(table, ""), FieldValue("empty name"));
  EXPECT_EQ(find(table, "b"), std::nullopt);
  EXPECT_EQ(print(table), R"({"a": I 1, "": S "empty name", "a": I 2})");
}

TEST(Table, IntegersWhateverTheirLetter) {
  EXPECT_EQ(as_integer(std::int8_t{-5}), -5);
  EXPECT_EQ(as_integer(std::uint8_t{200}), 200);
  EXPECT_EQ(as_integer(std::int16_t{-5}), -5);
  EXPECT_EQ(as_integer(std::uint16_t{60000}), 60000);
  EXPECT_EQ(as_integer(std::int32_t{-5}), -5);
  EXPECT_EQ(as_integer(std::uint32_t{4000000000u}), 4000000000);
  EXPECT_EQ(as_integer(std::int64_t{134217728000}), 134217728000);
  EXPECT_EQ(as_integer(true), std::nullopt);
  EXPECT_EQ(as_integer(5.0), std::nullopt);
  EXPECT_EQ(as_integer(Timestamp{5}), std::nullopt);
  EXPECT_EQ(as_integer("5"), std::nullopt);
}

TEST(Table, NothingIsAnEmptyTable) {
  EXPECT_TRUE(TableView::parse({}).value().empty());
  EXPECT_EQ(print(TableView{}), "{}");
}

// A NaN must come out with the same bits, as must a negative zero.
TEST(Table, FloatsKeepTheirBits) {
  std::string bytes =
      "d\x7f\xf8\x00\x00\x00\x00\x00\x2a"s
      "d\x80\x00\x00\x00\x00\x00\x00\x00"s
      "f\x7f\xc0\x00\x01"s;
  ArrayWriter copy;
  for (const ArrayElement& element : ArrayView::parse(bytes_of(bytes)).value().items()) {
    copy.add(element.value);
  }
  EXPECT_EQ(text_of(copy.bytes()), bytes);
}

}  // namespace
}  // namespace wharf::amqp
