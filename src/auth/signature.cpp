#include "auth/signature.h"

#include <memory>

#include <openssl/err.h>
#include <openssl/evp.h>

namespace wharf::auth {

bool verify_ed25519(const Ed25519Key& key, Bytes message, Bytes signature) {
  auto octets = [](Bytes bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); };
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> given(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets(key), key.size()),
      &EVP_PKEY_free);
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                  &EVP_MD_CTX_free);
  bool verified =
      given && context &&
      EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, given.get()) == 1 &&
      EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(message),
                       message.size()) == 1;
  ERR_clear_error();
  return verified;
}

}  // namespace wharf::auth
