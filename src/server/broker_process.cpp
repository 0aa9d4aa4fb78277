#include "server/broker_process.h"

#include <chrono>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/assert.h"
#include "server/descriptors.h"

namespace wharf::server {

// A shard on its loop.
class BrokerProcess::ShardClient final : public runtime::TurnClient {
 public:
  ShardClient(broker::Shard& shard, const Clock& clock, std::uint32_t index)
      : shard_(shard), clock_(clock), index_(index) {}

  void turn() override { shard_.begin_turn(); }
  void turn_end() override {
    shard_.end_turn();
    if (shard_.failed() && !told_) {
      told_ = true;
      spdlog::critical(
          "shard {}: the disk refused a commit; nothing is acknowledged any more, "
          "restart the broker once the disk is sound",
          index_);
    }
    if (shard_.unreadable_records() != unreadable_) {
      unreadable_ = shard_.unreadable_records();
      spdlog::error(
          "shard {}: corruption: {} stored messages cannot be read and are passed over; "
          "`wharf log dump` shows where",
          index_, unreadable_);
    }
  }
  std::optional<Instant> next_deadline() const override {
    return shard_.has_work() ? clock_.now() : shard_.next_deadline();
  }

 private:
  broker::Shard& shard_;
  const Clock& clock_;
  std::uint32_t index_;
  bool told_ = false;
  std::uint64_t unreadable_ = 0;
};

class BrokerProcess::Observer final : public net::ConnectionObserver, public net::AcceptObserver {
 public:
  explicit Observer(const Clock& clock) : clock_(clock) {}
  void on_opened(const Peer& peer) override { spdlog::debug("{} connected", peer.remote); }
  void on_ended(const Peer& peer, net::EndReason reason) override {
    spdlog::debug("{} ended: {}", peer.remote, net::to_text(reason));
  }
  // One line a second at most: a flood of connections must not become one of lines.
  void on_refused(const char* why) override {
    ++refused_;
    Instant now = clock_.now();
    if (now < tell_refused_at_) return;
    spdlog::warn("connections turned away: {} ({} since the last such line)", why, refused_);
    refused_ = 0;
    tell_refused_at_ = now + std::chrono::seconds(1);
  }

