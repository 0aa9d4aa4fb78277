#include "protocol/amqp/frame.h"

#include <algorithm>

#include "base/assert.h"

namespace wharf::amqp {

std::optional<Greeting> read_greeting(Bytes input) {
  constexpr std::string_view name = "AMQP";
  std::string_view seen = text_of(input.first(std::min(input.size(), name.size())));
  if (seen != name.substr(0, seen.size())) return Greeting::other;
  if (input.size() < greeting_size) return std::nullopt;

  struct Known {
    std::array<std::uint8_t, 4> version;
    Greeting greeting;
  };
  constexpr std::array<Known, 5> known = {{{{0, 0, 9, 1}, Greeting::v0_9_1},
                                           {{1, 1, 0, 9}, Greeting::v0_9},
                                           {{1, 1, 8, 0}, Greeting::v0_8},
                                           {{0, 1, 0, 0}, Greeting::v1_0},
                                           {{3, 1, 0, 0}, Greeting::v1_0_sasl}}};
  std::array<std::uint8_t, 4> version{};
  std::memcpy(version.data(), input.data() + name.size(), version.size());
  for (const Known& entry : known) {
    if (entry.version == version) return entry.greeting;
  }
  if (version[0] == 0 && version[1] == 0 && version[2] >= 9) return Greeting::later_0;
  return Greeting::other;
}

Result<std::optional<Frame>> read_frame(Bytes input, std::size_t payload_max) {
  std::optional<Frame> none;
  if (input.empty()) return none;
  auto type = static_cast<FrameType>(input[0]);
  switch (type) {
    case FrameType::method:
    case FrameType::header:
    case FrameType::body:
    case FrameType::heartbeat:
      break;
    default:
      return fault(Errc::malformed, "unknown frame type");
  }
  if (input.size() < frame_header_size) return none;
  Reader header(input.subspan(1, frame_header_size - 1));
  auto channel = header.be<std::uint16_t>();
  std::size_t size = header.be<std::uint32_t>();
  if (size > payload_max) return fault(Errc::too_large, "frame is too large", 3);
  if (type == FrameType::heartbeat && size != 0) {
    return fault(Errc::malformed, "heartbeat with a payload", 3);
  }
  if (input.size() < size + frame_overhead) return none;
  if (input[frame_header_size + size] != frame_end) {
    auto at = static_cast<std::uint32_t>(frame_header_size + size);
    return fault(Errc::malformed, "frame does not end with 206", at);
  }
  return Frame{type, channel, input.subspan(frame_header_size, size)};
}

Result<Method> read_method(Bytes payload) {
  if (payload.size() < sizeof(MethodId)) {
    return fault(Errc::malformed, "method frame too short for its id");
  }
  Reader in(payload);
  auto id = in.be<MethodId>();
  return Method{id, in.rest()};
}

Result<ContentHeader> read_content_header(Bytes payload) {
  Reader in(payload);
  ContentHeader header;
  header.class_id = in.be<std::uint16_t>();
  header.weight = in.be<std::uint16_t>();
  header.body_size = in.be<std::uint64_t>();
  header.properties = in.rest();
  if (in.failed()) return std::unexpected(*in.why());
  return header;
}

void write_heartbeat(Chain& out) {
  std::byte* at = out.extend(frame_overhead).data();
  *detail::put_frame_header(at, FrameType::heartbeat, 0, 0) = frame_end;
}

namespace detail {

namespace {

constexpr std::array<std::byte, 2> no_properties{};

std::byte* put_header_frame(std::byte* at, std::uint16_t channel, std::uint16_t class_id,
                            Bytes properties, std::uint64_t body_size) {
  at = put_frame_header(at, FrameType::header, channel, content_header_size + properties.size());
  put_be(at, class_id);
  put_be(at + 2, std::uint16_t{0});
  put_be(at + 4, body_size);
  std::memcpy(at + content_header_size, properties.data(), properties.size());
  at += content_header_size + properties.size();
  *at = frame_end;
  return at + 1;
}

std::size_t chunk_max(std::size_t frame_max) {
  if (frame_max == 0) return std::numeric_limits<std::uint32_t>::max();
  return frame_max - frame_overhead;
}

bool is_small(const Body& body, std::size_t frame_max) {
  return body.size() < Chain::share_size_min && body.size() <= chunk_max(frame_max);
}

}  // namespace

std::byte* put_frame_header(std::byte* at, FrameType type, std::uint16_t channel,
                            std::size_t size) {
  *at = static_cast<std::byte>(type);
  put_be(at + 1, channel);
  put_be(at + 3, static_cast<std::uint32_t>(size));
  return at + frame_header_size;
}

std::byte* put_content(Chain& out, std::size_t before, std::uint16_t channel, MethodId method,
                       Bytes properties, const Body& body, std::size_t frame_max) {
  ASSERT(frame_max == 0 || frame_max > frame_overhead);
  if (properties.empty()) properties = no_properties;
  std::size_t header_size = frame_overhead + content_header_size + properties.size();
  bool with_body = body.size() > 0 && is_small(body, frame_max);
  std::size_t body_size = with_body ? frame_overhead + body.size() : 0;

  std::byte* begin = out.extend(before + header_size + body_size).data();
  std::byte* at =
      put_header_frame(begin + before, channel, class_of(method), properties, body.size());
  if (with_body) {
    at = put_frame_header(at, FrameType::body, channel, body.size());
    std::memcpy(at, body.bytes().data(), body.size());
    at[body.size()] = frame_end;
  }
  return begin;
}

// Each frame's head goes out with the end octet of the one before, to spare the gather list.
void append_large_body(Chain& out, std::uint16_t channel, const Body& body, std::size_t frame_max) {
  if (is_small(body, frame_max)) return;
  for (std::size_t offset = 0; offset < body.size();) {
    std::size_t chunk = std::min(chunk_max(frame_max), body.size() - offset);
    bool first = offset == 0;
    std::byte* at = out.extend(frame_header_size + (first ? 0 : 1)).data();
    if (!first) *at++ = frame_end;
    put_frame_header(at, FrameType::body, channel, chunk);
    body.append_to(out, offset, chunk);
    offset += chunk;
  }
  out.extend(1)[0] = frame_end;
}

}  // namespace detail

}  // namespace wharf::amqp
