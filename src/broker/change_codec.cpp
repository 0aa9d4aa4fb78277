#include "broker/change_codec.h"

#include <bit>
#include <utility>

namespace wharf::broker {

namespace {

constexpr std::uint8_t version = 1;

// The numbers of these enums are on disk.
static_assert(std::to_underlying(ExchangeKind::direct) == 1);
static_assert(std::to_underlying(ExchangeKind::headers) == 4);
static_assert(std::to_underlying(QueueKind::standard) == 0);
static_assert(std::to_underlying(QueueKind::counted) == 1);
static_assert(std::to_underlying(Overflow::drop_head) == 0);
static_assert(std::to_underlying(Overflow::reject_publish) == 1);
static_assert(std::to_underlying(Overflow::reject_publish_dead_letter) == 2);
static_assert(std::to_underlying(HeaderMatch::all) == 0);
static_assert(std::to_underlying(HeaderMatch::any) == 1);
static_assert(std::to_underlying(HeaderMatch::all_with_x) == 2);
static_assert(std::to_underlying(HeaderMatch::any_with_x) == 3);

enum class Kind : std::uint8_t {
  put_exchange = 1,
  delete_exchange,
  put_queue,
  delete_queue,
  put_binding,
  delete_binding,
};

enum class Destination : std::uint8_t { queue = 1, exchange };

// The place in the variant, which api.h gives, is not on disk: this is.
enum class ValueType : std::uint8_t { none, boolean, integer, real, text, blob, time, opaque };

namespace exchange_flag {
constexpr std::uint8_t durable = 1;
constexpr std::uint8_t auto_delete = 2;
constexpr std::uint8_t internal = 4;
constexpr std::uint8_t alternate = 8;
constexpr std::uint8_t all = 15;
}  // namespace exchange_flag

namespace queue_flag {
constexpr std::uint16_t durable = 1;
constexpr std::uint16_t exclusive = 2;
constexpr std::uint16_t auto_delete = 4;
constexpr std::uint16_t single_active = 8;
constexpr std::uint16_t message_ttl = 16;
constexpr std::uint16_t expires = 32;
constexpr std::uint16_t length_max = 64;
constexpr std::uint16_t length_bytes_max = 128;
constexpr std::uint16_t dead_letter_exchange = 256;
constexpr std::uint16_t dead_letter_key = 512;
constexpr std::uint16_t delivery_limit = 1024;
constexpr std::uint16_t all = 2047;
}  // namespace queue_flag

template <class Flags>
Flags flag_if(bool condition, Flags flag) {
  return condition ? flag : Flags{0};
}

class Encoder {
 public:
  Encoder(const auth::Access& vhosts, ByteVector& out) : vhosts_(vhosts), writer_(out) {}

  void begin(std::size_t count) {
    writer_.le(version);
    writer_.le(static_cast<std::uint32_t>(count));
  }

  void operator()(const PutExchange& change) {
    const ExchangeSpec& spec = change.spec;
    head(Kind::put_exchange, change.vhost);
    text(spec.name);
    number(spec.kind);
    using namespace exchange_flag;
    writer_.le(static_cast<std::uint8_t>(
        flag_if(spec.durable, durable) | flag_if(spec.auto_delete, auto_delete) |
        flag_if(spec.internal, internal) | flag_if(spec.alternate.has_value(), alternate)));
    if (spec.alternate) text(*spec.alternate);
    arguments(spec.arguments);
  }
  void operator()(const DeleteExchange& change) {
    head(Kind::delete_exchange, change.vhost);
    text(change.name);
  }
  void operator()(const PutQueue& change) {
    head(Kind::put_queue, change.vhost);
    writer_.le(change.queue.value());
    queue(change.spec);
  }
  void operator()(const DeleteQueue& change) {
    head(Kind::delete_queue, change.vhost);
    writer_.le(change.queue.value());
    text(change.name);
  }
  void operator()(const PutBinding& change) {
    head(Kind::put_binding, change.vhost);
    binding(change.binding);
  }
  void operator()(const DeleteBinding& change) {
    head(Kind::delete_binding, change.vhost);
    binding(change.binding);
  }

 private:
  void head(Kind kind, VhostId vhost) {
    number(kind);
    text(vhosts_.vhost_name(vhost));
  }
  void text(std::string_view raw) {
    writer_.le(static_cast<std::uint32_t>(raw.size()));
    writer_.text(raw);
  }
  template <class Enum>
  void number(Enum value) {
    writer_.le(std::to_underlying(value));
  }
  template <class Int>
  void optional(const std::optional<Int>& value) {
    if (value) writer_.le(*value);
  }
  void optional(const std::optional<std::string>& value) {
    if (value) text(*value);
  }
  void arguments(const OriginArguments& arguments) {
    writer_.le(arguments.format.value());
    text(text_of(arguments.bytes));
  }

