// protocol/amqp/arguments.h: what clients declare, from AMQP's fields and tables to the core's
// specs, with the checks and texts of RabbitMQ 4.2 (rabbit_amqqueue, rabbit_exchange, rabbit_misc).
// Arguments that nobody knows are kept and shown; those of another queue type are refused.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "broker/api.h"
#include "protocol/amqp/errors.h"
#include "protocol/amqp/methods_gen.h"
#include "protocol/amqp/table.h"

namespace wharf::amqp {

// 501 for a table that does not parse, blaming the method in hand.
Or<TableView> parse_table(Bytes bytes);

// The arguments that a queue of that kind knows, in the order in which RabbitMQ compares them.
std::span<const std::string_view> queue_arguments(broker::QueueKind kind);

// Its name, flags and arguments, and nothing of what the arguments say.
broker::QueueSpec bare_queue_spec(const QueueDeclare& declare, std::string_view name);
// `name` as it will be stored; `server_named`: the client left it to the broker.
Or<broker::QueueSpec> to_queue_spec(const QueueDeclare& declare, std::string_view name,
                                    bool server_named, std::string_view vhost);

// 406 for a type that is not known. RabbitMQ checks it before all else of a declare.
Or<broker::ExchangeKind> to_exchange_kind(std::string_view type);
Or<broker::ExchangeSpec> to_exchange_spec(const ExchangeDeclare& declare, std::string_view name,
                                          broker::ExchangeKind kind, std::string_view vhost);

// Fills match, headers and arguments. `by_headers`: the source is a headers exchange.
Checked fill_binding(broker::BindingSpec& binding, TableView arguments, bool by_headers);

// x-priority of a consumer, 0 when it gives none.
Or<std::int32_t> consumer_priority(TableView arguments, std::string_view queue,
                                   broker::QueueKind kind, std::string_view vhost);

// CR and LF are dropped from names.
std::string clean_name(std::string_view name);

}  // namespace wharf::amqp
