// net/pump.h: the coroutines that wait for sockets; nothing else in the broker does. They decide
// nothing: a pump lives while its object has something to wait for, and reports each time it has
// come. Form of every await: docs/ARCHITECTURE.md, "Coroutines".
#pragma once

#include <exception>
#include <memory>

#include <boost/asio/awaitable.hpp>

namespace wharf::net {

class Connection;

boost::asio::awaitable<void> read_pump(std::shared_ptr<Connection> connection);
boost::asio::awaitable<void> write_pump(std::shared_ptr<Connection> connection);

// For co_spawn: a pump throws only when memory runs out, and then the process ends.
struct NothingThrown {
  void operator()(const std::exception_ptr& thrown) const {
    if (thrown) std::rethrow_exception(thrown);
  }
};

}  // namespace wharf::net
