// The simulator over the whole broker: seeds that must pass, bugs that must be found, runs that
// repeat.
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "sim/run.h"

namespace wharf::sim {
namespace {

constexpr std::uint32_t short_run = 200;

TEST(Sim, ARunRepeatsFromItsSeed) {
  for (std::uint64_t seed : {3u, 4u, 5u}) {
    SimOptions options{.seed = seed, .operations = short_run};
    SimReport first = run_seed(options);
    SimReport second = run_seed(options);
    EXPECT_EQ(first.digest, second.digest) << seed;
    EXPECT_EQ(first.steps, second.steps) << seed;
    EXPECT_EQ(first.violation, second.violation) << seed;
  }
}

TEST(Sim, SeedsDiffer) {
  SimReport one = run_seed({.seed = 1, .operations = short_run});
  SimReport other = run_seed({.seed = 2, .operations = short_run});
  EXPECT_NE(one.digest, other.digest);
}

TEST(Sim, TheFirstSeedsPass) {
  SimTotals totals = run_seeds({.seed = 1, .operations = short_run}, 20);
  EXPECT_FALSE(totals.failed) << totals.violation << "\n" << reproduction(*totals.failed);
  // A world in which nothing happens proves nothing.
  EXPECT_GT(totals.sum.deliveries, 500u);
  EXPECT_GT(totals.sum.confirms, 100u);
  EXPECT_GT(totals.sum.power_cuts, 0u);
}

TEST(Sim, SeedsThatOnceFailedPass) {
  std::ifstream file(std::filesystem::path(__FILE__).parent_path() / "../../tests/sim/seeds.txt");
  ASSERT_TRUE(file.is_open());
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    std::istringstream fields(line);
    SimOptions options;
    fields >> options.seed >> options.operations >> options.shards;
    ASSERT_FALSE(fields.fail()) << line;
    SimReport report = run_seed(options);
    EXPECT_FALSE(report.violation) << line << "\n" << *report.violation;
  }
}

class SimBug : public testing::TestWithParam<Bug> {};

TEST_P(SimBug, IsFoundWithinAFewSeeds) {
  SimTotals totals = run_seeds({.seed = 1, .bug = GetParam()}, 20);
  ASSERT_TRUE(totals.failed) << "20 seeds passed with this bug in";
  // The line that is printed is enough to see it again.
  EXPECT_EQ(run_seed(*totals.failed).violation, totals.violation);
}

std::string test_name(const ::testing::TestParamInfo<Bug>& bug) {
  std::string name(name_of(bug.param));
  std::erase(name, '-');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, SimBug,
                         testing::Values(Bug::early_sync, Bug::truncating_recovery,
                                         Bug::dropped_settle, Bug::doubled_delivery,
                                         Bug::dropped_publish, Bug::unflagged,
                                         Bug::swapped_deliveries),
                         test_name);

}  // namespace
}  // namespace wharf::sim
