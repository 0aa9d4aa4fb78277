#include "protocol/amqp/channel.h"

#include <fmt/format.h>

#include "base/assert.h"

namespace wharf::amqp {

namespace {

constexpr std::size_t shown_bytes_max = 64;

}  // namespace

Channel::Channel(Link& link, std::uint16_t number)
    : link_(link), number_(number), token_base_(link.token_floor) {}

Channel::~Channel() {
  for (auto& [tag, consumer] : consumers_) link_.consumers.erase(consumer->id);
  drop_reply_consumer();
}

// ---- Frames

Checked Channel::on_method(const Method& method, Chain& out) {
  if (content_.stage == Content::Stage::header) {
    return refuse(ReplyCode::unexpected_frame,
                  "expected content header for class 60, got non content header frame instead");
  }
  if (content_.stage == Content::Stage::body) {
    return refuse(ReplyCode::unexpected_frame,
                  "expected content body, got non content body frame instead");
  }
  current_method_ = method.id;
  Checked result;
  auto carry_out = [&]<class M>() {
    if constexpr (requires(Channel& self, const M& decoded) { self.on(decoded, out); }) {
      Result<M> decoded = schema::decode<M>(method.arguments);
      if (decoded) {
        result = on(*decoded, out);
      } else {
        result = refuse(ReplyCode::frame_error,
                        "cannot decode " + erlang_binary(method.arguments, shown_bytes_max));
      }
    } else {
      result = refuse(ReplyCode::command_invalid, "unimplemented method");
    }
  };
  if (!visit_method(method.id, carry_out)) {
    return refuse(ReplyCode::not_implemented,
                  fmt::format("unknown method {}.{}", class_of(method.id), method_of(method.id)),
                  0);
  }
  return result;
}

Checked Channel::on(const ChannelFlow& method, Chain& out) {
  if (!method.active) return refuse(ReplyCode::not_implemented, "active=false");
  send(out, ChannelFlowOk{.active = true});
  return {};
}

Checked Channel::on(const AccessRequest&, Chain& out) {
  send(out, AccessRequestOk{.ticket = 1});
  return {};
}

Checked Channel::on(const ConfirmSelect& method, Chain& out) {
  if (transaction_) {
    return refuse(ReplyCode::precondition_failed, "cannot switch from tx to confirm mode");
  }
  confirming_ = true;
  if (!method.no_wait) send(out, ConfirmSelectOk{});
  return {};
}

// ---- Requests and answers

broker::RequestId Channel::ask(bool no_wait, std::string name) {
  ASSERT(!busy());
  link_.flush_settles();
  pending_ =
      Pending{.id = link_.next_request(number_), .no_wait = no_wait, .name = std::move(name)};
  return pending_.id;
}

Or<std::string> Channel::queue_name(std::string_view name) const {
  if (!name.empty()) return std::string(name);
  if (!last_queue_.empty()) return last_queue_;
  return refuse(ReplyCode::not_found, "no previously declared queue");
}

bool Channel::is_counted(std::string_view queue) const {
  const broker::QueueSpec* spec = link_.core.find_queue(link_.vhost, queue);
  return spec && spec->kind == broker::QueueKind::counted;
}

bool Channel::may(broker::Verb verb, broker::Resource resource, std::string_view name) const {
  bool is_default = resource == broker::Resource::exchange && name.empty();
  return link_.core.access().authorize(link_.who, verb, link_.vhost,
                                       is_default ? std::string_view("amq.default") : name);
}

std::unexpected<Error> Channel::first_error(broker::Verb verb, broker::Resource resource,
                                            std::string_view name, Error last) const {
  broker::Failure failure{{Errc::refused}, resource, std::string(name), verb};
  if (!may(verb, resource, name)) return std::unexpected(link_.error_of(failure));
  bool exists = resource == broker::Resource::queue
                    ? link_.core.find_queue(link_.vhost, name) != nullptr
                    : link_.core.find_exchange(link_.vhost, name) != nullptr;
  if (exists) return std::unexpected(std::move(last));
  failure.fault.code = Errc::not_found;
  return std::unexpected(link_.error_of(failure));
}

Checked Channel::on_reply(broker::Reply& reply, Chain& out) {
  if (reply.request != pending_.id) return {};
  Pending asked = std::exchange(pending_, {});
  if (!reply.outcome) return on_failure(asked, reply.outcome.error(), out);
  return std::visit([&](auto& answer) { return on_answer(asked, answer, out); }, *reply.outcome);
}

// Which of the requests without a result it was is told by the method.
Checked Channel::on_answer(const Pending& asked, broker::Done&, Chain& out) {
  if (current_method_ == BasicCancel::id) {
    if (Consumer* consumer = find_consumer(asked.name)) drop_consumer(*consumer);
  }
  if (asked.no_wait) return {};
  switch (current_method_) {
    case ExchangeDeclare::id:
      send(out, ExchangeDeclareOk{});
      break;
    case ExchangeDelete::id:
      send(out, ExchangeDeleteOk{});
      break;
    case ExchangeBind::id:
      send(out, ExchangeBindOk{});
      break;
    case ExchangeUnbind::id:
      send(out, ExchangeUnbindOk{});
      break;
    case QueueBind::id:
      send(out, QueueBindOk{});
      break;
    case QueueUnbind::id:
      send(out, QueueUnbindOk{});
      break;
    case BasicCancel::id:
      send(out, BasicCancelOk{.consumer_tag = asked.name});
      break;
    default:
      break;
  }
  return {};
}

Checked Channel::on_failure(const Pending& asked, const broker::Failure& failure, Chain& out) {
  if (asked.consumer != 0) {
    if (Consumer* consumer = link_.find_consumer(asked.consumer)) drop_consumer(*consumer);
  }
  bool missing = failure.fault.code == Errc::not_found;
  if (missing && asked.refusal) return std::unexpected(*asked.refusal);
  switch (current_method_) {
    // Whatever is missing, it is unbound, deleted, cancelled.
    case QueueUnbind::id:
    case ExchangeUnbind::id:
    case ExchangeDelete::id:
    case BasicCancel::id: {
      broker::Done done;
      if (missing) return on_answer(asked, done, out);
      break;
    }
    case QueueDelete::id: {
      broker::QueueDeleted deleted;
      if (missing) return on_answer(asked, deleted, out);
      break;
    }
    case BasicGet::id:
      if (failure.fault.code == Errc::not_allowed) return get_not_allowed(failure);
      break;
    default:
      break;
  }
  return std::unexpected(link_.error_of(failure));
}

// ---- The end

void Channel::release() {
  link_.flush_settles();
  for (auto& [tag, consumer] : consumers_) {
    link_.consumers.erase(consumer->id);
    link_.core.unsubscribe(link_.session, link_.next_request(number_), consumer->queue,
                           consumer->id);
  }
  consumers_.clear();
  drop_reply_consumer();
  auto requeue = [&](const Unacked::Entry& entry) {
    link_.settles.add(entry.queue, broker::Disposition::requeue, entry.record());
  };
  unacked_.take(0, true, requeue);
  if (transaction_) {
    for (const Transaction::Settle& settle : transaction_->settles) requeue(settle.entry);
    transaction_.reset();
  }
  link_.flush_settles();
  content_ = {};
  // Receipts of this channel that are still to come must not count for a later one of its number.
  link_.token_floor = std::max(link_.token_floor, token_base_ + tokens_used_);
}

}  // namespace wharf::amqp
