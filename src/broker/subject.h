// broker/subject.h: names as lists of segments, and patterns over them. `.` separates segments in
// the canonical form, which is the one that the core knows; every protocol has a pair of functions
// that render and parse it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace wharf::broker {

enum class SegmentKind : std::uint8_t {
  literal,
  one,   // exactly one segment
  some,  // one or more
  any,   // none or more
};

struct SubjectSegment {
  SegmentKind kind = SegmentKind::literal;
  std::string text;  // of a literal
  friend bool operator==(const SubjectSegment&, const SubjectSegment&) = default;
};

using SubjectPattern = std::vector<SubjectSegment>;

// The segments of a name, appended; the empty name has none.
inline void split_segments(std::string_view name, std::vector<std::string_view>& segments) {
  if (name.empty()) return;
  while (true) {
    std::size_t dot = name.find('.');
    segments.push_back(name.substr(0, dot));
    if (dot == std::string_view::npos) return;
    name.remove_prefix(dot + 1);
  }
}

// As permissions and people see it: `*` for one segment, `>` for one or more, `#` for any number.
inline std::string pattern_text(const SubjectPattern& pattern) {
  std::string text;
  for (const SubjectSegment& segment : pattern) {
    if (!text.empty()) text += '.';
    switch (segment.kind) {
      case SegmentKind::literal:
        text += segment.text;
        break;
      case SegmentKind::one:
        text += '*';
        break;
      case SegmentKind::some:
        text += '>';
        break;
      case SegmentKind::any:
        text += '#';
        break;
    }
  }
  return text;
}

}  // namespace wharf::broker
