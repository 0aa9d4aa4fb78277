// auth/password.h: salted password hashes, as the configuration holds them: the base64 text (RFC
// 4648 section 4) of 4 bytes of salt and the 32 bytes of SHA-256(salt + password); 48 characters.
// The form is that of the hashes which RabbitMQ exports, so users can move over with their
// passwords: https://www.rabbitmq.com/docs/passwords.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/fault.h"
#include "base/random.h"

namespace wharf::auth {

class PasswordHash {
 public:
  // `random` gives the salt.
  static PasswordHash of(std::string_view password, Random& random);
  // Faults: malformed, unless `text` is exactly what text() of some hash is.
  static Result<PasswordHash> parse(std::string_view text);

  std::string text() const;
  // Takes a time that depends on the length of `password` alone.
  bool matches(std::string_view password) const;

 private:
  static constexpr std::size_t salt_size = 4;
  static constexpr std::size_t digest_size = 32;
  static constexpr std::size_t text_size = 48;
  using Digest = std::array<std::byte, digest_size>;

  Digest digest_of(std::string_view password) const;

  std::array<std::byte, salt_size> salt_{};
  Digest digest_{};
};

}  // namespace wharf::auth
