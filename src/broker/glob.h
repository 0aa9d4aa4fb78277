// broker/glob.h: globs over bytes, as pub/sub servers have them:
// `*` any run, `?` one byte, `[abc]`, `[a-z]`, `[^a]` one of a set, `\x` x itself. An unclosed set
// ends with the pattern; `[]` matches nothing, `[^]` anything; a reversed range is turned round.
// Cost: linear in pattern * text at worst, without recursion.
#pragma once

#include <cstddef>
#include <string_view>

namespace wharf::broker {

bool glob_matches(std::string_view pattern, std::string_view text);

// The bytes before the first special one: every text that matches begins with them.
std::string_view glob_prefix(std::string_view pattern);

}  // namespace wharf::broker
