#include "protocol/amqp/convert.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>
#include <vector>

#include "protocol/amqp/foreign.h"
#include "protocol/amqp/frame.h"
#include "protocol/amqp/properties.h"

namespace wharf::amqp {

namespace {

// The year 9999; beyond it are milliseconds, or nonsense.
constexpr std::uint64_t timestamp_seconds_max = 253'402'300'799;
constexpr std::uint8_t delivery_mode_transient = 1;
constexpr std::uint8_t delivery_mode_persistent = 2;

using broker::Death;
using broker::DeathReason;
using broker::Message;

// Seconds beyond this overflow a WallTime; no real clock shows them.
constexpr std::uint64_t seconds_max = std::uint64_t{1} << 40;

struct CommonVisitor {
  broker::Value operator()(std::monostate) const { return std::monostate{}; }
  broker::Value operator()(bool value) const { return value; }
  template <std::integral T>
  broker::Value operator()(T value) const {
    return static_cast<std::int64_t>(value);
  }
  template <std::floating_point T>
  broker::Value operator()(T value) const {
    return static_cast<double>(value);
  }
  broker::Value operator()(Decimal value) const {
    std::string bytes(5, '\0');
    auto* at = reinterpret_cast<std::byte*>(bytes.data());
    put_be(at, value.scale);
    put_be(at + 1, value.unscaled);
    return broker::Opaque{'D', std::move(bytes)};
  }
  broker::Value operator()(Timestamp value) const {
    if (value.seconds > seconds_max) return broker::Opaque{'T', std::to_string(value.seconds)};
    return WallTime(std::chrono::seconds(value.seconds));
  }
  broker::Value operator()(std::string_view value) const { return std::string(value); }
  broker::Value operator()(Blob value) const {
    return broker::Blob{std::string(text_of(value.bytes))};
  }
  broker::Value operator()(TableView value) const {
    return broker::Opaque{'F', std::string(text_of(value.bytes()))};
  }
  broker::Value operator()(ArrayView value) const {
    return broker::Opaque{'A', std::string(text_of(value.bytes()))};
  }
};

template <class Item>
bool is_foreign(const Item& item);

template <class Item>
bool any_foreign(FieldSequence<Item> sequence) {
  for (const Item& item : sequence.items()) {
    if (is_foreign(item)) return true;
  }
  return false;
}

template <class Item>
bool is_foreign(const Item& item) {
  switch (static_cast<char>(item.raw[0])) {
    case 'L':
    case 'U':
      return true;
    case 'F':
      return any_foreign(std::get<TableView>(item.value));
    case 'A':
      return any_foreign(std::get<ArrayView>(item.value));
    default:
      return false;
  }
}

ArrayWriter rewrite(ArrayView array);

TableWriter rewrite(TableView table) {
  TableWriter out;
  for (const TableField& field : table.items()) {
    if (const auto* inner = std::get_if<TableView>(&field.value)) {
      out.add(field.name, rewrite(*inner).view());
    } else if (const auto* elements = std::get_if<ArrayView>(&field.value)) {
      out.add(field.name, rewrite(*elements).view());
    } else {
      out.add(field.name, field.value);
    }
  }
  return out;
}

ArrayWriter rewrite(ArrayView array) {
  ArrayWriter out;
  for (const ArrayElement& element : array.items()) {
    if (const auto* inner = std::get_if<TableView>(&element.value)) {
      out.add(rewrite(*inner).view());
    } else if (const auto* elements = std::get_if<ArrayView>(&element.value)) {
      out.add(rewrite(*elements).view());
    } else {
      out.add(element.value);
    }
  }
  return out;
}

std::string_view reason_name(DeathReason reason) {
  switch (reason) {
    case DeathReason::rejected:
      return "rejected";
    case DeathReason::expired:
      return "expired";
    case DeathReason::max_length:
      return "maxlen";
    case DeathReason::delivery_limit:
      return "delivery_limit";
  }
  return "rejected";
}

// One entry of x-death, its fields in RabbitMQ's order.
TableWriter death_table(const Death& death) {
  TableWriter entry;
  std::string expiration;
  if (death.original_ttl_ms) {
    expiration = std::to_string(*death.original_ttl_ms);
    entry.add("original-expiration", std::string_view(expiration));
  }
  auto since_epoch = std::chrono::floor<std::chrono::seconds>(death.time.time_since_epoch());
  entry.add("count", static_cast<std::int64_t>(death.count));
  entry.add("reason", reason_name(death.reason));
  entry.add("queue", std::string_view(death.queue));
  entry.add("time", Timestamp{static_cast<std::uint64_t>(since_epoch.count())});
  entry.add("exchange", std::string_view(death.exchange));
  ArrayWriter keys;
  for (const std::string& key : death.keys) keys.add(std::string_view(key));
  entry.add("routing-keys", keys.view());
  return entry;
}

void add_end(TableWriter& out, std::string_view which, const Death& death) {
  std::string name = "x-" + std::string(which) + "-death-";
  out.add(name + "reason", reason_name(death.reason));
  out.add(name + "queue", std::string_view(death.queue));
  out.add(name + "exchange", std::string_view(death.exchange));
}

// Flags and list; a little is kept for the delivery mode, which is ours to say.
std::size_t properties_size_max(std::size_t frame_max) {
  constexpr std::size_t kept = frame_overhead + content_header_size + 1;
  return frame_max == 0 ? std::numeric_limits<std::uint32_t>::max() : frame_max - kept;
}

bool is_about_death(std::string_view name) {
  return name == "x-death" || name.starts_with("x-first-death-") ||
         name.starts_with("x-last-death-");
}

void add_deaths(TableWriter& out, const Message& message) {
  std::vector<Death> deaths = message.deaths();
  if (deaths.empty()) return;
  std::size_t first = message.first_death().value_or(deaths.size() - 1);
  if (first >= deaths.size()) first = deaths.size() - 1;
  add_end(out, "first", deaths[first]);
  add_end(out, "last", deaths.front());
  ArrayWriter entries;
  for (const Death& death : deaths) entries.add(death_table(death).view());
  out.add("x-death", entries.view());
}

}  // namespace

broker::Value to_common(const FieldValue& value) { return std::visit(CommonVisitor{}, value); }

void read_headers(Bytes properties, const broker::HeaderVisitor& visit) {
  Result<Properties> parsed = Properties::parse(properties);
  if (!parsed || !parsed->headers) return;
  for (const TableField& field : parsed->headers->items())
    visit(field.name, to_common(field.value));
}

broker::CommonProperties read_common(Bytes properties) {
  broker::CommonProperties common;
  Result<Properties> parsed = Properties::parse(properties);
  if (!parsed) return common;
  common.reply_to = parsed->reply_to.value_or("");
  common.correlation_id = parsed->correlation_id.value_or("");
  common.message_id = parsed->message_id.value_or("");
  common.content_type = parsed->content_type.value_or("");
  common.content_encoding = parsed->content_encoding.value_or("");
  common.type = parsed->type.value_or("");
  common.app_id = parsed->app_id.value_or("");
  common.user_id = parsed->user_id.value_or("");
  common.expiration_ms = parsed->expiration.value_or("");
  common.priority = parsed->priority;
  if (parsed->timestamp && *parsed->timestamp <= timestamp_seconds_max) {
    common.timestamp = WallTime(std::chrono::seconds(*parsed->timestamp));
  }
  return common;
}

bool has_foreign_letter(const TableField& field) { return is_foreign(field); }

ByteVector without_foreign_letters(TableView table) { return rewrite(table).take(); }

Bytes shown_properties(const Message& message, std::uint32_t returns, const ShownTo& to,
                       ByteVector& scratch) {
  bool died = message.has_deaths();
  bool is_own = message.format() == amqp_format;
  if (is_own && !died && returns == 0) return message.properties();
  TableWriter told;
  if (returns > 0) told.add("x-delivery-count", std::int64_t{returns});
  if (died) add_deaths(told, message);
  Properties shown;
  TableWriter foreign;
  TableView said;
  if (is_own) {
    Result<Properties> parsed = Properties::parse(message.properties());
    if (!parsed) return message.properties();
    shown = *parsed;
    said = parsed->headers.value_or(TableView());
  } else {
    std::size_t size_max = properties_size_max(to.frame_max);
    size_max -= std::min(size_max, told.bytes().size());
    shown = from_common(to.formats, message.format(), message.properties(), size_max, foreign);
    shown.delivery_mode = message.persistent() ? delivery_mode_persistent : delivery_mode_transient;
    said = foreign.view();
  }
  TableWriter headers;
  for (const TableField& field : said.items()) {
    bool replaced =
        (died && is_about_death(field.name)) || (returns > 0 && field.name == "x-delivery-count");
    if (!replaced) headers.copy(field);
  }
  for (const TableField& field : told.view().items()) headers.copy(field);
  if (died) shown.expiration.reset();
  if (is_own || !headers.empty()) shown.headers = headers.view();
  scratch = shown.encode();
  return scratch;
}

Bytes shown_properties(const broker::LiveRecord& record, const ShownTo& to, ByteVector& scratch) {
  if (record.format() == amqp_format) return record.properties();
  TableWriter headers;
  Properties shown = from_common(to.formats, record.format(), record.properties(),
                                 properties_size_max(to.frame_max), headers);
  if (!headers.empty()) shown.headers = headers.view();
  scratch = shown.encode();
  return scratch;
}

}  // namespace wharf::amqp
