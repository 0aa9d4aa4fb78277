// bench/socket.h: TCP sockets of the load generators: not blocking, without Nagle's delay. Errors
// are sentences for the one who runs the benchmark.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>

namespace wharf::bench {

template <class T>
using Try = std::expected<T, std::string>;

// "what: the system's words for errno".
std::string system_error(const char* what);

// Owns a descriptor.
class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  ~Socket();
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  int fd() const { return fd_; }
  // Blocks until one of `events` (poll(2)), for ten seconds at most.
  Try<void> wait(short events) const;

 private:
  int fd_;
};

// Looks the name up and connects, blocking.
Try<Socket> connect_to(const std::string& host, std::uint16_t port);
// Port 0: any free one.
Try<Socket> listen_on(const std::string& host, std::uint16_t port);
std::uint16_t port_of(const Socket& socket);
// The next connection that waits; none (fd below 0) when there is none.
Socket accept_from(const Socket& listener);

}  // namespace wharf::bench
