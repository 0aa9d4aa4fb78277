#include "storage/file_disk.h"

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "storage/store_rig.h"

namespace wharf::storage {
namespace {

using Kind = DiskRequest::Kind;

class FileDiskTest : public ::testing::Test {
 protected:
  FileDiskTest() {
    std::string pattern = ::testing::TempDir() + "/file_disk_XXXXXX";
    path_ = ::mkdtemp(pattern.data());
    path_ += "/shard";
  }
  ~FileDiskTest() override {
    disk_.reset();
    std::filesystem::remove_all(std::filesystem::path(path_).parent_path());
  }
  void open() {
    auto opened = FileDisk::open(path_, [this] { ++wakes_; });
    ASSERT_TRUE(opened) << opened.error().why;
    disk_ = std::move(*opened);
  }
  std::vector<DiskResult> wait_for(std::size_t count) {
    std::vector<DiskResult> results;
    for (int i = 0; i < 10'000 && results.size() < count; ++i) {
      disk_->poll(results);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return results;
  }
  std::string read(const std::string& file, std::uint64_t offset, std::uint64_t size) {
    Result<Buffer> bytes = disk_->read(file, offset, size);
    return bytes ? std::string(text_of(bytes->bytes())) : "fault";
  }

  std::string path_;
  std::atomic<int> wakes_ = 0;
  std::unique_ptr<FileDisk> disk_;
};

TEST_F(FileDiskTest, DoesWhatItIsAsked) {
  open();
  ASSERT_TRUE(disk_->execute({.kind = Kind::allocate, .file = "free/1", .size = 3 << 20}));
  EXPECT_EQ(*disk_->file_size("free/1"), 3u << 20);
  ASSERT_TRUE(disk_->execute({.kind = Kind::rename, .file = "free/1", .target = "wal/7"}));
  EXPECT_EQ(disk_->file_size("free/1").error().code, Errc::not_found);
  Buffer data = Buffer::copy_of(bytes_of("hello"));
  ASSERT_TRUE(
      disk_->execute({.kind = Kind::write_sync, .file = "wal/7", .offset = 4096, .data = data}));
  EXPECT_EQ(read("wal/7", 4096, 5), "hello");
  EXPECT_EQ(read("wal/7", (3 << 20) - 2, 100), std::string(2, '\0'));
  ASSERT_TRUE(disk_->execute({.kind = Kind::replace, .file = "snap/1", .data = data}));
  EXPECT_EQ(read("snap/1", 0, 100), "hello");
  data = Buffer::copy_of(bytes_of("other"));
  ASSERT_TRUE(disk_->execute({.kind = Kind::replace, .file = "snap/1", .data = data}));
  EXPECT_EQ(read("snap/1", 0, 100), "other");
  EXPECT_EQ(*disk_->list("wal"), std::vector<std::string>{"7"});
  EXPECT_TRUE(disk_->list("nowhere")->empty());
  ASSERT_TRUE(disk_->execute({.kind = Kind::remove, .file = "snap/1"}));
  ASSERT_TRUE(disk_->execute({.kind = Kind::remove, .file = "snap/1"}));
  EXPECT_EQ(read("snap/1", 0, 100), "fault");
  EXPECT_GT(disk_->free_bytes(), 0u);
}

TEST_F(FileDiskTest, AnswersInOrderAndWakesOnce) {
  open();
  ASSERT_TRUE(disk_->execute({.kind = Kind::allocate, .file = "wal/1", .size = 1 << 20}));
  for (std::uint64_t i = 0; i < 50; ++i) {
    disk_->submit({.kind = Kind::write_sync,
                   .token = i,
                   .file = "wal/1",
                   .offset = i * 4096,
                   .data = Buffer::copy_of(bytes_of(std::to_string(i)))});
  }
  std::vector<DiskResult> results = wait_for(50);
  ASSERT_EQ(results.size(), 50u);
  for (std::uint64_t i = 0; i < 50; ++i) {
    EXPECT_EQ(results[i].token, i);
    EXPECT_TRUE(results[i].outcome);
  }
  EXPECT_GE(wakes_.load(), 1);
  EXPECT_LE(wakes_.load(), 50);
  EXPECT_EQ(read("wal/1", 49 * 4096, 2), "49");
}

TEST_F(FileDiskTest, AFailedWriteFailsAllThatFollow) {
  open();
  ASSERT_TRUE(disk_->execute({.kind = Kind::allocate, .file = "wal/1", .size = 8192}));
  disk_->submit({.kind = Kind::write_sync, .token = 1, .file = "wal/2"});
  disk_->submit({.kind = Kind::write_sync, .token = 2, .file = "wal/1"});
  std::vector<DiskResult> results = wait_for(2);
  ASSERT_EQ(results.size(), 2u);
  EXPECT_FALSE(results[0].outcome);
  EXPECT_FALSE(results[1].outcome);
}

TEST_F(FileDiskTest, TwoCannotHaveOneDirectory) {
  open();
  auto second = FileDisk::open(path_, [] {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::locked);
  EXPECT_EQ(FileDisk::open_read_only(path_).error().code, Errc::locked);
  disk_.reset();
  auto reader = FileDisk::open_read_only(path_);
  ASSERT_TRUE(reader);
  EXPECT_EQ((*reader)->execute({.kind = Kind::remove, .file = "x"}).error().code, Errc::refused);
  EXPECT_EQ(FileDisk::open_read_only(path_ + "/none").error().code, Errc::not_found);
}

TEST_F(FileDiskTest, AStoreOnFilesComesBack) {
  SystemClock clock;
  SeededRandom random(3);
  StoreOptions options{.segment_bytes = 256 << 10,
                       .block_bytes_max = 64 << 10,
                       .snapshot_interval_bytes = 512 << 10,
                       .free_bytes_min = 0};
  Sequence next = 1;
  for (int round = 0; round < 4; ++round) {
    open();
    TextSink sink;
    OpenReport report;
    auto store = Store::open(*disk_, clock, random, options, sink, [](ByteVector&) {}, report);
    ASSERT_TRUE(store) << store.error().why;
    EXPECT_EQ(report.clean, round == 1 || round == 3);
    std::uint64_t count = (*store)->lanes().empty() ? 0 : (*store)->lanes()[0].count;
    EXPECT_EQ(count, next - 1);
    std::string text(1000, 'f');
    for (int i = 0; i < 1000; ++i, ++next) {
      LaneRef ref{LaneId{1}, next};
      Bytes payload = bytes_of(text);
      ASSERT_TRUE((*store)->append({&ref, 1}, {&payload, 1}, 1000, false));
      if (i % 50 == 0) (*store)->on_turn_end();
    }
    for (int i = 0; i < 10'000 && (*store)->durable_up_to() < (*store)->end(); ++i) {
      (*store)->request_sync();
      (*store)->on_turn_end();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ASSERT_EQ((*store)->durable_up_to(), (*store)->end());
    if (round % 2 == 0) (*store)->close();
    store->reset();
    disk_.reset();
  }
}

}  // namespace
}  // namespace wharf::storage
