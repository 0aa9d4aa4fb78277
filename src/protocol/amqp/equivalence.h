// protocol/amqp/equivalence.h: in what a thing that exists is not what was asked for, in RabbitMQ's
// order and words (406). Integers of all letters compare by value; only arguments that the type of
// queue knows are compared.
#pragma once

#include <optional>
#include <string_view>

#include "broker/api.h"
#include "protocol/amqp/errors.h"

namespace wharf::amqp {

// None when they differ in nothing that RabbitMQ compares.
std::optional<Error> difference(const broker::QueueSpec& wanted, const broker::QueueSpec& current,
                                std::string_view vhost);
Error difference(const broker::ExchangeSpec& wanted, const broker::ExchangeSpec& current,
                 std::string_view vhost);

}  // namespace wharf::amqp
