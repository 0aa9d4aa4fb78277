// protocol/nats/names.h: subjects as NATS has them, and names as the core has them: segments joined
// by '.'. A subject cannot hold blanks, line ends, zero bytes and empty tokens, nor a token that is
// exactly `*` or `>`; in a subject they are written %20 %09 %0D %0A %00, %- (a whole token), %2A
// and %3E (whole tokens). A '%' is literal unless it begins one of these, and then it is written
// %25. So both directions give back what they got: to_subject(to_name(x)) == x for every valid x,
// and to_name(to_subject(y)) == y for every y.
#pragma once

#include <string>
#include <string_view>

#include "broker/subject.h"

namespace wharf::nats {

// Whether the bytes can stand in a subject at all: no empty token. Blanks cannot get here.
// `*` and `>` count as tokens like others, as in a publish.
bool is_subject(std::string_view subject);

// The same as the result of a SUB must be: `>` only as the last token.
bool is_pattern(std::string_view subject);
// A subject without wildcard tokens.
bool is_literal(std::string_view subject);

// Almost always the argument itself; else written to `scratch`.
std::string_view to_name(std::string_view subject, std::string& scratch);
std::string_view to_subject(std::string_view name, std::string& scratch);

// REQUIRES: is_pattern(subject).
broker::SubjectPattern to_pattern(std::string_view subject);

// Whether a literal subject is one of those that `pattern` means. Linear.
bool matches(std::string_view pattern, std::string_view subject);

}  // namespace wharf::nats