 private:
  const Clock& clock_;
  std::uint64_t refused_ = 0;
  Instant tell_refused_at_{};
};

namespace {

net::TlsOptions tls_options(const config::TlsConfig& config) {
  net::TlsOptions options;
  options.certificate_file = config.certificate_file;
  options.key_file = config.key_file;
  options.ca_file = config.ca_file;
  options.clients = static_cast<net::ClientCertificates>(config.client_certificates);
  options.name = static_cast<net::CertificateName>(config.certificate_name);
  return options;
}

net::ConnectionLimits connection_limits(const config::NetConfig& config) {
  net::ConnectionLimits limits;
  limits.unit_bytes_max = config.unit_bytes_max;
  limits.unsent_bytes_high = config.unsent_bytes_high;
  limits.handshake_timeout = std::chrono::seconds(config.handshake_timeout_s);
  limits.flush_timeout = std::chrono::seconds(config.flush_timeout_s);
  limits.linger_timeout = std::chrono::seconds(config.linger_timeout_s);
  return limits;
}

auth::AccessSpec access_spec(const config::AuthConfig& config) {
  auth::AccessSpec spec;
  spec.vhosts = config.vhosts;
  for (const config::UserConfig& user : config.users) {
    spec.users.push_back({user.name, auth::Secret(user.password), user.password_hash,
                          user.loopback_only, user.impersonator});
  }
  for (const config::PermissionConfig& permission : config.permissions) {
    spec.permissions.push_back({permission.user, permission.vhost, permission.configure,
                                permission.write, permission.read});
  }
  return spec;
}

void report_opening(std::uint32_t index, const storage::OpenReport& report) {
  spdlog::info("shard {}: {}{} MiB of log replayed", index,
               report.created ? "created, "
               : report.clean ? "stopped cleanly before, "
                              : "",
               report.replayed_bytes >> 20);
  if (report.torn_bytes > 0) {
    spdlog::info("shard {}: {} bytes of an unfinished commit, never acknowledged, left out", index,
                 report.torn_bytes);
  }
  for (const storage::Damage& damage : report.damage) {
    spdlog::error("shard {}: corruption in {} at {}, {} bytes: {}", index, damage.file,
                  damage.offset, damage.size, damage.reason);
  }
}

}  // namespace

BrokerProcess::BrokerProcess(const config::Config& config)
    : config_(config), protocols_(make_protocols(config)), observer_(new Observer(clock_)) {
  for (std::uint32_t i = 0; i < config.server.threads; ++i) {
    loops_.push_back(std::make_unique<runtime::Loop>(clock_));
  }
}

BrokerProcess::~BrokerProcess() = default;

// ---- stores

std::expected<void, std::string> BrokerProcess::open_stores() {
  if (auto built = build_access(); !built) return built;
  std::uint32_t wanted = config_.server.shards ? config_.server.shards : config_.server.threads;
  auto directory = DataDirectory::open(config_.server.data_dir, wanted);
  if (!directory) return std::unexpected(directory.error());
  directory_.emplace(std::move(*directory));
  std::uint32_t shards = directory_->shards();
  post_ = std::make_unique<broker::ShardPost>(shards,
                                              [this](std::size_t shard) { loop_of(shard).wake(); });
  parts_.resize(shards);
  for (std::uint32_t index = 0; index < shards; ++index) {
    if (auto opened = open_shard(index); !opened) return opened;
  }
  for (Part& part : parts_) part.shard->start(*parts_[0].shard);
  return {};
}

std::expected<void, std::string> BrokerProcess::build_access() {
  std::string culprit;
  auto access = auth::Access::build(access_spec(config_.auth), culprit);
  if (!access) return std::unexpected(fmt::format("users: {} ({})", access.error().why, culprit));
  access_ = std::move(*access);
  return {};
}

broker::ShardSetup BrokerProcess::setup_of(std::uint32_t index) {
  broker::ShardSetup setup;
  setup.index = static_cast<broker::ShardIndex>(index);
  setup.count = static_cast<broker::ShardIndex>(parts_.size());
  setup.post = post_.get();
  setup.disk = parts_[index].disk.get();
  setup.clock = &clock_;
  setup.random = parts_[index].random.get();
  setup.access = access_.get();
  setup.formats = &protocols_.formats;
  setup.predeclared = protocols_.predeclared;
  setup.live_exchange = protocols_.live_exchange;
  setup.store.segment_bytes = config_.storage.segment_bytes;
  setup.store.pending_bytes_max = config_.storage.pending_bytes_max;
  setup.store.free_bytes_min = config_.storage.free_bytes_min;
  setup.store.snapshot_interval_bytes = config_.storage.snapshot_interval_bytes;
  setup.store.accept_damage = config_.storage.accept_damage;
  setup.limits.memory_bytes_max = config_.broker.memory_bytes_max / parts_.size();
  setup.limits.queues_max = config_.broker.queues_max;
  return setup;
}

std::expected<void, std::string> BrokerProcess::open_shard(std::uint32_t index) {
  Part& part = parts_[index];
  std::string path = directory_->shard_path(index);
  auto disk = storage::FileDisk::open(path, [this, index] { loop_of(index).wake(); });
  if (!disk) return std::unexpected(fmt::format("{}: {}", path, disk.error().why));
  part.disk = std::move(*disk);
  part.random = std::make_unique<SecureRandom>();
  part.shard = std::make_unique<broker::Shard>(setup_of(index));
  storage::OpenReport report;
  auto opened = part.shard->open(report);
  report_opening(index, report);
  if (opened) return {};
  return std::unexpected(fmt::format(
      "{}: {}{}", path, opened.error().why,
      report.damage.empty() ? ""
                            : "; storage.accept_damage = true opens it without those records"));
}

// ---- listeners

// The configured number, or fewer where the system does not give us the descriptors.
std::uint64_t BrokerProcess::connections_max() const {
  std::uint64_t descriptors = raise_descriptor_limit();
  std::uint64_t fit = connections_that_fit(descriptors, directory_->shards());
  if (fit >= config_.net.connections_max) return config_.net.connections_max;
  spdlog::warn(
      "{} file descriptors leave room for {} connections, not for net.connections_max = {}",
      descriptors, fit, config_.net.connections_max);
  return fit;
}

std::expected<void, std::string> BrokerProcess::open_listeners() {
  for (const Entrance& entrance : protocols_.entrances) {
    tls_.emplace_back();
    if (!entrance.tls) continue;
    auto context = net::TlsContext::make(tls_options(*entrance.tls));
    if (!context) return std::unexpected(context.error());
    tls_.back() = std::move(*context);
  }
  std::vector<net::ConnectionSet*> sets;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    Part& part = parts_[i];
    std::vector<net::Service> services;
    for (std::size_t e = 0; e < protocols_.entrances.size(); ++e) {
      auto make = [&entrance = protocols_.entrances[e], &core = *part.shard](SessionHost& host,
                                                                             const Peer& peer) {
        return entrance.make_session(core, host, peer);
      };
      services.push_back({make, tls_[e].get(), protocols_.entrances[e].tls_on_request});
    }
    part.connections = std::make_unique<net::ConnectionSet>(
        loop_of(i), clock_, connection_limits(config_.net), *observer_, std::move(services));
    part.client = std::make_unique<ShardClient>(*part.shard, clock_, static_cast<std::uint32_t>(i));
    sets.push_back(part.connections.get());
  }
  net::AcceptLimits limits{connections_max(), static_cast<int>(config_.net.accepts_per_turn_max),
                           static_cast<int>(config_.net.backlog)};
  acceptor_ = std::make_unique<net::Acceptor>(*loops_[0], sets, limits, *observer_);
  for (std::size_t e = 0; e < protocols_.entrances.size(); ++e) {
    for (const config::Endpoint& endpoint : protocols_.entrances[e].listen) {
      auto port = acceptor_->listen({endpoint.host, endpoint.port}, e);
      if (!port) return std::unexpected(port.error());
      spdlog::info("{} on {}:{}", protocols_.entrances[e].name, endpoint.host, *port);
    }
  }
  return {};
}

