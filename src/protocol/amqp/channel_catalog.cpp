// Exchanges, queues and bindings: requests to the core's catalog, with the checks of names that
// RabbitMQ makes before it looks anything up.
#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "protocol/amqp/arguments.h"
#include "protocol/amqp/channel.h"
#include "protocol/amqp/convert.h"
#include "protocol/amqp/equivalence.h"
#include "protocol/amqp/reply_to.h"

namespace wharf::amqp {

namespace {

using broker::BindingSpec;
using broker::ExchangeKind;
using broker::ExchangeSpec;
using broker::QueueSpec;
using broker::Resource;

constexpr std::string_view reserved_prefix = "amq.";

std::uint32_t count_of(std::uint64_t count) {
  constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::min(count, most));
}

std::unexpected<Error> reserved(std::string_view kind, std::string_view name) {
  return refuse(ReplyCode::access_refused,
                fmt::format("{} name '{}' contains reserved prefix 'amq.*'", kind, name));
}

}  // namespace

// ---- Exchanges

Checked Channel::check_not_default(std::string_view exchange) const {
  if (!exchange.empty()) return {};
  return refuse(ReplyCode::access_refused, "operation not permitted on the default exchange");
}

Checked Channel::on(const ExchangeDeclare& method, Chain&) {
  std::string name = clean_name(method.exchange);
  ExchangeSpec spec;
  if (method.passive) {
    if (Checked named = check_not_default(name); !named) return named;
    spec.name = name;
  } else {
    Or<ExchangeKind> kind = to_exchange_kind(method.type);
    if (!kind) return std::unexpected(std::move(kind.error()));
    if (Checked named = check_not_default(name); !named) return named;
    bool exists = link_.core.find_exchange(link_.vhost, name) != nullptr;
    if (!exists && name.starts_with(reserved_prefix)) return reserved("exchange", name);
    Or<ExchangeSpec> wanted = to_exchange_spec(method, name, *kind, link_.vhost_name);
    if (!wanted && !may(broker::Verb::configure, Resource::exchange, name)) {
      return std::unexpected(
          link_.error_of({{Errc::refused}, Resource::exchange, name, broker::Verb::configure}));
    }
    if (!wanted) return std::unexpected(std::move(wanted.error()));
    spec = std::move(*wanted);
  }
  broker::RequestId request = ask(method.no_wait, name);
  pending_.exchange = std::make_unique<ExchangeSpec>(spec);
  link_.core.declare_exchange(link_.session, request, spec, method.passive);
  return {};
}

Checked Channel::on_answer(const Pending& asked, broker::ExchangeDiffers& answer, Chain&) {
  ASSERT(asked.exchange);
  return std::unexpected(difference(*asked.exchange, *answer.current, link_.vhost_name));
}

Checked Channel::on(const ExchangeDelete& method, Chain&) {
  std::string name = clean_name(method.exchange);
  if (Checked named = check_not_default(name); !named) return named;
  if (name.starts_with(reserved_prefix)) {
    return refuse(ReplyCode::access_refused, fmt::format("deletion of system {} not allowed",
                                                         link_.describe(Resource::exchange, name)));
  }
  broker::RequestId request = ask(method.no_wait, name);
  link_.core.delete_exchange(link_.session, request, name, method.if_unused);
  return {};
}

// ---- Bindings

Or<BindingSpec> Channel::binding(std::string_view source, Resource kind,
                                 std::string_view destination, std::string_view key,
                                 Bytes arguments) const {
  BindingSpec binding;
  binding.source = clean_name(source);
  binding.destination_kind = kind;
  binding.destination = clean_name(destination);
  binding.key = key;
  Checked named = check_not_default(binding.source);
  if (named && kind == Resource::exchange) named = check_not_default(binding.destination);
  if (!named) return std::unexpected(std::move(named.error()));
  Or<TableView> table = parse_table(arguments);
  if (!table) return std::unexpected(std::move(table.error()));
  const ExchangeSpec* exchange = link_.core.find_exchange(link_.vhost, binding.source);
  bool by_headers = exchange && exchange->kind == ExchangeKind::headers;
  Checked filled = fill_binding(binding, *table, by_headers);
  if (filled) return binding;
  auto error = first_error(broker::Verb::read, Resource::exchange, binding.source,
                           std::move(filled.error()));
  return first_error(broker::Verb::write, kind, binding.destination, std::move(error.error()));
}

