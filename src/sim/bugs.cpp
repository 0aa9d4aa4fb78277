#include "sim/bugs.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace wharf::sim {

namespace {

constexpr std::array<std::pair<Bug, std::string_view>, 8> names = {{
    {Bug::none, "none"},
    {Bug::early_sync, "early-sync"},
    {Bug::truncating_recovery, "truncating-recovery"},
    {Bug::dropped_settle, "dropped-settle"},
    {Bug::doubled_delivery, "doubled-delivery"},
    {Bug::dropped_publish, "dropped-publish"},
    {Bug::unflagged, "unflagged"},
    {Bug::swapped_deliveries, "swapped-deliveries"},
}};

constexpr std::uint64_t rate_permille = 30;

// Answers a write before it is carried out.
class EarlySyncDisk final : public storage::Disk {
 public:
  explicit EarlySyncDisk(SimDisk& disk) : disk_(disk) {}

  void submit(storage::DiskRequest request) override {
    if (request.kind == storage::DiskRequest::Kind::write_sync) {
      // The owner may use its buffer again once it is answered.
      request.data = Buffer::copy_of(request.data.bytes());
      early_.push_back({request.token, Buffer()});
      answered_.insert(request.token);
    }
    disk_.submit(std::move(request));
  }
  void poll(std::vector<storage::DiskResult>& results) override {
    std::vector<storage::DiskResult> own;
    disk_.poll(own);
    std::erase_if(own, [&](const auto& result) { return answered_.erase(result.token) > 0; });
    std::ranges::move(std::exchange(early_, {}), std::back_inserter(results));
    std::ranges::move(own, std::back_inserter(results));
  }
  Result<std::vector<std::string>> list(const std::string& directory) override {
    return disk_.list(directory);
  }
  Result<std::uint64_t> file_size(const std::string& file) override {
    return disk_.file_size(file);
  }
  Result<Buffer> read(const std::string& file, std::uint64_t offset, std::uint64_t size) override {
    return disk_.read(file, offset, size);
  }
  Result<void> execute(storage::DiskRequest request) override {
    return disk_.execute(std::move(request));
  }
  std::uint64_t free_bytes() override { return disk_.free_bytes(); }

 private:
  SimDisk& disk_;
  std::vector<storage::DiskResult> early_;
  std::set<std::uint64_t> answered_;
};

class BuggyCore final : public CoreProxy {
 public:
  BuggyCore(Bug bug, broker::Core& core, Chance& chance)
      : CoreProxy(core), bug_(bug), chance_(chance) {}

  broker::Outcome<broker::Published> publish(broker::SessionId session,
                                             const broker::Message& message,
                                             const broker::PublishOptions& options) override {
    if (bug_ == Bug::dropped_publish && chance_.permille(rate_permille)) {
      return broker::Published{1, 0};
    }
    return CoreProxy::publish(session, message, options);
  }

  void settle(broker::SessionId session, broker::QueueId queue,
              std::span<const broker::RecordRef> records, broker::Disposition disposition,
              std::optional<broker::Token> receipt) override {
    bool drops = bug_ == Bug::dropped_settle && !receipt && chance_.permille(rate_permille);
    if (!drops) CoreProxy::settle(session, queue, records, disposition, receipt);
  }

  void take_events(broker::SessionId session, std::vector<broker::Event>& events) override {
    std::size_t before = events.size();
    CoreProxy::take_events(session, events);
    for (std::size_t i = before; i < events.size(); ++i) {
      auto* delivery = std::get_if<broker::Delivery>(&events[i]);
      if (!delivery) continue;
      if (bug_ == Bug::unflagged) delivery->redelivered = false;
      if (!chance_.permille(rate_permille)) continue;
      if (bug_ == Bug::doubled_delivery) {
        broker::Event copy = events[i];
        events.insert(events.begin() + static_cast<std::ptrdiff_t>(++i), std::move(copy));
      } else if (bug_ == Bug::swapped_deliveries && i > before &&
                 std::holds_alternative<broker::Delivery>(events[i - 1])) {
        std::swap(events[i - 1], events[i]);
      }
    }
  }

 private:
  Bug bug_;
  Chance& chance_;
};

}  // namespace

std::string_view name_of(Bug bug) {
  return std::ranges::find(names, bug, &std::pair<Bug, std::string_view>::first)->second;
}

std::optional<Bug> find_bug(std::string_view name) {
  auto it = std::ranges::find(names, name, &std::pair<Bug, std::string_view>::second);
  if (it == names.end()) return std::nullopt;
  return it->first;
}

std::unique_ptr<storage::Disk> make_buggy_disk(Bug bug, SimDisk& disk) {
  if (bug != Bug::early_sync) return nullptr;
  return std::make_unique<EarlySyncDisk>(disk);
}

std::unique_ptr<broker::Core> make_buggy_core(Bug bug, broker::Core& core, Chance& chance) {
  switch (bug) {
    case Bug::none:
    case Bug::early_sync:
    case Bug::truncating_recovery:
      return nullptr;
    case Bug::dropped_settle:
    case Bug::doubled_delivery:
    case Bug::dropped_publish:
    case Bug::unflagged:
    case Bug::swapped_deliveries:
      return std::make_unique<BuggyCore>(bug, core, chance);
  }
  std::unreachable();
}

void spoil_before_recovery(Bug bug, SimDisk& disk) {
  if (bug != Bug::truncating_recovery || disk.recent_writes().empty()) return;
  disk.zero(disk.recent_writes().back());
}

}  // namespace wharf::sim
