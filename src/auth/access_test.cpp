#include "auth/access.h"

#include <gtest/gtest.h>

namespace wharf::auth {
namespace {

using Built = std::shared_ptr<const Access>;

// sha256 of "guest" with salt 01 02 03 04.
constexpr const char* guest_hash = "AQIDBEMMOXwY6PKx/JKP9PAqfsb4ozuD0Ta3pxxa9gEYBMmD";

UserSpec user(std::string name, std::string password) {
  UserSpec spec;
  spec.name = std::move(name);
  spec.password = Secret(std::move(password));
  return spec;
}

Built build(const AccessSpec& spec) {
  std::string why;
  auto built = Access::build(spec, why);
  EXPECT_TRUE(built) << why;
  return built ? *built : nullptr;
}

Errc why_not(const AccessSpec& spec, std::string& detail) {
  auto built = Access::build(spec, detail);
  EXPECT_FALSE(built);
  return built ? Errc::io : built.error().code;
}

// One user "ada" who has `configure`, `write` and `read` in "/".
class OneUser {
 public:
  OneUser(std::string configure, std::string write, std::string read) {
    AccessSpec spec;
    spec.vhosts = {"/", "other"};
    spec.users = {user("ada", "pw")};
    spec.permissions = {{"ada", "/", std::move(configure), std::move(write), std::move(read)}};
    access_ = build(spec);
    who_ = access_->login("ada", "pw", false).value();
  }
  bool may(Verb verb, std::string_view name, std::string_view vhost = "/") const {
    return access_->authorize(who_, verb, access_->vhost(vhost), name);
  }
  const Access& access() const { return *access_; }
  const Principal& who() const { return who_; }

