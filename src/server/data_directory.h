// server/data_directory.h: the data directory as a whole: what was fixed when it was made, and
// where each shard has its part. File: docs/formats/directory.md.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "storage/file_disk.h"

namespace wharf::server {

class DataDirectory {
 public:
  // Makes the directory for `shards` shards if it is not there yet; else that number is not looked
  // at. Keeps other processes out as long as it lives. The error is for the operator.
  static std::expected<DataDirectory, std::string> open(const std::string& path,
                                                        std::uint32_t shards);

  std::uint32_t shards() const { return shards_; }
  std::string shard_path(std::uint32_t shard) const;

 private:
  DataDirectory(std::string path, std::unique_ptr<storage::FileDisk> disk)
      : path_(std::move(path)), disk_(std::move(disk)) {}

  std::string path_;
  std::unique_ptr<storage::FileDisk> disk_;  // holds the lock
  std::uint32_t shards_ = 0;
};

}  // namespace wharf::server
