#include "wire/schema.h"

namespace wharf::schema::detail {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

void print_hex(std::string& out, unsigned octet) {
  out += hex_digits[octet >> 4];
  out += hex_digits[octet & 0xf];
}

}  // namespace

void print_value(std::string& out, std::string_view text) {
  out += '"';
  for (char c : text) {
    auto octet = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (octet < 0x20 || octet == 0x7f) {
      out += "\\x";
      print_hex(out, octet);
    } else {
      out += c;
    }
  }
  out += '"';
}

void print_value(std::string& out, Bytes bytes) {
  out += '<';
  for (std::byte octet : bytes) print_hex(out, std::to_integer<unsigned>(octet));
  out += '>';
}

}  // namespace wharf::schema::detail