Or<BindingSpec> Channel::queue_binding(std::string_view queue, std::string_view exchange,
                                       std::string_view key, Bytes arguments) const {
  Or<std::string> name = queue_name(queue);
  if (!name) return std::unexpected(std::move(name.error()));
  if (name->starts_with(reply_queue_name)) {
    return refuse(ReplyCode::access_refused,
                  "operation not permitted on the reply-to pseudo queue");
  }
  bool by_default = queue.empty() && key.empty();
  return binding(exchange, Resource::queue, *name, by_default ? *name : std::string(key),
                 arguments);
}

Checked Channel::on(const ExchangeBind& method, Chain&) {
  Or<BindingSpec> spec = binding(method.source, Resource::exchange, method.destination,
                                 method.routing_key, method.arguments);
  if (!spec) return std::unexpected(std::move(spec.error()));
  broker::RequestId request = ask(method.no_wait);
  link_.core.bind(link_.session, request, *spec);
  return {};
}

Checked Channel::on(const ExchangeUnbind& method, Chain&) {
  Or<BindingSpec> spec = binding(method.source, Resource::exchange, method.destination,
                                 method.routing_key, method.arguments);
  if (!spec) return std::unexpected(std::move(spec.error()));
  broker::RequestId request = ask(method.no_wait);
  link_.core.unbind(link_.session, request, *spec);
  return {};
}

Checked Channel::on(const QueueBind& method, Chain&) {
  Or<BindingSpec> spec =
      queue_binding(method.queue, method.exchange, method.routing_key, method.arguments);
  if (!spec) return std::unexpected(std::move(spec.error()));
  broker::RequestId request = ask(method.no_wait);
  link_.core.bind(link_.session, request, *spec);
  return {};
}

Checked Channel::on(const QueueUnbind& method, Chain&) {
  Or<BindingSpec> spec =
      queue_binding(method.queue, method.exchange, method.routing_key, method.arguments);
  if (!spec) return std::unexpected(std::move(spec.error()));
  broker::RequestId request = ask(false);
  link_.core.unbind(link_.session, request, *spec);
  return {};
}

// ---- Queues

Checked Channel::on(const QueueDeclare& method, Chain& out) {
  std::string name = clean_name(method.queue);
  if (name.starts_with(reply_queue_name)) return declare_reply_queue(method, name, out);
  QueueSpec spec;
  if (method.passive) {
    if (name.empty()) {
      return refuse(ReplyCode::not_found, "no " + link_.describe(Resource::queue, name));
    }
    spec.name = name;
  } else {
    bool server_named = name.empty();
    if (server_named) {
      name = link_.unguessable("amq.gen-");
    } else if (name.starts_with(reserved_prefix)) {
      return reserved("queue", name);
    }
    Or<QueueSpec> wanted = to_queue_spec(method, name, server_named, link_.vhost_name);
    if (!wanted) return declare_refused(method, name, std::move(wanted.error()));
    spec = std::move(*wanted);
  }
  broker::RequestId request = ask(method.no_wait, name);
  pending_.queue = std::make_unique<QueueSpec>(spec);
  link_.core.declare_queue(link_.session, request, spec, method.passive);
  return {};
}

// What is asked for cannot be; but if the queue is there, the complaint is that it differs, or that
// it is somebody else's. So ask for it as it is.
Checked Channel::declare_refused(const QueueDeclare& method, const std::string& name,
                                 Error refusal) {
  if (is_hard(refusal.code)) return std::unexpected(std::move(refusal));
  if (!may(broker::Verb::configure, Resource::queue, name)) {
    return std::unexpected(
        link_.error_of({{Errc::refused}, Resource::queue, name, broker::Verb::configure}));
  }
  broker::RequestId request = ask(method.no_wait, name);
  pending_.queue = std::make_unique<QueueSpec>(bare_queue_spec(method, name));
  pending_.refusal = std::move(refusal);
  link_.core.declare_queue(link_.session, request, *pending_.queue, true);
  return {};
}

