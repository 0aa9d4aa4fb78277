#include "bench/server_url.h"

#include <charconv>
#include <optional>

namespace wharf::bench {

namespace {

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (text[0] != '%') {
      out += text[0];
      text.remove_prefix(1);
      continue;
    }
    if (text.size() < 3) return std::nullopt;
    unsigned value = 0;
    auto [end, wrong] = std::from_chars(text.data() + 1, text.data() + 3, value, 16);
    if (wrong != std::errc{} || end != text.data() + 3) return std::nullopt;
    out += static_cast<char>(value);
    text.remove_prefix(3);
  }
  return out;
}

// Cuts the text at the first `mark`; the second half is none when there is no mark.
std::pair<std::string_view, std::optional<std::string_view>> cut(std::string_view text, char mark) {
  std::size_t at = text.find(mark);
  if (at == std::string_view::npos) return {text, std::nullopt};
  return {text.substr(0, at), text.substr(at + 1)};
}

bool set(std::string& part, std::string_view text) {
  std::optional<std::string> decoded = percent_decoded(text);
  if (decoded) part = *decoded;
  return decoded.has_value();
}

bool set_login(ServerUrl& url, std::string_view login) {
  auto [user, password] = cut(login, ':');
  return set(url.user, user) && (!password || set(url.password, *password));
}

}  // namespace

bool parse_place(std::string_view text, ServerUrl& place) {
  auto [host, port] = cut(text, ':');
  if (!host.empty() && !set(place.host, host)) return false;
  if (!port) return true;
  auto [end, wrong] = std::from_chars(port->data(), port->data() + port->size(), place.port);
  return wrong == std::errc{} && end == port->data() + port->size();
}

Try<ServerUrl> ServerUrl::parse(std::string_view text, std::string_view scheme,
                                ServerUrl defaults) {
  std::string start = std::string(scheme) + "://";
  if (!text.starts_with(start)) return std::unexpected("the URL must begin with " + start);
  auto [authority, path] = cut(text.substr(start.size()), '/');
  ServerUrl url = std::move(defaults);
  std::size_t at = authority.rfind('@');
  bool has_login = at != std::string_view::npos;
  if (has_login && !set_login(url, authority.substr(0, at))) {
    return std::unexpected("the URL's login is not well encoded");
  }
  if (!parse_place(has_login ? authority.substr(at + 1) : authority, url) || url.port == 0) {
    return std::unexpected("the URL's host and port are wrong");
  }
  if (path && !path->empty() && !set(url.path, *path)) {
    return std::unexpected("the URL's path is not well encoded");
  }
  return url;
}

Try<ServerUrl> parse_amqp_url(std::string_view text) {
  return ServerUrl::parse(text, "amqp",
                          {.user = "guest", .password = "guest", .port = 5672, .path = "/"});
}

}  // namespace wharf::bench
