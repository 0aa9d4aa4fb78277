#include "net/connection_set.h"

#include <algorithm>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"

namespace wharf::net {
namespace {

boost::asio::ip::tcp protocol_of(int descriptor) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size);
  return address.ss_family == AF_INET6 ? boost::asio::ip::tcp::v6() : boost::asio::ip::tcp::v4();
}

void set_options(int descriptor) {
  int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ::setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

}  // namespace

ConnectionSet::ConnectionSet(runtime::Loop& loop, const Clock& clock,
                             const ConnectionLimits& limits, ConnectionObserver& observer,
                             std::vector<Service> services)
    : loop_(loop), workspace_(clock, limits, observer), services_(std::move(services)) {}

ConnectionSet::~ConnectionSet() {
  std::vector<Offered> batch;
  while (offered_.pop(batch)) {
    for (const Offered& offered : batch) ::close(offered.descriptor);
  }
  for (const auto& connection : all()) connection->close(EndReason::stopped);
}

void ConnectionSet::offer(int descriptor, std::size_t service) {
  ASSERT(service < services_.size());
  count_.fetch_add(1, std::memory_order_relaxed);
  offered_.push({{descriptor, service}});
  loop_.wake();
}

void ConnectionSet::stop(Duration grace) {
  stop_grace_.store(grace.count());
  loop_.wake();
}

void ConnectionSet::turn() {
  std::vector<Offered> batch;
  while (offered_.pop(batch)) {
    for (const Offered& offered : batch) adopt(offered);
  }
  Instant now = workspace_.clock.now();
  workspace_.timers.advance(now, [](Connection* connection) { connection->on_timer(); });
  if (!cut_off_at_ && stop_grace_.load() >= 0) begin_stop();
  if (cut_off_at_ && now >= *cut_off_at_) {
    for (const auto& connection : all()) connection->close(EndReason::stopped);
  }
}

void ConnectionSet::turn_end() {
  // Touched anew while they finish, they have another turn.
  finishing_.swap(workspace_.touched);
  for (const auto& connection : finishing_) connection->finish_turn();
  finishing_.clear();
}

std::optional<Instant> ConnectionSet::next_deadline() const {
  if (!workspace_.touched.empty()) return Instant::min();
  std::optional<Instant> timer = workspace_.timers.next();
  if (!cut_off_at_ || connections_.empty()) return timer;
  return timer ? std::min(*timer, *cut_off_at_) : *cut_off_at_;
}

void ConnectionSet::adopt(const Offered& offered) {
  Connection::Socket socket(loop_.io());
  boost::system::error_code error;
  if (!cut_off_at_) socket.assign(protocol_of(offered.descriptor), offered.descriptor, error);
  if (cut_off_at_ || error) {
    ::close(offered.descriptor);
    count_.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
  set_options(offered.descriptor);
  auto connection =
      std::make_shared<Connection>(workspace_, services_[offered.service], std::move(socket),
                                   [this](Connection& ended) { forget(ended); });
  connections_.emplace(connection.get(), connection);
  connection->start();
}

void ConnectionSet::forget(Connection& connection) {
  connections_.erase(&connection);
  count_.fetch_sub(1, std::memory_order_relaxed);
}

void ConnectionSet::begin_stop() {
  cut_off_at_ = workspace_.clock.now() + Duration(stop_grace_.load());
  for (const auto& connection : all()) connection->shutdown();
}

// A copy, because closing takes connections out of the set.
std::vector<std::shared_ptr<Connection>> ConnectionSet::all() const {
  std::vector<std::shared_ptr<Connection>> all;
  all.reserve(connections_.size());
  for (const auto& [key, connection] : connections_) all.push_back(connection);
  return all;
}

}  // namespace wharf::net
