#include "broker/glob.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace wharf::broker {

namespace {

constexpr std::string_view special = "*?[\\";

// One byte, or one set, at the front of the pattern.
struct Unit {
  bool matches = false;
  std::size_t size = 0;  // of the pattern
};

char take_member(std::string_view pattern, std::size_t& at) {
  if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
  return pattern[at++];
}

Unit match_set(std::string_view pattern, char byte) {
  std::size_t at = 1;
  bool negated = at < pattern.size() && pattern[at] == '^';
  if (negated) ++at;
  bool found = false;
  while (at < pattern.size() && pattern[at] != ']') {
    bool escaped = pattern[at] == '\\';
    auto low = static_cast<unsigned char>(take_member(pattern, at));
    auto high = low;
    if (!escaped && at + 1 < pattern.size() && pattern[at] == '-') {
      high = static_cast<unsigned char>(pattern[at + 1]);
      at += 2;
    }
    auto [first, last] = std::minmax(low, high);
    auto value = static_cast<unsigned char>(byte);
    found |= first <= value && value <= last;
  }
  if (at < pattern.size()) ++at;
  return {found != negated, at};
}

Unit match_unit(std::string_view pattern, char byte) {
  switch (pattern[0]) {
    case '?':
      return {true, 1};
    case '[':
      return match_set(pattern, byte);
    case '\\':
      if (pattern.size() > 1) return {pattern[1] == byte, 2};
      return {byte == '\\', 1};
    default:
      return {pattern[0] == byte, 1};
  }
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
  // A name of no bytes is only matched by a pattern of none.
  if (text.empty()) return pattern.empty();
  std::size_t at = 0;
  std::size_t next = 0;
  // Where to go on when the part behind the last `*` does not fit here: one byte further.
  std::optional<std::pair<std::size_t, std::size_t>> star;
  while (next < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = {++at, next};
      continue;
    }
    if (at < pattern.size()) {
      Unit unit = match_unit(pattern.substr(at), text[next]);
      if (unit.matches) {
        at += unit.size;
        ++next;
        continue;
      }
    }
    if (!star) return false;
    at = star->first;
    next = ++star->second;
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

std::string_view glob_prefix(std::string_view pattern) {
  return pattern.substr(0, pattern.find_first_of(special));
}

}  // namespace wharf::broker
