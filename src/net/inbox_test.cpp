#include "net/inbox.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace wharf::net {
namespace {

struct InboxTest : ::testing::Test {
  Inbox inbox;
  std::vector<std::byte> shared{std::vector<std::byte>(96 * 1024)};

  // Receives as much of `text` as fits; returns how much.
  std::size_t receive(std::string_view text) {
    std::span<std::byte> space = inbox.prepare(shared);
    std::size_t size = std::min(space.size(), text.size());
    std::memcpy(space.data(), text.data(), size);
    inbox.filled(size);
    return size;
  }
  std::string unread() const { return std::string(text_of(inbox.unread())); }
};

TEST_F(InboxTest, TheRestComesBeforeWhatFollows) {
  receive("abcdef");
  EXPECT_EQ(unread(), "abcdef");
  inbox.keep_after(4);
  std::ranges::fill(shared, std::byte{'!'});
  EXPECT_EQ(unread(), "ef");
  receive("gh");
  EXPECT_EQ(unread(), "efgh");
  inbox.keep_after(0);
  EXPECT_EQ(unread(), "efgh");
  inbox.keep_after(4);
  EXPECT_EQ(unread(), "");
}

// Random receipts and uses against a string, through both ways of keeping.
TEST_F(InboxTest, FollowsTheShadowModel) {
  SeededRandom random(1);
  std::string expected;
  std::string next;
  for (int step = 0; step < 120; ++step) {
    next.resize(random.below(90'000));
    for (char& byte : next) byte = static_cast<char>(random.next());
    expected += next.substr(0, receive(next));
    ASSERT_EQ(unread(), expected);
    std::size_t used = random.below(3) == 0 ? random.below(expected.size() + 1) : 0;
    if (expected.size() > 600'000) used = expected.size() - random.below(1000);
    inbox.keep_after(used);
    std::ranges::fill(shared, std::byte{0});
    expected.erase(0, used);
    ASSERT_EQ(unread(), expected);
  }
}

}  // namespace
}  // namespace wharf::net
