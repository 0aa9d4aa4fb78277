#include "auth/signature.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace wharf::auth {
namespace {

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

// RFC 8032 section 7.1, test 2.
TEST(Signature, KnownAnswer) {
  std::string raw = from_hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  Ed25519Key key;
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::byte>(raw[i]);
  std::string signature = from_hex(
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
      "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  EXPECT_TRUE(verify_ed25519(key, bytes_of("\x72"), bytes_of(signature)));
  EXPECT_FALSE(verify_ed25519(key, bytes_of("\x73"), bytes_of(signature)));
  EXPECT_FALSE(verify_ed25519(key, bytes_of("\x72"), bytes_of(signature.substr(1))));
  EXPECT_FALSE(verify_ed25519(key, bytes_of("\x72"), {}));
}

}  // namespace
}  // namespace wharf::auth
