#include "protocol/amqp/foreign.h"

#include <chrono>
#include <deque>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace wharf::amqp {

namespace {

constexpr std::size_t short_size_max = 255;
constexpr std::size_t table_length_size = 4;

struct FieldOf {
  FieldValue operator()(std::monostate) const { return std::monostate{}; }
  FieldValue operator()(bool value) const { return value; }
  FieldValue operator()(std::int64_t value) const { return value; }
  FieldValue operator()(double value) const { return value; }
  FieldValue operator()(const std::string& value) const { return std::string_view(value); }
  FieldValue operator()(const broker::Blob& value) const { return Blob{bytes_of(value.bytes)}; }
  FieldValue operator()(WallTime value) const {
    auto seconds = std::chrono::duration_cast<std::chrono::seconds>(value.time_since_epoch());
    return Timestamp{static_cast<std::uint64_t>(seconds.count())};
  }
  FieldValue operator()(const broker::Opaque& value) const { return Blob{bytes_of(value.bytes)}; }
};

// Headers in the order in which their names came first.
class Headers {
 public:
  void add(std::string_view name, broker::Value value) {
    if (name.size() > short_size_max) return;
    auto known = places_.find(name);
    if (known != places_.end()) {
      list_[known->second].values.push_back(std::move(value));
      return;
    }
    // A deque moves nothing: the key stays a view into its element.
    Header& header = list_.emplace_back(std::string(name));
    header.values.push_back(std::move(value));
    places_.emplace(header.name, list_.size() - 1);
  }

  // Those that fit.
  void write(TableWriter& out, std::size_t size_max) const {
    for (const Header& header : list_) {
      TableWriter field;
      if (header.values.size() == 1) {
        field.add(header.name, std::visit(FieldOf{}, header.values.front()));
      } else {
        ArrayWriter values;
        for (const broker::Value& value : header.values) values.add(std::visit(FieldOf{}, value));
        field.add(header.name, values.view());
      }
      if (out.bytes().size() + field.bytes().size() > size_max) continue;
      for (const TableField& each : field.view().items()) out.copy(each);
    }
  }

 private:
  struct Header {
    std::string name;
    std::vector<broker::Value> values{};
  };
  std::deque<Header> list_;
  std::unordered_map<std::string_view, std::size_t> places_;
};

}  // namespace

Properties from_common(const broker::Formats& formats, broker::Format format, Bytes properties,
                       std::size_t size_max, TableWriter& headers) {
  Headers list;
  broker::CommonProperties common = formats.common(format, properties);
  Properties result;
  auto take = [&](std::optional<std::string_view>& field, std::string_view name,
                  std::string_view text) {
    if (text.empty()) return;
    if (text.size() <= short_size_max) {
      field = text;
    } else {
      list.add(name, std::string(text));
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
    list.add(name, std::move(value));
  });
  std::size_t fields_size = result.encode().size() + table_length_size;
  if (size_max > fields_size) list.write(headers, size_max - fields_size);
  return result;
}

}  // namespace wharf::amqp
