#include "auth/subject_rules.h"

#include <random>

#include <gtest/gtest.h>

namespace wharf::auth {
namespace {

TEST(SubjectRules, Subsets) {
  EXPECT_TRUE(is_subset("a.b", "a.b"));
  EXPECT_TRUE(is_subset("a.b", "a.*"));
  EXPECT_TRUE(is_subset("a.*", "a.>"));
  EXPECT_TRUE(is_subset("a.*.>", "a.>"));
  EXPECT_FALSE(is_subset("a", "a.>"));
  EXPECT_FALSE(is_subset("a.>", "a.*"));
  EXPECT_FALSE(is_subset("*", "a"));
  EXPECT_FALSE(is_subset("a.b.c", "a.b"));
}

TEST(SubjectRules, Overlaps) {
  EXPECT_TRUE(overlaps("a.*", "*.b"));
  EXPECT_TRUE(overlaps("a.>", "*.b.c"));
  EXPECT_FALSE(overlaps("a.*", "b.*"));
  EXPECT_FALSE(overlaps("a", "a.>"));
  EXPECT_FALSE(overlaps("a.*", "a"));
}

TEST(SubjectRules, Publish) {
  SubjectRule rule{{"a.>", "b"}, {"a.secret.*"}};
  EXPECT_TRUE(may_publish(rule, "a.x"));
  EXPECT_TRUE(may_publish(rule, "b"));
  EXPECT_FALSE(may_publish(rule, "c"));
  EXPECT_FALSE(may_publish(rule, "a.secret.x"));
  EXPECT_TRUE(may_publish(rule, "a.secret"));
  EXPECT_TRUE(may_publish({}, "anything"));
  EXPECT_FALSE(may_publish({{}, {">"}}, "anything"));
}

TEST(SubjectRules, Subscribe) {
  SubjectRule rule{{"a.>"}, {"a.secret.>"}};
  EXPECT_EQ(may_subscribe(rule, "a.x", ""), MaySubscribe::yes);
  EXPECT_EQ(may_subscribe(rule, "a.*", ""), MaySubscribe::yes);
  EXPECT_EQ(may_subscribe(rule, "a.>", ""), MaySubscribe::filtered);
  EXPECT_EQ(may_subscribe(rule, ">", ""), MaySubscribe::no);
  EXPECT_EQ(may_subscribe(rule, "a.secret.x", ""), MaySubscribe::no);
  EXPECT_FALSE(may_hear(rule, "a.secret.x", ""));
  EXPECT_TRUE(may_hear(rule, "a.x", ""));
}

TEST(SubjectRules, Groups) {
  SubjectRule rule{{"jobs.> workers.*"}, {"jobs.x workers.bad"}};
  EXPECT_EQ(may_subscribe(rule, "jobs.a", ""), MaySubscribe::no);
  EXPECT_EQ(may_subscribe(rule, "jobs.a", "other"), MaySubscribe::no);
  EXPECT_EQ(may_subscribe(rule, "jobs.a", "workers.one"), MaySubscribe::yes);
  EXPECT_EQ(may_subscribe(rule, "jobs.x", "workers.bad"), MaySubscribe::no);
  EXPECT_EQ(may_subscribe(rule, "jobs.>", "workers.bad"), MaySubscribe::filtered);
}

// Against all names of up to three segments of two letters.
TEST(SubjectRules, AgreesWithEveryName) {
  std::vector<std::string> names;
  for (std::string one : {"a", "b"}) {
    names.push_back(one);
    for (std::string two : {"a", "b"}) {
      names.push_back(one + "." + two);
      for (std::string three : {"a", "b"}) names.push_back(one + "." + two + "." + three);
    }
  }
  std::mt19937 random(1);
  auto pattern = [&] {
    std::string text;
    const char* words[] = {"a", "b", "*", ">"};
    for (std::size_t left = random() % 3 + 1; left > 0; --left) {
      const char* word = words[random() % (left == 1 ? 4 : 3)];
      text += (text.empty() ? "" : ".") + std::string(word);
    }
    return text;
  };
  for (int i = 0; i < 5000; ++i) {
    std::string one = pattern();
    std::string other = pattern();
    bool common = false;
    bool covered = true;
    for (const std::string& name : names) {
      bool in_one = is_subset(name, one);
      bool in_other = is_subset(name, other);
      common |= in_one && in_other;
      covered &= !in_one || in_other;
    }
    if (common) {
      EXPECT_TRUE(overlaps(one, other)) << one << " " << other;
    }
    if (is_subset(one, other)) {
      EXPECT_TRUE(covered) << one << " " << other;
    }
    if (!common) {
      EXPECT_FALSE(overlaps(one, other)) << one << " " << other;
    }
  }
}

}  // namespace
}  // namespace wharf::auth
