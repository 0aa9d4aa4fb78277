// protocol/amqp/properties.h: the properties of a basic content header: sixteen flags, then the
// fields whose flag is set, highest flag first (specification 4.2.6.1; class basic).
//
// Properties come and go as raw bytes, flags and list, and most messages are never taken apart
// further than to look at them. To change one, parse, set or reset the field, encode.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

#include "base/fault.h"
#include "protocol/amqp/table.h"
#include "wire/bytes.h"
#include "wire/writer.h"

namespace wharf::amqp {

// Views into the raw bytes, or of what the caller set.
struct Properties {
  std::optional<std::string_view> content_type{};
  std::optional<std::string_view> content_encoding{};
  std::optional<TableView> headers{};
  std::optional<std::uint8_t> delivery_mode{};  // 2: persistent
  std::optional<std::uint8_t> priority{};
  std::optional<std::string_view> correlation_id{};
  std::optional<std::string_view> reply_to{};
  std::optional<std::string_view> expiration{};  // milliseconds, in decimal
  std::optional<std::string_view> message_id{};
  std::optional<std::uint64_t>
      timestamp{};  // seconds by the document; some clients send milliseconds
  std::optional<std::string_view> type{};
  std::optional<std::string_view> user_id{};
  std::optional<std::string_view> app_id{};
  std::optional<std::string_view> cluster_id{};

  // In the order of the flags, from 0x8000 down.
  static constexpr auto fields() {
    using P = Properties;
    return std::tuple(&P::content_type, &P::content_encoding, &P::headers, &P::delivery_mode,
                      &P::priority, &P::correlation_id, &P::reply_to, &P::expiration,
                      &P::message_id, &P::timestamp, &P::type, &P::user_id, &P::app_id,
                      &P::cluster_id);
  }

  // The raw bytes must be used up exactly; the headers are checked in depth. The two lowest flags
  // are ignored, as RabbitMQ does. Texts are not checked for UTF-8. Faults: malformed, too_large.
  static Result<Properties> parse(Bytes raw);

  // REQUIRES: texts of 255 bytes at most.
  ByteVector encode() const;

  friend bool operator==(const Properties&, const Properties&) = default;
};

}  // namespace wharf::amqp
