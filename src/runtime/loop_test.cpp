#include "runtime/loop.h"

#include <functional>
#include <thread>

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>

namespace wharf::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Client : public TurnClient {
 public:
  void turn() override {
    ++turns;
    if (on_turn) on_turn();
  }
  void turn_end() override {
    ++ends;
    if (on_end) on_end();
  }
  std::optional<Instant> next_deadline() const override { return deadline; }

  std::function<void()> on_turn;
  std::function<void()> on_end;
  std::optional<Instant> deadline;
  int turns = 0;
  int ends = 0;
};

struct LoopTest : ::testing::Test {
  SystemClock clock;
  Loop loop{clock};
  Client client;
  LoopTest() { loop.add(client); }

  Duration time_turn(Duration sleep_max) {
    Instant before = clock.now();
    loop.run_turn(sleep_max);
    return clock.now() - before;
  }
};

TEST_F(LoopTest, SleepsUntilTheDeadline) {
  client.deadline = clock.now() + milliseconds(30);
  Duration took = time_turn(seconds(10));
  EXPECT_GE(took, milliseconds(29));
  EXPECT_LT(took, seconds(5));
}

TEST_F(LoopTest, APastDeadlineDoesNotSleep) {
  client.deadline = Instant::min();
  EXPECT_LT(time_turn(seconds(10)), seconds(5));
}

TEST_F(LoopTest, AWakeDuringTheTurnPreventsSleep) {
  client.on_turn = [&] { loop.wake(); };
  EXPECT_LT(time_turn(seconds(10)), seconds(5));
}

TEST_F(LoopTest, AWakeFromAnotherThreadEndsTheSleep) {
  std::thread waker([&] {
    std::this_thread::sleep_for(milliseconds(20));
    for (int i = 0; i < 100; ++i) loop.wake();
  });
  EXPECT_LT(time_turn(seconds(10)), seconds(5));
  waker.join();
  // All those wakes were one: the turn after the woken one sleeps again.
  time_turn(Duration::zero());
  EXPECT_GE(time_turn(milliseconds(20)), milliseconds(19));
}

TEST_F(LoopTest, HandlersRunBeforeTurnsAndTurnsBeforeEnds) {
  Client second;
  loop.add(second);
  std::string order;
  boost::asio::post(loop.io(), [&] { order += "handler "; });
  client.on_turn = [&] { order += "turn1 "; };
  second.on_turn = [&] { order += "turn2 "; };
  client.on_end = [&] { order += "end1 "; };
  second.on_end = [&] { order += "end2 "; };
  loop.run_turn(Duration::zero());
  EXPECT_EQ(order, "handler turn1 turn2 end1 end2 ");
}

TEST_F(LoopTest, HandlersThatBreedDoNotStarveTheClients) {
  std::function<void()> again = [&] { boost::asio::post(loop.io(), again); };
  again();
  loop.run_turn(Duration::zero());
  EXPECT_EQ(client.turns, 1);
  EXPECT_EQ(client.ends, 1);
}

TEST_F(LoopTest, StopFromAnotherThread) {
  std::thread stopper([&] {
    std::this_thread::sleep_for(milliseconds(10));
    loop.stop();
  });
  loop.run();
  stopper.join();
  EXPECT_GE(client.turns, 1);
}

// No wake may be lost between the last look and the sleep.
TEST(LoopThreads, EveryWakeIsFollowedByATurn) {
  SystemClock clock;
  Loop loop(clock);
  Client client;
  std::atomic<int> given{0};
  std::atomic<int> seen{0};
  client.on_turn = [&] { seen.store(given.load()); };
  loop.add(client);
  std::thread runner([&] { loop.run(); });
  for (int i = 1; i <= 2'000; ++i) {
    given.store(i);
    loop.wake();
    Instant limit = clock.now() + milliseconds(500);  // below the loop's longest sleep
    while (seen.load() < i && clock.now() < limit) std::this_thread::yield();
    ASSERT_EQ(seen.load(), i);
  }
  loop.stop();
  runner.join();
}

}  // namespace
}  // namespace wharf::runtime
