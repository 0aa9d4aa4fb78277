#include "broker/message.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "base/assert.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace wharf::broker {

namespace {

// The layout of docs/formats/message.md.
constexpr std::uint8_t layout_version = 1;
constexpr std::uint8_t flag_persistent = 1;
constexpr std::uint8_t flag_ttl = 2;
constexpr std::uint8_t flag_deaths = 4;
constexpr std::uint8_t flags_known = flag_persistent | flag_ttl | flag_deaths;
constexpr std::uint8_t key_hidden = 1;
constexpr std::size_t version_at = 0;
constexpr std::size_t flags_at = 1;
constexpr std::size_t priority_at = 2;
constexpr std::size_t format_at = 3;
constexpr std::size_t exchange_size_at = 4;
constexpr std::size_t key_count_at = 6;
constexpr std::size_t reserved_at = 7;
constexpr std::size_t arrived_at = 8;
constexpr std::size_t keys_size_at = 16;
constexpr std::size_t properties_size_at = 20;
constexpr std::size_t fixed_size = 24;
constexpr std::size_t ttl_size = 8;
constexpr std::size_t deaths_head_size = 8;
constexpr std::size_t key_head_size = 3;
constexpr std::uint32_t no_first_death = std::numeric_limits<std::uint32_t>::max();

constexpr std::size_t text_size_max = 65535;
constexpr std::size_t key_count_max = 255;
constexpr std::size_t trusted_size_max = 128 << 10;

template <std::integral T>
T get(Bytes record, std::size_t at) {
  T value;
  std::memcpy(&value, record.data() + at, sizeof(T));
  return from_little_endian(value);
}

std::uint8_t flags_of(Bytes record) { return get<std::uint8_t>(record, flags_at); }

// Where the sections of a record begin.
struct Layout {
  std::size_t ttl;
  std::size_t deaths_head;
  std::size_t exchange;
  std::size_t keys;
  std::size_t properties;
  std::size_t deaths;
  std::size_t body;
};

Layout layout_of(Bytes record) {
  std::uint8_t flags = flags_of(record);
  Layout at;
  at.ttl = fixed_size;
  at.deaths_head = at.ttl + (flags & flag_ttl ? ttl_size : 0);
  at.exchange = at.deaths_head + (flags & flag_deaths ? deaths_head_size : 0);
  at.keys = at.exchange + get<std::uint16_t>(record, exchange_size_at);
  at.properties = at.keys + get<std::uint32_t>(record, keys_size_at);
  at.deaths = at.properties + get<std::uint32_t>(record, properties_size_at);
  at.body = at.deaths + (flags & flag_deaths ? get<std::uint32_t>(record, at.deaths_head) : 0);
  return at;
}

void put_text(Writer& out, std::string_view text) {
  out.varint(text.size());
  out.text(text);
}

std::string take_text(Reader& in) {
  std::uint64_t size = in.varint();
  if (size > in.left()) in.fail(Errc::malformed, "text runs past the end");
  return std::string(text_of(in.take(in.failed() ? 0 : static_cast<std::size_t>(size))));
}

ByteVector encode_deaths(std::span<const Death> deaths) {
  ByteVector bytes;
  Writer out(bytes);
  out.varint(deaths.size());
  for (const Death& death : deaths) {
    put_text(out, death.queue);
    out.le(static_cast<std::uint8_t>(death.reason));
    out.varint(death.count);
    out.le(static_cast<std::int64_t>(death.time.time_since_epoch().count()));
    put_text(out, death.exchange);
    out.varint(death.keys.size());
    for (const std::string& key : death.keys) put_text(out, key);
    out.le(static_cast<std::uint8_t>(death.original_ttl_ms ? 1 : 0));
    if (death.original_ttl_ms) out.varint(*death.original_ttl_ms);
  }
  return bytes;
}

void put_head(std::byte* at, const Envelope& envelope, std::size_t keys_size,
              std::size_t deaths_size) {
  std::uint8_t flags = envelope.persistent ? flag_persistent : 0;
  if (envelope.ttl_ms) flags |= flag_ttl;
  if (deaths_size > 0) flags |= flag_deaths;
  put_le(at + version_at, layout_version);
  put_le(at + flags_at, flags);
  put_le(at + priority_at, envelope.priority);
  put_le(at + format_at, envelope.format.value());
  put_le(at + exchange_size_at, static_cast<std::uint16_t>(envelope.exchange.size()));
  put_le(at + key_count_at, static_cast<std::uint8_t>(envelope.keys.size()));
  put_le(at + reserved_at, std::uint8_t{0});
  put_le(at + arrived_at, static_cast<std::int64_t>(envelope.arrived.time_since_epoch().count()));
  put_le(at + keys_size_at, static_cast<std::uint32_t>(keys_size));
  put_le(at + properties_size_at, static_cast<std::uint32_t>(envelope.properties.size()));
  at += fixed_size;
  if (envelope.ttl_ms) {
    put_le(at, *envelope.ttl_ms);
    at += ttl_size;
  }
  if (deaths_size == 0) return;
  auto first = static_cast<std::uint32_t>(envelope.first_death.value_or(no_first_death));
  put_le(at, static_cast<std::uint32_t>(deaths_size));
  put_le(at + 4, first);
}

Death take_death(Reader& in) {
  Death death;
  death.queue = take_text(in);
  auto reason = in.le<std::uint8_t>();
  if (reason < 1 || reason > static_cast<std::uint8_t>(DeathReason::delivery_limit)) {
    in.fail(Errc::malformed, "unknown reason of death");
  }
  death.reason = static_cast<DeathReason>(reason);
  death.count = in.varint();
  death.time = WallTime(std::chrono::milliseconds(in.le<std::int64_t>()));
  death.exchange = take_text(in);
  std::uint64_t keys = in.varint();
  if (keys > in.left()) in.fail(Errc::malformed, "more keys than bytes");
  for (std::uint64_t i = 0; i < keys && !in.failed(); ++i) death.keys.push_back(take_text(in));
  auto has_ttl = in.le<std::uint8_t>();
  if (has_ttl > 1) in.fail(Errc::malformed, "bad flag of time to live");
  if (has_ttl == 1) death.original_ttl_ms = in.varint();
  return death;
}

Result<std::vector<Death>> decode_deaths(Bytes bytes) {
  Reader in(bytes);
  std::uint64_t count = in.varint();
  if (count == 0 || count > in.left()) in.fail(Errc::malformed, "bad number of deaths");
  std::vector<Death> deaths;
  for (std::uint64_t i = 0; i < count && !in.failed(); ++i) deaths.push_back(take_death(in));
  return in.finish(std::move(deaths));
}

Result<void> check_keys(Bytes keys, std::size_t count) {
  Reader in(keys);
  for (std::size_t i = 0; i < count; ++i) {
    auto size = in.le<std::uint16_t>();
    if (in.le<std::uint8_t>() > key_hidden) in.fail(Errc::malformed, "unknown flag of a key");
    in.take(size);
  }
  auto done = in.finish(true);
  if (!done) return std::unexpected(done.error());
  return {};
}

}  // namespace

