// storage/io.h: requests to a Disk, each with the function that takes its answer. The functions run
// in poll, on the owner's turn. Those that have not been answered when the Io goes are dropped.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "storage/disk.h"

namespace wharf::storage {

class Io {
 public:
  using Handler = std::move_only_function<void(Result<Buffer>)>;

  // Tokens count from `first_token`, so that answers to an Io that was before on the same disk are
  // known as such.
  Io(Disk& disk, std::uint64_t first_token) : disk_(disk), next_token_(first_token) {}
  Io(const Io&) = delete;
  Io& operator=(const Io&) = delete;

  void submit(DiskRequest request, Handler handler) {
    request.token = next_token_++;
    handlers_.emplace(request.token, std::move(handler));
    disk_.submit(std::move(request));
  }

  // True when something had been answered.
  bool poll() {
    results_.clear();
    disk_.poll(results_);
    for (DiskResult& result : results_) {
      auto it = handlers_.find(result.token);
      if (it == handlers_.end()) continue;
      Handler handler = std::move(it->second);
      handlers_.erase(it);
      handler(std::move(result.outcome));
    }
    return !results_.empty();
  }

  std::size_t in_flight() const { return handlers_.size(); }
  Disk& disk() { return disk_; }

 private:
  Disk& disk_;
  std::uint64_t next_token_;
  boost::unordered_flat_map<std::uint64_t, Handler> handlers_;
  std::vector<DiskResult> results_;
};

}  // namespace wharf::storage
