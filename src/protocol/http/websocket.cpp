#include "protocol/http/websocket.h"

#include <array>
#include <cstring>

#include <openssl/evp.h>

#include "wire/reader.h"
#include "wire/writer.h"

namespace wharf::http {

namespace {

constexpr std::size_t control_size_max = 125;
constexpr std::uint8_t length_16 = 126;
constexpr std::uint8_t length_64 = 127;
constexpr std::uint8_t bit_high = 0x80;
constexpr std::size_t key_text_size = 24;  // base64 of 16 bytes

bool is_control(Opcode opcode) { return opcode >= Opcode::close; }

std::optional<Opcode> opcode_of(std::uint8_t number) {
  switch (static_cast<Opcode>(number)) {
    case Opcode::more:
    case Opcode::text:
    case Opcode::binary:
    case Opcode::close:
    case Opcode::ping:
    case Opcode::pong:
      return static_cast<Opcode>(number);
  }
  return std::nullopt;
}

std::string accept_key(std::string_view key) {
  std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  std::array<unsigned char, 64> encoded;
  int length = EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(size));
  return {reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(length)};
}

}  // namespace

Result<std::optional<FrameHead>> read_frame_head(Bytes input) {
  constexpr std::size_t short_size = 2;
  if (input.size() < short_size) return std::nullopt;
  auto first = std::to_integer<std::uint8_t>(input[0]);
  auto second = std::to_integer<std::uint8_t>(input[1]);
  std::optional<Opcode> opcode = opcode_of(first & 0x0f);
  if (!opcode || (first & 0x70) != 0) return fault(Errc::malformed, "opcode or reserved bits");
  if ((second & bit_high) == 0) return fault(Errc::malformed, "frame is not masked");
  FrameHead head;
  head.opcode = *opcode;
  head.is_last = (first & bit_high) != 0;
  std::uint8_t length = second & 0x7f;
  if (is_control(*opcode) && (length > control_size_max || !head.is_last)) {
    return fault(Errc::malformed, "control frame");
  }
  std::size_t length_size = length == length_16 ? 2 : length == length_64 ? 8 : 0;
  head.size = short_size + length_size + sizeof(head.mask);
  if (input.size() < head.size) return std::nullopt;
  Reader in(input.subspan(short_size));
  head.payload_size = length;
  if (length == length_16) head.payload_size = in.be<std::uint16_t>();
  if (length == length_64) head.payload_size = in.be<std::uint64_t>();
  std::memcpy(&head.mask, in.take(sizeof(head.mask)).data(), sizeof(head.mask));
  return head;
}

void unmask(std::span<std::byte> payload, std::uint32_t mask, std::uint64_t offset) {
  std::array<std::byte, 4> key;
  std::memcpy(key.data(), &mask, sizeof(mask));
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] ^= key[(offset + i) % key.size()];
}

void write_frame_head(Chain& out, Opcode opcode, std::uint64_t payload_size) {
  auto first = static_cast<std::byte>(bit_high | static_cast<std::uint8_t>(opcode));
  if (payload_size <= control_size_max) {
    std::byte* at = out.extend(2).data();
    at[0] = first;
    at[1] = static_cast<std::byte>(payload_size);
  } else if (payload_size <= 0xffff) {
    std::byte* at = out.extend(4).data();
    at[0] = first;
    at[1] = static_cast<std::byte>(length_16);
    put_be(at + 2, static_cast<std::uint16_t>(payload_size));
  } else {
    std::byte* at = out.extend(10).data();
    at[0] = first;
    at[1] = static_cast<std::byte>(length_64);
    put_be(at + 2, payload_size);
  }
}

void write_close(Chain& out, std::uint16_t code, std::string_view reason) {
  reason = reason.substr(0, control_size_max - sizeof(code));
  write_frame_head(out, Opcode::close, sizeof(code) + reason.size());
  put_be(out.extend(sizeof(code)).data(), code);
  out.append(bytes_of(reason));
}

Result<std::string> accept_upgrade(const Request& request) {
  std::string_view key = request.header("sec-websocket-key");
  if (request.method != "GET") return fault(Errc::malformed, "method must be GET");
  if (request.header("host").empty()) return fault(Errc::malformed, "no Host");
  if (!lists(request.header("upgrade"), "websocket")) return fault(Errc::malformed, "no upgrade");
  if (!lists(request.header("connection"), "upgrade")) {
    return fault(Errc::malformed, "Connection does not say upgrade");
  }
  if (key.size() != key_text_size) return fault(Errc::malformed, "key must be of 16 bytes");
  if (request.header("sec-websocket-version") != "13") {
    return fault(Errc::malformed, "version must be 13");
  }
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: " +
         accept_key(key) + "\r\n\r\n";
}

}  // namespace wharf::http
