#include "runtime/timer_wheel.h"

#include <map>

#include <gtest/gtest.h>

#include "base/random.h"

namespace wharf::runtime {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr Instant start = Instant(std::chrono::seconds(1000));

struct Wheel {
  TimerWheel<int> timers{start};
  std::vector<int> fired;
  void advance(Duration since_start) {
    timers.advance(start + since_start, [&](int payload) { fired.push_back(payload); });
  }
};

TEST(TimerWheel, FiresAtTheTickThatIsNotBeforeTheDeadline) {
  Wheel wheel;
  wheel.timers.add(start + microseconds(1500), 1);
  wheel.advance(microseconds(1999));
  EXPECT_TRUE(wheel.fired.empty());
  EXPECT_EQ(wheel.timers.next(), start + milliseconds(2));
  wheel.advance(milliseconds(2));
  EXPECT_EQ(wheel.fired, std::vector{1});
  EXPECT_EQ(wheel.timers.size(), 0u);
  EXPECT_EQ(wheel.timers.next(), std::nullopt);
}

TEST(TimerWheel, APastDeadlineFiresAtTheNextTick) {
  Wheel wheel;
  wheel.advance(milliseconds(10));
  wheel.timers.add(start, 1);
  wheel.timers.add(start - hours(1), 2);
  wheel.advance(milliseconds(10));
  EXPECT_TRUE(wheel.fired.empty());
  wheel.advance(milliseconds(11));
  EXPECT_EQ(wheel.fired.size(), 2u);
}

TEST(TimerWheel, AnIdOutlivesItsTimer) {
  Wheel wheel;
  TimerId first = wheel.timers.add(start + milliseconds(1), 1);
  EXPECT_TRUE(wheel.timers.cancel(first));
  EXPECT_FALSE(wheel.timers.cancel(first));
  TimerId second = wheel.timers.add(start + milliseconds(1), 2);
  EXPECT_FALSE(wheel.timers.cancel(first));
  EXPECT_FALSE(wheel.timers.cancel(TimerId{}));
  wheel.advance(milliseconds(1));
  EXPECT_EQ(wheel.fired, std::vector{2});
  EXPECT_FALSE(wheel.timers.cancel(second));
}

TEST(TimerWheel, FireMayAddAndCancel) {
  TimerWheel<int> timers(start);
  TimerId victim = timers.add(start + milliseconds(5), 99);
  std::vector<int> fired;
  auto fire = [&](int payload) {
    fired.push_back(payload);
    timers.cancel(victim);
    if (payload < 3) timers.add(start, payload + 1);
  };
  timers.add(start + milliseconds(1), 1);
  timers.advance(start + milliseconds(1), fire);
  EXPECT_EQ(fired, std::vector{1});
  timers.advance(start + milliseconds(10), fire);
  EXPECT_EQ(fired, (std::vector{1, 2, 3}));
}

TEST(TimerWheel, TheEndOfTimeIsAValidDeadline) {
  Wheel wheel;
  wheel.timers.add(Instant::max(), 1);
  wheel.advance(hours(1));
  EXPECT_TRUE(wheel.fired.empty());
  EXPECT_EQ(wheel.timers.size(), 1u);
}

TEST(TimerWheel, LaterThanAllWheels) {
  Wheel wheel;
  Duration far = milliseconds((std::int64_t{1} << 32) + 12'345);
  wheel.advance(milliseconds(777));
  wheel.timers.add(start + far, 1);
  for (Duration at = milliseconds(777); at < far; at += hours(200)) wheel.advance(at);
  wheel.advance(far - milliseconds(1));
  EXPECT_TRUE(wheel.fired.empty());
  wheel.advance(far);
  EXPECT_EQ(wheel.fired, std::vector{1});
}

// Random adds, cancels and steps against a sorted map: nothing early, nothing more than a tick
// late, everything once, and next() never sleeps past a timer.
class Shadow {
 public:
  explicit Shadow(std::uint64_t seed) : random_(seed) {}

  void step() {
    switch (random_.below(4)) {
      case 0:
      case 1:
        return add();
      case 2:
        return cancel();
      default:
        return advance();
    }
  }

  void finish() {
    while (!expected_.empty()) advance();
    EXPECT_EQ(timers_.size(), 0u);
  }

 private:
  struct Entry {
    TimerId id;
    Instant deadline;
  };

  Duration random_span() {
    constexpr std::int64_t spans_us[] = {3'000, 300'000, 70'000'000, 20'000'000'000};
    std::int64_t span = spans_us[random_.below(4)];
    return microseconds(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(span))));
  }

  void add() {
    Instant deadline = now_ + random_span() - milliseconds(1);
    int name = names_++;
    expected_.emplace(name, Entry{timers_.add(deadline, name), std::max(deadline, now_)});
  }

  void cancel() {
    if (expected_.empty()) return;
    auto victim =
        expected_.lower_bound(static_cast<int>(random_.below(static_cast<std::uint64_t>(names_))));
    if (victim == expected_.end()) return;
    EXPECT_TRUE(timers_.cancel(victim->second.id));
    expected_.erase(victim);
  }

  void advance() {
    Instant before = now_;
    std::optional<Instant> next = timers_.next();
    now_ += random_span() / (random_.below(2) == 0 ? 1 : 1000);
    timers_.advance(now_, [&](int name) {
      auto it = expected_.find(name);
      ASSERT_NE(it, expected_.end());
      EXPECT_LE(it->second.deadline, now_);
      EXPECT_GT(it->second.deadline + milliseconds(2), before);
      ASSERT_TRUE(next.has_value());
      EXPECT_LE(*next, std::max(it->second.deadline, before) + milliseconds(1));
      expected_.erase(it);
    });
    for (const auto& [name, entry] : expected_) {
      EXPECT_GT(entry.deadline + milliseconds(2), now_) << "late";
    }
    EXPECT_EQ(timers_.size(), expected_.size());
  }

  SeededRandom random_;
  Instant now_ = start;
  TimerWheel<int> timers_{start};
  std::map<int, Entry> expected_;
  int names_ = 0;
};

TEST(TimerWheel, FollowsTheShadowModel) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(seed);
    Shadow shadow(seed);
    for (int i = 0; i < 400; ++i) shadow.step();
    shadow.finish();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace wharf::runtime
