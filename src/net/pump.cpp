#include "net/pump.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

#include "net/connection.h"

namespace wharf::net {

namespace asio = boost::asio;

asio::awaitable<void> read_pump(std::shared_ptr<Connection> connection) {
  boost::system::error_code error;
  while (connection->wants_readable()) {
    co_await connection->socket().async_wait(asio::socket_base::wait_read,
                                             asio::redirect_error(asio::use_awaitable, error));
    if (error) break;
    connection->on_readable();
  }
  connection->on_read_pump_ended(error.failed());
}

asio::awaitable<void> write_pump(std::shared_ptr<Connection> connection) {
  boost::system::error_code error;
  while (connection->wants_writable()) {
    co_await connection->socket().async_wait(asio::socket_base::wait_write,
                                             asio::redirect_error(asio::use_awaitable, error));
    if (error) break;
    connection->on_writable();
  }
  connection->on_write_pump_ended(error.failed());
}

}  // namespace wharf::net
