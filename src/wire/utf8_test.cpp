#include "wire/utf8.h"

#include <string>

#include <gtest/gtest.h>

namespace wharf {
namespace {

TEST(Utf8, AcceptsWhatRfc3629Allows) {
  for (std::string_view text :
       {"", "plain", "sixteen octets!!", "h\xc3\xa9llo", "\xe0\xa0\x80", "\xed\x9f\xbf",
        "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "eight by\xc2\x80"}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
}

TEST(Utf8, RefusesTheRest) {
  for (std::string_view text :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xed\xa0\x80",
        "\xe1\x80", "\xe1\x80\x41", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xff", "eight by\xc2", "\xf1\x80\x80"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
}

TEST(Utf8, SeesABadByteAtEveryPlace) {
  for (std::size_t place = 0; place < 24; ++place) {
    std::string text(24, 'a');
    text[place] = '\xff';
    EXPECT_FALSE(is_utf8(text)) << place;
  }
}

}  // namespace
}  // namespace wharf
