#include "protocol/redis/convert.h"

namespace wharf::redis {

void read_headers(Bytes, const broker::HeaderVisitor&) {}

broker::CommonProperties read_common(Bytes) { return {}; }

std::string_view error_of(const broker::Failure& failure) {
  switch (failure.fault.code) {
    case Errc::refused:
      return no_channel_permission;
    case Errc::io:
      return "MISCONF the disk refused a write; nothing is stored until the broker is restarted";
    case Errc::overloaded:
      return "OOM command not allowed when used memory > 'maxmemory'.";
    case Errc::malformed:
    case Errc::too_large:
    case Errc::not_found:
    case Errc::locked:
    case Errc::precondition:
    case Errc::not_allowed:
    case Errc::unsupported:
      return "ERR the broker does not take this";
  }
  std::unreachable();
}

}  // namespace wharf::redis
