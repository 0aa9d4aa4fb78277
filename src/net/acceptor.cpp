#include "net/acceptor.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/assert.h"
#include "net/pump.h"

namespace wharf::net {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds pause_without_descriptors{100};

int open_reserve() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

int accept_socket(int listener) {
  return ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

}  // namespace

Acceptor::Acceptor(runtime::Loop& loop, std::vector<ConnectionSet*> sets,
                   const AcceptLimits& limits, AcceptObserver& observer)
    : loop_(loop),
      sets_(std::move(sets)),
      limits_(limits),
      observer_(observer),
      reserve_(open_reserve()) {
  ASSERT(!sets_.empty());
}

Acceptor::~Acceptor() {
  if (reserve_ >= 0) ::close(reserve_);
}

std::expected<std::uint16_t, std::string> Acceptor::listen(const ListenAddress& address,
                                                           std::size_t service) {
  auto listener = std::make_unique<Listener>(asio::ip::tcp::acceptor(loop_.io()),
                                             asio::steady_timer(loop_.io()), service);
  auto complain = [&](const std::string& why) {
    return std::unexpected(address.host + ":" + std::to_string(address.port) + ": " + why);
  };
  Result<asio::ip::tcp::endpoint> endpoint = to_endpoint(address);
  if (!endpoint) return complain(endpoint.error().why);
  asio::ip::tcp::acceptor& socket = listener->socket;
  boost::system::error_code error;
  socket.open(endpoint->protocol(), error);
  if (!error) socket.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) socket.bind(*endpoint, error);
  if (!error) socket.listen(limits_.backlog, error);
  if (!error) socket.non_blocking(true, error);
  if (error) return complain(error.message());
  std::uint16_t port = socket.local_endpoint(error).port();
  listeners_.push_back(std::move(listener));
  asio::co_spawn(loop_.io(), accept_pump(*listeners_.back()), NothingThrown{});
  return port;
}

void Acceptor::stop() {
  stopping_.store(true);
  loop_.wake();
}

void Acceptor::turn() {
  if (!stopping_.load()) return;
  for (const auto& listener : listeners_) {
    boost::system::error_code ignored;
    listener->socket.close(ignored);
    listener->pause.cancel();
  }
}

asio::awaitable<void> Acceptor::accept_pump(Listener& listener) {
  boost::system::error_code error;
  while (listener.socket.is_open()) {
    co_await listener.socket.async_wait(asio::socket_base::wait_read,
                                        asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    if (accept_ready(listener) == Accepted::no_descriptors) {
      listener.pause.expires_after(pause_without_descriptors);
      co_await listener.pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
  }
}

Acceptor::Accepted Acceptor::accept_ready(Listener& listener) {
  for (int taken = 0; taken < limits_.accepts_per_turn_max; ++taken) {
    int descriptor = accept_socket(listener.socket.native_handle());
    if (descriptor >= 0) {
      hand_over(descriptor, listener.service);
      continue;
    }
    switch (errno) {
      case EMFILE:
      case ENFILE:
        if (!shed_one(listener)) return Accepted::no_descriptors;
        break;
      case ENOBUFS:
      case ENOMEM:
        return Accepted::no_descriptors;
      case EAGAIN:
        return Accepted::none_left;
      default:
        break;  // that peer is gone again
    }
  }
  return Accepted::some;
}

// Out of descriptors: the reserve makes room to take one peer and turn it away.
bool Acceptor::shed_one(Listener& listener) {
  if (reserve_ < 0) reserve_ = open_reserve();
  if (reserve_ < 0) return false;
  ::close(reserve_);
  int descriptor = accept_socket(listener.socket.native_handle());
  if (descriptor >= 0) ::close(descriptor);
  reserve_ = open_reserve();
  observer_.on_refused("no file descriptors left");
  return descriptor >= 0;
}

void Acceptor::hand_over(int descriptor, std::size_t service) {
  std::size_t total = 0;
  std::size_t best = next_set_;
  for (std::size_t i = 0; i < sets_.size(); ++i) {
    std::size_t candidate = (next_set_ + i) % sets_.size();
    std::size_t count = sets_[candidate]->count();
    total += count;
    if (count < sets_[best]->count()) best = candidate;
  }
  if (total >= limits_.connections_max) {
    ::close(descriptor);
    observer_.on_refused("connection limit reached");
    return;
  }
  next_set_ = (best + 1) % sets_.size();
  sets_[best]->offer(descriptor, service);
}

}  // namespace wharf::net
