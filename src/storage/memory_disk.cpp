#include "storage/memory_disk.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.h"

namespace wharf::storage {

namespace {

std::size_t queue_of(DiskRequest::Kind kind) {
  if (kind == DiskRequest::Kind::write_sync) return 0;
  return kind == DiskRequest::Kind::read ? 1 : 2;
}

}  // namespace

void MemoryDisk::submit(DiskRequest request) {
  queues_[queue_of(request.kind)].push_back(std::move(request));
}

void MemoryDisk::poll(std::vector<DiskResult>& results) {
  if (automatic_) complete_all();
  std::ranges::move(results_, std::back_inserter(results));
  results_.clear();
}

std::size_t MemoryDisk::queued() const {
  return queues_[0].size() + queues_[1].size() + queues_[2].size();
}

void MemoryDisk::complete_front(std::size_t queue) {
  ASSERT(!queues_[queue].empty());
  DiskRequest request = std::move(queues_[queue].front());
  queues_[queue].pop_front();
  ++completed_;
  results_.push_back({request.token, perform(request)});
}

void MemoryDisk::complete_all() {
  for (std::size_t queue = 0; queue < queues_.size(); ++queue) {
    while (!queues_[queue].empty()) complete_front(queue);
  }
}

bool MemoryDisk::step(Random& random) {
  if (queued() == 0) return false;
  std::size_t queue = random.below(queues_.size());
  while (queues_[queue].empty()) queue = (queue + 1) % queues_.size();
  complete_front(queue);
  return true;
}

Result<Buffer> MemoryDisk::perform(const DiskRequest& request) {
  if (requests_left_ == 0) return fault(Errc::io, "power is out");
  --requests_left_;
  switch (request.kind) {
    case DiskRequest::Kind::write_sync: {
      auto file = files_.find(request.file);
      if (fail_syncs_) return fault(Errc::io, "sync failed");
      if (file == files_.end()) return fault(Errc::not_found, "no such file");
      Bytes data = request.data.bytes();
      ASSERT(request.offset + data.size() <= file->second.size());
      std::ranges::copy(data, file->second.begin() + static_cast<std::ptrdiff_t>(request.offset));
      return Buffer();
    }
    case DiskRequest::Kind::read:
      return read(request.file, request.offset, request.size);
    case DiskRequest::Kind::allocate:
      if (request.size > free_bytes_) return fault(Errc::overloaded, "no space");
      files_[request.file].assign(request.size, std::byte{0});
      return Buffer();
    case DiskRequest::Kind::replace: {
      Bytes data = request.data.bytes();
      if (data.size() > free_bytes_) return fault(Errc::overloaded, "no space");
      files_[request.file].assign(data.begin(), data.end());
      return Buffer();
    }
    case DiskRequest::Kind::rename: {
      auto file = files_.find(request.file);
      if (file == files_.end()) return fault(Errc::not_found, "no such file");
      files_[request.target] = std::move(file->second);
      files_.erase(request.file);
      return Buffer();
    }
    case DiskRequest::Kind::remove:
      files_.erase(request.file);
      return Buffer();
  }
  std::unreachable();
}

Result<void> MemoryDisk::execute(DiskRequest request) {
  complete_all();
  Result<Buffer> done = perform(request);
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<std::vector<std::string>> MemoryDisk::list(const std::string& directory) {
  std::vector<std::string> names;
  std::string prefix = directory + "/";
  for (auto it = files_.lower_bound(prefix); it != files_.end(); ++it) {
    if (!it->first.starts_with(prefix)) break;
    names.push_back(it->first.substr(prefix.size()));
  }
  return names;
}

Result<std::uint64_t> MemoryDisk::file_size(const std::string& file) {
  auto it = files_.find(file);
  if (it == files_.end()) return fault(Errc::not_found, "no such file");
  return it->second.size();
}

Result<Buffer> MemoryDisk::read(const std::string& file, std::uint64_t offset, std::uint64_t size) {
  auto it = files_.find(file);
  if (it == files_.end()) return fault(Errc::not_found, "no such file");
  Bytes all(it->second);
  std::uint64_t start = std::min<std::uint64_t>(offset, all.size());
  return Buffer::copy_of(all.subspan(start, std::min<std::uint64_t>(size, all.size() - start)));
}

void MemoryDisk::tear(const DiskRequest& request, Random& random) {
  auto file = files_.find(request.file);
  if (file == files_.end() || fail_syncs_) return;
  Bytes data = request.data.bytes();
  std::uint64_t kept_of_8 = random.below(9);
  for (std::size_t at = 0; at < data.size(); at += sector_bytes) {
    if (random.below(8) >= kept_of_8) continue;
    Bytes sector = data.subspan(at, std::min(sector_bytes, data.size() - at));
    auto place = static_cast<std::ptrdiff_t>(request.offset + at);
    std::ranges::copy(sector, file->second.begin() + place);
  }
}

void MemoryDisk::crash(Random& random) {
  requests_left_ = UINT64_MAX;
  for (const DiskRequest& request : queues_[0]) tear(request, random);
  for (std::uint64_t done = random.below(queues_[2].size() + 1); done > 0; --done) {
    (void)perform(queues_[2].front());
    queues_[2].pop_front();
  }
  for (auto& queue : queues_) queue.clear();
  results_.clear();
  fail_syncs_ = false;
}

void MemoryDisk::flip_bit(const std::string& file, std::uint64_t offset, unsigned bit) {
  auto it = files_.find(file);
  ASSERT(it != files_.end() && offset < it->second.size() && bit < 8);
  it->second[offset] ^= static_cast<std::byte>(1 << bit);
}

}  // namespace wharf::storage
