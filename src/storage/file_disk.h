// storage/file_disk.h: a Disk that is a directory. Three threads: one writes and syncs the log, one
// reads, one does the rest (allocating, replacing, renaming), so that neither waits for another.
// A lock file keeps a second process out.
// Threads: `submit` and `poll` by the owner; `wake` is called on the worker threads, once for all
// results that nobody has polled yet.
#pragma once

#include <array>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "storage/disk.h"

namespace wharf::storage {

// An open file; closes itself.
class FileHandle {
 public:
  explicit FileHandle(int descriptor) : descriptor_(descriptor) {}
  ~FileHandle();
  FileHandle(const FileHandle&) = delete;
  FileHandle& operator=(const FileHandle&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

class FileDisk final : public Disk {
 public:
  // Files that it keeps open at most; a few more are open for a moment, for the work at hand.
  static constexpr std::size_t open_files_max = 64;

  // Creates the directory when it is not there. Faults: locked when another process has it, io.
  static Result<std::unique_ptr<FileDisk>> open(const std::string& directory,
                                                std::function<void()> wake);
  // For tools: nothing is created, requests that change something are refused. Faults: also
  // not_found.
  static Result<std::unique_ptr<FileDisk>> open_read_only(const std::string& directory);
  // What has been submitted is finished first.
  ~FileDisk() override;

  void submit(DiskRequest request) override;
  void poll(std::vector<DiskResult>& results) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<std::uint64_t> file_size(const std::string& file) override;
  Result<Buffer> read(const std::string& file, std::uint64_t offset, std::uint64_t size) override;
  Result<void> execute(DiskRequest request) override;
  std::uint64_t free_bytes() override;

 private:
  using Handle = std::shared_ptr<FileHandle>;
  enum Role : std::size_t { writer, reader, keeper, role_count };

  struct Worker {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<DiskRequest> queue;
    bool busy = false;
    bool stopping = false;
    std::thread thread;
  };

  FileDisk(std::string directory, Handle lock, bool read_only, std::function<void()> wake);
  static Role role_of(DiskRequest::Kind kind);
  void work(Worker& worker);
  void wait_idle();
  Result<Buffer> perform(const DiskRequest& request);
  Result<Buffer> write_sync(const DiskRequest& request);
  Result<Buffer> allocate(const DiskRequest& request);
  Result<Buffer> replace(const DiskRequest& request);
  Result<Buffer> rename(const DiskRequest& request);
  Result<Buffer> remove(const DiskRequest& request);
  std::string path_of(const std::string& file) const { return directory_ + "/" + file; }
  Result<Handle> handle_of(const std::string& file);
  void forget_handle(const std::string& file);
  Result<void> make_parent(const std::string& file);
  Result<void> sync_parent(const std::string& file);

  const std::string directory_;
  const Handle lock_;
  const bool read_only_;
  const std::function<void()> wake_;
  bool write_failed_ = false;  // of the writer's thread only, and of execute when that one rests

  std::mutex handles_mutex_;
  std::map<std::string, Handle> handles_;

  std::mutex results_mutex_;
  std::vector<DiskResult> results_;

  std::array<Worker, role_count> workers_;
};

}  // namespace wharf::storage
