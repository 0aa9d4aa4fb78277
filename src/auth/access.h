// auth/access.h: who may do what. Built from the configuration at start, constant afterwards, read
// by every shard. One authorize answers for every protocol. Source of the rules: RabbitMQ's access
// control guide (patterns are unanchored searches; the empty pattern matches the empty name only),
// https://www.rabbitmq.com/docs/access-control.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fault.h"
#include "base/id.h"

namespace wharf::auth {

using VhostId = StrongId<struct VhostTag, std::uint32_t>;
using UserId = StrongId<struct UserTag, std::uint32_t>;

enum class Verb : std::uint8_t { configure, write, read };

// A text that cannot be printed or logged by accident. reveal() is for checking it.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  const std::string& reveal() const { return value_; }

 private:
  std::string value_;
};

struct UserSpec {
  std::string name;
  Secret password;            // one of the two; both empty: no login by password
  std::string password_hash;  // base64 of 4 bytes of salt and SHA-256(salt + password)
  bool loopback_only = false;
  bool impersonator = false;  // may send messages in another user's name
};

struct PermissionSpec {
  std::string user;
  std::string vhost;
  std::string configure = ".*";
  std::string write = ".*";
  std::string read = ".*";
};

struct AccessSpec {
  std::vector<std::string> vhosts;  // "/" if left empty
  std::vector<UserSpec> users;
  std::vector<PermissionSpec> permissions;
};

// Who is logged in, however it was proved.
struct Principal {
  UserId user;
  std::string name;
  bool impersonator = false;
};

class Access {
 public:
  // Patterns are RE2's regular expressions (no look-around, no back-references).
  // Faults: malformed for a pattern or a hash that does not parse, not_found for a permission of an
  // unknown user or vhost, precondition for what is named twice. `why_detail` names the culprit.
  static Result<std::shared_ptr<const Access>> build(const AccessSpec& spec,
                                                     std::string& why_detail);
  virtual ~Access() = default;

  // Faults: refused, whatever was wrong, in a time that does not tell which.
  virtual Result<Principal> login(std::string_view user, std::string_view password,
                                  bool peer_is_loopback) const = 0;
  // For identities proved by other means (a verified client certificate).
  virtual Result<Principal> login_external(std::string_view user, bool peer_is_loopback) const = 0;

  // None when there is no such vhost.
  virtual VhostId vhost(std::string_view name) const = 0;
  virtual std::string_view vhost_name(VhostId vhost) const = 0;
  virtual std::size_t vhost_count() const = 0;  // ids are 1 .. vhost_count()
  // Whether the user has any permission in the vhost.
  virtual bool may_open(const Principal& who, VhostId vhost) const = 0;
  // Cost: one linear-time regex search. Callers on hot paths remember the answer.
  virtual bool authorize(const Principal& who, Verb verb, VhostId vhost,
                         std::string_view resource) const = 0;
  // True when authorize says yes whatever the resource; false also when that is not known.
  virtual bool authorizes_all(const Principal&, Verb, VhostId) const { return false; }
};

}  // namespace wharf::auth
