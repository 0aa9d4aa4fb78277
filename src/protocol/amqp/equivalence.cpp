#include "protocol/amqp/equivalence.h"

#include <fmt/format.h>

#include "protocol/amqp/arguments.h"
#include "protocol/amqp/convert.h"
#include "protocol/amqp/field_text.h"

namespace wharf::amqp {

namespace {

using broker::ExchangeKind;
using broker::ExchangeSpec;
using broker::OriginArguments;
using broker::QueueSpec;
using broker::Resource;

Error inequivalent(std::string_view key, std::string_view what, std::string_view received,
                   std::string_view current) {
  return {ReplyCode::precondition_failed,
          fmt::format("inequivalent arg '{}' for {}: received {} but current is {}", key, what,
                      received, current)};
}

std::optional<Error> flag_difference(std::string_view key, std::string_view what, bool received,
                                     bool current) {
  if (received == current) return std::nullopt;
  auto text = [](bool flag) { return flag ? "'true'" : "'false'"; };
  return inequivalent(key, what, text(received), text(current));
}

// Empty for what another protocol declared: it had no such arguments.
TableView table_of(const OriginArguments& arguments) {
  if (arguments.format != amqp_format) return {};
  Result<TableView> table = TableView::parse(arguments.bytes);
  return table ? *table : TableView();
}

std::string typed_text(const std::optional<FieldValue>& value) {
  if (!value) return "none";
  return fmt::format("the value '{}' of type '{}'", value_text(*value), type_name(*value));
}

std::optional<Error> argument_difference(std::string_view key, std::string_view what,
                                         const std::optional<FieldValue>& wanted,
                                         const std::optional<FieldValue>& current) {
  if (!wanted && !current) return std::nullopt;
  if (wanted && current) {
    if (to_common(*wanted) == to_common(*current)) return std::nullopt;
    return inequivalent(key, what, fmt::format("'{}'", value_text(*wanted)),
                        fmt::format("'{}'", value_text(*current)));
  }
  // A queue without a type is a classic one.
  const FieldValue& given = wanted ? *wanted : *current;
  bool is_classic = given == FieldValue(std::string_view("classic"));
  if (key == "x-queue-type" && is_classic) return std::nullopt;
  return inequivalent(key, what, typed_text(wanted), typed_text(current));
}

std::string_view type_text(ExchangeKind kind) {
  switch (kind) {
    case ExchangeKind::direct:
      return "'direct'";
    case ExchangeKind::fanout:
      return "'fanout'";
    case ExchangeKind::topic:
      return "'topic'";
    case ExchangeKind::headers:
      return "'headers'";
  }
  return "'direct'";
}

}  // namespace

std::optional<Error> difference(const QueueSpec& wanted, const QueueSpec& current,
                                std::string_view vhost) {
  std::string what = describe(Resource::queue, wanted.name, vhost);
  if (auto error = flag_difference("durable", what, wanted.durable, current.durable)) return error;
  if (auto error = flag_difference("auto_delete", what, wanted.auto_delete, current.auto_delete)) {
    return error;
  }
  TableView wanted_table = table_of(wanted.arguments);
  TableView current_table = table_of(current.arguments);
  for (std::string_view key : queue_arguments(current.kind)) {
    auto error = argument_difference(key, what, find(wanted_table, key), find(current_table, key));
    if (error) return error;
  }
  return std::nullopt;
}

Error difference(const ExchangeSpec& wanted, const ExchangeSpec& current, std::string_view vhost) {
  std::string what = describe(Resource::exchange, wanted.name, vhost);
  if (wanted.kind != current.kind) {
    return inequivalent("type", what, type_text(wanted.kind), type_text(current.kind));
  }
  if (auto error = flag_difference("durable", what, wanted.durable, current.durable)) return *error;
  if (auto error = flag_difference("auto_delete", what, wanted.auto_delete, current.auto_delete)) {
    return *error;
  }
  if (auto error = flag_difference("internal", what, wanted.internal, current.internal)) {
    return *error;
  }
  auto alternate = [](const ExchangeSpec& spec) -> std::optional<FieldValue> {
    if (!spec.alternate) return std::nullopt;
    return FieldValue(std::string_view(*spec.alternate));
  };
  auto error =
      argument_difference("alternate-exchange", what, alternate(wanted), alternate(current));
  if (error) return *error;
  return {ReplyCode::precondition_failed, "inequivalent declaration of " + what};
}

}  // namespace wharf::amqp
