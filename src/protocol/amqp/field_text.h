// protocol/amqp/field_text.h: field values as RabbitMQ prints them in its error texts.
#pragma once

#include <string>
#include <string_view>

#include "protocol/amqp/table.h"

namespace wharf::amqp {

// "longstr", "signedint", ...: the names of rabbit_binary_parser.
std::string_view type_name(const FieldValue& value);
std::string value_text(const FieldValue& value);

}  // namespace wharf::amqp