  void queue(const QueueSpec& spec) {
    text(spec.name);
    number(spec.kind);
    number(spec.overflow);
    writer_.le(spec.priority_max);
    using namespace queue_flag;
    writer_.le(static_cast<std::uint16_t>(
        flag_if(spec.durable, durable) | flag_if(spec.exclusive, exclusive) |
        flag_if(spec.auto_delete, auto_delete) | flag_if(spec.single_active, single_active) |
        flag_if(spec.message_ttl_ms.has_value(), message_ttl) |
        flag_if(spec.expires_ms.has_value(), expires) |
        flag_if(spec.length_max.has_value(), length_max) |
        flag_if(spec.length_bytes_max.has_value(), length_bytes_max) |
        flag_if(spec.dead_letter_exchange.has_value(), dead_letter_exchange) |
        flag_if(spec.dead_letter_key.has_value(), dead_letter_key) |
        flag_if(spec.delivery_limit.has_value(), delivery_limit)));
    optional(spec.message_ttl_ms);
    optional(spec.expires_ms);
    optional(spec.length_max);
    optional(spec.length_bytes_max);
    optional(spec.dead_letter_exchange);
    optional(spec.dead_letter_key);
    optional(spec.delivery_limit);
    arguments(spec.arguments);
  }

  void binding(const BindingSpec& spec) {
    text(spec.source);
    number(spec.destination_kind == Resource::queue ? Destination::queue : Destination::exchange);
    text(spec.destination);
    text(spec.key);
    number(spec.match);
    writer_.le(static_cast<std::uint32_t>(spec.headers.size()));
    for (const auto& [name, header_value] : spec.headers) {
      text(name);
      std::visit([this](const auto& one) { value(one); }, header_value);
    }
    arguments(spec.arguments);
  }

  void value(std::monostate) { number(ValueType::none); }
  void value(bool is_true) {
    number(ValueType::boolean);
    writer_.le(static_cast<std::uint8_t>(is_true));
  }
  void value(std::int64_t integer) {
    number(ValueType::integer);
    writer_.le(integer);
  }
  void value(double real) {
    number(ValueType::real);
    writer_.le(std::bit_cast<std::uint64_t>(real));
  }
  void value(const std::string& string) {
    number(ValueType::text);
    text(string);
  }
  void value(const Blob& blob) {
    number(ValueType::blob);
    text(blob.bytes);
  }
  void value(WallTime time) {
    number(ValueType::time);
    writer_.le(static_cast<std::int64_t>(time.time_since_epoch().count()));
  }
  void value(const Opaque& opaque) {
    number(ValueType::opaque);
    writer_.le(static_cast<std::uint8_t>(opaque.tag));
    text(opaque.bytes);
  }

  const auth::Access& vhosts_;
  Writer writer_;
};

class Decoder {
 public:
  Decoder(const auth::Access& vhosts, Bytes record) : vhosts_(vhosts), reader_(record) {}

  Result<std::vector<Change>> record() {
    std::vector<Change> changes;
    if (reader_.le<std::uint8_t>() != version) {
      reader_.fail(Errc::unsupported, "catalog record of an unknown version");
    }
    auto count = reader_.le<std::uint32_t>();
    for (std::uint32_t index = 0; index < count && !reader_.failed(); ++index) {
      changes.push_back(change());
    }
    return reader_.finish(std::move(changes));
  }

 private:
  Change change() {
    auto kind = number<Kind>(Kind::put_exchange, Kind::delete_binding);
    VhostId home = vhost();
    switch (kind) {
      case Kind::put_exchange:
        return PutExchange{home, exchange()};
      case Kind::delete_exchange:
        return DeleteExchange{home, text()};
      case Kind::put_queue: {
        auto id = reader_.le<std::uint64_t>();
        return PutQueue{home, QueueId(id), SessionId(), queue()};
      }
      case Kind::delete_queue: {
        auto id = reader_.le<std::uint64_t>();
        return DeleteQueue{home, QueueId(id), text()};
      }
      case Kind::put_binding:
        return PutBinding{home, binding()};
      case Kind::delete_binding:
        return DeleteBinding{home, binding()};
    }
    std::unreachable();
  }

