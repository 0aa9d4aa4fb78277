#include "auth/password.h"

#include <algorithm>
#include <vector>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/assert.h"

namespace wharf::auth {

namespace {

const unsigned char* octets(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}

}  // namespace

PasswordHash::Digest PasswordHash::digest_of(std::string_view password) const {
  std::vector<std::byte> salted(salt_.begin(), salt_.end());
  salted.reserve(salt_size + password.size());
  for (char letter : password) salted.push_back(static_cast<std::byte>(letter));
  Digest digest;
  int done =
      EVP_Digest(salted.data(), salted.size(), reinterpret_cast<unsigned char*>(digest.data()),
                 nullptr, EVP_sha256(), nullptr);
  OPENSSL_cleanse(salted.data(), salted.size());
  ASSERT(done == 1);
  return digest;
}

PasswordHash PasswordHash::of(std::string_view password, Random& random) {
  PasswordHash hash;
  random.fill(hash.salt_);
  hash.digest_ = hash.digest_of(password);
  return hash;
}

Result<PasswordHash> PasswordHash::parse(std::string_view text) {
  static_assert((salt_size + digest_size) * 4 / 3 == text_size);
  if (text.size() != text_size) return fault(Errc::malformed, "not a password hash");
  std::array<std::byte, salt_size + digest_size> raw;
  int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(raw.data()),
                             reinterpret_cast<const unsigned char*>(text.data()),
                             static_cast<int>(text.size()));
  if (size != static_cast<int>(raw.size())) return fault(Errc::malformed, "not base64");
  PasswordHash hash;
  std::copy_n(raw.begin(), salt_size, hash.salt_.begin());
  std::copy_n(raw.begin() + salt_size, digest_size, hash.digest_.begin());
  // OpenSSL's decoder lets padding stand for zero bits; a hash has none.
  if (hash.text() != text) return fault(Errc::malformed, "not base64");
  return hash;
}

std::string PasswordHash::text() const {
  std::array<std::byte, salt_size + digest_size> raw;
  std::ranges::copy(digest_, std::ranges::copy(salt_, raw.begin()).out);
  std::array<unsigned char, text_size + 1> text;  // the encoder ends it with a NUL
  EVP_EncodeBlock(text.data(), octets(raw.data()), static_cast<int>(raw.size()));
  return {reinterpret_cast<const char*>(text.data()), text_size};
}

bool PasswordHash::matches(std::string_view password) const {
  Digest digest = digest_of(password);
  return CRYPTO_memcmp(digest.data(), digest_.data(), digest_size) == 0;
}

}  // namespace wharf::auth
