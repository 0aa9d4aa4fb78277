// protocol/nats/nkey.h: the public keys by which users prove who they are: base32 (RFC 4648,
// without padding) of a prefix, 32 bytes of Ed25519 key and a CRC-16; a user's begins with U.
// Source: https://github.com/nats-io/nkeys
#pragma once

#include <optional>
#include <string_view>

#include "auth/signature.h"

namespace wharf::nats {

// None for anything but a sound public key of a user.
std::optional<auth::Ed25519Key> read_user_key(std::string_view text);

// Whether `signature`, base64 in either alphabet, padded or not, is that of `nonce` by `key`.
bool verify_nonce(std::string_view key, std::string_view nonce, std::string_view signature);

}  // namespace wharf::nats
