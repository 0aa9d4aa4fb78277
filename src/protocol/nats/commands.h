// protocol/nats/commands.h: the arguments of a control line, as views into it. None for a wrong
// number of arguments or a size that is no number: the server then hangs up without a word.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace wharf::nats {

struct Pub {
  std::string_view subject;
  std::string_view reply;  // empty: none
  std::uint64_t header_size = 0;
  std::uint64_t total_size = 0;  // header and body
};
// subject [reply] size
std::optional<Pub> read_pub(std::string_view arguments);
// subject [reply] header-size total-size
std::optional<Pub> read_hpub(std::string_view arguments);

struct Sub {
  std::string_view subject;
  std::string_view group;  // empty: none
  std::string_view sid;
};
// subject [group] sid
std::optional<Sub> read_sub(std::string_view arguments);

struct Unsub {
  std::string_view sid;
  std::uint64_t max = 0;  // messages since the SUB; 0: at once
};
// sid [max]; a max that is no number counts as none
std::optional<Unsub> read_unsub(std::string_view arguments);

}  // namespace wharf::nats
