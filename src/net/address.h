// net/address.h: between texts and socket addresses. No names are looked up, but for "localhost".
#pragma once

#include <cstdint>
#include <string>

#include <boost/asio/ip/tcp.hpp>

#include "base/fault.h"

namespace wharf::net {

struct ListenAddress {
  std::string host = "127.0.0.1";  // an IPv4 or IPv6 address, "localhost", or "*" for all addresses
  std::uint16_t port = 0;          // 0: any free one
};

// Faults: malformed.
Result<boost::asio::ip::tcp::endpoint> to_endpoint(const ListenAddress& address);

// "127.0.0.1:5672", "[::1]:5672"; an IPv4 address inside IPv6 is shown as IPv4.
std::string to_text(const boost::asio::ip::tcp::endpoint& endpoint);

bool is_loopback(const boost::asio::ip::tcp::endpoint& endpoint);

}  // namespace wharf::net
