// protocol/redis/convert.h: between Redis's words and the core's. A channel's name is an address as
// it stands, byte for byte, so there is nothing to render or parse; a message has no properties.
#pragma once

#include <string>
#include <string_view>

#include "broker/api.h"
#include "broker/value.h"

namespace wharf::redis {

// docs/formats/message.md
constexpr broker::Format redis_format{3};
// What an address can be; longer channel names are refused.
constexpr std::size_t name_size_max = 65535;

void read_headers(Bytes properties, const broker::HeaderVisitor& visit);
broker::CommonProperties read_common(Bytes properties);

// The error reply for what the core did not do.
std::string_view error_of(const broker::Failure& failure);

constexpr std::string_view no_channel_permission = "NOPERM No permissions to access a channel";

}  // namespace wharf::redis
