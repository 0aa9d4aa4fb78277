#include "bench/live_connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>

#include "bench/live_frames.h"

namespace wharf::bench {

namespace {

constexpr std::size_t input_size_min = 256 * 1024;

}  // namespace

LiveConnection::LiveConnection(const LiveProtocol& protocol, Socket socket, std::size_t input_size)
    : protocol_(protocol), socket_(std::move(socket)), input_(input_size) {}

Try<std::unique_ptr<LiveConnection>> LiveConnection::open(const LiveProtocol& protocol,
                                                          const ServerUrl& url,
                                                          std::size_t frame_size) {
  Try<Socket> socket = connect_to(url.host, url.port);
  if (!socket) return std::unexpected(socket.error());
  std::size_t input_size = std::max(input_size_min, 4 * frame_size);
  std::unique_ptr<LiveConnection> made(
      new LiveConnection(protocol, std::move(*socket), input_size));
  Try<void> in = made->exchange(protocol.log_in(url));
  if (!in) return std::unexpected(in.error());
  return made;
}

Try<void> LiveConnection::exchange(const Exchange& exchange) {
  rest_ = bytes_of(exchange.request);
  while (!rest_.empty()) {
    if (Try<void> ready = socket_.wait(POLLOUT); !ready) return ready;
    if (Try<void> flushed = flush(); !flushed) return flushed;
  }
  while (true) {
    Try<bool> done = take_answer(exchange.done);
    if (!done) return std::unexpected(done.error());
    if (*done) return {};
    if (Try<void> ready = socket_.wait(POLLIN); !ready) return ready;
    if (Try<void> received = receive(); !received) return received;
  }
}

Try<bool> LiveConnection::take_answer(std::string_view done) {
  while (std::optional<std::string_view> line = first_line(input())) {
    if (line->starts_with('-')) return std::unexpected("the server sent " + std::string(*line));
    bool is_done = *line == done;
    input_begin_ += line->size() + line_end_size;
    if (is_done) return true;
  }
  return false;
}

void LiveConnection::attach(LiveParty& party, bool writes) {
  party_ = &party;
  writes_ = writes;
}

Try<void> LiveConnection::receive() {
  if (input_begin_ > 0) {
    std::memmove(input_.data(), input_.data() + input_begin_, input_end_ - input_begin_);
    input_end_ -= std::exchange(input_begin_, 0);
  }
  if (input_end_ == input_.size()) return std::unexpected("the server sent a line without end");
  ssize_t size = recv(fd(), input_.data() + input_end_, input_.size() - input_end_, 0);
  if (size > 0) {
    input_end_ += static_cast<std::size_t>(size);
    return {};
  }
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  return std::unexpected(size == 0 ? "the server hung up" : system_error("recv"));
}

Try<void> LiveConnection::on_readable() {
  if (Try<void> received = receive(); !received) return received;
  Try<std::size_t> used = party_->on_input(*this, input());
  if (!used) return std::unexpected(used.error());
  input_begin_ += *used;
  return {};
}

Try<void> LiveConnection::on_writable() {
  if (rest_.empty() && !answers_.empty()) {
    answers_written_ = std::exchange(answers_, {});
    rest_ = bytes_of(answers_written_);
  }
  if (rest_.empty() && writes_) rest_ = party_->next_output();
  return flush();
}

Try<void> LiveConnection::flush() {
  if (rest_.empty()) return {};
  ssize_t size = send(fd(), rest_.data(), rest_.size(), MSG_NOSIGNAL);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  if (size < 0) return std::unexpected(system_error("send"));
  rest_ = rest_.subspan(static_cast<std::size_t>(size));
  return {};
}

}  // namespace wharf::bench
