#include "protocol/amqp/foreign.h"

#include <chrono>
#include <optional>
#include <utility>
#include <variant>

namespace wharf::amqp {

namespace {

constexpr std::size_t short_size_max = 255;

struct HeaderWriter {
  TableWriter& headers;
  std::string_view name;

  void operator()(std::monostate) const { headers.add(name, std::monostate{}); }
  void operator()(bool value) const { headers.add(name, value); }
  void operator()(std::int64_t value) const { headers.add(name, value); }
  void operator()(double value) const { headers.add(name, value); }
  void operator()(const std::string& value) const { headers.add(name, std::string_view(value)); }
  void operator()(const broker::Blob& value) const {
    headers.add(name, Blob{bytes_of(value.bytes)});
  }
  void operator()(WallTime value) const {
    auto seconds = std::chrono::duration_cast<std::chrono::seconds>(value.time_since_epoch());
    headers.add(name, Timestamp{static_cast<std::uint64_t>(seconds.count())});
  }
  void operator()(const broker::Opaque& value) const {
    headers.add(name, Blob{bytes_of(value.bytes)});
  }
};

}  // namespace

Properties from_common(const broker::Formats& formats, broker::Format format, Bytes properties,
                       TableWriter& headers) {
  broker::CommonProperties common = formats.common(format, properties);
  Properties result;
  auto take = [&](std::optional<std::string_view>& field, std::string_view name,
                  std::string_view text) {
    if (text.empty()) return;
    if (text.size() <= short_size_max) {
      field = text;
    } else {
      headers.add(name, text);
    }
  };
  take(result.content_type, "content_type", common.content_type);
  take(result.content_encoding, "content_encoding", common.content_encoding);
  take(result.correlation_id, "correlation_id", common.correlation_id);
  take(result.reply_to, "reply_to", common.reply_to);
  take(result.expiration, "expiration", common.expiration_ms);
  take(result.message_id, "message_id", common.message_id);
  take(result.type, "type", common.type);
  take(result.user_id, "user_id", common.user_id);
  take(result.app_id, "app_id", common.app_id);
  result.priority = common.priority;
  if (common.timestamp) {
    auto since = common.timestamp->time_since_epoch();
    auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since).count();
    if (seconds >= 0) result.timestamp = static_cast<std::uint64_t>(seconds);
  }
  formats.each_header(format, properties, [&](std::string_view name, broker::Value value) {
    if (name.size() <= short_size_max) std::visit(HeaderWriter{headers, name}, value);
  });
  return result;
}

}  // namespace wharf::amqp
