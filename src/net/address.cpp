#include "net/address.h"

#include <boost/asio/ip/address.hpp>

namespace wharf::net {
namespace asio = boost::asio;

namespace {

asio::ip::address plain_address(const asio::ip::tcp::endpoint& endpoint) {
  asio::ip::address address = endpoint.address();
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
  return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
}

}  // namespace

Result<asio::ip::tcp::endpoint> to_endpoint(const ListenAddress& address) {
  std::string host = address.host;
  if (host == "localhost") host = "127.0.0.1";
  if (host == "*") host = "::";
  boost::system::error_code error;
  asio::ip::address parsed = asio::ip::make_address(host, error);
  if (error) return fault(Errc::malformed, "not an IP address");
  return asio::ip::tcp::endpoint(parsed, address.port);
}

std::string to_text(const asio::ip::tcp::endpoint& endpoint) {
  asio::ip::address address = plain_address(endpoint);
  std::string port = std::to_string(endpoint.port());
  if (address.is_v6()) return "[" + address.to_string() + "]:" + port;
  return address.to_string() + ":" + port;
}

bool is_loopback(const asio::ip::tcp::endpoint& endpoint) {
  return plain_address(endpoint).is_loopback();
}

}  // namespace wharf::net
