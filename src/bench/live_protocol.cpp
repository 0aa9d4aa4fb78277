#include "bench/live_protocol.h"

#include <fmt/format.h>

#include "wire/escape.h"

namespace wharf::bench {

namespace {

std::string quoted(std::string_view text) { return '"' + escaped(text, Escape::json_string) + '"'; }

std::unexpected<std::string> complaint(std::string_view line) {
  return std::unexpected("the server sent " + escaped(line.substr(0, 200), Escape::line));
}

Frame made(std::string head, std::size_t body_size) {
  return {.head = std::move(head), .tail = "\r\n", .body_size = body_size};
}

class Nats final : public LiveProtocol {
 public:
  std::string_view name() const override { return "nats"; }
  std::uint16_t port() const override { return 4222; }
  bool answers_publish() const override { return false; }
  bool publishes_while_subscribed() const override { return true; }

  Exchange log_in(const ServerUrl& url) const override {
    std::string who;
    if (!url.password.empty()) {
      who = fmt::format(R"(,"user":{},"pass":{})", quoted(url.user), quoted(url.password));
    } else if (!url.user.empty()) {
      who = fmt::format(R"(,"auth_token":{})", quoted(url.user));
    }
    return {fmt::format(R"(CONNECT {{"verbose":false,"pedantic":false,"lang":"c++",)"
                        R"("name":"wharf bench","version":"1","protocol":1,"echo":true,)"
                        R"("headers":true,"no_responders":true{}}})"
                        "\r\nPING\r\n",
                        who),
            "PONG"};
  }
  Exchange subscribe(std::string_view name) const override {
    return {fmt::format("SUB {} 1\r\nPING\r\n", name), "PONG"};
  }
  Frame publish(std::string_view name, std::string_view reply_to,
                std::size_t body_size) const override {
    return made(fmt::format("PUB {} {}{}\r\n", name, with_space(reply_to), body_size), body_size);
  }
  Frame deliver(std::string_view name, std::string_view reply_to,
                std::size_t body_size) const override {
    return {.head = fmt::format("MSG {} 1 {}{}\r\n", name, with_space(reply_to), body_size),
            .tail = "\r\n",
            .body_size = body_size,
            .varies_at = fmt::formatted_size("MSG {} 1 ", name),
            .varies_size = reply_to.size()};
  }
  Try<std::string_view> answer_to(std::string_view line) const override {
    if (line == "PING") return "PONG\r\n";
    if (line == "PONG" || line == "+OK" || line.starts_with("INFO ")) return "";
    return complaint(line);
  }

 private:
  static std::string with_space(std::string_view reply_to) {
    return reply_to.empty() ? std::string() : std::string(reply_to) + " ";
  }
};

class Redis final : public LiveProtocol {
 public:
  std::string_view name() const override { return "redis"; }
  std::uint16_t port() const override { return 6379; }
  bool answers_publish() const override { return true; }
  bool publishes_while_subscribed() const override { return false; }

  Exchange log_in(const ServerUrl& url) const override {
    std::string request;
    if (!url.password.empty()) {
      request = url.user.empty() ? "*2\r\n" : "*3\r\n";
      request += bulk("AUTH") + (url.user.empty() ? "" : bulk(url.user)) + bulk(url.password);
    }
    return {request + "*1\r\n" + bulk("PING"), "+PONG"};
  }
  Exchange subscribe(std::string_view name) const override {
    return {"*2\r\n" + bulk("SUBSCRIBE") + bulk(name), ":1"};
  }
  Frame publish(std::string_view name, std::string_view, std::size_t body_size) const override {
    return made(fmt::format("*3\r\n{}{}${}\r\n", bulk("PUBLISH"), bulk(name), body_size),
                body_size);
  }
  Frame deliver(std::string_view name, std::string_view, std::size_t body_size) const override {
    return made(fmt::format("*3\r\n{}{}${}\r\n", bulk("message"), bulk(name), body_size),
                body_size);
  }
  Try<std::string_view> answer_to(std::string_view line) const override {
    if (line == "+OK") return "";
    return complaint(line);
  }

 private:
  static std::string bulk(std::string_view text) {
    return fmt::format("${}\r\n{}\r\n", text.size(), text);
  }
};

}  // namespace

const LiveProtocol& nats_protocol() {
  static const Nats protocol;
  return protocol;
}

const LiveProtocol& redis_protocol() {
  static const Redis protocol;
  return protocol;
}

}  // namespace wharf::bench
