#include "broker/live.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/assert.h"
#include "broker/live_writer.h"

namespace wharf::broker {

namespace {

std::size_t properties_size(const LiveMessage& message) {
  std::size_t size = 0;
  for (Bytes piece : message.properties) size += piece.size();
  return size;
}

std::byte* put(std::byte* at, Bytes bytes) {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

}  // namespace

std::size_t LiveRecord::size_of(const LiveMessage& message) {
  std::size_t size =
      sizeof(LiveRecord) + message.name.size() + properties_size(message) + message.body.size();
  return (size + 7) / 8 * 8;
}

const LiveRecord* LiveRecord::write(std::byte* at, const LiveMessage& message) {
  auto* record = new (at) LiveRecord;
  record->name_size_ = static_cast<std::uint32_t>(message.name.size());
  record->properties_size_ = static_cast<std::uint32_t>(properties_size(message));
  record->body_size_ = static_cast<std::uint32_t>(message.body.size());
  record->format_ = message.format;
  at = put(at + sizeof(LiveRecord), bytes_of(message.name));
  for (Bytes piece : message.properties) at = put(at, piece);
  put(at, message.body);
  return record;
}

const LiveRecord* LiveWriter::write(const LiveMessage& message) {
  std::size_t size = LiveRecord::size_of(message);
  if (!block_ || used_ + size > block_.size()) {
    block_ = Buffer(std::max(size, block_size));
    space_ = block_.writable().data();
    used_ = 0;
  }
  std::byte* at = space_ + used_;
  used_ += size;
  return LiveRecord::write(at, message);
}

}  // namespace wharf::broker
