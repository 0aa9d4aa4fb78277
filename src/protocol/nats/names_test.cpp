#include "protocol/nats/names.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

namespace wharf::nats {
namespace {

std::string name_of(std::string_view subject) {
  std::string scratch;
  return std::string(to_name(subject, scratch));
}
std::string subject_of(std::string_view name) {
  std::string scratch;
  return std::string(to_subject(name, scratch));
}

TEST(NatsNames, PlainOnesStayAsTheyAre) {
  std::string scratch;
  std::string_view subject = "orders.eu.new";
  EXPECT_EQ(to_name(subject, scratch).data(), subject.data());
  EXPECT_EQ(to_subject(subject, scratch).data(), subject.data());
}

TEST(NatsNames, EscapesOnlyWhatASubjectCannotHold) {
  EXPECT_EQ(subject_of("two words"), "two%20words");
  EXPECT_EQ(subject_of("a..b"), "a.%-.b");
  EXPECT_EQ(subject_of(""), "%-");
  EXPECT_EQ(subject_of("a.*.>"), "a.%2A.%3E");
  EXPECT_EQ(subject_of("a*.b>"), "a*.b>");
  EXPECT_EQ(subject_of("50%"), "50%");
  EXPECT_EQ(subject_of("%20"), "%2520");
  EXPECT_EQ(subject_of("%2520"), "%252520");
  EXPECT_EQ(subject_of("%2A"), "%252A");
  EXPECT_EQ(subject_of("x%2A"), "x%2A");
  EXPECT_EQ(subject_of("%-"), "%25-");
}

TEST(NatsNames, ReadsItsEscapes) {
  EXPECT_EQ(name_of("two%20words"), "two words");
  EXPECT_EQ(name_of("a.%-.b"), "a..b");
  EXPECT_EQ(name_of("%2520"), "%20");
  EXPECT_EQ(name_of("%25"), "%25");
  EXPECT_EQ(name_of("%41"), "%41");
  EXPECT_EQ(name_of("%0d"), "%0d");  // lower case is no escape
}

// Random texts of the pieces that escapes are made of, so that every confusion has its chance.
template <std::size_t size>
std::string random_text(std::mt19937& random, const std::string_view (&pieces)[size]) {
  std::string text;
  for (std::size_t count = random() % 8; count > 0; --count) text += pieces[random() % size];
  return text;
}

TEST(NatsNames, EveryNameComesBack) {
  using namespace std::literals;
  const std::string_view pieces[] = {"%",   "25", "20",   "2A", "-",  "*",  ">", ".",
                                     " "sv, "a",  "\0"sv, "\t", "\r", "\n", "0", "2"};
  std::mt19937 random(1);
  for (int i = 0; i < 200'000; ++i) {
    std::string name = random_text(random, pieces);
    std::string subject = subject_of(name);
    ASSERT_TRUE(is_literal(subject)) << subject;
    ASSERT_EQ(subject.find_first_of(" \t\r\n\0"sv), std::string::npos);
    ASSERT_EQ(name_of(subject), name) << subject;
  }
}

TEST(NatsNames, EverySubjectComesBack) {
  const std::string_view pieces[] = {"%", "25", "20", "2A", "3E", "-",
                                     "*", ">",  ".",  "a",  "0",  "%-"};
  std::mt19937 random(2);
  int valid = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string subject = random_text(random, pieces);
    if (!is_literal(subject)) continue;
    ++valid;
    ASSERT_EQ(subject_of(name_of(subject)), subject);
  }
  EXPECT_GT(valid, 50'000);
}

TEST(NatsNames, Validity) {
  for (std::string_view good : {"a", "a.b", "*", ">", "a.*.>", "a*", ">a.b"}) {
    EXPECT_TRUE(is_pattern(good)) << good;
  }
  for (std::string_view bad : {"", ".", "a.", ".a", "a..b", ">.a", "a.>.b"}) {
    EXPECT_FALSE(is_pattern(bad)) << bad;
  }
  EXPECT_FALSE(is_literal("a.*"));
  EXPECT_TRUE(is_literal("a.b*"));
}

TEST(NatsNames, Matching) {
  EXPECT_TRUE(matches("a.*.c", "a.b.c"));
  EXPECT_FALSE(matches("a.*", "a.b.c"));
  EXPECT_FALSE(matches("a.*.c", "a.b"));
  EXPECT_TRUE(matches("a.>", "a.b.c"));
  EXPECT_FALSE(matches("a.>", "a"));
  EXPECT_TRUE(matches(">", "a"));
}

TEST(NatsNames, Patterns) {
  broker::SubjectPattern pattern = to_pattern("a%20b.*.x>.>");
  ASSERT_EQ(pattern.size(), 4u);
  EXPECT_EQ(pattern[0].text, "a b");
  EXPECT_EQ(pattern[1].kind, broker::SegmentKind::one);
  EXPECT_EQ(pattern[2].text, "x>");
  EXPECT_EQ(pattern[3].kind, broker::SegmentKind::some);
}

}  // namespace
}  // namespace wharf::nats
