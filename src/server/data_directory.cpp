#include "server/data_directory.h"

#include <charconv>
#include <string_view>

#include <fmt/format.h>

namespace wharf::server {

namespace {

constexpr const char* meta_file = "wharf.meta";
constexpr std::string_view meta_start = "wharf data directory, version 1\nshards ";
constexpr std::uint32_t shards_max = 1024;

std::string meta_text(std::uint32_t shards) { return fmt::format("{}{}\n", meta_start, shards); }

// 0 when it is not such a file.
std::uint32_t parse_meta(std::string_view text) {
  if (!text.starts_with(meta_start)) return 0;
  text.remove_prefix(meta_start.size());
  std::uint32_t shards = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), shards);
  bool whole = error == std::errc() && std::string_view(end, text.end()) == "\n";
  return whole && shards <= shards_max ? shards : 0;
}

}  // namespace

std::expected<DataDirectory, std::string> DataDirectory::open(const std::string& path,
                                                              std::uint32_t shards) {
  auto disk = storage::FileDisk::open(path, [] {});
  if (!disk) {
    bool taken = disk.error().code == Errc::locked;
    return std::unexpected(fmt::format("data directory {}: {}", path,
                                       taken ? "another process uses it" : disk.error().why));
  }
  DataDirectory directory(path, std::move(*disk));
  auto size = directory.disk_->file_size(meta_file);
  if (!size && size.error().code == Errc::not_found) {
    storage::DiskRequest request;
    request.kind = storage::DiskRequest::Kind::replace;
    request.file = meta_file;
    request.data = Buffer::copy_of(bytes_of(meta_text(shards)));
    if (auto made = directory.disk_->execute(std::move(request)); !made) {
      return std::unexpected(fmt::format("{}/{}: {}", path, meta_file, made.error().why));
    }
    directory.shards_ = shards;
    return directory;
  }
  auto text = size ? directory.disk_->read(meta_file, 0, *size) : Result<Buffer>(Buffer());
  directory.shards_ = text ? parse_meta(text_of(text->bytes())) : 0;
  if (directory.shards_ == 0) {
    return std::unexpected(
        fmt::format("{}/{}: not a data directory of this version", path, meta_file));
  }
  return directory;
}

std::string DataDirectory::shard_path(std::uint32_t shard) const {
  return fmt::format("{}/shard-{:04}", path_, shard);
}

}  // namespace wharf::server