// ---- reading

Result<Message> Message::decode(Buffer buffer) {
  Bytes record = buffer.bytes();
  if (record.size() < fixed_size) return fault(Errc::malformed, "record too short");
  std::uint8_t flags = flags_of(record);
  if (get<std::uint8_t>(record, version_at) != layout_version ||
      get<std::uint8_t>(record, reserved_at) != 0 || (flags & ~flags_known) != 0) {
    return fault(Errc::malformed, "unknown version of record");
  }
  std::size_t heads =
      (flags & flag_ttl ? ttl_size : 0) + (flags & flag_deaths ? deaths_head_size : 0);
  if (record.size() < fixed_size + heads) return fault(Errc::malformed, "record too short");
  Layout at = layout_of(record);
  if (at.body > record.size()) return fault(Errc::malformed, "section runs past the record");
  auto keys = check_keys(record.subspan(at.keys, at.properties - at.keys),
                         get<std::uint8_t>(record, key_count_at));
  if (!keys) return std::unexpected(keys.error());
  if (flags & flag_deaths) {
    auto deaths = decode_deaths(record.subspan(at.deaths, at.body - at.deaths));
    if (!deaths) return std::unexpected(deaths.error());
    auto first = get<std::uint32_t>(record, at.deaths_head + 4);
    if (first != no_first_death && first >= deaths->size()) {
      return fault(Errc::malformed, "first death is not in the list");
    }
  }
  return Message(std::move(buffer));
}

std::string_view Message::exchange() const {
  Bytes record = record_.bytes();
  return text_of(
      record.subspan(layout_of(record).exchange, get<std::uint16_t>(record, exchange_size_at)));
}

std::string_view Message::routing_key() const { return key_count() == 0 ? "" : key(0).text; }

std::size_t Message::key_count() const { return get<std::uint8_t>(record_.bytes(), key_count_at); }

Key Message::key(std::size_t index) const {
  ASSERT(index < key_count());
  Bytes record = record_.bytes();
  std::size_t at = layout_of(record).keys;
  for (; index > 0; --index) at += key_head_size + get<std::uint16_t>(record, at);
  Key key;
  key.text = text_of(record.subspan(at + key_head_size, get<std::uint16_t>(record, at)));
  key.hidden = get<std::uint8_t>(record, at + 2) == key_hidden;
  return key;
}