  VhostId vhost() {
    Bytes name = reader_.take(reader_.le<std::uint32_t>());
    if (reader_.failed()) return {};
    VhostId found = vhosts_.vhost(text_of(name));
    if (!found) reader_.fail(Errc::not_found, "a vhost with stored names is not configured");
    return found;
  }
  std::string text() { return std::string(text_of(reader_.take(reader_.le<std::uint32_t>()))); }
  // Bytes outside first .. last fail and come back as `first`.
  template <class Enum>
  Enum number(Enum first, Enum last) {
    auto raw = reader_.le<std::uint8_t>();
    if (raw < std::to_underlying(first) || raw > std::to_underlying(last)) {
      reader_.fail(Errc::malformed, "number out of range");
      return first;
    }
    return static_cast<Enum>(raw);
  }
  template <class Flags>
  Flags flags(Flags all) {
    auto raw = reader_.le<Flags>();
    if ((raw & ~all) != 0) reader_.fail(Errc::malformed, "unknown flags");
    return raw;
  }
  template <class Int>
  void optional(bool present, std::optional<Int>& value) {
    if (present) value = reader_.le<Int>();
  }
  void optional(bool present, std::optional<std::string>& value) {
    if (present) value = text();
  }
  OriginArguments arguments() {
    OriginArguments arguments;
    arguments.format = Format(reader_.le<std::uint8_t>());
    Bytes raw = reader_.take(reader_.le<std::uint32_t>());
    arguments.bytes.assign(raw.begin(), raw.end());
    return arguments;
  }

  ExchangeSpec exchange() {
    ExchangeSpec spec;
    spec.name = text();
    spec.kind = number<ExchangeKind>(ExchangeKind::direct, ExchangeKind::headers);
    using namespace exchange_flag;
    auto set = flags<std::uint8_t>(all);
    spec.durable = (set & durable) != 0;
    spec.auto_delete = (set & auto_delete) != 0;
    spec.internal = (set & internal) != 0;
    optional((set & alternate) != 0, spec.alternate);
    spec.arguments = arguments();
    return spec;
  }

  QueueSpec queue() {
    QueueSpec spec;
    spec.name = text();
    spec.kind = number<QueueKind>(QueueKind::standard, QueueKind::counted);
    spec.overflow = number<Overflow>(Overflow::drop_head, Overflow::reject_publish_dead_letter);
    spec.priority_max = reader_.le<std::uint8_t>();
    using namespace queue_flag;
    auto set = flags<std::uint16_t>(all);
    spec.durable = (set & durable) != 0;
    spec.exclusive = (set & exclusive) != 0;
    spec.auto_delete = (set & auto_delete) != 0;
    spec.single_active = (set & single_active) != 0;
    optional((set & message_ttl) != 0, spec.message_ttl_ms);
    optional((set & expires) != 0, spec.expires_ms);
    optional((set & length_max) != 0, spec.length_max);
    optional((set & length_bytes_max) != 0, spec.length_bytes_max);
    optional((set & dead_letter_exchange) != 0, spec.dead_letter_exchange);
    optional((set & dead_letter_key) != 0, spec.dead_letter_key);
    optional((set & delivery_limit) != 0, spec.delivery_limit);
    spec.arguments = arguments();
    return spec;
  }

  BindingSpec binding() {
    BindingSpec spec;
    spec.source = text();
    bool to_queue =
        number<Destination>(Destination::queue, Destination::exchange) == Destination::queue;
    spec.destination_kind = to_queue ? Resource::queue : Resource::exchange;
    spec.destination = text();
    spec.key = text();
    spec.match = number<HeaderMatch>(HeaderMatch::all, HeaderMatch::any_with_x);
    auto count = reader_.le<std::uint32_t>();
    for (std::uint32_t index = 0; index < count && !reader_.failed(); ++index) {
      std::string name = text();
      spec.headers.emplace_back(std::move(name), value());
    }
    spec.arguments = arguments();
    return spec;
  }

  Value value() {
    switch (number<ValueType>(ValueType::none, ValueType::opaque)) {
      case ValueType::none:
        return std::monostate();
      case ValueType::boolean: {
        auto raw = reader_.le<std::uint8_t>();
        if (raw > 1) reader_.fail(Errc::malformed, "neither true nor false");
        return raw == 1;
      }
      case ValueType::integer:
        return reader_.le<std::int64_t>();
      case ValueType::real:
        return std::bit_cast<double>(reader_.le<std::uint64_t>());
      case ValueType::text:
        return text();
      case ValueType::blob:
        return Blob{text()};
      case ValueType::time:
        return WallTime(std::chrono::milliseconds(reader_.le<std::int64_t>()));
      case ValueType::opaque: {
        auto tag = static_cast<char>(reader_.le<std::uint8_t>());
        return Opaque{tag, text()};
      }
    }
    std::unreachable();
  }

  const auth::Access& vhosts_;
  Reader reader_;
};

}  // namespace

void encode_changes(std::span<const Change> changes, const auth::Access& vhosts, ByteVector& out) {
  Encoder encoder(vhosts, out);
  encoder.begin(changes.size());
  for (const Change& change : changes) std::visit(encoder, change);
}

Result<std::vector<Change>> decode_changes(Bytes record, const auth::Access& vhosts) {
  return Decoder(vhosts, record).record();
}

}  // namespace wharf::broker
