// sim/sim_disk.h: a disk in memory that behaves as badly as a real one may. It knows what the
// process sees (the page cache), what is on the platter, and which sectors are in between.
//
// The owner submits; the scheduler calls step(). A request is queued, then started (its data is
// visible, not safe), then completed (safe, and answered). Time: a request takes 50 us to 2 ms, or
// stalls. A power cut keeps any subset of the 512-byte sectors that were started and not completed,
// and any outcome of the name change that was under way. A kill of the process loses only what was
// not started; what the cache then holds is lost by a later power cut, unless a sync of that file
// came between. Inline mode is for opening and closing, when the owner blocks: requests are carried
// out as they come.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "sim/chance.h"
#include "sim/marks.h"
#include "storage/disk.h"
#include "wire/writer.h"

namespace wharf::sim {

struct DiskRates {
  std::uint32_t stall_permille = 0;  // of requests, each for 1 to 10 s
};

// A place on the platter that one write put there.
struct Extent {
  std::string file;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

class SimDisk final : public storage::Disk {
 public:
  static constexpr std::uint64_t sector_size = 512;

  SimDisk(const Clock& clock, std::uint64_t seed, std::uint64_t index, const DiskRates& rates,
          std::uint64_t capacity_bytes);

  // ---- storage::Disk
  void submit(storage::DiskRequest request) override;
  void poll(std::vector<storage::DiskResult>& results) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<std::uint64_t> file_size(const std::string& file) override;
  Result<Buffer> read(const std::string& file, std::uint64_t offset, std::uint64_t size) override;
  Result<void> execute(storage::DiskRequest request) override;
  std::uint64_t free_bytes() override;

  // ---- the scheduler's side
  // Whether step() would do something now; if not, next_ready() says when it would.
  bool can_step() const;
  // Starts or completes one request. True when the owner is to be woken.
  bool step();
  std::optional<Instant> next_ready() const;
  bool busy() const { return !writes_.empty() || !others_.empty(); }
  void set_inline(bool on) { inline_ = on; }

  // ---- faults
  // After either the owner is gone: what it asked for and was not started is forgotten.
  void power_cut();
  void kill();
  // Every write fails from now on, until repair.
  void break_writes() { broken_ = true; }
  // No room for new files, until repair.
  void fill_up() { full_ = true; }
  void repair();
  // The power goes during one of the next requests in inline mode: all later ones fail.
  void cut_after(std::uint64_t requests) { requests_left_ = requests; }
  void cut_never() { requests_left_.reset(); }
  bool was_cut() const { return requests_left_ && *requests_left_ == 0; }
  // Changes one bit of what `extent` shows; false when there is no such place any more.
  bool flip_bit(const Extent& extent, std::uint64_t bit);
  void zero(const Extent& extent);

  // ---- what the oracle asks
  // The whole message was on the platter at some time.
  bool has_synced(MessageId id, std::size_t body_size) const;
  // Of the write_sync requests that were completed, the last ones, oldest first.
  const std::deque<Extent>& recent_writes() const { return recent_writes_; }
  // A whole file that is not of the log itself: a superblock or an index.
  Extent some_small_file();
  // The messages whose marks stand there now.
  std::vector<MessageId> messages_in(const Extent& extent) const;
  std::uint64_t stalls() const { return stalls_; }
  std::uint64_t torn_sectors() const { return torn_sectors_; }
  // Of which a part was kept and a part lost.
  std::uint64_t torn_writes() const { return torn_writes_; }

 private:
  using NodeId = std::uint64_t;
  // Bytes that are in the cache and not on the platter, with what the platter has there.
  struct Unsynced {
    std::uint64_t offset = 0;
    std::vector<std::byte> before;
  };
  struct Node {
    std::vector<std::byte> data;
    std::vector<Unsynced> unsynced;  // in the order of writing
  };
  struct Queued {
    storage::DiskRequest request;
    std::optional<Instant> ready;  // set once started
    bool written = false;
  };
  using Names = std::map<std::string, NodeId>;

  Duration latency();
  bool step_queue(std::deque<Queued>& queue);
  void start(Queued& queued);
  void complete(Queued& queued);
  Result<void> write(const storage::DiskRequest& request);
  void sync(const storage::DiskRequest& request);
  Result<Buffer> carry_out(const storage::DiskRequest& request);
  Result<Buffer> allocate(const storage::DiskRequest& request);
  Result<Buffer> replace(const storage::DiskRequest& request);
  Result<Buffer> rename(const storage::DiskRequest& request);
  void interrupt(const storage::DiskRequest& request);
  bool spend_request();
  void lose_sectors(Node& node);
  void drop_unnamed();
  Node* find(const std::string& file);
  const Node* find(const std::string& file) const;
  std::uint64_t used_bytes() const;
  void note_marks(Bytes bytes);

  const Clock& clock_;
  Chance chance_;
  DiskRates rates_;
  std::uint64_t capacity_bytes_;
  Names names_;         // as the process sees them
  Names synced_names_;  // as the platter has them
  std::map<NodeId, Node> nodes_;
  NodeId next_node_ = 1;
  std::deque<Queued> writes_;  // write_sync
  std::deque<Queued> others_;
  std::vector<storage::DiskResult> results_;
  bool inline_ = false;
  bool broken_ = false;
  bool full_ = false;
  std::optional<std::uint64_t> requests_left_;
  std::map<MessageId, std::uint8_t> synced_marks_;
  std::deque<Extent> recent_writes_;
  std::uint64_t stalls_ = 0;
  std::uint64_t torn_sectors_ = 0;
  std::uint64_t torn_writes_ = 0;
};

}  // namespace wharf::sim
