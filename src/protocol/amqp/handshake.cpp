#include "protocol/amqp/handshake.h"

#include <array>

#include <fmt/format.h>

#include "auth/sasl.h"

namespace wharf::amqp {

namespace {

// Servers offer 8192 since RabbitMQ 4.1; older clients still answer with this much.
constexpr std::uint32_t frame_max_min = 4096;

// Only what really works is listed: clients rely on each.
constexpr std::array<std::string_view, 9> server_capabilities = {
    "publisher_confirms",           "exchange_exchange_bindings", "basic.nack",
    "consumer_cancel_notify",       "connection.blocked",         "consumer_priorities",
    "authentication_failure_close", "per_consumer_qos",           "direct_reply_to"};

std::unexpected<Error> malformed(std::string_view mechanism) {
  return refuse(ReplyCode::syntax_error, fmt::format("invalid {} response", mechanism));
}

Or<auth::PlainLogin> read_plain(Bytes response) {
  Result<auth::PlainLogin> given = auth::parse_plain(text_of(response));
  if (given) return *given;
  return malformed("PLAIN");
}

// A table without its length, with LOGIN and PASSWORD.
Or<auth::PlainLogin> read_amqplain(Bytes response) {
  Result<TableView> table = TableView::parse(response);
  if (!table) return malformed("AMQPLAIN");
  std::optional<FieldValue> user = find(*table, "LOGIN");
  std::optional<FieldValue> password = find(*table, "PASSWORD");
  if (!user || !password) return malformed("AMQPLAIN");
  const auto* user_text = std::get_if<std::string_view>(&*user);
  const auto* password_text = std::get_if<std::string_view>(&*password);
  if (!user_text || !password_text) return malformed("AMQPLAIN");
  return auth::PlainLogin{*user_text, *password_text};
}

std::unexpected<Error> login_refused(std::string_view mechanism) {
  return refuse(ReplyCode::access_refused,
                fmt::format("Login was refused using authentication mechanism {}. For details see "
                            "the broker logfile.",
                            mechanism),
                0);
}

std::unexpected<Error> tune_refused(std::string_view field, std::uint32_t answer, bool too_low,
                                    std::uint32_t limit) {
  std::string_view detail = field == "channel_max" && answer == 0 ? " (no limit)" : "";
  return refuse(
      ReplyCode::not_allowed,
      fmt::format("negotiated {} = {}{} is {} than the {} allowed value ({})", field, answer,
                  detail, too_low ? "lower" : "higher", too_low ? "minimum" : "maximum", limit),
      ConnectionTune::id);
}

bool is_set(TableView table, std::string_view name) {
  return find(table, name) == FieldValue(true);
}

}  // namespace

ByteVector server_properties(const AmqpOptions& options) {
  TableWriter capabilities;
  for (std::string_view name : server_capabilities) capabilities.add(name, true);
  TableWriter properties;
  properties.add("capabilities", capabilities.view());
  properties.add("cluster_name", std::string_view(options.cluster_name));
  properties.add("copyright", std::string_view("The Wharf authors"));
  properties.add("information", std::string_view("docs/protocols/amqp.md"));
  properties.add("platform", std::string_view(options.platform));
  properties.add("product", std::string_view(options.product));
  properties.add("version", std::string_view(options.version));
  return properties.take();
}

std::string mechanisms_for(const Peer& peer) {
  return peer.certificate_name.empty() ? "PLAIN AMQPLAIN" : "EXTERNAL PLAIN AMQPLAIN";
}

Capabilities read_capabilities(TableView client_properties) {
  std::optional<FieldValue> value = find(client_properties, "capabilities");
  const TableView* table = value ? std::get_if<TableView>(&*value) : nullptr;
  if (!table) return {};
  return {.authentication_failure_close = is_set(*table, "authentication_failure_close"),
          .blocked = is_set(*table, "connection.blocked"),
          .consumer_cancel_notify = is_set(*table, "consumer_cancel_notify")};
}

Or<auth::Principal> login(std::string_view mechanism, Bytes response, const Peer& peer,
                          const auth::Access& access) {
  Result<auth::Principal> who = fault(Errc::refused, "");
  if (mechanism == "EXTERNAL" && peer.tls) {
    bool certified = !peer.certificate_name.empty();
    if (certified) who = access.login_external(peer.certificate_name, peer.loopback);
  } else if (mechanism == "PLAIN" || mechanism == "AMQPLAIN") {
    Or<auth::PlainLogin> given =
        mechanism == "PLAIN" ? read_plain(response) : read_amqplain(response);
    if (!given) return std::unexpected(std::move(given.error()));
    who = access.login(given->user, given->password, peer.loopback);
  } else {
    return refuse(ReplyCode::command_invalid,
                  fmt::format("unknown authentication mechanism '{}'", mechanism));
  }
  if (!who) return login_refused(mechanism);
  return *who;
}

Checked check_tune(const ConnectionTuneOk& answer, const AmqpOptions& options) {
  if (answer.frame_max != 0 && answer.frame_max < frame_max_min) {
    return tune_refused("frame_max", answer.frame_max, true, frame_max_min);
  }
  if (answer.frame_max == 0 || answer.frame_max > options.frame_max) {
    return tune_refused("frame_max", answer.frame_max, false, options.frame_max);
  }
  bool unlimited = options.channel_max == 0;
  if (!unlimited && (answer.channel_max == 0 || answer.channel_max > options.channel_max)) {
    return tune_refused("channel_max", answer.channel_max, false, options.channel_max);
  }
  return {};
}

}  // namespace wharf::amqp
