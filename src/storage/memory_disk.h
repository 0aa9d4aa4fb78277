// storage/memory_disk.h: a Disk in memory, for tests: requests complete when told to, a crash keeps
// a seeded part of what was under way, bits flip, space runs out, syncs fail.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "storage/disk.h"

namespace wharf::storage {

class MemoryDisk final : public Disk {
 public:
  using Files = std::map<std::string, std::vector<std::byte>>;

  // With `automatic`, poll completes everything first; else step does.
  explicit MemoryDisk(bool automatic = true) : automatic_(automatic) {}

  void submit(DiskRequest request) override;
  void poll(std::vector<DiskResult>& results) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<std::uint64_t> file_size(const std::string& file) override;
  Result<Buffer> read(const std::string& file, std::uint64_t offset, std::uint64_t size) override;
  Result<void> execute(DiskRequest request) override;
  std::uint64_t free_bytes() override { return free_bytes_; }

  // Completes one request of a kind that `random` picks; false when there is none.
  bool step(Random& random);
  void complete_all();
  std::size_t queued() const;

  // The process dies: answers are lost, and of what was queued a random part has happened. Writes
  // keep a random subset of their sectors; the rest happens as a whole or not, in order.
  void crash(Random& random);

  Files& files() { return files_; }
  void set_automatic(bool automatic) { automatic_ = automatic; }
  void flip_bit(const std::string& file, std::uint64_t offset, unsigned bit);
  // For free_bytes; below a request's size, allocate and replace answer overloaded.
  void set_free_bytes(std::uint64_t bytes) { free_bytes_ = bytes; }
  void fail_syncs() { fail_syncs_ = true; }
  // The power goes during one of the next requests: all later ones fail, until crash.
  void cut_after(std::uint64_t requests) { requests_left_ = requests; }
  std::uint64_t completed() const { return completed_; }

 private:
  static constexpr std::size_t sector_bytes = 512;

  Result<Buffer> perform(const DiskRequest& request);
  void complete_front(std::size_t queue);
  void tear(const DiskRequest& request, Random& random);

  bool automatic_;
  Files files_;
  std::array<std::deque<DiskRequest>, 3> queues_;
  std::vector<DiskResult> results_;
  std::uint64_t free_bytes_ = std::uint64_t{1} << 40;
  bool fail_syncs_ = false;
  std::uint64_t requests_left_ = UINT64_MAX;
  std::uint64_t completed_ = 0;
};

}  // namespace wharf::storage
