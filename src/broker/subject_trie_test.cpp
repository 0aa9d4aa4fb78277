#include "broker/subject_trie.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "base/random.h"

namespace wharf::broker {
namespace {

using Words = std::vector<std::string_view>;

// One letter a segment: `1` is one, `+` some, `*` any, all else a literal.
SubjectPattern pattern(std::string_view letters) {
  SubjectPattern pattern;
  for (char letter : letters) {
    SegmentKind kind = letter == '1'   ? SegmentKind::one
                       : letter == '+' ? SegmentKind::some
                       : letter == '*' ? SegmentKind::any
                                       : SegmentKind::literal;
    pattern.push_back({kind, kind == SegmentKind::literal ? std::string(1, letter) : ""});
  }
  return pattern;
}

Words words(const std::string& letters) {
  Words words;
  for (const char& letter : letters) words.push_back({&letter, 1});
  return words;
}

std::vector<int> matches(const SubjectTrie<int>& trie, const std::string& subject) {
  std::vector<int> found;
  trie.match(words(subject), [&](int value) { found.push_back(value); });
  std::ranges::sort(found);
  return found;
}

// By the definition, one way at a time.
bool naive_match(std::string_view pattern, std::string_view subject) {
  if (pattern.empty()) return subject.empty();
  std::string_view rest = pattern.substr(1);
  switch (pattern[0]) {
    case '*':
      return naive_match(rest, subject) ||
             (!subject.empty() && naive_match(pattern, subject.substr(1)));
    case '+':
      return !subject.empty() &&
             (naive_match(rest, subject.substr(1)) || naive_match(pattern, subject.substr(1)));
    case '1':
      return !subject.empty() && naive_match(rest, subject.substr(1));
    default:
      return !subject.empty() && subject[0] == pattern[0] && naive_match(rest, subject.substr(1));
  }
}

TEST(SubjectTrie, EachFormAlone) {
  struct Case {
    std::string_view pattern;
    std::vector<std::string> yes, no;
  };
  for (const Case& one :
       {Case{"", {""}, {"a"}}, Case{"ab", {"ab"}, {"", "a", "b", "ba", "abc"}},
        Case{"1", {"a", "b"}, {"", "ab"}}, Case{"+", {"a", "ab", "abc"}, {""}},
        Case{"*", {"", "a", "ab"}, {}}, Case{"a*", {"a", "ab", "abc"}, {"", "b"}},
        Case{"a+", {"ab", "abc"}, {"", "a", "ba"}}, Case{"*b", {"b", "ab", "bb"}, {"", "ba"}},
        Case{"a1c", {"abc", "aac"}, {"ac", "abbc"}}, Case{"*b*", {"b", "abc", "bbb"}, {"", "ac"}},
        Case{"*1", {"a", "ab"}, {""}}, Case{"1*1", {"ab", "abc"}, {"", "a"}},
        Case{"+a+", {"bab", "aaa"}, {"ab", "ba", "aa"}}}) {
    SubjectTrie<int> trie;
    trie.add(pattern(one.pattern), 7);
    for (const std::string& subject : one.yes) {
      EXPECT_EQ(matches(trie, subject), std::vector{7}) << one.pattern << ' ' << subject;
    }
    for (const std::string& subject : one.no) {
      EXPECT_TRUE(matches(trie, subject).empty()) << one.pattern << ' ' << subject;
    }
  }
}

TEST(SubjectTrie, ManyValuesAPattern) {
  SubjectTrie<int> trie;
  for (int value : {1, 2, 3}) EXPECT_TRUE(trie.add(pattern("a1"), value));
  EXPECT_FALSE(trie.add(pattern("a1"), 2));
  EXPECT_TRUE(trie.add(pattern("ab"), 2));
  EXPECT_EQ(trie.size(), 4u);
  EXPECT_EQ(matches(trie, "ab"), (std::vector{1, 2, 2, 3}));
  EXPECT_TRUE(trie.remove(pattern("a1"), 1));
  EXPECT_FALSE(trie.remove(pattern("a1"), 1));
  EXPECT_EQ(matches(trie, "ab"), (std::vector{2, 2, 3}));
}

TEST(SubjectTrie, PatternsOfOneMeaningAreOne) {
  SubjectTrie<int> trie;
  EXPECT_TRUE(trie.add(pattern("a*1b"), 1));
  EXPECT_FALSE(trie.add(pattern("a1*b"), 1));
  EXPECT_FALSE(trie.add(pattern("a+b"), 1));
  EXPECT_FALSE(trie.add(pattern("a**1*b"), 1));
  EXPECT_EQ(matches(trie, "axxb"), std::vector{1});
  EXPECT_TRUE(trie.remove(pattern("a+b"), 1));
  EXPECT_TRUE(trie.empty());
}

TEST(SubjectTrie, RemovingLeavesNoNodes) {
  SubjectTrie<int> trie;
  EXPECT_EQ(trie.node_count(), 0u);
  EXPECT_FALSE(trie.remove(pattern("a"), 1));
  trie.add(pattern("ab1*c"), 1);
  trie.add(pattern("ab"), 2);
  EXPECT_FALSE(trie.remove(pattern("a"), 1));
  EXPECT_FALSE(trie.remove(pattern("abx"), 1));
  EXPECT_TRUE(trie.remove(pattern("ab1*c"), 1));
  EXPECT_EQ(trie.node_count(), 3u);
  EXPECT_TRUE(trie.remove(pattern("ab"), 2));
  EXPECT_EQ(trie.node_count(), 1u);
}

TEST(SubjectTrie, SegmentsAreWholeTexts) {
  SubjectTrie<int> trie;
  trie.add({{SegmentKind::literal, "stock"}, {SegmentKind::literal, ""}}, 1);
  auto count = [&](Words subject) {
    int found = 0;
    trie.match(subject, [&](int) { ++found; });
    return found;
  };
  EXPECT_EQ(count({"stock", ""}), 1);
  EXPECT_EQ(count({"stock"}), 0);
  EXPECT_EQ(count({"stoc", "k"}), 0);
  EXPECT_EQ(count({"stock", "k"}), 0);
}

// A backtracking matcher needs more steps for this than the universe has time.
TEST(SubjectTrie, NoBlowUp) {
  SubjectTrie<int> trie;
  std::string stars;
  for (int repeat = 0; repeat < 60; ++repeat) stars += "*a";
  trie.add(pattern(stars + "*b"), 1);
  std::string subject(2000, 'a');
  EXPECT_TRUE(matches(trie, subject).empty());
  EXPECT_EQ(matches(trie, subject + "b"), std::vector{1});
}

std::string random_letters(Random& random, std::string_view alphabet, std::size_t size_max) {
  std::string letters(random.below(size_max + 1), ' ');
  for (char& letter : letters) letter = alphabet[random.below(alphabet.size())];
  return letters;
}

TEST(SubjectTrie, AgreesWithTheNaiveMatcher) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SeededRandom random(seed);
    SubjectTrie<int> trie;
    std::set<std::pair<std::string, int>> shadow;
    for (int step = 0; step < 300; ++step) {
      std::string letters = random_letters(random, "ab1+*", 5);
      int value = static_cast<int>(random.below(4));
      if (random.below(3) > 0) {
        // Of two patterns with one meaning the shadow would count both.
        if (trie.add(pattern(letters), value)) shadow.emplace(letters, value);
      } else if (!shadow.empty()) {
        auto it = std::next(shadow.begin(), static_cast<long>(random.below(shadow.size())));
        ASSERT_TRUE(trie.remove(pattern(it->first), it->second));
        shadow.erase(it);
      }
      std::string subject = random_letters(random, "abc", 6);
      std::vector<int> expected;
      for (const auto& [one, shadow_value] : shadow) {
        if (naive_match(one, subject)) expected.push_back(shadow_value);
      }
      std::ranges::sort(expected);
      ASSERT_EQ(matches(trie, subject), expected) << "seed " << seed << ", step " << step;
      ASSERT_EQ(trie.size(), shadow.size());
    }
    while (!shadow.empty()) {
      ASSERT_TRUE(trie.remove(pattern(shadow.begin()->first), shadow.begin()->second));
      shadow.erase(shadow.begin());
    }
    EXPECT_LE(trie.node_count(), 1u);
  }
}

}  // namespace
}  // namespace wharf::broker
