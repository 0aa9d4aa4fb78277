#include "broker/glob.h"

#include <string>

#include <gtest/gtest.h>

namespace wharf::broker {
namespace {

struct Case {
  const char* pattern;
  const char* text;
  bool matches;
};

TEST(Glob, EveryForm) {
  for (auto [pattern, text, matches] : {
           Case{"", "", true},
           Case{"", "a", false},
           Case{"*", "", false},
           Case{"*", "a", true},
           Case{"a*", "a", true},
           Case{"a**", "abc", true},
           Case{"a*c", "abbc", true},
           Case{"a*c", "abbcd", false},
           Case{"*b*d", "abcbd", true},
           Case{"?", "a", true},
           Case{"?", "ab", false},
           Case{"a?c", "abc", true},
           Case{"[abc]", "b", true},
           Case{"[abc]", "d", false},
           Case{"[a-c]x", "bx", true},
           Case{"[c-a]", "b", true},
           Case{"[^a]", "b", true},
           Case{"[^a]", "a", false},
           Case{"[!a]", "!", true},
           Case{"[!a]", "b", false},
           Case{"[abc", "c", true},
           Case{"[abc", "d", false},
           Case{"[]a", "a", false},
           Case{"[^]", "z", true},
           Case{"[a\\-z]", "-", true},
           Case{"[a\\-z]", "b", false},
           Case{"\\*", "*", true},
           Case{"\\*", "a", false},
           Case{"a\\", "a\\", true},
           Case{"news.*.eu", "news.sport.eu", true},
           Case{"h[ae]llo", "hallo", true},
       }) {
    EXPECT_EQ(glob_matches(pattern, text), matches) << pattern << " on " << text;
  }
}

TEST(Glob, ManyStarsStayLinear) {
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "a*";
  EXPECT_FALSE(glob_matches(pattern + "b", std::string(5000, 'a')));
}

TEST(Glob, Prefix) {
  EXPECT_EQ(glob_prefix("news.*"), "news.");
  EXPECT_EQ(glob_prefix("plain"), "plain");
  EXPECT_EQ(glob_prefix("[a]"), "");
  EXPECT_EQ(glob_prefix("a\\*"), "a");
}

}  // namespace
}  // namespace wharf::broker