// ---- running

void BrokerProcess::run() {
  loops_[0]->add(*acceptor_);
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    loop_of(i).add(*parts_[i].connections);
    loop_of(i).add(*parts_[i].client);
  }
  for (auto& loop : loops_) threads_.emplace_back([&loop = *loop] { loop.run(); });
}

void BrokerProcess::stop() {
  acceptor_->stop();
  auto grace = std::chrono::seconds(config_.server.stop_grace_s);
  for (Part& part : parts_) part.connections->stop(grace);
  // The sets cut off what is left after the grace; a little more is for their last turns.
  Instant deadline = clock_.now() + grace + std::chrono::seconds(5);
  auto open_connections = [this] {
    std::size_t count = 0;
    for (const Part& part : parts_) count += part.connections->count();
    return count;
  };
  while (open_connections() > 0 && clock_.now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  for (auto& loop : loops_) loop->stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  finish_mail();
  for (Part& part : parts_) part.shard->close();
}

// Shards may still have told each other of sessions that ended. All threads are gone by now, so
// this one runs the turns that are left.
void BrokerProcess::finish_mail() {
  constexpr int rounds_of_mail = 8;  // longer than any chain of questions between shards
  for (int round = 0; round < rounds_of_mail; ++round) {
    for (Part& part : parts_) part.shard->begin_turn();
    for (Part& part : parts_) part.shard->end_turn();
  }
}

}  // namespace wharf::server