bool Message::persistent() const { return (flags_of(record_.bytes()) & flag_persistent) != 0; }

std::uint8_t Message::priority() const { return get<std::uint8_t>(record_.bytes(), priority_at); }

std::optional<std::uint64_t> Message::ttl_ms() const {
  if ((flags_of(record_.bytes()) & flag_ttl) == 0) return std::nullopt;
  return get<std::uint64_t>(record_.bytes(), fixed_size);
}

WallTime Message::arrived() const {
  return WallTime(std::chrono::milliseconds(get<std::int64_t>(record_.bytes(), arrived_at)));
}

Format Message::format() const { return Format(get<std::uint8_t>(record_.bytes(), format_at)); }

Bytes Message::properties() const {
  Bytes record = record_.bytes();
  return record.subspan(layout_of(record).properties,
                        get<std::uint32_t>(record, properties_size_at));
}

bool Message::has_deaths() const { return (flags_of(record_.bytes()) & flag_deaths) != 0; }

std::vector<Death> Message::deaths() const {
  if (!has_deaths()) return {};
  Bytes record = record_.bytes();
  Layout at = layout_of(record);
  auto deaths = decode_deaths(record.subspan(at.deaths, at.body - at.deaths));
  ASSERT(deaths.has_value());
  return std::move(*deaths);
}

std::optional<std::size_t> Message::first_death() const {
  if (!has_deaths()) return std::nullopt;
  Bytes record = record_.bytes();
  auto first = get<std::uint32_t>(record, layout_of(record).deaths_head + 4);
  if (first == no_first_death) return std::nullopt;
  return first;
}

std::size_t Message::body_offset() const { return layout_of(record_.bytes()).body; }

std::size_t Message::body_size() const { return record_.size() - body_offset(); }

Bytes Message::body() const { return record_.bytes().subspan(body_offset()); }

// ---- building

MessageBuilder::MessageBuilder(const Envelope& envelope, std::uint64_t body_size) {
  ASSERT(envelope.exchange.size() <= text_size_max);
  ASSERT(envelope.keys.size() <= key_count_max);
  ASSERT(!envelope.first_death || *envelope.first_death < envelope.deaths.size());
  ByteVector deaths;
  if (!envelope.deaths.empty()) deaths = encode_deaths(envelope.deaths);
  std::size_t keys_size = 0;
  for (const Key& key : envelope.keys) {
    ASSERT(key.text.size() <= text_size_max);
    keys_size += key_head_size + key.text.size();
  }
  std::size_t head_size =
      fixed_size + (envelope.ttl_ms ? ttl_size : 0) + (deaths.empty() ? 0 : deaths_head_size);
  std::size_t envelope_size =
      head_size + envelope.exchange.size() + keys_size + envelope.properties.size() + deaths.size();
  std::size_t body = static_cast<std::size_t>(body_size);
  total_ = envelope_size + body;
  record_ = Buffer(envelope_size + std::min(body, trusted_size_max));

  put_head(record_.writable().data(), envelope, keys_size, deaths.size());
  used_ = head_size;
  append_raw(bytes_of(envelope.exchange));
  for (const Key& key : envelope.keys) {
    std::byte head[key_head_size];
    put_le(head, static_cast<std::uint16_t>(key.text.size()));
    put_le(head + 2, static_cast<std::uint8_t>(key.hidden ? key_hidden : 0));
    append_raw(head);
    append_raw(bytes_of(key.text));
  }
  append_raw(envelope.properties);
  append_raw(deaths);
  ASSERT(used_ == envelope_size);
}

void MessageBuilder::append_raw(Bytes bytes) {
  if (bytes.empty()) return;
  std::memcpy(record_.writable().data() + used_, bytes.data(), bytes.size());
  used_ += bytes.size();
}

void MessageBuilder::append(Bytes body) {
  ASSERT(body.size() <= missing());
  std::size_t needed = used_ + body.size();
  if (needed > record_.size()) {
    Buffer larger(std::min(total_, std::max(needed, record_.size() * 2)));
    std::memcpy(larger.writable().data(), record_.bytes().data(), used_);
    record_ = std::move(larger);
  }
  append_raw(body);
}

std::uint64_t MessageBuilder::missing() const { return total_ - used_; }

Message MessageBuilder::finish() {
  ASSERT(missing() == 0 && record_.size() == total_);
  used_ = total_ = 0;
  return Message(std::exchange(record_, Buffer()));
}

}  // namespace wharf::broker
