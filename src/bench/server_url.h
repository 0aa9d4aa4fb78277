// bench/server_url.h: where a server is and who logs in there, as clients write it:
// scheme://user:password@host:port/path, each part percent-encoded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bench/socket.h"

namespace wharf::bench {

struct ServerUrl {
  std::string user = {};
  std::string password = {};
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::string path = {};  // without the slash before it

  // What the text leaves out is as in `defaults`. The error is a sentence for the one who typed it.
  static Try<ServerUrl> parse(std::string_view text, std::string_view scheme, ServerUrl defaults);
};

// amqp://user:password@host:port/vhost (RabbitMQ, "URI Specification"). What is left out: guest,
// guest, 127.0.0.1, 5672, "/". A bare slash at the end means "/", too.
Try<ServerUrl> parse_amqp_url(std::string_view text);

// HOST:PORT, port 0 allowed, either of them left out as in `place`, whose other parts stay. False
// when it is wrong.
bool parse_place(std::string_view text, ServerUrl& place);

}  // namespace wharf::bench
