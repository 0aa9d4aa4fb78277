#include "protocol/redis/request.h"

#include <algorithm>
#include <charconv>

namespace wharf::redis {

namespace {

struct Number {
  using State = RequestParser::LineState;
  State state = State::wrong;
  std::int64_t value = 0;
  std::size_t end = 0;  // behind the end of the line
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
// As C's isspace in the C locale.
bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Anything but plain digits and the end of the line.
Number read_odd_number(std::string_view text, std::size_t from) {
  std::size_t end = text.find('\r', from);
  if (end == std::string_view::npos) {
    return {text.size() - from > line_max ? Number::State::too_long : Number::State::more};
  }
  if (end + 1 == text.size()) return {Number::State::more};
  Number number{Number::State::whole, 0, end + 2};
  if (!parse_integer(text.substr(from, end - from), number.value)) {
    number.state = Number::State::wrong;
  }
  return number;
}

// Inlined: two of these are most of what there is to a short request.
[[gnu::always_inline]] inline Number read_number(std::string_view text, std::size_t from) {
  constexpr std::size_t digits_max = 10;
  const char* begin = text.data() + from;
  const char* end = text.data() + std::min(text.size(), from + digits_max);
  const char* at = begin;
  std::int64_t value = 0;
  while (at < end && is_digit(*at)) value = value * 10 + (*at++ - '0');
  auto behind = static_cast<std::size_t>(at - text.data()) + 2;
  bool plain =
      at > begin && behind <= text.size() && *at == '\r' && (*begin != '0' || at - begin == 1);
  if (!plain) [[unlikely]]
    return read_odd_number(text, from);
  return {Number::State::whole, value, behind};
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

char unescaped(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

class LineSplitter {
 public:
  LineSplitter(std::string_view line, std::string& text) : rest_(line), text_(text) {}

  // False when there is no further word.
  bool skip_to_word() {
    while (!rest_.empty() && is_space(rest_[0])) rest_.remove_prefix(1);
    return !rest_.empty();
  }
  // Appends the word; false when its quotes are not balanced.
  bool take_word() {
    while (!rest_.empty() && !is_space(rest_[0])) {
      char c = next();
      bool sound = true;
      if (c == '"') {
        sound = take_double_quoted();
      } else if (c == '\'') {
        sound = take_single_quoted();
      } else {
        text_ += c;
      }
      if (!sound) return false;
    }
    return true;
  }

 private:
  char next() {
    char c = rest_[0];
    rest_.remove_prefix(1);
    return c;
  }
  bool at_end_of_word() const { return rest_.empty() || is_space(rest_[0]); }

  bool take_double_quoted() {
    while (!rest_.empty()) {
      char c = next();
      if (c == '"') return at_end_of_word();
      if (c == '\\' && !rest_.empty()) {
        take_escape();
      } else {
        text_ += c;
      }
    }
    return false;
  }
  void take_escape() {
    char c = next();
    if (c == 'x' && rest_.size() >= 2 && hex_value(rest_[0]) >= 0 && hex_value(rest_[1]) >= 0) {
      text_ += static_cast<char>(hex_value(rest_[0]) * 16 + hex_value(rest_[1]));
      rest_.remove_prefix(2);
    } else {
      text_ += unescaped(c);
    }
  }
  bool take_single_quoted() {
    while (!rest_.empty()) {
      char c = next();
      if (c == '\'') return at_end_of_word();
      if (c == '\\' && !rest_.empty() && rest_[0] == '\'') c = next();
      text_ += c;
    }
    return false;
  }

  std::string_view rest_;
  std::string& text_;
};

}  // namespace

bool parse_integer(std::string_view text, std::int64_t& value) {
  std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty() || (digits[0] == '0' && text.size() > 1)) return false;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

KeptRequest::KeptRequest(const Request& request) {
  for (std::size_t i = 0; i < request.size(); ++i) size_ += request[i].size();
  text_ = std::make_unique_for_overwrite<char[]>(size_);
  request_.base_ = text_.get();
  std::size_t offset = 0;
  for (std::size_t i = 0; i < request.size(); ++i) {
    request[i].copy(text_.get() + offset, request[i].size());
    request_.words_.push_back(
        {static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(request[i].size())});
    offset += request[i].size();
  }
}

RequestParser::Status RequestParser::parse(Bytes input, const RequestLimits& limits) {
  std::string_view text = text_of(input);
  if (position_ == 0) {
    if (text.empty()) return Status::more;
    request_.words_.clear();
    if (text[0] != '*') return parse_inline(text);
    Status begun = begin_array(text, limits);
    if (begun != Status::request) return begun;
  }
  return read_words(text, limits);
}

RequestParser::Status RequestParser::begin_array(std::string_view input,
                                                 const RequestLimits& limits) {
  Number count = read_number(input, 1);
  switch (count.state) {
    case Number::State::more:
      return Status::more;
    case Number::State::too_long:
      return fail("too big mbulk count string");
    case Number::State::wrong:
      return fail("invalid multibulk length");
    case Number::State::whole:
      break;
  }
  if (count.value > limits.elements_max) {
    return fail(limits.logged_in ? "invalid multibulk length" : "unauthenticated multibulk length");
  }
  position_ = count.end;
  if (count.value <= 0) return Status::nothing;
  missing_ = static_cast<std::uint32_t>(count.value);
  return Status::request;
}

RequestParser::Status RequestParser::read_words(std::string_view input,
                                                const RequestLimits& limits) {
  for (; missing_ > 0; --missing_) {
    std::size_t at = position_;
    if (at >= input.size()) return Status::more;
    Number size = read_number(input, at + 1);
    bool fits = size.state == Number::State::whole && input[at] == '$' && size.value >= 0 &&
                size.value <= limits.bulk_max;
    if (!fits) [[unlikely]]
      return refuse_word(input[at], size.state, size.value, limits);
    auto length = static_cast<std::size_t>(size.value);
    if (input.size() < size.end + length + 2) return Status::more;
    request_.words_.push_back(
        {static_cast<std::uint32_t>(size.end), static_cast<std::uint32_t>(length)});
    position_ = size.end + length + 2;
  }
  request_.base_ = input.data();
  return Status::request;
}

// In the order in which Redis looks.
RequestParser::Status RequestParser::refuse_word(char kind, LineState state, std::int64_t size,
                                                 const RequestLimits& limits) {
  if (state == LineState::more) return Status::more;
  if (state == LineState::too_long) return fail("too big bulk count string");
  if (kind != '$') return fail(std::string("expected '$', got '") + kind + "'");
  bool unknown_only = state == LineState::whole && size > limits.bulk_max && !limits.logged_in;
  return fail(unknown_only ? "unauthenticated bulk length" : "invalid bulk length");
}

RequestParser::Status RequestParser::parse_inline(std::string_view input) {
  std::size_t end = input.find('\n');
  if (end == std::string_view::npos) {
    return input.size() > line_max ? fail("too big inline request") : Status::more;
  }
  position_ = end + 1;
  std::string_view line = input.substr(0, end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  // A NUL ends the line, as it does in C.
  line = line.substr(0, line.find('\0'));
  line_.clear();
  LineSplitter splitter(line, line_);
  while (splitter.skip_to_word()) {
    std::size_t offset = line_.size();
    if (!splitter.take_word()) return fail("unbalanced quotes in request");
    request_.words_.push_back(
        {static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(line_.size() - offset)});
  }
  request_.base_ = line_.data();
  return request_.words_.empty() ? Status::nothing : Status::request;
}

RequestParser::Status RequestParser::fail(std::string why) {
  error_ = std::move(why);
  return Status::wrong;
}

}  // namespace wharf::redis
