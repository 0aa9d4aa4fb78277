#include "protocol/http/request.h"

#include <algorithm>

#include <fmt/format.h>

namespace wharf::http {

namespace {

constexpr std::string_view line_end = "\r\n";
constexpr std::size_t headers_max = 100;

char lower(char byte) { return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte | 0x20) : byte; }

bool same_letters(std::string_view one, std::string_view other) {
  return std::ranges::equal(one, other, {}, lower, lower);
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int high = text[i] == '%' && i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    int low = high >= 0 ? hex_value(text[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

bool read_request_line(std::string_view line, Request& request) {
  std::size_t first = line.find(' ');
  std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last || first == 0) return false;
  request.method = line.substr(0, first);
  request.target = line.substr(first + 1, last - first - 1);
  std::string_view version = line.substr(last + 1);
  request.keep_alive = version == "HTTP/1.1";
  bool known = request.keep_alive || version == "HTTP/1.0";
  return known && request.target.starts_with('/') &&
         request.target.find(' ') == std::string_view::npos;
}

}  // namespace

std::optional<std::string> Request::parameter(std::string_view name) const {
  std::size_t mark = target.find('?');
  if (mark == std::string_view::npos) return std::nullopt;
  std::string_view rest = target.substr(mark + 1);
  while (!rest.empty()) {
    std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    std::size_t equals = pair.find('=');
    if (decoded(pair.substr(0, equals)) != name) continue;
    return equals == std::string_view::npos ? std::string() : decoded(pair.substr(equals + 1));
  }
  return std::nullopt;
}

std::string_view Request::header(std::string_view name) const {
  auto it = std::ranges::find_if(headers,
                                 [&](const auto& each) { return same_letters(each.first, name); });
  return it == headers.end() ? std::string_view() : it->second;
}

Result<std::optional<Request>> read_request(Bytes input) {
  std::string_view text = text_of(input.first(std::min(input.size(), head_size_max)));
  std::size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (text.size() == head_size_max) return fault(Errc::too_large, "head of a request");
    return std::nullopt;
  }
  Request request;
  request.size = end + 4;
  std::string_view rest = text.substr(0, end + line_end.size());
  std::string_view line = rest.substr(0, rest.find(line_end));
  if (!read_request_line(line, request)) return fault(Errc::malformed, "request line");
  rest.remove_prefix(line.size() + line_end.size());
  while (!rest.empty()) {
    line = rest.substr(0, rest.find(line_end));
    rest.remove_prefix(line.size() + line_end.size());
    std::size_t colon = line.find(':');
    bool wrong = colon == std::string_view::npos || colon == 0;
    if (wrong || request.headers.size() == headers_max) return fault(Errc::malformed, "header");
    request.headers.emplace_back(line.substr(0, colon), trimmed(line.substr(colon + 1)));
  }
  std::string_view length = request.header("content-length");
  request.has_body =
      (!length.empty() && length != "0") || !request.header("transfer-encoding").empty();
  if (lists(request.header("connection"), "close")) request.keep_alive = false;
  return request;
}

bool lists(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    std::string_view item = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), item.size() + 1));
    if (same_letters(trimmed(item), token)) return true;
  }
  return false;
}

std::string write_response(std::string_view status, std::string_view content_type,
                           std::string_view body, bool keep_alive) {
  return fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: {}\r\n\r\n{}", status,
      content_type, body.size(), keep_alive ? "keep-alive" : "close", body);
}

}  // namespace wharf::http
