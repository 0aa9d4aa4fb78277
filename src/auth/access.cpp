#include "auth/access.h"

#include <array>
#include <optional>
#include <unordered_map>
#include <utility>

#include <re2/re2.h>

#include "auth/password.h"
#include "base/assert.h"
#include "base/random.h"

namespace wharf::auth {

namespace {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
template <class Value>
using ByName = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

class Pattern {
 public:
  static Result<Pattern> compile(const std::string& text) {
    Pattern pattern;
    if (text.empty()) {
      pattern.what_ = What::empty_name;
    } else if (text == ".*") {
      pattern.what_ = What::everything;
    } else {
      pattern.regex_ = std::make_unique<re2::RE2>(text, re2::RE2::Quiet);
      if (!pattern.regex_->ok()) return fault(Errc::malformed, "not a regular expression");
    }
    return pattern;
  }

  bool matches(std::string_view name) const {
    switch (what_) {
      case What::regex:
        return re2::RE2::PartialMatch({name.data(), name.size()}, *regex_);
      case What::everything:
        return true;
      case What::empty_name:
        return name.empty();
    }
    std::unreachable();
  }
  bool matches_all() const { return what_ == What::everything; }

 private:
  enum class What : std::uint8_t { regex, everything, empty_name };
  What what_ = What::regex;
  std::unique_ptr<re2::RE2> regex_;
};

// By verb.
using Permission = std::array<Pattern, 3>;

struct User {
  Principal principal;
  std::optional<PasswordHash> password;
  bool loopback_only = false;
  std::unordered_map<VhostId, Permission> permissions;
};

class AccessTable final : public Access {
 public:
  Result<void> add_vhosts(const AccessSpec& spec, std::string& why_detail) {
    vhosts_ = spec.vhosts;
    if (vhosts_.empty()) vhosts_.push_back("/");
    for (std::size_t index = 0; index < vhosts_.size(); ++index) {
      VhostId id(static_cast<std::uint32_t>(index + 1));
      if (vhosts_by_name_.emplace(vhosts_[index], id).second) continue;
      why_detail = "vhost '" + vhosts_[index] + "'";
      return fault(Errc::precondition, "named twice");
    }
    return {};
  }

  Result<void> add_user(const UserSpec& spec, std::string& why_detail) {
    why_detail = "user '" + spec.name + "'";
    if (users_by_name_.contains(spec.name)) return fault(Errc::precondition, "named twice");
    User user;
    user.principal = {UserId(static_cast<std::uint32_t>(users_.size() + 1)), spec.name,
                      spec.impersonator};
    user.loopback_only = spec.loopback_only;
    if (!spec.password_hash.empty()) {
      if (!spec.password.reveal().empty()) {
        return fault(Errc::precondition, "a password and a hash of one");
      }
      Result<PasswordHash> hash = PasswordHash::parse(spec.password_hash);
      if (!hash) return std::unexpected(hash.error());
      user.password = *hash;
    } else if (!spec.password.reveal().empty()) {
      user.password = PasswordHash::of(spec.password.reveal(), random_);
    }
    users_by_name_.emplace(spec.name, user.principal.user);
    users_.push_back(std::move(user));
    return {};
  }

  Result<void> add_permission(const PermissionSpec& spec, std::string& why_detail) {
    why_detail = "permission of '" + spec.user + "' in vhost '" + spec.vhost + "'";
    auto user = users_by_name_.find(spec.user);
    if (user == users_by_name_.end()) return fault(Errc::not_found, "no such user");
    VhostId home = vhost(spec.vhost);
    if (!home) return fault(Errc::not_found, "no such vhost");
    Permission permission;
    const std::string* patterns[] = {&spec.configure, &spec.write, &spec.read};
    for (std::size_t verb = 0; verb < permission.size(); ++verb) {
      Result<Pattern> pattern = Pattern::compile(*patterns[verb]);
      if (!pattern) {
        why_detail += ": '" + *patterns[verb] + "'";
        return std::unexpected(pattern.error());
      }
      permission[verb] = std::move(*pattern);
    }
    User& holder = users_[user->second.value() - 1];
    if (!holder.permissions.emplace(home, std::move(permission)).second) {
      return fault(Errc::precondition, "named twice");
    }
    return {};
  }

  Result<Principal> login(std::string_view name, std::string_view password,
                          bool peer_is_loopback) const override {
    const User* user = find(name);
    // Whoever it is, one hash is computed and compared.
    const PasswordHash& hash = user && user->password ? *user->password : nobodys_hash_;
    bool matches = hash.matches(password);
    if (!matches || password.empty() || !user || !user->password ||
        (user->loopback_only && !peer_is_loopback)) {
      return fault(Errc::refused, "login refused");
    }
    return user->principal;
  }

  Result<Principal> login_external(std::string_view name, bool peer_is_loopback) const override {
    const User* user = find(name);
    if (!user || (user->loopback_only && !peer_is_loopback)) {
      return fault(Errc::refused, "login refused");
    }
    return user->principal;
  }

  VhostId vhost(std::string_view name) const override {
    auto it = vhosts_by_name_.find(name);
    return it == vhosts_by_name_.end() ? VhostId() : it->second;
  }
  std::string_view vhost_name(VhostId vhost) const override {
    ASSERT(vhost && vhost.value() <= vhosts_.size());
    return vhosts_[vhost.value() - 1];
  }
  std::size_t vhost_count() const override { return vhosts_.size(); }

  bool may_open(const Principal& who, VhostId vhost) const override {
    return find_permission(who, vhost) != nullptr;
  }
  bool authorize(const Principal& who, Verb verb, VhostId vhost,
                 std::string_view resource) const override {
    const Permission* permission = find_permission(who, vhost);
    return permission && (*permission)[std::to_underlying(verb)].matches(resource);
  }
  bool authorizes_all(const Principal& who, Verb verb, VhostId vhost) const override {
    const Permission* permission = find_permission(who, vhost);
    return permission && (*permission)[std::to_underlying(verb)].matches_all();
  }

 private:
  static_assert(std::to_underlying(Verb::configure) == 0 && std::to_underlying(Verb::write) == 1 &&
                std::to_underlying(Verb::read) == 2);

  const User* find(std::string_view name) const {
    auto it = users_by_name_.find(name);
    return it == users_by_name_.end() ? nullptr : &users_[it->second.value() - 1];
  }
  const Permission* find_permission(const Principal& who, VhostId vhost) const {
    ASSERT(who.user && who.user.value() <= users_.size());
    const auto& permissions = users_[who.user.value() - 1].permissions;
    auto it = permissions.find(vhost);
    return it == permissions.end() ? nullptr : &it->second;
  }

  SecureRandom random_;
  PasswordHash nobodys_hash_ = PasswordHash::of("nobody", random_);
  std::vector<std::string> vhosts_;
  ByName<VhostId> vhosts_by_name_;
  std::vector<User> users_;
  ByName<UserId> users_by_name_;
};

}  // namespace

Result<std::shared_ptr<const Access>> Access::build(const AccessSpec& spec,
                                                    std::string& why_detail) {
  auto table = std::make_shared<AccessTable>();
  Result<void> added = table->add_vhosts(spec, why_detail);
  for (const UserSpec& user : spec.users) {
    if (added) added = table->add_user(user, why_detail);
  }
  for (const PermissionSpec& permission : spec.permissions) {
    if (added) added = table->add_permission(permission, why_detail);
  }
  if (!added) return std::unexpected(added.error());
  why_detail.clear();
  return table;
}

}  // namespace wharf::auth
