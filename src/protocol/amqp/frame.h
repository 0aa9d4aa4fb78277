// protocol/amqp/frame.h: AMQP 0-9-1 between bytes and frames, both ways (specification sections 2.3
// and 4.2; the protocol header as RabbitMQ reads it).
//
//    0      1         3             7                  size + 7   size + 8
//   +------+---------+-------------+  +------------+  +-----------+
//   | type | channel |    size     |  |  payload   |  | end (206) |
//   +------+---------+-------------+  +------------+  +-----------+
//     u8       u16         u32          size octets        u8
//
// Reading is in place: what it returns are views of the input. Writing a message with a small body
// is one piece of the Chain; a large body is shared, not copied. Nothing here allocates for a
// frame.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/fault.h"
#include "protocol/amqp/methods_gen.h"
#include "wire/buffer.h"
#include "wire/bytes.h"
#include "wire/chain.h"
#include "wire/schema.h"

namespace wharf::amqp {

// ---- The protocol header, the first eight octets of a client ----

enum class Greeting : std::uint8_t {
  v0_9_1,
  v0_9,  // spoken like 0-9-1
  v0_8,
  v1_0,  // without SASL
  v1_0_sasl,
  later_0,  // AMQP 0 0, a minor of 9 or more, but not 0-9-1
  other,    // HTTP, TLS, noise
};

inline constexpr std::size_t greeting_size = 8;
// What a client of 0-9-1 says first, and what a server answers that will speak nothing else.
inline constexpr std::array<std::byte, greeting_size> greeting_0_9_1 = {
    std::byte{'A'}, std::byte{'M'}, std::byte{'Q'}, std::byte{'P'},
    std::byte{0},   std::byte{0},   std::byte{9},   std::byte{1}};

// None while the input is too short to tell. What does not begin like AMQP is `other` at once.
std::optional<Greeting> read_greeting(Bytes input);

// ---- Frames in ----

enum class FrameType : std::uint8_t { method = 1, header = 2, body = 3, heartbeat = 8 };

struct Frame {
  FrameType type = FrameType::heartbeat;
  std::uint16_t channel = 0;
  Bytes payload{};
};

inline constexpr std::size_t frame_header_size = 7;
inline constexpr std::size_t frame_overhead = frame_header_size + 1;
// Of a content header's payload, before its properties: class, weight, body size.
inline constexpr std::size_t content_header_size = 12;
inline constexpr std::byte frame_end{206};

// Octets of the input that the frame took.
constexpr std::size_t size_of(const Frame& frame) { return frame.payload.size() + frame_overhead; }

// The frame at the front of the input; none when it is not all there yet. A frame that is wrong is
// refused as soon as the wrong octet has come, so nobody waits for 4 GiB.
// Faults: malformed (type, end octet, a heartbeat with a payload); too_large (above payload_max).
Result<std::optional<Frame>> read_frame(Bytes input, std::size_t payload_max);

struct Method {
  MethodId id = 0;
  Bytes arguments{};  // for schema::decode<M>
};
// Payload of a method frame. Faults: malformed.
Result<Method> read_method(Bytes payload);

struct ContentHeader {
  std::uint16_t class_id = 0;
  std::uint16_t weight = 0;
  std::uint64_t body_size = 0;
  Bytes properties{};  // flags and list, unchecked: see properties.h
};
// Payload of a header frame. The class and the weight are the session's to judge. Faults:
// malformed.
Result<ContentHeader> read_content_header(Bytes payload);

// ---- Frames out ----

// The bytes of a message: a part of a counted block, or bytes that are copied.
class Body {
 public:
  // REQUIRES: `block` outlives the call that the Body is made for; offset + size <= block.size().
  Body(const Buffer& block, std::size_t offset, std::size_t size)
      : block_(&block), offset_(offset), bytes_(block.bytes().subspan(offset, size)) {}
  explicit Body(Bytes bytes) : bytes_(bytes) {}

  Bytes bytes() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }
  void append_to(Chain& out, std::size_t offset, std::size_t size) const {
    if (block_) return out.append(*block_, offset_ + offset, size);
    out.append(bytes_.subspan(offset, size));
  }

 private:
  const Buffer* block_ = nullptr;
  std::size_t offset_ = 0;
  Bytes bytes_;
};

namespace detail {

std::byte* put_frame_header(std::byte* at, FrameType type, std::uint16_t channel, std::size_t size);

template <class M>
std::size_t method_frame_size(const M& method) {
  return frame_overhead + sizeof(MethodId) + schema::encoded_size(method);
}

template <class M>
std::byte* put_method(std::byte* at, std::uint16_t channel, const M& method, std::size_t size) {
  at = put_frame_header(at, FrameType::method, channel, size - frame_overhead);
  put_be(at, M::id);
  at = schema::encode_at(at + sizeof(MethodId), method);
  *at = frame_end;
  return at + 1;
}

// The header frame, and a small body's frame, behind `before` octets that the caller then fills:
// returns where those begin. A larger body follows by append_large_body.
std::byte* put_content(Chain& out, std::size_t before, std::uint16_t channel, MethodId method,
                       Bytes properties, const Body& body, std::size_t frame_max);
void append_large_body(Chain& out, std::uint16_t channel, const Body& body, std::size_t frame_max);

}  // namespace detail

template <class M>
void write_method(Chain& out, std::uint16_t channel, const M& method) {
  static_assert(!M::has_content);
  std::size_t size = detail::method_frame_size(method);
  detail::put_method(out.extend(size).data(), channel, method, size);
}

void write_heartbeat(Chain& out);

// A method that carries content (publish, return, deliver, get-ok), its header, its body in frames
// of at most frame_max octets (0: no limit). `properties` are flags and list as they came, or empty
// for none. REQUIRES: frame_max is 0 or above frame_overhead.
template <class M>
void write_content(Chain& out, std::uint16_t channel, const M& method, Bytes properties,
                   const Body& body, std::size_t frame_max) {
  static_assert(M::has_content);
  std::size_t size = detail::method_frame_size(method);
  std::byte* at = detail::put_content(out, size, channel, M::id, properties, body, frame_max);
  detail::put_method(at, channel, method, size);
  detail::append_large_body(out, channel, body, frame_max);
}

}  // namespace wharf::amqp