// The core compares what it acts on; the arguments without effect, and those that it was not asked
// for because they are bad, are compared here.
std::optional<Error> Channel::declared_differently(const Pending& asked) const {
  bool passive = !asked.queue || asked.queue->arguments.format != amqp_format;
  if (passive) return std::nullopt;
  const QueueSpec* current = link_.core.find_queue(link_.vhost, asked.name);
  if (!current) return asked.refusal;
  if (current->exclusive != asked.queue->exclusive) {
    return link_.error_of({{Errc::locked}, Resource::queue, asked.name});
  }
  // What another protocol declared has none of our arguments.
  if (current->arguments.format != amqp_format) return asked.refusal;
  return difference(*asked.queue, *current, link_.vhost_name);
}

Checked Channel::on_answer(const Pending& asked, broker::QueueDeclared& answer, Chain& out) {
  if (auto error = declared_differently(asked)) return std::unexpected(std::move(*error));
  last_queue_ = asked.name;
  if (asked.no_wait) return {};
  send(out, QueueDeclareOk{.queue = asked.name,
                           .message_count = count_of(answer.ready),
                           .consumer_count = answer.consumers});
  return {};
}

Checked Channel::on_answer(const Pending& asked, broker::QueueDiffers& answer, Chain&) {
  ASSERT(asked.queue);
  std::optional<Error> error = difference(*asked.queue, *answer.current, link_.vhost_name);
  if (error) return std::unexpected(std::move(*error));
  return refuse(ReplyCode::precondition_failed,
                "inequivalent declaration of " + link_.describe(Resource::queue, asked.name));
}

// All declares of this name are passive: whether somebody still waits for answers there.
Checked Channel::declare_reply_queue(const QueueDeclare& method, std::string_view name,
                                     Chain& out) {
  std::optional<ReplyAddress> address = parse_reply_key(name);
  if (address) {
    broker::RequestId request = ask(method.no_wait, std::string(name));
    link_.core.find_inbox(link_.session, request, address->session, name);
    return {};
  }
  if (name != reply_queue_name) {
    return refuse(ReplyCode::not_found, "no " + link_.describe(Resource::queue, name));
  }
  last_queue_ = name;
  if (!method.no_wait) send(out, QueueDeclareOk{.queue = name, .consumer_count = 1});
  return {};
}

Checked Channel::on(const QueueDelete& method, Chain&) {
  Or<std::string> queue = queue_name(method.queue);
  if (!queue) return std::unexpected(std::move(queue.error()));
  std::string name = clean_name(*queue);
  if ((method.if_unused || method.if_empty) && is_counted(name)) {
    Error error{ReplyCode::not_implemented,
                fmt::format("cannot delete {}. queue.delete operations with {} flag set are not "
                            "supported by quorum queues",
                            link_.describe(Resource::queue, name),
                            method.if_unused ? "if-unused" : "if-empty")};
    return first_error(broker::Verb::configure, Resource::queue, name, std::move(error));
  }
  broker::RequestId request = ask(method.no_wait, name);
  link_.core.delete_queue(link_.session, request, name,
                          {.if_unused = method.if_unused, .if_empty = method.if_empty});
  return {};
}

Checked Channel::on_answer(const Pending& asked, broker::QueueDeleted& answer, Chain& out) {
  if (asked.no_wait) return {};
  send(out, QueueDeleteOk{.message_count = count_of(answer.ready)});
  return {};
}

Checked Channel::on(const QueuePurge& method, Chain&) {
  Or<std::string> queue = queue_name(method.queue);
  if (!queue) return std::unexpected(std::move(queue.error()));
  broker::RequestId request = ask(method.no_wait);
  link_.core.purge_queue(link_.session, request, *queue);
  return {};
}

Checked Channel::on_answer(const Pending& asked, broker::QueuePurged& answer, Chain& out) {
  if (asked.no_wait) return {};
  send(out, QueuePurgeOk{.message_count = count_of(answer.ready)});
  return {};
}

}  // namespace wharf::amqp
