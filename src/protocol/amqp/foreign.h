// protocol/amqp/foreign.h: messages that came in through another protocol, as an AMQP client sees
// them: what both know of as properties, everything else as headers
// (docs/adr/010-common-properties.md).
#pragma once

#include <cstddef>

#include "broker/value.h"
#include "protocol/amqp/properties.h"
#include "protocol/amqp/table.h"

namespace wharf::amqp {

// Adds the headers to `headers`, each name once: one that is repeated is an array of its values.
// The rest are views into `properties`. What does not fit AMQP's 255 bytes of a property becomes a
// header of that property's name. Left out are headers whose name is longer, and those with which
// properties and headers together would take more than `size_max` bytes.
Properties from_common(const broker::Formats& formats, broker::Format format, Bytes properties,
                       std::size_t size_max, TableWriter& headers);

}  // namespace wharf::amqp
