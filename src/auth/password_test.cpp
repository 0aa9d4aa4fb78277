#include "auth/password.h"

#include <gtest/gtest.h>

namespace wharf::auth {
namespace {

// The worked example of https://www.rabbitmq.com/docs/passwords: "test12" with salt 90 8D C6 0A.
constexpr std::string_view example = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR";

TEST(PasswordHash, ReadsTheDocumentedExample) {
  Result<PasswordHash> hash = PasswordHash::parse(example);
  ASSERT_TRUE(hash);
  EXPECT_TRUE(hash->matches("test12"));
  EXPECT_EQ(hash->text(), example);
}

TEST(PasswordHash, OtherPasswordsDoNotMatch) {
  Result<PasswordHash> hash = PasswordHash::parse(example);
  ASSERT_TRUE(hash);
  for (std::string_view other : {"", "test1", "test123", "Test12", " test12"}) {
    EXPECT_FALSE(hash->matches(other)) << other;
  }
}

TEST(PasswordHash, MakesWhatItReads) {
  SeededRandom random(7);
  PasswordHash hash = PasswordHash::of("s3cret", random);
  Result<PasswordHash> again = PasswordHash::parse(hash.text());
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->matches("s3cret"));
  EXPECT_FALSE(again->matches("s3creT"));
  EXPECT_NE(PasswordHash::of("s3cret", random).text(), hash.text());
}

TEST(PasswordHash, RefusesEveryPrefixAndOneMore) {
  for (std::size_t size = 0; size < example.size(); ++size) {
    EXPECT_FALSE(PasswordHash::parse(example.substr(0, size))) << size;
  }
  EXPECT_FALSE(PasswordHash::parse(std::string(example) + "A"));
  EXPECT_FALSE(PasswordHash::parse(std::string(example) + "AAAA"));
}

TEST(PasswordHash, RefusesWhatIsNotBase64) {
  for (std::size_t at : {0u, 13u, 46u, 47u}) {
    for (char letter : {'=', ' ', '\n', '-', '_', '\0', '\xff'}) {
      std::string bad(example);
      bad[at] = letter;
      EXPECT_FALSE(PasswordHash::parse(bad)) << at << ' ' << int{letter};
    }
  }
}

}  // namespace
}  // namespace wharf::auth
