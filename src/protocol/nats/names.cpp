#include "protocol/nats/names.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace wharf::nats {

namespace {

struct Escaped {
  char byte;
  std::string_view digits;
};
constexpr std::array<Escaped, 5> anywhere = {
    {{' ', "20"}, {'\t', "09"}, {'\r', "0D"}, {'\n', "0A"}, {'\0', "00"}}};
constexpr std::array<Escaped, 2> whole_token = {{{'*', "2A"}, {'>', "3E"}}};
constexpr std::string_view percent_digits = "25";
constexpr std::string_view empty_token = "%-";

// Behind a '%': how often "25" is repeated, then what follows.
std::string_view past_percents(std::string_view text) {
  while (text.starts_with(percent_digits)) text.remove_prefix(percent_digits.size());
  return text;
}

const Escaped* find_digits(std::string_view text) {
  auto it = std::ranges::find_if(
      anywhere, [&](const Escaped& each) { return text.starts_with(each.digits); });
  return it == anywhere.end() ? nullptr : it;
}

// Whether `text`, which stands behind a '%', makes an escape of it, by itself or behind "25"s.
bool reads_as_escape(std::string_view text) { return find_digits(past_percents(text)) != nullptr; }

// The same for a token that is one '%' and `text`.
bool token_reads_as_escape(std::string_view text) {
  std::string_view rest = past_percents(text);
  return rest == "-" || std::ranges::find(whole_token, rest, &Escaped::digits) != whole_token.end();
}

std::string_view token_at(std::string_view text) { return text.substr(0, text.find('.')); }

// A token of a subject, decoded.
void decode_token(std::string_view token, std::string& out) {
  if (token == empty_token) return;
  bool starts_escaped = token.starts_with('%') && token_reads_as_escape(token.substr(1));
  if (starts_escaped && !token.substr(1).starts_with(percent_digits)) {
    auto it = std::ranges::find(whole_token, token.substr(1), &Escaped::digits);
    out += it->byte;
    return;
  }
  while (!token.empty()) {
    std::string_view behind = token.substr(1);
    bool escape = token[0] == '%' && (starts_escaped || reads_as_escape(behind));
    starts_escaped = false;
    if (!escape) {
      out += token[0];
      token = behind;
    } else if (const Escaped* found = find_digits(behind)) {
      out += found->byte;
      token = behind.substr(found->digits.size());
    } else {
      out += '%';
      token = behind.substr(percent_digits.size());
    }
  }
}

// A segment of a name, encoded.
void encode_segment(std::string_view segment, std::string& out) {
  if (segment.empty()) {
    out += empty_token;
    return;
  }
  if (segment.size() == 1) {
    auto it = std::ranges::find(whole_token, segment[0], &Escaped::byte);
    if (it != whole_token.end()) {
      (out += '%') += it->digits;
      return;
    }
  }
  bool whole = segment.starts_with('%') && token_reads_as_escape(segment.substr(1));
  for (std::size_t i = 0; i < segment.size(); ++i) {
    auto it = std::ranges::find(anywhere, segment[i], &Escaped::byte);
    if (it != anywhere.end()) {
      (out += '%') += it->digits;
      continue;
    }
    out += segment[i];
    bool escape = segment[i] == '%' && (whole || reads_as_escape(segment.substr(i + 1)));
    whole = false;
    if (escape) out += percent_digits;
  }
}

template <class Convert>
void each_token(std::string_view text, std::string& out, const Convert& convert) {
  out.clear();
  while (true) {
    std::string_view token = token_at(text);
    convert(token, out);
    if (token.size() == text.size()) return;
    out += '.';
    text.remove_prefix(token.size() + 1);
  }
}

bool is_plain_name(std::string_view name) {
  char before = '.';
  for (std::size_t i = 0; i < name.size(); ++i) {
    char byte = name[i];
    if (static_cast<unsigned char>(byte) <= ' ' || byte == '%') return false;
    bool token_starts = before == '.';
    if (token_starts && byte == '.') return false;
    bool token_ends = i + 1 == name.size() || name[i + 1] == '.';
    if (token_starts && token_ends && (byte == '*' || byte == '>')) return false;
    before = byte;
  }
  return before != '.';
}

bool is_wildcard(std::string_view token) { return token == "*" || token == ">"; }

}  // namespace

bool is_subject(std::string_view subject) {
  return !subject.empty() && subject.front() != '.' && subject.back() != '.' &&
         subject.find("..") == std::string_view::npos;
}

bool is_pattern(std::string_view subject) {
  if (!is_subject(subject)) return false;
  for (std::string_view rest = subject;;) {
    std::string_view token = token_at(rest);
    if (token.size() == rest.size()) return true;
    if (token == ">") return false;
    rest.remove_prefix(token.size() + 1);
  }
}

bool is_literal(std::string_view subject) {
  if (!is_subject(subject)) return false;
  for (std::string_view rest = subject;;) {
    std::string_view token = token_at(rest);
    if (is_wildcard(token)) return false;
    if (token.size() == rest.size()) return true;
    rest.remove_prefix(token.size() + 1);
  }
}

std::string_view to_name(std::string_view subject, std::string& scratch) {
  if (!std::memchr(subject.data(), '%', subject.size())) return subject;
  each_token(subject, scratch, decode_token);
  return scratch;
}

std::string_view to_subject(std::string_view name, std::string& scratch) {
  if (is_plain_name(name)) return name;
  each_token(name, scratch, encode_segment);
  return scratch;
}

broker::SubjectPattern to_pattern(std::string_view subject) {
  broker::SubjectPattern pattern;
  for (std::string_view rest = subject;;) {
    std::string_view token = token_at(rest);
    broker::SubjectSegment& segment = pattern.emplace_back();
    if (token == "*") {
      segment.kind = broker::SegmentKind::one;
    } else if (token == ">") {
      segment.kind = broker::SegmentKind::some;
    } else {
      decode_token(token, segment.text);
    }
    if (token.size() == rest.size()) return pattern;
    rest.remove_prefix(token.size() + 1);
  }
}

bool matches(std::string_view pattern, std::string_view subject) {
  while (true) {
    std::string_view want = token_at(pattern);
    std::string_view have = token_at(subject);
    if (want == ">") return true;
    if (want != "*" && want != have) return false;
    bool pattern_ends = want.size() == pattern.size();
    bool subject_ends = have.size() == subject.size();
    if (pattern_ends || subject_ends) return pattern_ends && subject_ends;
    pattern.remove_prefix(want.size() + 1);
    subject.remove_prefix(have.size() + 1);
  }
}

}  // namespace wharf::nats
