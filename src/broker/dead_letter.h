// broker/dead_letter.h: what becomes of a message that a queue gives up. Pure functions.
#pragma once

#include <span>
#include <string_view>

#include "base/time.h"
#include "broker/api.h"
#include "broker/message.h"

namespace wharf::broker {

// The message as it is published to `spec`'s dead letter exchange: with this death written to the
// front of its list (one entry for each queue and reason, counted), without its time to live, under
// the queue's dead letter key or else under the keys it came with. Properties and body are as they
// were. REQUIRES: spec.dead_letter_exchange. Cost: one copy of the message.
Message make_dead_letter(const Message& message, const QueueSpec& spec, DeathReason reason,
                         WallTime now);

// Whether a dead letter that comes to `queue` has gone round in a circle with no consumer taking
// part: it died there before, and nobody has rejected it since. Such a copy is dropped.
bool is_dead_letter_cycle(std::span<const Death> deaths, std::string_view queue);

}  // namespace wharf::broker
