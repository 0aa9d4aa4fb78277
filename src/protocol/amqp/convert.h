// protocol/amqp/convert.h: messages between AMQP 0-9-1 and the core. The origin properties are kept
// as they came and go out byte for byte, unless the broker has something to add: then the headers
// table is rewritten (dead-lettering as RabbitMQ's x-death, returns as x-delivery-count).
#pragma once

#include <cstdint>
#include <string_view>

#include "broker/api.h"
#include "broker/message.h"
#include "broker/value.h"
#include "protocol/amqp/table.h"
#include "wire/bytes.h"
#include "wire/writer.h"

namespace wharf::amqp {

// Properties in this format are flags and list as in a basic content header (properties.h).
inline constexpr broker::Format amqp_format{1};

// A broker::HeaderReader: the headers table. Properties that do not parse have no headers.
void read_headers(Bytes properties, const broker::HeaderVisitor& visit);

// A broker::CommonReader.
broker::CommonProperties read_common(Bytes properties);

// Integers of every letter become one type; what has no common type stays opaque.
broker::Value to_common(const FieldValue& value);

// RabbitMQ understands the letters L and U, but never sends them, and clients do not know them.
bool has_foreign_letter(const TableField& field);
// The table with RabbitMQ's own letters in their place.
ByteVector without_foreign_letters(TableView table);

// Who is shown a message.
struct ShownTo {
  const broker::Formats& formats;
  // Octets, 0 for no limit. Headers of other protocols that its frame does not take are left out:
  // a receiver would end the connection, and get the message again.
  std::size_t frame_max = 0;
};

// The properties to show to a receiver. `returns`: how often the message came back, 0 to show
// nothing. The result points into the message or into `scratch`.
Bytes shown_properties(const broker::Message& message, std::uint32_t returns, const ShownTo& to,
                       ByteVector& scratch);
Bytes shown_properties(const broker::LiveRecord& record, const ShownTo& to, ByteVector& scratch);

}  // namespace wharf::amqp
