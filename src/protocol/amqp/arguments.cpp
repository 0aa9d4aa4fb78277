#include "protocol/amqp/arguments.h"

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include <fmt/format.h>

#include "protocol/amqp/convert.h"
#include "protocol/amqp/field_text.h"

namespace wharf::amqp {

namespace {

using broker::ExchangeKind;
using broker::ExchangeSpec;
using broker::HeaderMatch;
using broker::OriginArguments;
using broker::Overflow;
using broker::QueueKind;
using broker::QueueSpec;
using broker::Resource;

constexpr std::int64_t expiry_max_ms = 315'360'000'000;  // ten years
constexpr std::uint32_t delivery_limit_default = 20;
constexpr std::int64_t priority_max = 255;

constexpr std::array<std::string_view, 14> standard_arguments = {"x-expires",
                                                                 "x-message-ttl",
                                                                 "x-dead-letter-exchange",
                                                                 "x-dead-letter-routing-key",
                                                                 "x-max-length",
                                                                 "x-max-length-bytes",
                                                                 "x-max-priority",
                                                                 "x-overflow",
                                                                 "x-queue-mode",
                                                                 "x-queue-version",
                                                                 "x-single-active-consumer",
                                                                 "x-queue-type",
                                                                 "x-queue-master-locator",
                                                                 "x-queue-leader-locator"};
constexpr std::array<std::string_view, 15> counted_arguments = {"x-dead-letter-exchange",
                                                                "x-dead-letter-routing-key",
                                                                "x-dead-letter-strategy",
                                                                "x-expires",
                                                                "x-max-length",
                                                                "x-max-length-bytes",
                                                                "x-max-in-memory-length",
                                                                "x-max-in-memory-bytes",
                                                                "x-overflow",
                                                                "x-single-active-consumer",
                                                                "x-queue-type",
                                                                "x-quorum-initial-group-size",
                                                                "x-delivery-limit",
                                                                "x-message-ttl",
                                                                "x-queue-leader-locator"};
constexpr std::array<std::string_view, 4> stream_arguments = {
    "x-max-age", "x-stream-max-segment-size-bytes", "x-initial-cluster-size",
    "x-stream-filter-size-bytes"};
constexpr std::array<std::string_view, 3> stream_consumer_arguments = {
    "x-stream-offset", "x-stream-filter", "x-stream-match-unfiltered"};

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::string_view module_name(QueueKind kind) {
  return kind == QueueKind::counted ? "rabbit_quorum_queue" : "rabbit_classic_queue";
}

OriginArguments keep(TableView table) {
  return {amqp_format, ByteVector(table.bytes().begin(), table.bytes().end())};
}

// Reads the arguments of one declare. The first error sticks and later reads find nothing, so
// callers check once, at the end.
class ArgumentReader {
 public:
  // `what` names the thing in error texts.
  ArgumentReader(TableView table, std::string what) : table_(table), what_(std::move(what)) {}

  const std::string& what() const { return what_; }
  const std::optional<Error>& error() const { return error_; }

  void fail(std::string text) {
    if (!error_) error_ = Error{ReplyCode::precondition_failed, std::move(text)};
  }
  void fail(std::string_view key, std::string_view why) {
    fail(fmt::format("invalid arg '{}' for {}: {}", key, what_, why));
  }

  std::optional<FieldValue> find(std::string_view key) const {
    if (error_) return std::nullopt;
    return amqp::find(table_, key);
  }

  std::optional<std::int64_t> integer(std::string_view key) {
    std::optional<FieldValue> value = find(key);
    if (!value) return std::nullopt;
    std::optional<std::int64_t> number = as_integer(*value);
    if (!number) fail(key, fmt::format("\"expected integer, got {}\"", type_name(*value)));
    return number;
  }

  std::optional<std::uint64_t> not_negative(std::string_view key) {
    std::optional<std::int64_t> number = integer(key);
    if (!number) return std::nullopt;
    if (*number < 0) {
      fail(key, fmt::format("{{value_negative,{}}}", *number));
      return std::nullopt;
    }
    return static_cast<std::uint64_t>(*number);
  }

