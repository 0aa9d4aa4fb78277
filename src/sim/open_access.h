// sim/open_access.h: one vhost, one user, everything allowed: permissions are not what is
// simulated.
#pragma once

#include "auth/access.h"

namespace wharf::sim {

class OpenAccess final : public auth::Access {
 public:
  static constexpr std::string_view user_name = "sim";
  static constexpr std::string_view password = "sim";

  Result<auth::Principal> login(std::string_view user, std::string_view secret,
                                bool) const override {
    if (user != user_name || secret != password) return fault(Errc::refused, "not the one user");
    return principal();
  }
  Result<auth::Principal> login_external(std::string_view, bool) const override {
    return fault(Errc::refused, "no certificates here");
  }
  auth::VhostId vhost(std::string_view name) const override {
    return name == "/" ? auth::VhostId(1) : auth::VhostId();
  }
  std::string_view vhost_name(auth::VhostId) const override { return "/"; }
  std::size_t vhost_count() const override { return 1; }
  bool may_open(const auth::Principal&, auth::VhostId) const override { return true; }
  bool authorize(const auth::Principal&, auth::Verb, auth::VhostId,
                 std::string_view) const override {
    return true;
  }

 private:
  static auth::Principal principal() { return {auth::UserId(1), std::string(user_name), false}; }
};

}  // namespace wharf::sim
