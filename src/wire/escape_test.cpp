#include "wire/escape.h"

#include <gtest/gtest.h>

namespace wharf {
namespace {

TEST(Escape, ControlBytesInBoth) {
  for (Escape how : {Escape::line, Escape::json_string}) {
    EXPECT_EQ(escaped("plain text", how), "plain text");
    EXPECT_EQ(escaped("a\nb\x1b[31m\x7f", how), "a\\u000ab\\u001b[31m\\u007f");
    EXPECT_EQ(escaped(std::string_view("\0x", 2), how), "\\u0000x");
  }
}

TEST(Escape, QuotesInJsonOnly) {
  EXPECT_EQ(escaped(R"(say "hi" \ bye)", Escape::line), R"(say "hi" \ bye)");
  EXPECT_EQ(escaped(R"(say "hi" \ bye)", Escape::json_string), R"(say \"hi\" \\ bye)");
}

TEST(Escape, HighBytesOnlyInUtf8) {
  EXPECT_EQ(escaped("M\xc3\xbcnchen", Escape::line), "M\xc3\xbcnchen");
  EXPECT_EQ(escaped("M\xfcnchen", Escape::json_string), "M\\u00fcnchen");
}

}  // namespace
}  // namespace wharf
