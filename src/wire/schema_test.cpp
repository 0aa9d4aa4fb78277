#include "wire/schema.h"

#include <gtest/gtest.h>

namespace wharf {
namespace {

// One field of each kind, and flags that need a second octet.
struct Sample {
  static constexpr std::string_view name = "sample";
  std::uint16_t number = 0;
  std::int32_t negative = 0;
  bool a = false, b = false, c = false, d = false, e = false, f = false, g = false, h = false,
       i = false;
  std::string_view words;
  Bytes blob;
  static constexpr std::array<std::string_view, 13> field_names = {
      "number", "negative", "a", "b", "c", "d", "e", "f", "g", "h", "i", "words", "blob"};
  static constexpr auto fields() {
    using M = Sample;
    return std::tuple(&M::number, &M::negative,
                      schema::bits(&M::a, &M::b, &M::c, &M::d, &M::e, &M::f, &M::g, &M::h, &M::i),
                      schema::text<std::uint8_t>(&M::words), schema::raw<std::uint32_t>(&M::blob));
  }
};

struct Nothing {
  static constexpr std::string_view name = "nothing";
  static constexpr std::array<std::string_view, 0> field_names = {};
  static constexpr auto fields() { return std::tuple<>(); }
};

constexpr std::string_view sample_bytes(
    "\x12\x34"
    "\xff\xff\xff\xfe"
    "\x05\x01"
    "\x02hi"
    "\x00\x00\x00\x03\x01\x02\xff",
    18);

Sample sample() {
  static constexpr std::string_view blob = "\x01\x02\xff";
  return Sample{.number = 0x1234,
                .negative = -2,
                .a = true,
                .c = true,
                .i = true,
                .words = "hi",
                .blob = bytes_of(blob)};
}

TEST(Schema, DecodesGoldenBytes) {
  Result<Sample> decoded = schema::decode<Sample>(bytes_of(sample_bytes));
  ASSERT_TRUE(decoded);
  EXPECT_TRUE(schema::same(*decoded, sample()));
}

TEST(Schema, EncodesGoldenBytes) {
  ByteVector bytes;
  schema::encode(bytes, sample());
  EXPECT_EQ(text_of(bytes), sample_bytes);
  Chain chain;
  schema::encode(chain, sample());
  EXPECT_EQ(chain.flatten(), sample_bytes);
  EXPECT_EQ(schema::encoded_size(sample()), sample_bytes.size());
}

TEST(Schema, RefusesEveryPrefixAndOneByteMore) {
  for (std::size_t size = 0; size < sample_bytes.size(); ++size) {
    // An exact block, so that a sanitizer sees a read past it.
    std::vector<char> exact(sample_bytes.begin(), sample_bytes.begin() + std::ptrdiff_t(size));
    std::string_view prefix(exact.data(), exact.size());
    EXPECT_EQ(schema::decode<Sample>(bytes_of(prefix)).error().code, Errc::malformed) << size;
  }
  std::string longer = std::string(sample_bytes) + '\0';
  EXPECT_EQ(schema::decode<Sample>(bytes_of(longer)).error().code, Errc::malformed);
}

TEST(Schema, RefusesTextThatIsNotUtf8) {
  std::string bytes(sample_bytes);
  bytes[9] = '\xff';
  Result<Sample> decoded = schema::decode<Sample>(bytes_of(bytes));
  ASSERT_FALSE(decoded);
  EXPECT_STREQ(decoded.error().why, "text is not UTF-8");
}

TEST(Schema, ComparesByContentAndSeesEachField) {
  std::string words = "hi";
  Sample other = sample();
  other.words = words;
  EXPECT_TRUE(schema::same(other, sample()));
  other.words = "ho";
  EXPECT_FALSE(schema::same(other, sample()));
  other = sample();
  other.i = false;
  EXPECT_FALSE(schema::same(other, sample()));
  other = sample();
  other.blob = other.blob.first(2);
  EXPECT_FALSE(schema::same(other, sample()));
  other = sample();
  other.negative = 2;
  EXPECT_FALSE(schema::same(other, sample()));
}

TEST(Schema, PrintsEachField) {
  Sample message = sample();
  message.words = "a\"\\\n";
  EXPECT_EQ(schema::print(message),
            "sample(number=4660 negative=-2 a=true b=false c=true d=false e=false f=false g=false "
            "h=false i=true words=\"a\\\"\\\\\\x0a\" blob=<0102ff>)");
}

TEST(Schema, AMessageMayHaveNoFields) {
  EXPECT_TRUE(schema::decode<Nothing>({}));
  EXPECT_FALSE(schema::decode<Nothing>(bytes_of("x")));
  EXPECT_EQ(schema::print(Nothing{}), "nothing()");
  EXPECT_EQ(schema::encoded_size(Nothing{}), 0u);
}

TEST(SchemaDeathTest, ATextThatDoesNotFitItsLengthIsABug) {
  std::string words(256, 'x');
  Sample message = sample();
  message.words = words;
  ByteVector bytes;
  EXPECT_DEATH(schema::encode(bytes, message), "max");
}

}  // namespace
}  // namespace wharf