 private:
  Built access_;
  Principal who_;
};

TEST(AccessVhosts, DefaultIsSlash) {
  Built access = build({});
  EXPECT_EQ(access->vhost_count(), 1u);
  EXPECT_EQ(access->vhost("/"), VhostId(1));
  EXPECT_EQ(access->vhost_name(VhostId(1)), "/");
  EXPECT_FALSE(access->vhost("nowhere"));
  EXPECT_FALSE(access->vhost(""));
}

TEST(AccessVhosts, NumberedInTheirOrder) {
  AccessSpec spec;
  spec.vhosts = {"b", "a"};
  Built access = build(spec);
  EXPECT_EQ(access->vhost("b"), VhostId(1));
  EXPECT_EQ(access->vhost("a"), VhostId(2));
  EXPECT_FALSE(access->vhost("/"));
}

TEST(AccessLogin, ByPassword) {
  AccessSpec spec;
  spec.users = {user("ada", "pw"), user("bob", "pw2")};
  spec.users[1].impersonator = true;
  Built access = build(spec);
  Result<Principal> bob = access->login("bob", "pw2", false);
  ASSERT_TRUE(bob);
  EXPECT_EQ(bob->name, "bob");
  EXPECT_EQ(bob->user, UserId(2));
  EXPECT_TRUE(bob->impersonator);
  EXPECT_FALSE(access->login("ada", "pw", false)->impersonator);
  for (auto [name, password] : {std::pair{"ada", "pw2"},
                                {"ada", ""},
                                {"ad", "pw"},
                                {"", ""},
                                {"eve", "pw"},
                                {"ADA", "pw"},
                                {"eve", "nobody"}}) {
    Result<Principal> nobody = access->login(name, password, true);
    ASSERT_FALSE(nobody) << name << ' ' << password;
    EXPECT_EQ(nobody.error().code, Errc::refused);
  }
}

TEST(AccessLogin, ByHash) {
  AccessSpec spec;
  spec.users = {user("ada", "")};
  spec.users[0].password_hash = guest_hash;
  Built access = build(spec);
  EXPECT_TRUE(access->login("ada", "guest", false));
  EXPECT_FALSE(access->login("ada", "guess", false));
}

TEST(AccessLogin, NoPasswordMeansNoLoginByPassword) {
  AccessSpec spec;
  spec.users = {user("ada", "")};
  Built access = build(spec);
  EXPECT_FALSE(access->login("ada", "", true));
  EXPECT_FALSE(access->login("ada", "nobody", true));
  EXPECT_TRUE(access->login_external("ada", false));
}

TEST(AccessLogin, LoopbackOnly) {
  AccessSpec spec;
  spec.users = {user("guest", "guest")};
  spec.users[0].loopback_only = true;
  Built access = build(spec);
  EXPECT_TRUE(access->login("guest", "guest", true));
  EXPECT_EQ(access->login("guest", "guest", false).error().code, Errc::refused);
  EXPECT_TRUE(access->login_external("guest", true));
  EXPECT_EQ(access->login_external("guest", false).error().code, Errc::refused);
  EXPECT_EQ(access->login_external("ghost", true).error().code, Errc::refused);
}

TEST(AccessAuthorize, SearchesUnanchored) {
  OneUser ada("^mine", "q.e", "end$");
  EXPECT_TRUE(ada.may(Verb::configure, "mine.too"));
  EXPECT_FALSE(ada.may(Verb::configure, "not mine"));
  EXPECT_TRUE(ada.may(Verb::write, "a queue b"));
  EXPECT_FALSE(ada.may(Verb::write, "qe"));
  EXPECT_TRUE(ada.may(Verb::read, "the end"));
  EXPECT_FALSE(ada.may(Verb::read, "end of it"));
}

TEST(AccessAuthorize, EmptyPatternIsTheEmptyNameOnly) {
  OneUser ada("", "^$", ".*");
  EXPECT_FALSE(ada.may(Verb::configure, "q"));
  EXPECT_TRUE(ada.may(Verb::configure, ""));
  EXPECT_FALSE(ada.may(Verb::write, "q"));
  EXPECT_TRUE(ada.may(Verb::read, "q"));
  EXPECT_TRUE(ada.may(Verb::read, ""));
  EXPECT_TRUE(ada.may(Verb::read, "a\nb\xff"));
}

TEST(AccessAuthorize, VerbsAreApart) {
  OneUser ada("^c$", "^w$", "^r$");
  for (auto [verb, name] :
       {std::pair{Verb::configure, "c"}, {Verb::write, "w"}, {Verb::read, "r"}}) {
    for (const char* other : {"c", "w", "r"}) {
      EXPECT_EQ(ada.may(verb, other), std::string_view(other) == name);
    }
  }
}

TEST(AccessAuthorize, OnlyWhereThereIsAPermission) {
  OneUser ada(".*", ".*", ".*");
  EXPECT_TRUE(ada.access().may_open(ada.who(), ada.access().vhost("/")));
  EXPECT_FALSE(ada.access().may_open(ada.who(), ada.access().vhost("other")));
  EXPECT_FALSE(ada.access().may_open(ada.who(), VhostId()));
  EXPECT_FALSE(ada.may(Verb::read, "q", "other"));
  EXPECT_FALSE(ada.may(Verb::read, "q", "nowhere"));
}

TEST(AccessBuild, NamesTheCulprit) {
  AccessSpec good;
  good.users = {user("ada", "pw")};
  std::string detail;

  AccessSpec spec = good;
  spec.permissions = {{"ada", "/", "ok", "(", "ok"}};
  EXPECT_EQ(why_not(spec, detail), Errc::malformed);
  EXPECT_EQ(detail, "permission of 'ada' in vhost '/': '('");

  spec.permissions = {{"eve", "/"}};
  EXPECT_EQ(why_not(spec, detail), Errc::not_found);
  EXPECT_NE(detail.find("eve"), std::string::npos);

  spec.permissions = {{"ada", "x"}};
  EXPECT_EQ(why_not(spec, detail), Errc::not_found);
  EXPECT_NE(detail.find("'x'"), std::string::npos);

  spec = good;
  spec.users.push_back(user("bob", ""));
  spec.users[1].password_hash = "short";
  EXPECT_EQ(why_not(spec, detail), Errc::malformed);
  EXPECT_EQ(detail, "user 'bob'");
}

TEST(AccessBuild, RefusesWhatIsSaidTwice) {
  std::string detail;
  AccessSpec spec;
  spec.vhosts = {"/", "a", "/"};
  EXPECT_EQ(why_not(spec, detail), Errc::precondition);
  EXPECT_EQ(detail, "vhost '/'");

  spec = {};
  spec.users = {user("ada", "pw"), user("ada", "pw")};
  EXPECT_EQ(why_not(spec, detail), Errc::precondition);

  spec.users = {user("ada", "pw")};
  spec.permissions = {{"ada", "/"}, {"ada", "/"}};
  EXPECT_EQ(why_not(spec, detail), Errc::precondition);

  spec.permissions.clear();
  spec.users[0].password_hash = guest_hash;
  EXPECT_EQ(why_not(spec, detail), Errc::precondition);
  EXPECT_EQ(detail, "user 'ada'");
}

}  // namespace
}  // namespace wharf::auth
