#include "bench/process_usage.h"

#include <vector>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace wharf::bench {
namespace {

TEST(ProcessUsage, SeesOwnMemoryGrow) {
  const pid_t self[] = {getpid()};
  ProcessUsage before = usage_of(self);
  constexpr std::size_t size = 64 << 20;
  std::vector<char> touched(size, 1);
  ProcessUsage after = usage_of(self);
  EXPECT_GE(after.resident_bytes, before.resident_bytes + size * 9 / 10) << touched.back();
  EXPECT_GE(after.cpu, before.cpu);
}

TEST(ProcessUsage, FindsChildren) {
  EXPECT_EQ(tree_of(getpid()), std::vector{getpid()});
  pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  std::vector<pid_t> tree = tree_of(getpid());
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(tree, (std::vector{getpid(), child}));
}

TEST(ProcessUsage, SeesLittleTime) {
  const pid_t self[] = {getpid()};
  ProcessUsage before = usage_of(self);
  volatile int spent = 0;
  for (int i = 0; i < 100'000; ++i) spent = spent + 1;
  Duration took = usage_of(self).cpu - before.cpu;
  EXPECT_GT(took, Duration{});
  EXPECT_LT(took, std::chrono::seconds(10));
}

TEST(ProcessUsage, NoSuchProcess) {
  constexpr pid_t beyond_all = 1 << 30;
  EXPECT_TRUE(tree_of(beyond_all).empty());
  EXPECT_EQ(usage_of({}).resident_bytes, 0u);
}

}  // namespace
}  // namespace wharf::bench
