// protocol/nats/connect.h: the two JSON objects of the handshake: what a client says of itself in
// CONNECT, and what the server says in INFO.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fault.h"

namespace wharf::nats {

struct Connect {
  bool verbose = true;
  bool pedantic = true;
  bool echo = true;
  bool headers = false;
  bool no_responders = false;
  std::int64_t protocol = 0;  // 1: takes INFO at any time
  std::string name;
  std::string lang;
  std::string version;
  std::string user;
  std::string password;
  std::string token;
  std::string nkey;       // public key, as text
  std::string signature;  // of the nonce, in base64
  std::string account;
  bool new_account = false;
  bool any_credentials() const {
    return !user.empty() || !password.empty() || !token.empty() || !nkey.empty();
  }
};

// Keys are found in any case, unknown ones ignored, null is as if it were not there. Faults:
// malformed, for what is no object or a value of another type.
Result<Connect> read_connect(std::string_view json);

struct Info {
  std::string_view server_id;
  std::string_view server_name;
  std::string_view version;
  std::string_view host;
  std::uint16_t port = 0;
  std::uint64_t max_payload = 0;
  std::uint64_t client_id = 0;
  std::string_view client_ip;
  std::string_view nonce;  // empty: none
  const std::vector<std::string>* connect_urls = nullptr;
  bool auth_required = false;
  bool tls_required = false;
  bool tls_available = false;
  bool tls_verify = false;
  bool lame_duck = false;
};

// The whole line.
std::string write_info(const Info& info);

}  // namespace wharf::nats
