// wire/escape.h: foreign text made safe to stand in a line of a log.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace wharf {

enum class Escape : std::uint8_t {
  line,         // control bytes, so that a line stays one line and a terminal stays sane
  json_string,  // also quotes and backslashes (RFC 8259 section 7)
};

// Control bytes, and bytes above 0x7f when the text is not UTF-8, become \u00XX.
std::string escaped(std::string_view text, Escape how);

}  // namespace wharf
