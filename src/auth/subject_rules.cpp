#include "auth/subject_rules.h"

#include <algorithm>

namespace wharf::auth {

namespace {

std::string_view first_segment(std::string_view text) { return text.substr(0, text.find('.')); }

// Behind the first segment; none when there was only one.
std::optional<std::string_view> rest_of(std::string_view text) {
  std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  return text.substr(dot + 1);
}

struct Entry {
  std::string_view subject;
  std::string_view group;  // empty: whatever the group
};

Entry read_entry(std::string_view text) {
  std::size_t blank = text.find_first_of(" \t");
  if (blank == std::string_view::npos) return {text, {}};
  std::size_t group = text.find_first_not_of(" \t", blank);
  return {text.substr(0, blank), group == std::string_view::npos ? "" : text.substr(group)};
}

bool is_about(const Entry& entry, std::string_view group) {
  return entry.group.empty() || (!group.empty() && is_subset(group, entry.group));
}

bool any_covers(const std::vector<std::string>& entries, std::string_view pattern,
                std::string_view group) {
  return std::ranges::any_of(entries, [&](const std::string& text) {
    Entry entry = read_entry(text);
    return is_about(entry, group) && is_subset(pattern, entry.subject);
  });
}

}  // namespace

bool is_subset(std::string_view pattern, std::string_view of) {
  while (true) {
    std::string_view want = first_segment(of);
    std::string_view have = first_segment(pattern);
    if (want == ">") return true;
    if (have == ">" || (want != "*" && want != have)) return false;
    std::optional<std::string_view> pattern_rest = rest_of(pattern);
    std::optional<std::string_view> of_rest = rest_of(of);
    if (!pattern_rest || !of_rest) return !pattern_rest && !of_rest;
    pattern = *pattern_rest;
    of = *of_rest;
  }
}

bool overlaps(std::string_view one, std::string_view other) {
  while (true) {
    std::string_view left = first_segment(one);
    std::string_view right = first_segment(other);
    if (left == ">" || right == ">") return true;
    if (left != "*" && right != "*" && left != right) return false;
    std::optional<std::string_view> left_rest = rest_of(one);
    std::optional<std::string_view> right_rest = rest_of(other);
    if (!left_rest || !right_rest) return !left_rest && !right_rest;
    one = *left_rest;
    other = *right_rest;
  }
}

bool may_publish(const SubjectRule& rule, std::string_view name) {
  bool allowed = rule.allow.empty() || any_covers(rule.allow, name, {});
  return allowed && !any_covers(rule.deny, name, {});
}

MaySubscribe may_subscribe(const SubjectRule& rule, std::string_view pattern,
                           std::string_view group) {
  bool allowed = rule.allow.empty() || any_covers(rule.allow, pattern, group);
  if (!allowed || any_covers(rule.deny, pattern, group)) return MaySubscribe::no;
  bool partly = std::ranges::any_of(rule.deny, [&](const std::string& text) {
    Entry entry = read_entry(text);
    return is_about(entry, group) && overlaps(entry.subject, pattern);
  });
  return partly ? MaySubscribe::filtered : MaySubscribe::yes;
}

bool may_hear(const SubjectRule& rule, std::string_view name, std::string_view group) {
  return !any_covers(rule.deny, name, group);
}

}  // namespace wharf::auth
