// auth/sasl.h: what clients send to log in by SASL, as pure functions of bytes. Views into the
// input. Sources: RFC 4616 (PLAIN), RFC 4422 appendix A (EXTERNAL).
#pragma once

#include <string_view>

#include "base/fault.h"

namespace wharf::auth {

struct PlainLogin {
  std::string_view user;
  std::string_view password;
};

// NUL user NUL password; either may be empty, and login refuses that. Faults: malformed;
// unsupported for an identity to act as (before the first NUL), even the same one.
Result<PlainLogin> parse_plain(std::string_view response);

// Who the client is by EXTERNAL: the name in its verified certificate, which it may repeat.
// Faults: refused when there is no certificate or the client asks for another name.
Result<std::string_view> parse_external(std::string_view response,
                                        std::string_view certificate_name);

}  // namespace wharf::auth
