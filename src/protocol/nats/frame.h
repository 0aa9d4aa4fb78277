// protocol/nats/frame.h: bytes to control lines: a verb, its arguments as they stand, and where the
// line ends. A payload is not part of the line. Verbs are read in either case; arguments end at LF,
// a CR before it is dropped. Source:
// https://docs.nats.io/reference/reference-protocols/nats-protocol and the behaviour of
// nats-server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/fault.h"
#include "wire/bytes.h"

namespace wharf::nats {

enum class Verb : std::uint8_t { pub, hpub, sub, unsub, connect, ping, pong, ok, err, info };

struct Line {
  Verb verb = Verb::ping;
  std::string_view arguments;  // without the blanks around the verb and the line's end
  std::size_t size = 0;        // of the whole line, with its end
};

// The line at the front of `input`; none while it is not whole. Faults: malformed as soon as no
// verb can come of it, too_large when the arguments are above `arguments_max`, whole or not.
Result<std::optional<Line>> read_line(Bytes input, std::size_t arguments_max);

}  // namespace wharf::nats
