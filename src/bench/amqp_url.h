// bench/amqp_url.h: where an AMQP server is and who logs in there, as its clients write it
// (RabbitMQ, "URI Specification"): amqp://user:password@host:port/vhost, each part percent-encoded.
// What is left out: guest, guest, 127.0.0.1, 5672, "/". A bare slash at the end means "/", too.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace wharf::bench {

struct AmqpUrl {
  std::string user = "guest";
  std::string password = "guest";
  std::string host = "127.0.0.1";
  std::uint16_t port = 5672;
  std::string vhost = "/";

  // The error is a sentence for the one who typed it.
  static std::expected<AmqpUrl, std::string> parse(std::string_view text);
};

}  // namespace wharf::bench
