// Opening a store from a directory that anything may have happened to. The input is a list of
// changes to a recorded good directory: bytes changed, files cut, swapped, replaced, checksums made
// good again so that what lies behind them is reached. Opening must return, with or without the
// damage accepted, and what opens must be readable and go on working.
#include <cstdint>
#include <cstdlib>

#include "storage/block.h"
#include "storage/crc32c.h"
#include "storage/recovery.h"
#include "storage/store_rig.h"
#include "storage/superblock.h"
#include "wire/reader.h"

namespace wharf::storage {
namespace {

constexpr std::uint64_t small_segment = 32 << 10;

void set_up(StoreRig& rig) {
  rig.options.segment_bytes = small_segment;
  rig.options.block_bytes_max = 8 << 10;
  rig.options.snapshot_interval_bytes = 64 << 10;
  rig.options.clean_segments_min = 2;
}

const MemoryDisk::Files& recorded() {
  static const MemoryDisk::Files files = [] {
    StoreRig rig;
    set_up(rig);
    rig.open();
    for (Sequence s = 1; s <= 300; ++s) {
      std::uint64_t lane = 1 + s % 4;
      std::string text = "record " + std::to_string(s) + std::string(s % 200, 'x');
      rig.append(lane, s, text, s % 7 == 0);
      if (s % 3 == 0) rig.settle(lane, s, text);
      if (s % 50 == 0) rig.meta("meta " + std::to_string(s));
      if (s % 40 == 0) rig.store->note_failures({LaneId{lane}, s}, 2);
      if (s % 60 == 0) rig.store->settle_below(LaneId{3}, s / 2);
      if (s % 4 == 0) rig.sync();
    }
    rig.sync();
    rig.clock.advance(std::chrono::milliseconds(30));
    rig.turns(3);
    rig.kill();
    return rig.disk.files();
  }();
  return files;
}

// Makes the checksums of the block at `offset` hold for what it contains now.
void mend_block(std::vector<std::byte>& file, std::uint64_t offset, const ShardKey& key) {
  offset = offset / page_bytes * page_bytes;
  if (offset + block_header_bytes > file.size()) return;
  std::byte* block = file.data() + offset;
  std::uint64_t left = file.size() - offset - block_header_bytes;
  Reader in(Bytes(block + 32, 4));
  std::uint64_t payload = std::min<std::uint64_t>(in.le<std::uint32_t>(), left);
  put_le(block + 40, crc32c(Bytes(block + block_header_bytes, payload)));
  put_le(block + 4, crc32c(Bytes(block + 8, block_header_bytes - 8), key.seed));
}

void mend_superblock(std::vector<std::byte>& file) {
  if (file.size() != superblock_bytes) return;
  put_le(file.data() + superblock_bytes - 4, crc32c(Bytes(file).first(superblock_bytes - 4)));
}

void change(MemoryDisk::Files& files, Reader& in, const ShardKey& key) {
  std::vector<std::string> names;
  for (const auto& [name, bytes] : files) names.push_back(name);
  if (names.empty()) return;
  const std::string& name = names[in.le<std::uint8_t>() % names.size()];
  std::vector<std::byte>& file = files[name];
  std::uint8_t action = in.le<std::uint8_t>();
  std::uint64_t offset = in.le<std::uint32_t>() % (file.size() + 1);
  switch (action % 8) {
    case 0:
    case 1:
      if (offset < file.size()) file[offset] ^= static_cast<std::byte>(in.le<std::uint8_t>());
      return;
    case 2: {
      Bytes bytes = in.take(std::min<std::size_t>(in.left(), in.le<std::uint8_t>()));
      for (std::size_t i = 0; i < bytes.size() && offset + i < file.size(); ++i) {
        file[offset + i] = bytes[i];
      }
      return;
    }
    case 3:
      return mend_block(file, offset, key);
    case 4:
      return mend_superblock(file);
    case 5:
      return file.resize(offset);
    case 6:
      files.erase(name);
      return;
    case 7: {
      const std::string& other = names[in.le<std::uint8_t>() % names.size()];
      if (other != name) std::swap(file, files[other]);
      return;
    }
  }
}

void use(StoreRig& rig) {
  for (const LaneState& lane : rig.store->lanes()) {
    Sequence from = 1;
    for (int round = 0; round < 50 && from < lane.next; ++round) {
      FetchResult result = rig.fetch(lane.lane.value(), from, 100);
      from = std::max(result.scanned_to, from) + (result.records ? 0 : 1);
      if (result.records && result.records->empty()) break;
    }
    if (lane.next < sequence_max) rig.append(lane.lane.value(), lane.next, "after");
  }
  rig.sync();
  rig.turns(5);
}

}  // namespace
}  // namespace wharf::storage

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wharf;
  using namespace wharf::storage;
  StoreRig rig;
  set_up(rig);
  rig.disk.files() = recorded();
  ShardKey key = read_superblocks(rig.disk)->front().key;
  Reader in(Bytes(reinterpret_cast<const std::byte*>(data), size));
  for (int i = 0; i < 64 && in.left() > 6; ++i) change(rig.disk.files(), in, key);
  MemoryDisk::Files changed = rig.disk.files();
  for (bool accept : {false, true}) {
    rig.options.accept_damage = accept;
    rig.disk.files() = changed;
    if (!rig.try_open()) continue;
    use(rig);
    rig.kill();
  }
  return 0;
}
