// broker/value.h: the common form of a header, to which every protocol's headers convert and from
// which they convert back: a name, a type, a value. Used for routing by headers and between
// protocols.
#pragma once

#include <cstdint>
#include <functional>
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

// The readers of the formats that this process knows. Filled at start, constant afterwards.
class Formats {
 public:
  void add(Format format, HeaderReader reader) { readers_[format] = reader; }
  void each_header(Format format, Bytes properties, const HeaderVisitor& visit) const {
    auto it = readers_.find(format);
    if (it != readers_.end()) it->second(properties, visit);
  }

 private:
  std::unordered_map<Format, HeaderReader> readers_;
};

}  // namespace wharf::broker
