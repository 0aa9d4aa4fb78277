#include "protocol/amqp/errors.h"

#include <fmt/format.h>

namespace wharf::amqp {

namespace {

using broker::Failure;
using broker::Resource;

constexpr std::size_t short_string_max = 255;

std::string_view kind_name(Resource resource) {
  switch (resource) {
    case Resource::none:
      return "resource";
    case Resource::vhost:
      return "vhost";
    case Resource::exchange:
      return "exchange";
    case Resource::queue:
      return "queue";
    case Resource::consumer:
      return "consumer";
    case Resource::binding:
      return "binding";
  }
  return "resource";
}

std::string_view verb_name(auth::Verb verb) {
  switch (verb) {
    case auth::Verb::configure:
      return "configure";
    case auth::Verb::write:
      return "write";
    case auth::Verb::read:
      return "read";
  }
  return "";
}

std::string refused_text(const Failure& failure, const Refusal& context) {
  // Permissions know the default exchange by this name.
  bool is_default = failure.resource == Resource::exchange && failure.name.empty();
  std::string_view name = is_default ? std::string_view("amq.default") : failure.name;
  return fmt::format("{} access to {} refused for user '{}'", verb_name(failure.verb),
                     describe(failure.resource, name, context.vhost), context.user);
}

}  // namespace

std::unexpected<Error> refuse(ReplyCode code, std::string text) {
  return std::unexpected(Error{code, std::move(text)});
}

std::unexpected<Error> refuse(ReplyCode code, std::string text, MethodId method) {
  return std::unexpected(Error{code, std::move(text), method});
}

std::string reply_text(const Error& error) {
  std::string text = fmt::format("{} - {}", name_of(error.code), error.text);
  if (text.size() <= short_string_max) return text;
  constexpr std::string_view cut_mark = "...";
  std::size_t end = short_string_max - cut_mark.size();
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
  text += cut_mark;
  return text;
}

std::string describe(Resource resource, std::string_view name, std::string_view vhost) {
  return fmt::format("{} '{}' in vhost '{}'", kind_name(resource), name, vhost);
}

Error to_error(const Failure& failure, const Refusal& context) {
  auto what = [&] { return describe(failure.resource, failure.name, context.vhost); };
  switch (failure.fault.code) {
    case Errc::not_found:
      return {ReplyCode::not_found, "no " + what()};
    case Errc::locked:
      return {ReplyCode::resource_locked,
              fmt::format("cannot obtain exclusive access to locked {}. It could be originally "
                          "declared on another connection or the exclusive property value does not "
                          "match that of the original declaration.",
                          what())};
    case Errc::refused:
      return {ReplyCode::access_refused, refused_text(failure, context)};
    case Errc::not_allowed:
      return {ReplyCode::access_refused, fmt::format("{} {}", what(), failure.fault.why)};
    case Errc::precondition:
      return {ReplyCode::precondition_failed, fmt::format("{} {}", what(), failure.fault.why)};
    case Errc::malformed:
    case Errc::too_large:
      return {ReplyCode::precondition_failed, failure.fault.why};
    case Errc::unsupported:
      return {ReplyCode::not_implemented, failure.fault.why};
    case Errc::overloaded:
      return {ReplyCode::resource_error, failure.fault.why};
    case Errc::io:
      return {ReplyCode::internal_error, failure.fault.why};
  }
  return {ReplyCode::internal_error, failure.fault.why};
}

std::string erlang_binary(Bytes bytes, std::size_t limit) {
  std::string text = "<<";
  for (std::byte octet : bytes.first(std::min(bytes.size(), limit))) {
    if (text.size() > 2) text += ',';
    text += std::to_string(std::to_integer<unsigned>(octet));
  }
  return text + ">>";
}

}  // namespace wharf::amqp
