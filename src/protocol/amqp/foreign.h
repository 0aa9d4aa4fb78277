// protocol/amqp/foreign.h: messages that came in through another protocol, as an AMQP client sees
// them: what both know of as properties, everything else as headers
// (docs/adr/010-common-properties.md).
#pragma once

#include <string>

#include "broker/value.h"
#include "protocol/amqp/properties.h"
#include "protocol/amqp/table.h"

namespace wharf::amqp {

// Adds the headers to `headers`. The rest are views into `properties`. What does not fit AMQP's 255
// bytes of a property becomes a header of that property's name; a header whose name is longer is
// left out.
Properties from_common(const broker::Formats& formats, broker::Format format, Bytes properties,
                       TableWriter& headers);

}  // namespace wharf::amqp
