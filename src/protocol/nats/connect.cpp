#include "protocol/nats/connect.h"

#include <algorithm>

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "wire/escape.h"

namespace wharf::nats {

namespace {

namespace json = boost::json;

constexpr std::size_t depth_max = 16;

bool same_letters(std::string_view one, std::string_view other) {
  auto lower = [](char byte) {
    return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte | 0x20) : byte;
  };
  return std::ranges::equal(one, other, {}, lower, lower);
}

// Reads fields of one object; remembers whether one was of a wrong type.
class Fields {
 public:
  explicit Fields(const json::object& object) : object_(object) {}

  void read(std::string_view name, bool& out) {
    const json::value* value = find(name);
    if (!value) return;
    if (value->is_bool()) {
      out = value->get_bool();
    } else {
      wrong_ = true;
    }
  }
  void read(std::string_view name, std::string& out) {
    const json::value* value = find(name);
    if (!value) return;
    if (value->is_string()) {
      out.assign(value->get_string().data(), value->get_string().size());
    } else {
      wrong_ = true;
    }
  }
  void read(std::string_view name, std::int64_t& out) {
    const json::value* value = find(name);
    if (!value) return;
    if (value->is_int64()) {
      out = value->get_int64();
    } else {
      wrong_ = true;
    }
  }
  bool wrong() const { return wrong_; }

 private:
  const json::value* find(std::string_view name) const {
    for (const auto& [key, value] : object_) {
      if (same_letters({key.data(), key.size()}, name)) return value.is_null() ? nullptr : &value;
    }
    return nullptr;
  }
  const json::object& object_;
  bool wrong_ = false;
};

std::string quoted(std::string_view text) { return '"' + escaped(text, Escape::json_string) + '"'; }

std::string_view truth(bool value) { return value ? "true" : "false"; }

}  // namespace

Result<Connect> read_connect(std::string_view text) {
  json::parse_options options;
  options.max_depth = depth_max;
  boost::system::error_code error;
  json::value parsed = json::parse({text.data(), text.size()}, error, {}, options);
  if (error || !parsed.is_object()) return fault(Errc::malformed, "CONNECT is no JSON object");
  Fields fields(parsed.get_object());
  Connect connect;
  fields.read("verbose", connect.verbose);
  fields.read("pedantic", connect.pedantic);
  fields.read("echo", connect.echo);
  fields.read("headers", connect.headers);
  fields.read("no_responders", connect.no_responders);
  fields.read("protocol", connect.protocol);
  fields.read("name", connect.name);
  fields.read("lang", connect.lang);
  fields.read("version", connect.version);
  fields.read("user", connect.user);
  fields.read("pass", connect.password);
  fields.read("auth_token", connect.token);
  fields.read("nkey", connect.nkey);
  fields.read("sig", connect.signature);
  fields.read("account", connect.account);
  fields.read("new_account", connect.new_account);
  if (fields.wrong()) return fault(Errc::malformed, "a field of CONNECT has another type");
  return connect;
}

std::string write_info(const Info& info) {
  // Clients that crash without these fields are why the false ones are sent too.
  std::string text = fmt::format(
      "INFO {{\"server_id\":{},\"server_name\":{},\"version\":{},\"proto\":1,\"git_commit\":\"\","
      "\"go\":\"\",\"host\":{},\"port\":{},\"headers\":true,\"auth_required\":{},"
      "\"tls_required\":{},\"tls_available\":{},\"tls_verify\":{},\"max_payload\":{},"
      "\"jetstream\":false,\"client_id\":{},\"client_ip\":{}",
      quoted(info.server_id), quoted(info.server_name), quoted(info.version), quoted(info.host),
      info.port, truth(info.auth_required), truth(info.tls_required), truth(info.tls_available),
      truth(info.tls_verify), info.max_payload, info.client_id, quoted(info.client_ip));
  if (!info.nonce.empty()) text += ",\"nonce\":" + quoted(info.nonce);
  if (info.lame_duck) text += ",\"ldm\":true";
  if (info.connect_urls && !info.connect_urls->empty()) {
    text += ",\"connect_urls\":[";
    for (const std::string& url : *info.connect_urls) text += quoted(url) + ',';
    text.back() = ']';
  }
  text += "} \r\n";
  return text;
}

}  // namespace wharf::nats
