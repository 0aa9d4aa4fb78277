// protocol/amqp/errors.h: what went wrong, in RabbitMQ's words. Every place that refuses something
// returns an Error; the session alone turns it into channel.close or connection.close.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "broker/api.h"
#include "protocol/amqp/codes.h"
#include "protocol/amqp/methods_gen.h"

namespace wharf::amqp {

struct Error {
  ReplyCode code = ReplyCode::internal_error;
  std::string text;  // without the name of the code
  // The method to blame; 0 when none is. Not set: the one that is being handled.
  std::optional<MethodId> method{};
};

template <class T>
using Or = std::expected<T, Error>;
using Checked = Or<void>;

std::unexpected<Error> refuse(ReplyCode code, std::string text);
std::unexpected<Error> refuse(ReplyCode code, std::string text, MethodId method);

// "NOT_FOUND - no queue 'q' in vhost '/'", cut to the 255 bytes of a short string, never inside a
// character.
std::string reply_text(const Error& error);

// "queue 'q' in vhost '/'".
std::string describe(broker::Resource resource, std::string_view name, std::string_view vhost);

// A refusal of the core.
struct Refusal {
  std::string_view vhost;
  std::string_view user;
};
Error to_error(const broker::Failure& failure, const Refusal& context);

// "<<1,2,255>>", as Erlang prints it, of at most `limit` bytes.
std::string erlang_binary(Bytes bytes, std::size_t limit);

}  // namespace wharf::amqp
