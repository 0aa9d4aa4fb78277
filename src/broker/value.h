// broker/value.h: the common form of a header, to which every protocol's headers convert and from
// which they convert back: a name, a type, a value. Used for routing by headers and between
// protocols.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>

#include "broker/message.h"
#include "wire/bytes.h"
#include "wire/writer.h"

namespace wharf::broker {

// What has no common type of its own (decimals, tables, ...): origin's tag and bytes. Equal when
// both are.
struct Opaque {
  char tag = 0;
  std::string bytes;
  friend bool operator==(const Opaque&, const Opaque&) = default;
};

struct Blob {
  std::string bytes;
  friend bool operator==(const Blob&, const Blob&) = default;
};

// Integers of every width are one type; an integer never equals a double.
using Value =
    std::variant<std::monostate, bool, std::int64_t, double, std::string, Blob, WallTime, Opaque>;

using HeaderVisitor = std::function<void(std::string_view name, Value value)>;

// Reads the headers out of origin properties; what does not parse is left out.
using HeaderReader = void (*)(Bytes properties, const HeaderVisitor& visit);

// What a message says of itself in words that several protocols have. Views into the properties;
// empty where it says nothing.
struct CommonProperties {
  std::string_view reply_to;  // a canonical name
  std::string_view correlation_id;
  std::string_view message_id;
  std::string_view content_type;
  std::string_view content_encoding;
  std::string_view type;
  std::string_view app_id;
  std::string_view user_id;
  std::string_view expiration_ms;  // decimal, from the time of the publish
  std::optional<WallTime> timestamp;
  std::optional<std::uint8_t> priority;
};
using CommonReader = CommonProperties (*)(Bytes properties);

// The readers of the formats that this process knows. Filled at start, constant afterwards.
class Formats {
 public:
  void add(Format format, HeaderReader headers, CommonReader properties) {
    readers_[format] = {headers, properties};
  }
  void each_header(Format format, Bytes properties, const HeaderVisitor& visit) const {
    auto it = readers_.find(format);
    if (it != readers_.end()) it->second.headers(properties, visit);
  }
  CommonProperties common(Format format, Bytes properties) const {
    auto it = readers_.find(format);
    return it == readers_.end() ? CommonProperties() : it->second.common(properties);
  }

 private:
  struct Readers {
    HeaderReader headers;
    CommonReader common;
  };
  std::unordered_map<Format, Readers> readers_;
};

}  // namespace wharf::broker
