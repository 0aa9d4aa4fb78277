#include "bench/socket.h"

#include <cerrno>
#include <cstring>
#include <memory>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace wharf::bench {

namespace {

constexpr int step_timeout_ms = 10'000;
constexpr int backlog = 1024;

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Try<Addresses> resolve(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  int wrong = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (wrong != 0) return std::unexpected(host + ": " + gai_strerror(wrong));
  return Addresses(found, &freeaddrinfo);
}

void make_prompt(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

bool start_listening(int fd, const addrinfo& at) {
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  return bind(fd, at.ai_addr, at.ai_addrlen) == 0 && listen(fd, backlog) == 0;
}

// A socket of the first address for which `use` succeeds.
template <class Use>
Try<Socket> first_of(const std::string& host, std::uint16_t port, int flags, const char* what,
                     Use&& use) {
  Try<Addresses> addresses = resolve(host, port, flags);
  if (!addresses) return std::unexpected(addresses.error());
  std::string why = "no address";
  for (const addrinfo* at = addresses->get(); at; at = at->ai_next) {
    Socket made(socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol));
    if (made.fd() >= 0 && use(made.fd(), *at)) {
      make_prompt(made.fd());
      return made;
    }
    why = system_error(what);
  }
  return std::unexpected(host + ":" + std::to_string(port) + ": " + why);
}

}  // namespace

std::string system_error(const char* what) {
  return std::string(what) + ": " + std::strerror(errno);
}

Socket::~Socket() {
  if (fd_ >= 0) close(fd_);
}

Try<void> Socket::wait(short events) const {
  pollfd ready{fd_, events, 0};
  int count = poll(&ready, 1, step_timeout_ms);
  if (count > 0) return {};
  if (count < 0) return std::unexpected(system_error("poll"));
  return std::unexpected("the server did not answer within ten seconds");
}

Try<Socket> connect_to(const std::string& host, std::uint16_t port) {
  return first_of(host, port, 0, "connect", [](int fd, const addrinfo& at) {
    return connect(fd, at.ai_addr, at.ai_addrlen) == 0;
  });
}

Try<Socket> listen_on(const std::string& host, std::uint16_t port) {
  return first_of(host, port, AI_PASSIVE, "listen", start_listening);
}

std::uint16_t port_of(const Socket& socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

Socket accept_from(const Socket& listener) {
  Socket accepted(accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC));
  if (accepted.fd() >= 0) make_prompt(accepted.fd());
  return accepted;
}

}  // namespace wharf::bench
