#include "bench/process_usage.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <unordered_map>

#include <time.h>
#include <unistd.h>

namespace wharf::bench {

namespace {

struct ProcessStat {
  pid_t parent = 0;
  std::uint64_t resident_pages = 0;
};

// Fields 4 and 24 of /proc/<pid>/stat. The name in field 2 may hold anything, also
// brackets.
bool read_stat(pid_t pid, ProcessStat& stat) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(file, text)) return false;
  std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return false;
  std::istringstream rest(text.substr(name_end + 1));
  std::string skipped;
  rest >> skipped >> stat.parent;
  for (int field = 5; field < 24; ++field) rest >> skipped;
  rest >> stat.resident_pages;
  return !rest.fail();
}

// To the nanosecond, where /proc counts hundredths of a second. Zero when the process is gone.
Duration cpu_of(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return {};
  return std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec);
}

}  // namespace

std::vector<pid_t> tree_of(pid_t root) {
  std::unordered_multimap<pid_t, pid_t> children;
  std::vector<pid_t> tree;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    std::string name = entry.path().filename();
    pid_t pid = 0;
    auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (wrong != std::errc{} || end != name.data() + name.size()) continue;
    ProcessStat stat;
    if (!read_stat(pid, stat)) continue;
    children.emplace(stat.parent, pid);
    if (pid == root) tree.push_back(root);
  }
  for (std::size_t i = 0; i < tree.size(); ++i) {
    auto [first, last] = children.equal_range(tree[i]);
    std::transform(first, last, std::back_inserter(tree), [](auto& entry) { return entry.second; });
    children.erase(tree[i]);  // /proc is not one moment: a recycled pid must not make a circle
  }
  return tree;
}

ProcessUsage usage_of(std::span<const pid_t> processes) {
  auto page_size = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  ProcessUsage usage;
  for (pid_t pid : processes) {
    ProcessStat stat;
    if (!read_stat(pid, stat)) continue;
    usage.resident_bytes += stat.resident_pages * page_size;
    usage.cpu += cpu_of(pid);
  }
  return usage;
}

}  // namespace wharf::bench
