#include "auth/sasl.h"

namespace wharf::auth {

Result<PlainLogin> parse_plain(std::string_view response) {
  std::size_t first = response.find('\0');
  if (first == std::string_view::npos) return fault(Errc::malformed, "no NUL in it");
  if (first != 0) return fault(Errc::unsupported, "an identity to act as");
  response.remove_prefix(1);
  std::size_t second = response.find('\0');
  if (second == std::string_view::npos) return fault(Errc::malformed, "no password in it");
  PlainLogin login{response.substr(0, second), response.substr(second + 1)};
  if (login.password.find('\0') != std::string_view::npos) {
    return fault(Errc::malformed, "a NUL in the password");
  }
  return login;
}

Result<std::string_view> parse_external(std::string_view response,
                                        std::string_view certificate_name) {
  if (certificate_name.empty()) return fault(Errc::refused, "no verified certificate");
  if (!response.empty() && response != certificate_name) {
    return fault(Errc::refused, "not the name in the certificate");
  }
  return certificate_name;
}

}  // namespace wharf::auth
