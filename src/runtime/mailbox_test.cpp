#include "runtime/mailbox.h"

#include <memory>
#include <thread>

#include <gtest/gtest.h>

namespace wharf::runtime {
namespace {

std::vector<int> receive_all(Post<int>& post, std::size_t to) {
  std::vector<int> all;
  std::vector<int> batch;
  while (post.receive(to, batch)) all.insert(all.end(), batch.begin(), batch.end());
  return all;
}

TEST(Lane, KeepsOrderAndBatches) {
  Lane<int> lane;
  std::vector<int> batch;
  EXPECT_FALSE(lane.pop(batch));
  lane.push({1, 2});
  lane.push({3});
  ASSERT_TRUE(lane.pop(batch));
  EXPECT_EQ(batch, (std::vector{1, 2}));
  lane.push({4});
  ASSERT_TRUE(lane.pop(batch));
  EXPECT_EQ(batch, std::vector{3});
  ASSERT_TRUE(lane.pop(batch));
  EXPECT_EQ(batch, std::vector{4});
  EXPECT_FALSE(lane.pop(batch));
}

TEST(Lane, FreesWhatNobodyTook) {
  auto watched = std::make_shared<int>(7);
  {
    Lane<std::shared_ptr<int>> lane;
    lane.push({watched, watched});
    lane.push({watched});
    std::vector<std::shared_ptr<int>> batch;
    ASSERT_TRUE(lane.pop(batch));
  }
  EXPECT_EQ(watched.use_count(), 1);
}

TEST(Post, NothingTravelsBeforeFlush) {
  std::vector<std::size_t> woken;
  Post<int> post(3, [&](std::size_t shard) { woken.push_back(shard); });
  post.send(0, 1, 10);
  post.send(0, 1, 11);
  post.send(0, 2, 20);
  EXPECT_TRUE(receive_all(post, 1).empty());
  EXPECT_TRUE(woken.empty());
  EXPECT_TRUE(post.flush(0));
  EXPECT_EQ(woken, (std::vector<std::size_t>{1, 2}));
  EXPECT_EQ(receive_all(post, 1), (std::vector{10, 11}));
  EXPECT_EQ(receive_all(post, 2), std::vector{20});
  EXPECT_FALSE(post.flush(0));
  EXPECT_EQ(woken.size(), 2u);
}

TEST(Post, AShardMayWriteToItself) {
  Post<int> post(1, [](std::size_t) {});
  post.send(0, 0, 5);
  post.flush(0);
  EXPECT_EQ(receive_all(post, 0), std::vector{5});
}

TEST(Post, LanesTakeTurns) {
  Post<int> post(2, [](std::size_t) {});
  for (int i = 0; i < 3; ++i) {
    post.send(0, 1, i);
    post.flush(0);
  }
  post.send(1, 1, 100);
  post.flush(1);
  std::vector<int> batch;
  ASSERT_TRUE(post.receive(1, batch));
  EXPECT_EQ(batch, std::vector{0});
  ASSERT_TRUE(post.receive(1, batch));
  EXPECT_EQ(batch, std::vector{100});
  ASSERT_TRUE(post.receive(1, batch));
  EXPECT_EQ(batch, std::vector{1});
}

TEST(Post, ReceiveFromTakesTheNamedLaneOnly) {
  Post<int> post(2, [](std::size_t) {});
  post.send(0, 1, 1);
  post.send(1, 1, 2);
  post.flush(0);
  post.flush(1);
  std::vector<int> batch;
  ASSERT_TRUE(post.receive_from(1, 1, batch));
  EXPECT_EQ(batch, std::vector{2});
  EXPECT_FALSE(post.receive_from(1, 1, batch));
}

// Two threads exchange messages; the thread sanitizer judges the hand-over.
TEST(Post, TwoThreadsSeeEveryMessageOnceAndInOrder) {
  constexpr int count = 20'000;
  Post<std::unique_ptr<int>> post(2, [](std::size_t) {});
  auto work = [&](std::size_t self) {
    std::size_t other = 1 - self;
    std::vector<std::unique_ptr<int>> batch;
    int sent = 0;
    int received = 0;
    while (received < count || sent < count) {
      for (int i = 0; i < 1 + sent % 7 && sent < count; ++i) {
        post.send(self, other, std::make_unique<int>(sent++));
      }
      post.flush(self);
      while (post.receive(self, batch)) {
        for (const auto& message : batch) ASSERT_EQ(*message, received++);
      }
    }
  };
  std::thread first([&] { work(0); });
  std::thread second([&] { work(1); });
  first.join();
  second.join();
}

}  // namespace
}  // namespace wharf::runtime
