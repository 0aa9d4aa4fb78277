// protocol/http/request.h: the head of an HTTP/1.1 request, and what is said back, for servers that
// only answer GET. Bodies are not read: a request that announces one is refused. Source: RFC 9110,
// RFC 9112.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fault.h"
#include "wire/bytes.h"

namespace wharf::http {

// Views into the bytes that it was read from.
struct Request {
  std::string_view method;
  std::string_view target;  // as it came, with its query
  bool keep_alive = true;
  bool has_body = false;
  std::vector<std::pair<std::string_view, std::string_view>> headers;
  std::size_t size = 0;  // of the head, with its end

  std::string_view path() const { return target.substr(0, target.find('?')); }
  // Of the first such parameter, with %XX and '+' decoded; none when there is none.
  std::optional<std::string> parameter(std::string_view name) const;
  // In any case; empty when there is none.
  std::string_view header(std::string_view name) const;
};

constexpr std::size_t head_size_max = 16 << 10;

// The request at the front of `input`; none while its head is not whole. Faults: malformed,
// too_large.
Result<std::optional<Request>> read_request(Bytes input);

// Whether the comma-separated `list` names `token`, in any case.
bool lists(std::string_view list, std::string_view token);

// Status line, headers, body; `status` as "200 OK".
std::string write_response(std::string_view status, std::string_view content_type,
                           std::string_view body, bool keep_alive);

}  // namespace wharf::http