  std::optional<std::uint64_t> expiry(std::string_view key) {
    std::optional<std::uint64_t> number = not_negative(key);
    if (number && *number > expiry_max_ms) {
      fail(key, fmt::format("{{value_too_big,{}}}", *number));
    }
    return number;
  }

  std::optional<std::string_view> text(std::string_view key) {
    std::optional<FieldValue> value = find(key);
    if (!value) return std::nullopt;
    if (const auto* text = std::get_if<std::string_view>(&*value)) return *text;
    fail(key, fmt::format("{{unacceptable_type,{}}}", type_name(*value)));
    return std::nullopt;
  }

  bool flag(std::string_view key) {
    std::optional<FieldValue> value = find(key);
    if (!value) return false;
    if (const auto* flag = std::get_if<bool>(&*value)) return *flag;
    fail(key, fmt::format("{{unacceptable_type,{}}}", type_name(*value)));
    return false;
  }

  // A text that must be one of a few.
  std::string_view choice(std::string_view key, std::initializer_list<std::string_view> allowed,
                          std::string_view why) {
    std::optional<std::string_view> value = text(key);
    if (!value) return {};
    if (std::ranges::find(allowed, *value) == allowed.end()) fail(key, why);
    return *value;
  }

 private:
  TableView table_;
  std::string what_;
  std::optional<Error> error_;
};

QueueKind read_kind(ArgumentReader& in) {
  std::optional<std::string_view> type = in.text("x-queue-type");
  if (!type || *type == "classic") return QueueKind::standard;
  if (*type == "quorum") return QueueKind::counted;
  in.fail("x-queue-type", fmt::format("\"unsupported queue type '{}'\"", *type));
  return QueueKind::standard;
}

void read_limits(ArgumentReader& in, QueueSpec& spec) {
  spec.expires_ms = in.expiry("x-expires");
  if (spec.expires_ms == 0) in.fail("x-expires", "{value_zero,0}");
  spec.message_ttl_ms = in.expiry("x-message-ttl");
  spec.length_max = in.not_negative("x-max-length");
  spec.length_bytes_max = in.not_negative("x-max-length-bytes");
}

void read_dead_letter(ArgumentReader& in, QueueSpec& spec) {
  constexpr std::string_view exchange_key = "x-dead-letter-exchange";
  std::optional<FieldValue> exchange = in.find(exchange_key);
  if (exchange && !std::holds_alternative<std::string_view>(*exchange)) {
    in.fail(fmt::format("invalid type '{}' for arg '{}' in {}", type_name(*exchange), exchange_key,
                        in.what()));
  }
  spec.dead_letter_exchange = in.text(exchange_key);
  spec.dead_letter_key = in.text("x-dead-letter-routing-key");
  if (spec.dead_letter_key && !spec.dead_letter_exchange) {
    in.fail("x-dead-letter-routing-key", "routing_key_but_no_dlx_defined");
  }
}

void read_overflow(ArgumentReader& in, QueueSpec& spec) {
  std::string_view overflow = in.choice(
      "x-overflow", {"drop-head", "reject-publish", "reject-publish-dlx"}, "invalid_overflow");
  if (overflow == "reject-publish") spec.overflow = Overflow::reject_publish;
  // Quorum queues do not know this one and fall back to drop-head.
  if (overflow == "reject-publish-dlx" && spec.kind == QueueKind::standard) {
    spec.overflow = Overflow::reject_publish_dead_letter;
  }
}

void read_standard(ArgumentReader& in, QueueSpec& spec) {
  std::optional<std::uint64_t> priority = in.not_negative("x-max-priority");
  if (priority && *priority > priority_max) {
    in.fail("x-max-priority", fmt::format("{{max_value_exceeded,{}}}", *priority));
  }
  spec.priority_max = static_cast<std::uint8_t>(priority.value_or(0) & 0xff);
  std::optional<std::string_view> mode = in.text("x-queue-mode");
  if (mode && *mode != "default" && *mode != "lazy") {
    in.fail("x-queue-mode", fmt::format("\"unsupported queue mode '{}'\"", *mode));
  }
  std::optional<std::uint64_t> version = in.not_negative("x-queue-version");
  if (version && *version != 1 && *version != 2) {
    in.fail("x-queue-version", fmt::format("\"unsupported queue version '{}'\"", *version));
  }
}

void read_counted(ArgumentReader& in, QueueSpec& spec) {
  constexpr std::int64_t limit_max = std::numeric_limits<std::uint32_t>::max();
  std::int64_t limit = in.integer("x-delivery-limit").value_or(delivery_limit_default);
  if (limit >= 0) spec.delivery_limit = static_cast<std::uint32_t>(std::min(limit, limit_max));
  in.choice("x-dead-letter-strategy", {"at-most-once", "at-least-once"}, "invalid_dlx_strategy");
  in.not_negative("x-max-in-memory-length");
  in.not_negative("x-max-in-memory-bytes");
  if (in.not_negative("x-quorum-initial-group-size") == 0u) {
    in.fail("x-quorum-initial-group-size", "{value_zero,0}");
  }
}

void check_own(ArgumentReader& in, TableView table, QueueKind kind) {
  for (const TableField& field : table.items()) {
    bool known = contains(standard_arguments, field.name) ||
                 contains(counted_arguments, field.name) || contains(stream_arguments, field.name);
    if (!known || contains(queue_arguments(kind), field.name)) continue;
    in.fail(fmt::format("invalid arg '{}' for {} of queue type {}", field.name, in.what(),
                        module_name(kind)));
  }
}

// Quorum queues outlive connections and have a name that the client chose.
void check_counted_flags(ArgumentReader& in, const QueueDeclare& declare, bool server_named) {
  if (server_named) {
    in.fail("Cannot declare a server-named queue for type rabbit_quorum_queue");
  }
  auto forbid = [&](bool wrong, std::string_view property) {
    if (wrong) in.fail(fmt::format("invalid property '{}' for {}", property, in.what()));
  };
  forbid(!declare.durable, "non-durable");
  forbid(declare.exclusive, "exclusive-owner");
  forbid(declare.auto_delete, "auto-delete");
}

Or<HeaderMatch> header_match(TableView arguments) {
  std::optional<FieldValue> value = find(arguments, "x-match");
  if (!value) return HeaderMatch::all;
  const auto* text = std::get_if<std::string_view>(&*value);
  if (!text) {
    return refuse(ReplyCode::precondition_failed,
                  fmt::format("Invalid x-match field type {} (value {}); expected longstr",
                              type_name(*value), value_text(*value)));
  }
  if (*text == "all") return HeaderMatch::all;
  if (*text == "any") return HeaderMatch::any;
  if (*text == "all-with-x") return HeaderMatch::all_with_x;
  if (*text == "any-with-x") return HeaderMatch::any_with_x;
  return refuse(ReplyCode::precondition_failed,
                fmt::format("Invalid x-match field value <<\"{}\">>; expected all, any, "
                            "all-with-x, or any-with-x",
                            *text));
}

// Two bindings are the same whatever the order of their arguments was.
OriginArguments keep_sorted(TableView table) {
  std::vector<TableField> fields;
  for (const TableField& field : table.items()) fields.push_back(field);
  // Of two fields of one name the first stays first: their bytes lie in that order.
  std::ranges::sort(
      fields, {}, [](const TableField& field) { return std::pair(field.name, field.raw.data()); });
  TableWriter out;
  for (const TableField& field : fields) out.copy(field);
  return {amqp_format, out.take()};
}

}  // namespace

Or<TableView> parse_table(Bytes bytes) {
  Result<TableView> table = TableView::parse(bytes);
  if (table) return *table;
  return refuse(ReplyCode::frame_error, "cannot decode " + erlang_binary(bytes, 64));
}

std::span<const std::string_view> queue_arguments(QueueKind kind) {
  if (kind == QueueKind::counted) return counted_arguments;
  return standard_arguments;
}

QueueSpec bare_queue_spec(const QueueDeclare& declare, std::string_view name) {
  QueueSpec spec;
  spec.name = name;
  spec.durable = declare.durable && !declare.exclusive;
  spec.exclusive = declare.exclusive;
  spec.auto_delete = declare.auto_delete;
  if (Or<TableView> table = parse_table(declare.arguments)) spec.arguments = keep(*table);
  return spec;
}

Or<QueueSpec> to_queue_spec(const QueueDeclare& declare, std::string_view name, bool server_named,
                            std::string_view vhost) {
  Or<TableView> table = parse_table(declare.arguments);
  if (!table) return std::unexpected(std::move(table.error()));
  ArgumentReader in(*table, describe(Resource::queue, name, vhost));
  QueueSpec spec = bare_queue_spec(declare, name);
  spec.kind = read_kind(in);
  if (spec.kind == QueueKind::counted) check_counted_flags(in, declare, server_named);
  read_limits(in, spec);
  read_dead_letter(in, spec);
  read_overflow(in, spec);
  spec.single_active = in.flag("x-single-active-consumer");
  in.choice("x-queue-leader-locator",
            {"client-local", "balanced", "random", "least-leaders", "min-masters"},
            "invalid_queue_locator_arg");
  if (spec.kind == QueueKind::counted) {
    read_counted(in, spec);
  } else {
    read_standard(in, spec);
  }
  check_own(in, *table, spec.kind);
  if (in.error()) return std::unexpected(*in.error());
  return spec;
}

Or<ExchangeKind> to_exchange_kind(std::string_view type) {
  if (type == "direct") return ExchangeKind::direct;
  if (type == "fanout") return ExchangeKind::fanout;
  if (type == "topic") return ExchangeKind::topic;
  if (type == "headers") return ExchangeKind::headers;
  return refuse(ReplyCode::precondition_failed, fmt::format("unknown exchange type '{}'", type));
}

Or<ExchangeSpec> to_exchange_spec(const ExchangeDeclare& declare, std::string_view name,
                                  ExchangeKind kind, std::string_view vhost) {
  Or<TableView> table = parse_table(declare.arguments);
  if (!table) return std::unexpected(std::move(table.error()));
  constexpr std::string_view key = "alternate-exchange";
  std::optional<FieldValue> alternate = find(*table, key);
  if (alternate && !std::holds_alternative<std::string_view>(*alternate)) {
    return refuse(ReplyCode::precondition_failed,
                  fmt::format("invalid type '{}' for arg '{}' in {}", type_name(*alternate), key,
                              describe(Resource::exchange, name, vhost)));
  }
  ExchangeSpec spec;
  spec.name = name;
  spec.kind = kind;
  spec.durable = declare.durable;
  spec.auto_delete = declare.auto_delete;
  spec.internal = declare.internal;
  if (alternate) spec.alternate = std::get<std::string_view>(*alternate);
  spec.arguments = keep(*table);
  return spec;
}

Checked fill_binding(broker::BindingSpec& binding, TableView arguments, bool by_headers) {
  binding.arguments = keep_sorted(arguments);
  if (!by_headers) return {};
  Or<HeaderMatch> match = header_match(arguments);
  if (!match) return std::unexpected(std::move(match.error()));
  binding.match = *match;
  bool plain = *match == HeaderMatch::all || *match == HeaderMatch::any;
  for (const TableField& field : arguments.items()) {
    bool ignored = field.name == "x-match" || (plain && field.name.starts_with("x-"));
    if (!ignored) binding.headers.emplace_back(field.name, to_common(field.value));
  }
  return {};
}

Or<std::int32_t> consumer_priority(TableView arguments, std::string_view queue, QueueKind kind,
                                   std::string_view vhost) {
  ArgumentReader in(arguments, describe(Resource::queue, queue, vhost));
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  std::int64_t priority = in.integer("x-priority").value_or(0);
  for (const TableField& field : arguments.items()) {
    if (!contains(stream_consumer_arguments, field.name)) continue;
    in.fail(fmt::format("invalid arg '{}' for {} of queue type {}", field.name, in.what(),
                        module_name(kind)));
  }
  if (in.error()) return std::unexpected(*in.error());
  return static_cast<std::int32_t>(std::clamp(priority, -most, most));
}

std::string clean_name(std::string_view name) {
  std::string clean(name);
  std::erase_if(clean, [](char c) { return c == '\r' || c == '\n'; });
  return clean;
}

}  // namespace wharf::amqp
