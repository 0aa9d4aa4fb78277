// storage/disk.h: the seam between the log and the machine. A Disk is one directory tree of one
// shard. FileDisk (file_disk.h) is the real one, sim::SimDisk the one that tears, loses and lies.
// Shard: called by its owner only; the work itself is done elsewhere and comes back through poll.
// Faults: io for anything that the disk refused, overloaded for no space left, not_found for no
// file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fault.h"
#include "wire/buffer.h"
#include "wire/bytes.h"

namespace wharf::storage {

struct DiskRequest {
  enum class Kind : std::uint8_t {
    write_sync,  // `data` at `offset` of an existing file, then fdatasync: the commit path, alone
                 // in its queue
    read,        // `size` bytes at `offset`; fewer at the end of the file
    allocate,    // new file of `size` zero bytes, all written and synced, directory too
    replace,     // `data` becomes the whole file: temporary, fsync, rename, directory fsync
    rename,      // `file` to `target`, directory fsync; replaces what is there
    remove,      // directory fsync behind it; no file is no fault
  };
  Kind kind;
  std::uint64_t token = 0;  // comes back in the result
  std::string file{};       // relative, '/' between directory and name
  std::string target{};
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  Buffer data{};
};

struct DiskResult {
  std::uint64_t token = 0;
  Result<Buffer> outcome;  // the bytes of a read, empty otherwise
};

class Disk {
 public:
  virtual ~Disk() = default;

  // Queues the request. write_sync requests complete in the order of submission among themselves,
  // so do reads, so do the rest; between the three kinds there is no order. Once a write_sync has
  // failed, all later ones fail too, untried. A write_sync without data makes durable what the file
  // holds. The disk has let go of `data` when the result is polled: the caller may write into that
  // buffer again.
  virtual void submit(DiskRequest request) = 0;
  // Appends what has completed since the last call. The owner is woken when there is something.
  virtual void poll(std::vector<DiskResult>& results) = 0;

  // Blocking; for opening, closing and tools, never while the shard serves. `execute` waits behind
  // everything that was submitted before, whose results then wait for poll. `list` gives names
  // without the directory, sorted; no directory is an empty list.
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
  virtual Result<std::uint64_t> file_size(const std::string& file) = 0;
  virtual Result<Buffer> read(const std::string& file, std::uint64_t offset,
                              std::uint64_t size) = 0;
  virtual Result<void> execute(DiskRequest request) = 0;

  // Bytes that the file system still has for us.
  virtual std::uint64_t free_bytes() = 0;
};

}  // namespace wharf::storage
