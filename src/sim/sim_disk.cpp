#include "sim/sim_disk.h"

#include <algorithm>
#include <set>

namespace wharf::sim {

using storage::DiskRequest;
using storage::DiskResult;

namespace {
// The cache may hold this many writes that wait for their sync.
constexpr std::size_t started_writes_max = 2;
constexpr std::size_t recent_writes_max = 64;
}  // namespace

SimDisk::SimDisk(const Clock& clock, std::uint64_t seed, std::uint64_t index,
                 const DiskRates& rates, std::uint64_t capacity_bytes)
    : clock_(clock),
      chance_(seed, Stream::disk, index),
      rates_(rates),
      capacity_bytes_(capacity_bytes) {}

// ---- what the owner calls

void SimDisk::submit(DiskRequest request) {
  if (inline_) {
    std::uint64_t token = request.token;
    Result<Buffer> outcome = fault(Errc::io, "the power is gone");
    bool had_power = !was_cut();
    if (spend_request()) {
      if (request.kind == DiskRequest::Kind::write_sync) {
        Result<void> written = write(request);
        if (written) sync(request);
        outcome = written ? Result<Buffer>(Buffer()) : std::unexpected(written.error());
      } else {
        outcome = carry_out(request);
      }
    } else if (had_power) {
      interrupt(request);
    }
    results_.push_back({token, std::move(outcome)});
    return;
  }
  bool is_write = request.kind == DiskRequest::Kind::write_sync;
  (is_write ? writes_ : others_).push_back({std::move(request), std::nullopt, false});
}

void SimDisk::poll(std::vector<DiskResult>& results) {
  // An owner that blocks gets what it submitted before it began to block as well.
  while (inline_ && busy()) {
    std::deque<Queued>& queue = writes_.empty() ? others_ : writes_;
    if (!queue.front().ready) start(queue.front());
    complete(queue.front());
    queue.pop_front();
  }
  for (DiskResult& result : results_) results.push_back(std::move(result));
  results_.clear();
}

Result<std::vector<std::string>> SimDisk::list(const std::string& directory) {
  std::string prefix = directory.empty() || directory == "." ? "" : directory + "/";
  std::set<std::string> found;
  for (const auto& [name, node] : names_) {
    if (!name.starts_with(prefix)) continue;
    std::string rest = name.substr(prefix.size());
    found.insert(rest.substr(0, rest.find('/')));
  }
  return std::vector<std::string>(found.begin(), found.end());
}

Result<std::uint64_t> SimDisk::file_size(const std::string& file) {
  const Node* node = find(file);
  if (!node) return fault(Errc::not_found, "no such file");
  return node->data.size();
}

Result<Buffer> SimDisk::read(const std::string& file, std::uint64_t offset, std::uint64_t size) {
  const Node* node = find(file);
  if (!node) return fault(Errc::not_found, "no such file");
  if (offset >= node->data.size()) return Buffer(0);
  std::uint64_t available = std::min(size, node->data.size() - offset);
  return Buffer::copy_of(Bytes(node->data).subspan(offset, available));
}

Result<void> SimDisk::execute(DiskRequest request) {
  bool was_inline = std::exchange(inline_, true);
  std::vector<DiskResult> earlier;
  poll(earlier);
  submit(std::move(request));
  Result<Buffer> outcome = std::move(results_.back().outcome);
  results_ = std::move(earlier);
  inline_ = was_inline;
  if (!outcome) return std::unexpected(outcome.error());
  return {};
}

std::uint64_t SimDisk::free_bytes() {
  if (full_) return 0;
  std::uint64_t used = used_bytes();
  return used < capacity_bytes_ ? capacity_bytes_ - used : 0;
}

// ---- the scheduler's side

bool SimDisk::can_step() const {
  if (writes_.empty() && others_.empty()) return false;
  std::optional<Instant> ready = next_ready();
  return !ready || *ready <= clock_.now();
}

// None when something can be started at once, or when there is nothing at all.
std::optional<Instant> SimDisk::next_ready() const {
  std::optional<Instant> next;
  for (const std::deque<Queued>* queue : {&writes_, &others_}) {
    if (queue->empty()) continue;
    const std::optional<Instant>& ready = queue->front().ready;
    if (!ready) return std::nullopt;
    if (!next || *ready < *next) next = *ready;
  }
  return next;
}

bool SimDisk::step() {
  auto can = [&](const std::deque<Queued>& queue) {
    return !queue.empty() && (!queue.front().ready || *queue.front().ready <= clock_.now());
  };
  bool both = can(writes_) && can(others_);
  bool take_write = both ? chance_.coin() : can(writes_);
  return step_queue(take_write ? writes_ : others_);
}

bool SimDisk::step_queue(std::deque<Queued>& queue) {
  std::size_t started = 0;
  while (started < queue.size() && queue[started].ready) ++started;
  std::size_t started_max = &queue == &writes_ ? started_writes_max : 1;
  bool may_start = started < queue.size() && started < started_max;
  if (started == 0 || (may_start && chance_.coin())) {
    start(queue[started]);
    return false;
  }
  if (*queue.front().ready > clock_.now()) return false;
  complete(queue.front());
  queue.pop_front();
  return true;
}

Duration SimDisk::latency() {
  if (chance_.permille(rates_.stall_permille)) {
    ++stalls_;
    return chance_.between(std::chrono::seconds(1), std::chrono::seconds(10));
  }
  return chance_.between(std::chrono::microseconds(50), std::chrono::milliseconds(2));
}

void SimDisk::start(Queued& queued) {
  queued.ready = clock_.now() + latency();
  if (queued.request.kind == DiskRequest::Kind::write_sync) {
    queued.written = write(queued.request).has_value();
  }
}

void SimDisk::complete(Queued& queued) {
  const DiskRequest& request = queued.request;
  if (request.kind != DiskRequest::Kind::write_sync) {
    results_.push_back({request.token, carry_out(request)});
    return;
  }
  if (!queued.written || broken_) {
    results_.push_back({request.token, fault(Errc::io, "the disk refused")});
    return;
  }
  sync(request);
  results_.push_back({request.token, Buffer()});
}

// ---- data

Result<void> SimDisk::write(const DiskRequest& request) {
  if (broken_) return fault(Errc::io, "the disk refused");
  Node* node = find(request.file);
  if (!node) return fault(Errc::not_found, "no such file");
  Bytes data = request.data.bytes();
  std::uint64_t end = request.offset + data.size();
  if (end > node->data.size()) node->data.resize(end);
  auto at = node->data.begin() + static_cast<std::ptrdiff_t>(request.offset);
  node->unsynced.push_back(
      {request.offset, std::vector<std::byte>(at, at + static_cast<std::ptrdiff_t>(data.size()))});
  std::ranges::copy(data, at);
  return {};
}

// A sync takes in the whole file; only a later write of the same queue may stay behind.
void SimDisk::sync(const DiskRequest& request) {
  Node* node = find(request.file);
  if (!node) return;
  std::size_t behind = 0;
  for (std::size_t i = 1; i < writes_.size(); ++i) {
    if (writes_[i].written && writes_[i].request.file == request.file) ++behind;
  }
  std::size_t synced = node->unsynced.size() - std::min(behind, node->unsynced.size());
  node->unsynced.erase(node->unsynced.begin(),
                       node->unsynced.begin() + static_cast<std::ptrdiff_t>(synced));
  note_marks(request.data.bytes());
  recent_writes_.push_back({request.file, request.offset, request.data.size()});
  if (recent_writes_.size() > recent_writes_max) recent_writes_.pop_front();
}

void SimDisk::note_marks(Bytes bytes) {
  each_mark(bytes, [this](Mark mark, MessageId id) {
    synced_marks_[id] |= static_cast<std::uint8_t>(mark);
  });
}

// ---- names

Result<Buffer> SimDisk::carry_out(const DiskRequest& request) {
  using Kind = DiskRequest::Kind;
  if (request.kind == Kind::read) return read(request.file, request.offset, request.size);
  if (broken_) return fault(Errc::io, "the disk refused");
  Result<Buffer> outcome;
  switch (request.kind) {
    case Kind::allocate:
      outcome = allocate(request);
      break;
    case Kind::replace:
      outcome = replace(request);
      break;
    case Kind::rename:
      outcome = rename(request);
      break;
    case Kind::remove:
      names_.erase(request.file);
      outcome = Buffer();
      break;
    case Kind::read:
    case Kind::write_sync:
      ASSERT(false);
  }
  if (outcome) {
    synced_names_ = names_;
    drop_unnamed();
  }
  return outcome;
}

Result<Buffer> SimDisk::allocate(const DiskRequest& request) {
  if (free_bytes() < request.size) return fault(Errc::overloaded, "no space left");
  NodeId id = next_node_++;
  nodes_[id].data.resize(request.size);
  names_[request.file] = id;
  return Buffer();
}

Result<Buffer> SimDisk::replace(const DiskRequest& request) {
  if (free_bytes() < request.data.size()) return fault(Errc::overloaded, "no space left");
  NodeId id = next_node_++;
  Bytes data = request.data.bytes();
  nodes_[id].data.assign(data.begin(), data.end());
  names_[request.file] = id;
  note_marks(data);
  return Buffer();
}

Result<Buffer> SimDisk::rename(const DiskRequest& request) {
  auto it = names_.find(request.file);
  if (it == names_.end()) return fault(Errc::not_found, "no such file");
  NodeId id = it->second;
  names_.erase(it);
  names_[request.target] = id;
  return Buffer();
}

// The owner died while this was under way: it is done, or not, or half done.
void SimDisk::interrupt(const DiskRequest& request) {
  using Kind = DiskRequest::Kind;
  if (request.kind == Kind::read) return;
  if (request.kind == Kind::write_sync) {
    if (chance_.coin()) (void)write(request);
    return;
  }
  switch (chance_.below(3)) {
    case 0:
      return;
    case 1:
      // Visible, but the directory was not synced: a power cut may take it back.
      if (request.kind == Kind::allocate) {
        (void)allocate(request);
      } else if (request.kind == Kind::replace) {
        (void)replace(request);
      } else if (request.kind == Kind::rename) {
        (void)rename(request);
      } else {
        names_.erase(request.file);
      }
      return;
    default:
      if (request.kind == Kind::allocate) {
        NodeId id = next_node_++;
        nodes_[id].data.resize(chance_.below(request.size / sector_size + 1) * sector_size);
        names_[request.file] = id;
      } else if (request.kind == Kind::replace) {
        NodeId id = next_node_++;
        Bytes part = request.data.bytes().first(chance_.below(request.data.size() + 1));
        nodes_[id].data.assign(part.begin(), part.end());
        names_[request.file + ".tmp"] = id;
      }
  }
}

// ---- faults

bool SimDisk::spend_request() {
  if (!requests_left_) return true;
  if (*requests_left_ == 0) return false;
  --*requests_left_;
  return *requests_left_ > 0;
}

void SimDisk::kill() {
  if (!others_.empty() && others_.front().ready) interrupt(others_.front().request);
  writes_.clear();
  others_.clear();
  results_.clear();
  requests_left_.reset();
}

void SimDisk::power_cut() {
  kill();
  if (chance_.coin()) names_ = synced_names_;
  synced_names_ = names_;
  for (auto& [id, node] : nodes_) lose_sectors(node);
  drop_unnamed();
}

// Each sector keeps the youngest version of those that happened to be written.
void SimDisk::lose_sectors(Node& node) {
  std::set<std::uint64_t> kept;
  std::uint64_t keep_permille = chance_.below(5) * 250;
  while (!node.unsynced.empty()) {
    Unsynced write = std::move(node.unsynced.back());
    node.unsynced.pop_back();
    std::uint64_t lost_before = torn_sectors_;
    bool any_kept = false;
    for (std::uint64_t done = 0; done < write.before.size();) {
      std::uint64_t offset = write.offset + done;
      std::uint64_t sector = offset / sector_size;
      std::uint64_t size =
          std::min((sector + 1) * sector_size - offset, write.before.size() - done);
      if (!kept.contains(sector)) {
        if (chance_.permille(keep_permille)) {
          kept.insert(sector);
          any_kept = true;
        } else {
          auto from = write.before.begin() + static_cast<std::ptrdiff_t>(done);
          std::copy_n(from, size, node.data.begin() + static_cast<std::ptrdiff_t>(offset));
          ++torn_sectors_;
        }
      }
      done += size;
    }
    if (any_kept && torn_sectors_ > lost_before) ++torn_writes_;
  }
}

void SimDisk::drop_unnamed() {
  std::set<NodeId> named;
  for (const auto& [name, id] : names_) named.insert(id);
  for (const auto& [name, id] : synced_names_) named.insert(id);
  std::erase_if(nodes_, [&](const auto& entry) { return !named.contains(entry.first); });
}

void SimDisk::repair() {
  broken_ = false;
  full_ = false;
}

bool SimDisk::flip_bit(const Extent& extent, std::uint64_t bit) {
  Node* node = find(extent.file);
  if (!node || extent.size == 0 || extent.offset + extent.size > node->data.size()) return false;
  bit %= extent.size * 8;
  node->data[extent.offset + bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
  return true;
}

void SimDisk::zero(const Extent& extent) {
  Node* node = find(extent.file);
  if (!node || extent.offset >= node->data.size()) return;
  auto at = node->data.begin() + static_cast<std::ptrdiff_t>(extent.offset);
  std::fill(at,
            at + static_cast<std::ptrdiff_t>(
                     std::min<std::uint64_t>(extent.size, node->data.size() - extent.offset)),
            std::byte{0});
}

// ---- what the oracle asks

bool SimDisk::has_synced(MessageId id, std::size_t body_size) const {
  auto it = synced_marks_.find(id);
  if (it == synced_marks_.end()) return false;
  unsigned needed = static_cast<unsigned>(Mark::head);
  if (has_tail_mark(body_size)) needed |= static_cast<unsigned>(Mark::tail);
  return (it->second & needed) == needed;
}

Extent SimDisk::some_small_file() {
  std::vector<Extent> files;
  for (const auto& [name, id] : names_) {
    if (name.starts_with("wal/") || name.starts_with("free/")) continue;
    files.push_back({name, 0, nodes_.at(id).data.size()});
  }
  return files.empty() ? Extent{} : files[chance_.below(files.size())];
}

std::vector<MessageId> SimDisk::messages_in(const Extent& extent) const {
  std::set<MessageId> ids;
  const Node* node = find(extent.file);
  if (node && extent.offset + extent.size <= node->data.size()) {
    each_mark(Bytes(node->data).subspan(extent.offset, extent.size),
              [&](Mark, MessageId id) { ids.insert(id); });
  }
  return {ids.begin(), ids.end()};
}

SimDisk::Node* SimDisk::find(const std::string& file) {
  auto it = names_.find(file);
  return it == names_.end() ? nullptr : &nodes_.at(it->second);
}

const SimDisk::Node* SimDisk::find(const std::string& file) const {
  auto it = names_.find(file);
  return it == names_.end() ? nullptr : &nodes_.at(it->second);
}

std::uint64_t SimDisk::used_bytes() const {
  std::uint64_t used = 0;
  for (const auto& [id, node] : nodes_) used += node.data.size();
  return used;
}

}  // namespace wharf::sim
