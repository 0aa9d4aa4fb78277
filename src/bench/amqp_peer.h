// bench/amqp_peer.h: one connection to an AMQP 0-9-1 server with one channel open, from the
// client's side. Set-up blocks, each step for ten seconds at most; after that the socket is driven
// by epoll: read gives whole frames, flush writes what the socket takes.
//
// Errors are sentences for the one who runs the benchmark, with the server's own words in them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/server_url.h"
#include "bench/socket.h"
#include "protocol/amqp/frame.h"
#include "wire/chain.h"

namespace wharf::bench {

class AmqpPeer {
 public:
  static constexpr std::uint16_t channel = 1;

  // Connects, logs in, opens the vhost and the channel.
  static Try<std::unique_ptr<AmqpPeer>> connect(const ServerUrl& url);

  int fd() const { return socket_.fd(); }
  std::size_t frame_max() const { return frame_max_; }
  Chain& out() { return out_; }
  // How often the server has announced that it holds publishers back.
  std::uint32_t times_blocked() const { return times_blocked_; }

  // Sends the request and waits for its answer. Views in it die at the next read.
  // REQUIRES: nothing else can arrive on the channel meanwhile.
  template <class Reply, class Request>
  Try<Reply> call(const Request& request, std::uint16_t on_channel = channel) {
    amqp::write_method(out_, on_channel, request);
    return expect<Reply>();
  }

  // Reads once from the socket and gives each whole frame of the channel to `on_frame`, which may
  // not keep views. Fails when the server closes.
  template <class OnFrame>
  Try<void> read(OnFrame&& on_frame) {
    if (Try<void> received = receive(); !received) return received;
    return each_frame(on_frame);
  }

  // Writes as much of out() as the socket takes.
  Try<void> flush();

 private:
  explicit AmqpPeer(Socket socket);
  Try<void> log_in(const ServerUrl& url);
  Try<void> negotiate(const ServerUrl& url);
  Try<void> receive();
  // Flushes all, then blocks until a method frame is at the front of the input.
  Try<amqp::Frame> next_method();
  // The frame at the front of the input, taken out; none when it is not whole.
  Try<std::optional<amqp::Frame>> take_frame();
  // Connection-wide methods, and the end of the channel. True: the frame is dealt with.
  Try<bool> handle_common(const amqp::Frame& frame);

  template <class Reply>
  Try<Reply> expect();
  template <class OnFrame>
  Try<void> each_frame(OnFrame&& on_frame);

  Socket socket_;
  std::size_t frame_max_;
  std::uint32_t times_blocked_ = 0;
  Chain out_;
  std::vector<Bytes> pieces_;  // of out_, while flushing
  std::vector<std::byte> input_;
  std::size_t input_begin_ = 0;
  std::size_t input_end_ = 0;
};

template <class Reply>
Try<Reply> AmqpPeer::expect() {
  Try<amqp::Frame> frame = next_method();
  if (!frame) return std::unexpected(frame.error());
  Result<amqp::Method> method = amqp::read_method(frame->payload);
  if (!method || method->id != Reply::id) {
    std::string_view name = method ? amqp::method_name(method->id) : "a broken method";
    return std::unexpected("the server sent " + std::string(name) + " instead of " +
                           std::string(Reply::name));
  }
  Result<Reply> reply = schema::decode<Reply>(method->arguments);
  if (!reply) return std::unexpected(std::string(Reply::name) + ": " + reply.error().why);
  return *reply;
}

template <class OnFrame>
Try<void> AmqpPeer::each_frame(OnFrame&& on_frame) {
  while (true) {
    Try<std::optional<amqp::Frame>> frame = take_frame();
    if (!frame) return std::unexpected(frame.error());
    if (!*frame) return {};
    if ((*frame)->type == amqp::FrameType::method) {
      Try<bool> handled = handle_common(**frame);
      if (!handled) return std::unexpected(handled.error());
      if (*handled) continue;
    }
    if ((*frame)->type != amqp::FrameType::heartbeat) on_frame(**frame);
  }
}

}  // namespace wharf::bench
