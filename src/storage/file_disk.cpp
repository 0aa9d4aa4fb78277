#include "storage/file_disk.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/assert.h"

namespace wharf::storage {

namespace {

std::unexpected<Fault> fault_of(int error, const char* why) {
  if (error == ENOSPC || error == EDQUOT) return fault(Errc::overloaded, why);
  if (error == ENOENT) return fault(Errc::not_found, why);
  return fault(Errc::io, why);
}

Result<void> write_all(int descriptor, Bytes data, std::uint64_t offset) {
  while (!data.empty()) {
    ssize_t done = ::pwrite(descriptor, data.data(), data.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return fault_of(errno, "write failed");
    data = data.subspan(static_cast<std::size_t>(done));
    offset += static_cast<std::uint64_t>(done);
  }
  return {};
}

Result<void> sync_directory(const std::string& path) {
  int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return fault_of(errno, "directory cannot be opened");
  FileHandle handle(descriptor);
  if (::fsync(descriptor) != 0) return fault_of(errno, "directory cannot be synced");
  return {};
}

std::string parent_of(const std::string& path) {
  std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// With all that is above it.
Result<void> make_directory(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
  std::string parent = parent_of(path);
  if (parent != path) {
    if (Result<void> made = make_directory(parent); !made) return made;
  }
  if (::mkdir(path.c_str(), 0750) != 0 && errno != EEXIST) {
    return fault_of(errno, "directory cannot be created");
  }
  return sync_directory(parent);
}

}  // namespace

FileHandle::~FileHandle() { ::close(descriptor_); }

FileDisk::FileDisk(std::string directory, Handle lock, bool read_only, std::function<void()> wake)
    : directory_(std::move(directory)),
      lock_(std::move(lock)),
      read_only_(read_only),
      wake_(std::move(wake)) {
  for (Worker& worker : workers_) worker.thread = std::thread([this, &worker] { work(worker); });
}

Result<std::unique_ptr<FileDisk>> FileDisk::open(const std::string& directory,
                                                 std::function<void()> wake) {
  ASSERT(wake);
  if (Result<void> made = make_directory(directory); !made) return std::unexpected(made.error());
  int descriptor = ::open((directory + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (descriptor < 0) return fault_of(errno, "lock file cannot be opened");
  auto lock = std::make_shared<FileHandle>(descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return fault(Errc::locked, "directory is in use");
    return fault_of(errno, "directory cannot be locked");
  }
  return std::unique_ptr<FileDisk>(new FileDisk(directory, lock, false, std::move(wake)));
}

Result<std::unique_ptr<FileDisk>> FileDisk::open_read_only(const std::string& directory) {
  struct stat info;
  if (::stat(directory.c_str(), &info) != 0) return fault_of(errno, "no such directory");
  Handle lock;
  int descriptor = ::open((directory + "/lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor >= 0) {
    lock = std::make_shared<FileHandle>(descriptor);
    if (::flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      return fault(Errc::locked, "directory is in use");
    }
  }
  return std::unique_ptr<FileDisk>(new FileDisk(directory, lock, true, [] {}));
}

FileDisk::~FileDisk() {
  for (Worker& worker : workers_) {
    std::lock_guard guard(worker.mutex);
    worker.stopping = true;
    worker.changed.notify_all();
  }
  for (Worker& worker : workers_) worker.thread.join();
}

FileDisk::Role FileDisk::role_of(DiskRequest::Kind kind) {
  if (kind == DiskRequest::Kind::write_sync) return writer;
  return kind == DiskRequest::Kind::read ? reader : keeper;
}

void FileDisk::submit(DiskRequest request) {
  Worker& worker = workers_[role_of(request.kind)];
  std::lock_guard guard(worker.mutex);
  worker.queue.push_back(std::move(request));
  worker.changed.notify_all();
}

void FileDisk::poll(std::vector<DiskResult>& results) {
  std::lock_guard guard(results_mutex_);
  for (DiskResult& result : results_) results.push_back(std::move(result));
  results_.clear();
}

void FileDisk::work(Worker& worker) {
  std::unique_lock guard(worker.mutex);
  for (;;) {
    worker.changed.wait(guard, [&] { return worker.stopping || !worker.queue.empty(); });
    if (worker.queue.empty()) return;
    DiskRequest request = std::move(worker.queue.front());
    worker.queue.pop_front();
    worker.busy = true;
    guard.unlock();
    DiskResult result{request.token, perform(request)};
    // The data goes before the result is seen: its owner may use the buffer again.
    request.data = Buffer();
    bool first = false;
    {
      std::lock_guard results_guard(results_mutex_);
      first = results_.empty();
      results_.push_back(std::move(result));
    }
    if (first) wake_();
    guard.lock();
    worker.busy = false;
    worker.changed.notify_all();
  }
}

void FileDisk::wait_idle() {
  for (Worker& worker : workers_) {
    std::unique_lock guard(worker.mutex);
    worker.changed.wait(guard, [&] { return worker.queue.empty() && !worker.busy; });
  }
}

Result<void> FileDisk::execute(DiskRequest request) {
  wait_idle();
  Result<Buffer> done = perform(request);
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<Buffer> FileDisk::perform(const DiskRequest& request) {
  if (request.kind == DiskRequest::Kind::read) {
    return read(request.file, request.offset, request.size);
  }
  if (read_only_) return fault(Errc::refused, "opened for reading only");
  switch (request.kind) {
    case DiskRequest::Kind::write_sync:
      return write_sync(request);
    case DiskRequest::Kind::read:
      break;
    case DiskRequest::Kind::allocate:
      return allocate(request);
    case DiskRequest::Kind::replace:
      return replace(request);
    case DiskRequest::Kind::rename:
      return rename(request);
    case DiskRequest::Kind::remove:
      return remove(request);
  }
  std::unreachable();
}

Result<FileDisk::Handle> FileDisk::handle_of(const std::string& file) {
  std::lock_guard guard(handles_mutex_);
  auto known = handles_.find(file);
  if (known != handles_.end()) return known->second;
  int flags = (read_only_ ? O_RDONLY : O_RDWR) | O_CLOEXEC;
  int descriptor = ::open(path_of(file).c_str(), flags);
  if (descriptor < 0) return fault_of(errno, "file cannot be opened");
  // Names of segments ascend, so the first is most likely the one that is needed least.
  if (handles_.size() >= open_files_max) handles_.erase(handles_.begin());
  return handles_[file] = std::make_shared<FileHandle>(descriptor);
}

void FileDisk::forget_handle(const std::string& file) {
  std::lock_guard guard(handles_mutex_);
  handles_.erase(file);
}

Result<void> FileDisk::make_parent(const std::string& file) {
  return make_directory(parent_of(path_of(file)));
}

Result<void> FileDisk::sync_parent(const std::string& file) {
  return sync_directory(parent_of(path_of(file)));
}

Result<Buffer> FileDisk::write_sync(const DiskRequest& request) {
  if (write_failed_) return fault(Errc::io, "an earlier write failed");
  Result<Handle> handle = handle_of(request.file);
  Result<void> written{};
  if (!handle) {
    written = std::unexpected(handle.error());
  } else {
    written = write_all((*handle)->get(), request.data.bytes(), request.offset);
    if (written && ::fdatasync((*handle)->get()) != 0) written = fault_of(errno, "sync failed");
  }
  if (written) return Buffer();
  write_failed_ = true;
  return std::unexpected(written.error());
}

Result<Buffer> FileDisk::read(const std::string& file, std::uint64_t offset, std::uint64_t size) {
  Result<Handle> handle = handle_of(file);
  if (!handle) return std::unexpected(handle.error());
  Buffer buffer(size);
  std::span<std::byte> out = buffer.writable();
  std::size_t filled = 0;
  while (filled < out.size()) {
    ssize_t done = ::pread((*handle)->get(), out.data() + filled, out.size() - filled,
                           static_cast<off_t>(offset + filled));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return fault_of(errno, "read failed");
    if (done == 0) break;
    filled += static_cast<std::size_t>(done);
  }
  return filled == size ? buffer : buffer.slice(0, filled);
}

Result<Buffer> FileDisk::allocate(const DiskRequest& request) {
  if (Result<void> made = make_parent(request.file); !made) return std::unexpected(made.error());
  std::string path = path_of(request.file);
  int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (descriptor < 0) return fault_of(errno, "file cannot be created");
  FileHandle handle(descriptor);
  const std::vector<std::byte> zeros(std::min<std::uint64_t>(request.size, 1 << 20));
  Result<void> done{};
  for (std::uint64_t at = 0; done && at < request.size; at += zeros.size()) {
    Bytes piece = Bytes(zeros).first(std::min<std::uint64_t>(zeros.size(), request.size - at));
    done = write_all(descriptor, piece, at);
  }
  if (done && ::fsync(descriptor) != 0) done = fault_of(errno, "sync failed");
  if (done) done = sync_parent(request.file);
  if (done) return Buffer();
  ::unlink(path.c_str());
  return std::unexpected(done.error());
}

Result<Buffer> FileDisk::replace(const DiskRequest& request) {
  if (Result<void> made = make_parent(request.file); !made) return std::unexpected(made.error());
  std::string path = path_of(request.file);
  std::string temporary = path + ".tmp";
  int descriptor = ::open(temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (descriptor < 0) return fault_of(errno, "file cannot be created");
  FileHandle handle(descriptor);
  Result<void> done = write_all(descriptor, request.data.bytes(), 0);
  if (done && ::fsync(descriptor) != 0) done = fault_of(errno, "sync failed");
  if (done && ::rename(temporary.c_str(), path.c_str()) != 0)
    done = fault_of(errno, "rename failed");
  forget_handle(request.file);
  if (done) done = sync_parent(request.file);
  if (done) return Buffer();
  ::unlink(temporary.c_str());
  return std::unexpected(done.error());
}

Result<Buffer> FileDisk::rename(const DiskRequest& request) {
  if (Result<void> made = make_parent(request.target); !made) return std::unexpected(made.error());
  if (::rename(path_of(request.file).c_str(), path_of(request.target).c_str()) != 0) {
    return fault_of(errno, "rename failed");
  }
  forget_handle(request.file);
  forget_handle(request.target);
  Result<void> done = sync_parent(request.target);
  if (done) done = sync_parent(request.file);
  if (done) return Buffer();
  return std::unexpected(done.error());
}

Result<Buffer> FileDisk::remove(const DiskRequest& request) {
  forget_handle(request.file);
  if (::unlink(path_of(request.file).c_str()) != 0) {
    if (errno == ENOENT) return Buffer();
    return fault_of(errno, "file cannot be removed");
  }
  Result<void> done = sync_parent(request.file);
  if (done) return Buffer();
  return std::unexpected(done.error());
}

Result<std::vector<std::string>> FileDisk::list(const std::string& directory) {
  std::vector<std::string> names;
  DIR* stream = ::opendir(path_of(directory).c_str());
  if (!stream) {
    if (errno == ENOENT) return names;
    return fault_of(errno, "directory cannot be read");
  }
  while (const dirent* entry = ::readdir(stream)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  ::closedir(stream);
  std::ranges::sort(names);
  return names;
}

Result<std::uint64_t> FileDisk::file_size(const std::string& file) {
  struct stat info;
  if (::stat(path_of(file).c_str(), &info) != 0) return fault_of(errno, "no such file");
  return static_cast<std::uint64_t>(info.st_size);
}

std::uint64_t FileDisk::free_bytes() {
  struct statvfs info;
  if (::statvfs(directory_.c_str(), &info) != 0) return 0;
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

}  // namespace wharf::storage
