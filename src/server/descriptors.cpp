#include "server/descriptors.h"

#include <algorithm>

#include <sys/resource.h>

#include "storage/file_disk.h"

namespace wharf::server {

namespace {

// A shard's files, those open for a moment, its directories, and its loop's own (epoll, timer,
// wake-up).
constexpr std::uint64_t of_a_shard = storage::FileDisk::open_files_max + 16;
// Standard streams, listeners, connections on their way to their shard, what libraries open.
constexpr std::uint64_t of_the_process = 32;

}  // namespace

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  rlimit wanted{limit.rlim_max, limit.rlim_max};
  if (::setrlimit(RLIMIT_NOFILE, &wanted) == 0) return wanted.rlim_cur;
  return limit.rlim_cur;
}

std::uint64_t connections_that_fit(std::uint64_t descriptors, std::uint32_t shards) {
  std::uint64_t others = of_the_process + of_a_shard * shards;
  return descriptors - std::min(descriptors, others);
}

}  // namespace wharf::server
