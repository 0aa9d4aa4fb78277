// wire/utf8.h: is this text UTF-8? (RFC 3629: no surrogates, no overlong forms, nothing past
// U+10FFFF.)
#pragma once

#include <string_view>

namespace wharf {

// One pass, eight ASCII bytes at a time.
bool is_utf8(std::string_view text);

}  // namespace wharf
