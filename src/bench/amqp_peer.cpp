#include "bench/amqp_peer.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "protocol/amqp/table.h"

namespace wharf::bench {

namespace {

constexpr std::size_t frame_max_default = 131072;
constexpr std::size_t input_size = 4 * frame_max_default;
constexpr std::size_t pieces_max = 64;  // a writev

template <class Close>
std::string closed_text(Bytes arguments) {
  Result<Close> close = schema::decode<Close>(arguments);
  if (!close) return "the server closed";
  return "the server closed: " + std::to_string(close->reply_code) + " " +
         std::string(close->reply_text);
}

}  // namespace

AmqpPeer::AmqpPeer(Socket socket)
    : socket_(std::move(socket)), frame_max_(frame_max_default), input_(input_size) {}

Try<std::unique_ptr<AmqpPeer>> AmqpPeer::connect(const ServerUrl& url) {
  Try<Socket> socket = connect_to(url.host, url.port);
  if (!socket) return std::unexpected(socket.error());
  std::unique_ptr<AmqpPeer> peer(new AmqpPeer(std::move(*socket)));
  if (Try<void> in = peer->log_in(url); !in) return std::unexpected(in.error());
  return peer;
}

Try<void> AmqpPeer::log_in(const ServerUrl& url) {
  out_.append(amqp::greeting_0_9_1);
  if (auto start = expect<amqp::ConnectionStart>(); !start) return std::unexpected(start.error());
  amqp::TableWriter capabilities;
  capabilities.add("connection.blocked", true);
  capabilities.add("authentication_failure_close", true);
  amqp::TableWriter properties;
  properties.add("product", "wharf bench");
  properties.add("capabilities", capabilities.view());
  std::string response = '\0' + url.user + '\0' + url.password;
  amqp::ConnectionStartOk start_ok{.client_properties = properties.bytes(),
                                   .mechanism = "PLAIN",
                                   .response = bytes_of(response),
                                   .locale = "en_US"};
  amqp::write_method(out_, 0, start_ok);
  if (Try<void> agreed = negotiate(url); !agreed) return agreed;
  if (auto open = call<amqp::ChannelOpenOk>(amqp::ChannelOpen{}); !open) {
    return std::unexpected(open.error());
  }
  return {};
}

Try<void> AmqpPeer::negotiate(const ServerUrl& url) {
  auto tune = expect<amqp::ConnectionTune>();
  if (!tune) return std::unexpected(tune.error());
  if (tune->frame_max != 0) frame_max_ = std::min<std::size_t>(frame_max_, tune->frame_max);
  amqp::ConnectionTuneOk tune_ok{.channel_max = tune->channel_max,
                                 .frame_max = static_cast<std::uint32_t>(frame_max_)};
  amqp::write_method(out_, 0, tune_ok);
  auto open = call<amqp::ConnectionOpenOk>(amqp::ConnectionOpen{.virtual_host = url.path}, 0);
  if (!open) return std::unexpected(open.error());
  return {};
}

Try<amqp::Frame> AmqpPeer::next_method() {
  while (true) {
    if (Try<void> flushed = flush(); !flushed) return std::unexpected(flushed.error());
    Try<std::optional<amqp::Frame>> frame = take_frame();
    if (!frame) return std::unexpected(frame.error());
    if (*frame && (*frame)->type == amqp::FrameType::method) {
      Try<bool> handled = handle_common(**frame);
      if (!handled) return std::unexpected(handled.error());
      if (!*handled) return **frame;
    }
    if (*frame) continue;
    auto events = static_cast<short>(POLLIN | (out_.empty() ? 0 : POLLOUT));
    if (Try<void> ready = socket_.wait(events); !ready) return std::unexpected(ready.error());
    if (Try<void> received = receive(); !received) return std::unexpected(received.error());
  }
}

Try<void> AmqpPeer::receive() {
  if (input_begin_ > 0) {
    std::memmove(input_.data(), input_.data() + input_begin_, input_end_ - input_begin_);
    input_end_ -= std::exchange(input_begin_, 0);
  }
  ssize_t size = recv(fd(), input_.data() + input_end_, input_.size() - input_end_, 0);
  if (size > 0) {
    input_end_ += static_cast<std::size_t>(size);
    return {};
  }
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  return std::unexpected(size == 0 ? "the server hung up" : system_error("recv"));
}

Try<std::optional<amqp::Frame>> AmqpPeer::take_frame() {
  Bytes input = Bytes(input_).subspan(input_begin_, input_end_ - input_begin_);
  Result<std::optional<amqp::Frame>> frame = amqp::read_frame(input, frame_max_);
  if (!frame)
    return std::unexpected(std::string("bad frame from the server: ") + frame.error().why);
  if (*frame) input_begin_ += size_of(**frame);
  return *frame;
}

Try<bool> AmqpPeer::handle_common(const amqp::Frame& frame) {
  Result<amqp::Method> method = amqp::read_method(frame.payload);
  if (!method) return std::unexpected(method.error().why);
  switch (method->id) {
    case amqp::ConnectionClose::id:
      return std::unexpected(closed_text<amqp::ConnectionClose>(method->arguments));
    case amqp::ChannelClose::id:
      return std::unexpected(closed_text<amqp::ChannelClose>(method->arguments));
    case amqp::BasicCancel::id:
      return std::unexpected("the server cancelled a consumer");
    case amqp::ConnectionBlocked::id:
      ++times_blocked_;
      return true;
    case amqp::ConnectionUnblocked::id:
      return true;
    default:
      return false;
  }
}

Try<void> AmqpPeer::flush() {
  while (!out_.empty()) {
    out_.front_pieces(pieces_, pieces_max);
    std::array<iovec, pieces_max> vectors;
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
      vectors[i] = {const_cast<std::byte*>(pieces_[i].data()), pieces_[i].size()};
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = pieces_.size();
    ssize_t size = sendmsg(fd(), &message, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return {};
    if (size < 0) return std::unexpected(system_error("send"));
    out_.consume(static_cast<std::size_t>(size));
  }
  return {};
}

}  // namespace wharf::bench
