#include "auth/sasl.h"

#include <cstring>
#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace wharf::auth {
namespace {

using namespace std::string_view_literals;

TEST(ParsePlain, ReadsUserAndPassword) {
  struct Case {
    std::string_view response, user, password;
  };
  for (const Case& one : {Case{"\0guest\0guest"sv, "guest", "guest"}, Case{"\0u\0"sv, "u", ""},
                          Case{"\0\xc3\xa9\0p w"sv, "\xc3\xa9", "p w"}, Case{"\0\0"sv, "", ""},
                          Case{"\0\0guest"sv, "", "guest"}}) {
    Result<PlainLogin> login = parse_plain(one.response);
    ASSERT_TRUE(login) << one.user;
    EXPECT_EQ(login->user, one.user);
    EXPECT_EQ(login->password, one.password);
  }
}

TEST(ParsePlain, RefusesTheRest) {
  struct Case {
    std::string_view response;
    Errc code;
  };
  for (const Case& one :
       {Case{""sv, Errc::malformed}, Case{"guest"sv, Errc::malformed},
        Case{"\0"sv, Errc::malformed}, Case{"\0guest\0gu\0est"sv, Errc::malformed},
        Case{"\0guest\0guest\0"sv, Errc::malformed},
        Case{"admin\0guest\0guest"sv, Errc::unsupported},
        Case{"guest\0guest\0guest"sv, Errc::unsupported}}) {
    Result<PlainLogin> login = parse_plain(one.response);
    ASSERT_FALSE(login) << one.response;
    EXPECT_EQ(login.error().code, one.code) << one.response;
  }
}

// Each prefix lies in a block of its own size, so that a sanitizer sees one byte too far.
TEST(ParsePlain, EveryPrefix) {
  std::string_view whole = "\0guest\0pass"sv;
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    auto exact = std::make_unique<char[]>(size);
    std::memcpy(exact.get(), whole.data(), size);
    Result<PlainLogin> login = parse_plain({exact.get(), size});
    bool has_both_nuls = size >= 7;
    ASSERT_EQ(login.has_value(), has_both_nuls) << size;
    EXPECT_EQ(login ? login->password : "", has_both_nuls ? whole.substr(7, size - 7) : "");
  }
}

TEST(ParseExternal, TakesTheCertificatesName) {
  EXPECT_EQ(parse_external("", "CN=ada").value(), "CN=ada");
  EXPECT_EQ(parse_external("CN=ada", "CN=ada").value(), "CN=ada");
}

TEST(ParseExternal, RefusesOtherNamesAndNoCertificate) {
  EXPECT_EQ(parse_external("CN=eve", "CN=ada").error().code, Errc::refused);
  EXPECT_EQ(parse_external("CN=ad", "CN=ada").error().code, Errc::refused);
  EXPECT_EQ(parse_external("CN=ada\0"sv, "CN=ada").error().code, Errc::refused);
  EXPECT_EQ(parse_external("", "").error().code, Errc::refused);
  EXPECT_EQ(parse_external("CN=ada", "").error().code, Errc::refused);
}

}  // namespace
}  // namespace wharf::auth
