#include "bench/forwarder.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <optional>

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/server_url.h"

namespace wharf::bench {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t input_size_min = 256 * 1024;
constexpr std::size_t input_size_max = 64 << 20;
constexpr std::size_t unsent_max = 1 << 20;  // of one connection, before publishers wait

std::optional<std::size_t> number(std::string_view text) {
  std::size_t value = 0;
  auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
  bool right = wrong == std::errc{} && end == text.data() + text.size() && value <= input_size_max;
  return right ? std::optional(value) : std::nullopt;
}

// Bytes that are appended at the end and sent from the front.
class Outbox {
 public:
  std::size_t size() const { return end_ - begin_; }
  void append(std::string_view bytes) {
    if (bytes_.size() - end_ < bytes.size()) make_room(bytes.size());
    std::memcpy(bytes_.data() + end_, bytes.data(), bytes.size());
    end_ += bytes.size();
  }
  // False when the connection is gone.
  bool send_to(int fd) {
    ssize_t sent = send(fd, bytes_.data() + begin_, size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    begin_ += static_cast<std::size_t>(sent);
    if (begin_ == end_) begin_ = end_ = 0;
    return true;
  }

 private:
  void make_room(std::size_t needed) {
    std::memmove(bytes_.data(), bytes_.data() + begin_, size());
    end_ -= std::exchange(begin_, 0);
    if (bytes_.size() - end_ < needed) bytes_.resize(2 * (end_ + needed));
  }

  std::vector<char> bytes_ = std::vector<char>(unsent_max);
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace

class Forwarder::Connection final : public Role {
 public:
  Connection(Forwarder& forwarder, Socket socket)
      : forwarder_(forwarder), socket_(std::move(socket)) {
    if (forwarder.kind_ == LiveKind::nats) {
      write(
          "INFO {\"server_id\":\"forwarder\",\"version\":\"2.9.0\",\"proto\":1,"
          "\"headers\":false,\"max_payload\":67108864} \r\n");
    }
  }

  int fd() const override { return socket_.fd(); }
  bool closed() const { return closed_; }
  bool wants_to_read() const override { return forwarder_.behind_ == 0; }
  bool wants_to_write() const override { return out_.size() > 0; }
  Try<void> on_readable() override;
  Try<void> on_writable() override {
    flush();
    return {};
  }
  void flush();

 private:
  // How many bytes the message at the front of `in` has, which is then dealt with; 0 when it is not
  // whole, or closed() now.
  std::size_t take_nats(std::string_view in);
  std::size_t take_redis(std::string_view in);
  // The bulk string at `at`, which then is behind it.
  std::optional<std::string_view> bulk(std::string_view in, std::size_t& at);
  void on_command(const std::vector<std::string_view>& arguments);
  // Copies `rest`, a message from behind its name on. Returns the number of copies.
  std::size_t publish(std::string_view name, std::string_view rest);
  void subscribe(std::string_view name, std::string head) {
    forwarder_.topic(name).push_back({this, std::move(head)});
  }
  void answer_count(std::size_t count) {
    if (last_answer_.empty() || count != last_count_) last_answer_ = fmt::format(":{}\r\n", count);
    last_count_ = count;
    write(last_answer_);
  }
  void write(std::string_view bytes) {
    touch();
    out_.append(bytes);
  }
  void touch() {
    if (!std::exchange(touched_, true)) forwarder_.touched_.push_back(this);
  }

  Forwarder& forwarder_;
  Socket socket_;
  bool closed_ = false;
  bool touched_ = false;
  bool behind_ = false;
  std::vector<char> input_ = std::vector<char>(input_size_min);
  std::size_t input_end_ = 0;
  Outbox out_;
  std::string last_name_;  // that was published to, and who hears it
  Topic* last_topic_ = nullptr;
  std::size_t last_count_ = 0;  // that a publish was answered with
  std::string last_answer_;
};

class Forwarder::Door final : public Role {
 public:
  Door(Forwarder& forwarder, Socket socket) : forwarder_(forwarder), socket_(std::move(socket)) {}
  const Socket& socket() const { return socket_; }
  int fd() const override { return socket_.fd(); }
  bool wants_to_write() const override { return false; }
  Try<void> on_writable() override { return {}; }
  Try<void> on_readable() override {
    Socket accepted = accept_from(socket_);
    if (accepted.fd() < 0) return {};
    auto& connections = forwarder_.connections_;
    connections.push_back(std::make_unique<Connection>(forwarder_, std::move(accepted)));
    forwarder_.loop_.add(*connections.back());
    return {};
  }

 private:
  Forwarder& forwarder_;
  Socket socket_;
};

Try<void> Forwarder::Connection::on_readable() {
  ssize_t size = recv(fd(), input_.data() + input_end_, input_.size() - input_end_, 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  closed_ = closed_ || size <= 0;
  if (closed_) return {};
  input_end_ += static_cast<std::size_t>(size);
  std::string_view rest(input_.data(), input_end_);
  while (!rest.empty() && !closed_) {
    std::size_t used = forwarder_.kind_ == LiveKind::nats ? take_nats(rest) : take_redis(rest);
    if (used == 0) break;
    rest.remove_prefix(used);
  }
  std::memmove(input_.data(), rest.data(), rest.size());
  input_end_ = rest.size();
  if (input_end_ == input_.size()) input_.resize(2 * input_.size());
  closed_ = closed_ || input_.size() > 2 * input_size_max;
  forwarder_.flush_touched();
  return {};
}

void Forwarder::Connection::flush() {
  touched_ = false;
  if (out_.size() > 0 && !out_.send_to(fd())) closed_ = true;
  bool behind = !closed_ && out_.size() > unsent_max;
  if (behind != behind_) forwarder_.behind_ += behind ? 1 : std::size_t(-1);
  behind_ = behind;
}

std::size_t Forwarder::Connection::take_nats(std::string_view in) {
  const void* feed = std::memchr(in.data(), '\n', in.size());
  if (!feed) return 0;
  auto end = static_cast<std::size_t>(static_cast<const char*>(feed) - in.data()) + 1;
  std::string_view line = in.substr(0, end < 2 ? 0 : end - 2);
  std::size_t last_space = line.rfind(' ');
  if (line.starts_with("PUB ") && last_space > 4) {
    std::string_view name = line.substr(4, line.find(' ', 4) - 4);
    std::optional<std::size_t> body = number(line.substr(last_space + 1));
    closed_ = closed_ || !body;
    if (closed_ || in.size() < end + *body + 2) return 0;
    std::size_t size = end + *body + 2;
    publish(name, in.substr(4 + name.size(), size - 4 - name.size()));
    return size;
  }
  if (line.starts_with("SUB ") && last_space > 4) {
    std::string_view name = line.substr(4, line.find(' ', 4) - 4);
    subscribe(name, fmt::format("MSG {} {}", name, line.substr(last_space + 1)));
  } else if (line == "PING") {
    write("PONG\r\n");
  }
  return end;
}

std::optional<std::string_view> Forwarder::Connection::bulk(std::string_view in, std::size_t& at) {
  std::size_t end = in.find('\n', at);
  if (end == std::string_view::npos) return std::nullopt;
  std::optional<std::size_t> size;
  if (in[at] == '$' && end > at + 1) size = number(in.substr(at + 1, end - at - 2));
  closed_ = closed_ || !size;
  if (closed_ || in.size() < end + 1 + *size + 2) return std::nullopt;
  at = end + 1 + *size + 2;
  return in.substr(end + 1, *size);
}

std::size_t Forwarder::Connection::take_redis(std::string_view in) {
  constexpr std::string_view publish_head = "*3\r\n$7\r\nPUBLISH\r\n";
  if (in.starts_with(publish_head)) {
    std::size_t at = publish_head.size();
    std::optional<std::string_view> name = bulk(in, at);
    std::size_t body_at = at;
    if (!name || !bulk(in, at)) return 0;
    answer_count(publish(*name, in.substr(body_at, at - body_at)));
    return at;
  }
  std::size_t end = in.find('\n');
  if (end == std::string_view::npos) return 0;
  std::optional<std::size_t> count;
  if (in[0] == '*' && end > 1) count = number(in.substr(1, end - 2));
  closed_ = closed_ || !count;
  std::vector<std::string_view> arguments;
  std::size_t at = end + 1;
  while (!closed_ && arguments.size() < *count) {
    std::optional<std::string_view> argument = bulk(in, at);
    if (!argument) return 0;
    arguments.push_back(*argument);
  }
  if (!closed_ && !arguments.empty()) on_command(arguments);
  return at;
}

void Forwarder::Connection::on_command(const std::vector<std::string_view>& arguments) {
  if (arguments[0] == "SUBSCRIBE" && arguments.size() == 2) {
    std::string name = fmt::format("${}\r\n{}\r\n", arguments[1].size(), arguments[1]);
    subscribe(arguments[1], "*3\r\n$7\r\nmessage\r\n" + name);
    return write("*3\r\n$9\r\nsubscribe\r\n" + name + ":1\r\n");
  }
  if (arguments[0] == "PING") return write("+PONG\r\n");
  write(arguments[0] == "AUTH" ? "+OK\r\n" : "-ERR unknown command\r\n");
}

std::size_t Forwarder::Connection::publish(std::string_view name, std::string_view rest) {
  if (!last_topic_ || name != last_name_) {
    last_name_ = name;
    last_topic_ = &forwarder_.topic(name);
  }
  for (Listener& listener : *last_topic_) {
    listener.connection->write(listener.head);
    listener.connection->out_.append(rest);
  }
  return last_topic_->size();
}

Forwarder::Forwarder(LiveKind kind, Socket listener)
    : kind_(kind), loop_(clock_), door_(std::make_unique<Door>(*this, std::move(listener))) {
  loop_.add(*door_);
}

Forwarder::~Forwarder() = default;

Try<std::unique_ptr<Forwarder>> Forwarder::listen(LiveKind kind, const std::string& host,
                                                  std::uint16_t port) {
  Try<Socket> listener = listen_on(host, port);
  if (!listener) return std::unexpected(listener.error());
  return std::unique_ptr<Forwarder>(new Forwarder(kind, std::move(*listener)));
}

std::uint16_t Forwarder::port() const { return port_of(door_->socket()); }

Try<void> Forwarder::turn() {
  Try<void> turned = loop_.turn(clock_.now() + 100ms);
  flush_touched();
  bury_closed();
  return turned;
}

void Forwarder::flush_touched() {
  for (Connection* connection : touched_) connection->flush();
  touched_.clear();
}

void Forwarder::bury_closed() {
  for (auto& connection : connections_) {
    if (!connection->closed()) continue;
    connection->flush();  // it is no longer one of those behind
    loop_.remove(*connection);
    for (auto& [name, topic] : topics_) {
      std::erase_if(topic,
                    [&](const Listener& each) { return each.connection == connection.get(); });
    }
  }
  std::erase_if(connections_, [](const auto& connection) { return connection->closed(); });
}

int run_forwarder(LiveKind kind, const std::string& place) {
  ServerUrl at;
  if (!parse_place(place, at)) {
    fmt::print(stderr, "wharf bench forwarder: {} is not HOST:PORT\n", place);
    return 2;
  }
  Try<std::unique_ptr<Forwarder>> forwarder = Forwarder::listen(kind, at.host, at.port);
  Try<void> ran;
  if (forwarder) {
    fmt::print("ready pid={} port={}\n", getpid(), (*forwarder)->port());
    std::fflush(stdout);
    ran = (*forwarder)->run([] { return false; });
  } else {
    ran = std::unexpected(forwarder.error());
  }
  fmt::print(stderr, "wharf bench forwarder: {}\n", ran.error());
  return 1;
}

}  // namespace wharf::bench
