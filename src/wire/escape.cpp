#include "wire/escape.h"

#include <iterator>

#include <fmt/format.h>

#include "wire/utf8.h"

namespace wharf {

std::string escaped(std::string_view text, Escape how) {
  bool high_bytes_are_text = is_utf8(text);
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    bool strange = byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !high_bytes_are_text);
    if (strange) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
      continue;
    }
    if (how == Escape::json_string && (c == '"' || c == '\\')) out += '\\';
    out += c;
  }
  return out;
}

}  // namespace wharf
