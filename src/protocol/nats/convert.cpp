#include "protocol/nats/convert.h"

#include <array>
#include <charconv>
#include <chrono>

#include <fmt/format.h>

#include "wire/reader.h"

namespace wharf::nats {

namespace {

constexpr std::string_view first_line = "NATS/1.0";
constexpr std::string_view line_end = "\r\n";
constexpr std::string_view base64_suffix = "-Base64";

// The properties that are text in both forms.
struct TextProperty {
  std::string_view header;
  std::string_view broker::CommonProperties::* field;
};
constexpr std::array<TextProperty, 8> text_properties = {{
    {"Nats-Msg-Id", &broker::CommonProperties::message_id},
    {"Correlation-Id", &broker::CommonProperties::correlation_id},
    {"Content-Type", &broker::CommonProperties::content_type},
    {"Content-Encoding", &broker::CommonProperties::content_encoding},
    {"Message-Type", &broker::CommonProperties::type},
    {"App-Id", &broker::CommonProperties::app_id},
    {"User-Id", &broker::CommonProperties::user_id},
    {"Expiration", &broker::CommonProperties::expiration_ms},
}};
constexpr std::string_view timestamp_header = "Timestamp";
constexpr std::string_view priority_header = "Priority";

template <class Int>
bool read_number(std::string_view text, Int& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

// Reads one header into the common properties; false when it is not one of them.
bool take_common(std::string_view name, std::string_view value, broker::CommonProperties& common) {
  for (const TextProperty& property : text_properties) {
    if (property.header != name) continue;
    // Elsewhere a user id is one that the broker has checked.
    if (property.field == &broker::CommonProperties::user_id) return false;
    bool first = (common.*property.field).empty();
    if (property.field == &broker::CommonProperties::expiration_ms) {
      std::uint64_t ms = 0;
      if (!read_number(value, ms)) return false;
    }
    if (first) common.*property.field = value;
    return first && !value.empty();
  }
  if (name == timestamp_header) {
    // Beyond this a WallTime overflows; no real clock shows it.
    constexpr std::int64_t ms_max = std::int64_t{1} << 50;
    std::int64_t ms = 0;
    if (common.timestamp || !read_number(value, ms) || ms < 0 || ms > ms_max) return false;
    common.timestamp = WallTime(std::chrono::milliseconds(ms));
    return true;
  }
  if (name == priority_header) {
    std::uint8_t priority = 0;
    if (common.priority || !read_number(value, priority)) return false;
    common.priority = priority;
    return true;
  }
  return false;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// Name and value of each line that has both; the first line is no header.
template <class Visit>
void each_line(std::string_view block, const Visit& visit) {
  std::size_t end = block.find(line_end);
  while (end != std::string_view::npos) {
    block.remove_prefix(end + line_end.size());
    end = block.find(line_end);
    std::string_view line = block.substr(0, end);
    std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) continue;
    visit(line.substr(0, colon), trimmed(line.substr(colon + 1)));
  }
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      bool filled = i + j <= bytes.size();
      text += filled ? letters[group >> (18 - 6 * j) & 63] : '=';
    }
  }
  return text;
}

bool fits_a_line(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos &&
         trimmed(text).size() == text.size();
}

// A header's name may hold anything but what ends it.
std::string safe_name(std::string_view name) {
  std::string safe;
  for (char byte : name) {
    auto value = static_cast<unsigned char>(byte);
    if (value <= ' ' || byte == ':' || value == 0x7f) {
      safe += fmt::format("%{:02X}", value);
    } else {
      safe += byte;
    }
  }
  return safe.empty() ? "%-" : safe;
}

class BlockWriter {
 public:
  explicit BlockWriter(std::string& out) : out_(out) {}
  void text(std::string_view name, std::string_view value) {
    if (!fits_a_line(value)) return binary(name, value);
    line(safe_name(name), value);
  }
  void binary(std::string_view name, std::string_view value) {
    line(safe_name(name).append(base64_suffix), base64(value));
  }
  void finish() {
    if (!out_.empty()) out_ += line_end;
  }

 private:
  void line(std::string_view name, std::string_view value) {
    if (out_.empty()) (out_ += first_line) += line_end;
    (((out_ += name) += ": ") += value) += line_end;
  }
  std::string& out_;
};

std::string ms_text(WallTime time) {
  auto since = time.time_since_epoch();
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
}

struct ValueWriter {
  BlockWriter& block;
  std::string_view name;
  void operator()(std::monostate) const { block.text(name, ""); }
  void operator()(bool value) const { block.text(name, value ? "true" : "false"); }
  void operator()(std::int64_t value) const { block.text(name, std::to_string(value)); }
  void operator()(double value) const { block.text(name, fmt::format("{}", value)); }
  void operator()(const std::string& value) const { block.text(name, value); }
  void operator()(const broker::Blob& value) const { block.binary(name, value.bytes); }
  void operator()(WallTime value) const { block.text(name, ms_text(value)); }
  void operator()(const broker::Opaque& value) const { block.binary(name, value.bytes); }
};

}  // namespace

Properties read_properties(Bytes properties) {
  if (properties.empty()) return {};
  Reader in(properties);
  auto size = in.be<std::uint16_t>();
  if (size > in.left()) return {};
  Properties result;
  result.reply = text_of(in.take(size));
  result.headers = text_of(in.take(in.left()));
  return result;
}

void read_headers(Bytes properties, const broker::HeaderVisitor& visit) {
  broker::CommonProperties common;
  each_line(read_properties(properties).headers,
            [&](std::string_view name, std::string_view value) {
              if (!take_common(name, value, common)) visit(name, std::string(value));
            });
}

broker::CommonProperties read_common(Bytes properties) {
  broker::CommonProperties common;
  Properties own = read_properties(properties);
  common.reply_to = own.reply;
  each_line(own.headers, [&](std::string_view name, std::string_view value) {
    take_common(name, value, common);
  });
  return common;
}

void write_headers(const broker::Formats& formats, broker::Format format, Bytes properties,
                   std::string& out) {
  out.clear();
  BlockWriter block(out);
  broker::CommonProperties common = formats.common(format, properties);
  for (const TextProperty& property : text_properties) {
    std::string_view value = common.*property.field;
    if (!value.empty()) block.text(property.header, value);
  }
  if (common.timestamp) block.text(timestamp_header, ms_text(*common.timestamp));
  if (common.priority) block.text(priority_header, std::to_string(*common.priority));
  formats.each_header(format, properties, [&](std::string_view name, broker::Value value) {
    std::visit(ValueWriter{block, name}, value);
  });
  block.finish();
}

}  // namespace wharf::nats
