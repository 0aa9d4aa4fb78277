// auth/signature.h: proof that somebody holds a private key.
#pragma once

#include <array>
#include <cstddef>

#include "wire/bytes.h"

namespace wharf::auth {

// Ed25519 (RFC 8032). The signature is of 64 bytes; anything else does not verify.
using Ed25519Key = std::array<std::byte, 32>;
bool verify_ed25519(const Ed25519Key& key, Bytes message, Bytes signature);

}  // namespace wharf::auth
