// protocol/http/websocket.h: WebSocket (RFC 6455) as a codec: the answer to an upgrade, frames in,
// frames out. Frames of a client are masked; extensions are not spoken.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/fault.h"
#include "protocol/http/request.h"
#include "wire/bytes.h"
#include "wire/chain.h"

namespace wharf::http {

enum class Opcode : std::uint8_t { more = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

struct FrameHead {
  Opcode opcode = Opcode::binary;
  bool is_last = true;
  std::uint64_t payload_size = 0;
  std::uint32_t mask = 0;  // as it lies in memory
  std::size_t size = 0;    // of the head
};

// The head at the front of `input`; none while it is not whole. Faults: malformed (unmasked,
// reserved bits, unknown opcode, a control frame that is long or cut).
Result<std::optional<FrameHead>> read_frame_head(Bytes input);

// Unmasks `payload`, whose first byte is at `offset` within the frame.
void unmask(std::span<std::byte> payload, std::uint32_t mask, std::uint64_t offset);

// A whole unmasked frame's head for `payload_size` bytes; the payload follows.
void write_frame_head(Chain& out, Opcode opcode, std::uint64_t payload_size);
void write_close(Chain& out, std::uint16_t code, std::string_view reason);

// The 101 answer to a sound upgrade. Faults: malformed, with what is wrong as `why`.
Result<std::string> accept_upgrade(const Request& request);

}  // namespace wharf::http
