// protocol/amqp/testing.h: for tests: a session on a fake core, and a client that speaks frames to
// it and shows what comes back, one text a frame: `1 queue.declare-ok(queue="q" message_count=0
// ...)`, `1 header(2 <8000...>)`, `1 body("hello")`, `heartbeat`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "protocol/amqp/fake_core.h"
#include "protocol/amqp/frame.h"
#include "protocol/amqp/properties.h"
#include "protocol/amqp/session.h"

namespace wharf::amqp::testing {

class FakeHost final : public SessionHost {
 public:
  bool woken = false;
  std::size_t unsent = 0;
  void wake() override { woken = true; }
  std::size_t unsent_bytes() const override { return unsent; }
};

// The frame as a text; in testing_test.cpp, since it knows all methods and takes long to compile.
std::string show(const Frame& frame);

// Who a verified certificate says the peer is; empty when it showed none.
inline Peer peer_named(std::string certificate_name = {}) {
  Peer peer;
  peer.remote = "127.0.0.1:40222";
  peer.local = "127.0.0.1:5672";
  peer.loopback = true;
  peer.tls = !certificate_name.empty();
  peer.certificate_name = std::move(certificate_name);
  peer.tls = !peer.certificate_name.empty();
  return peer;
}

class Client {
 public:
  explicit Client(FakeCore& the_core, AmqpOptions the_options = {}, const Peer& peer = peer_named())
      : options(std::move(the_options)),
        core(the_core),
        session(make_amqp_session(options, core, host, peer)) {}
  ~Client() {
    if (session) hang_up();
  }

  // ---- sending; what is sent is taken at once, as far as the session takes it
  void bytes(Bytes some) {
    input.insert(input.end(), some.begin(), some.end());
    run();
  }
  template <class M>
  void send(std::uint16_t channel, const M& method) {
    Chain frame;
    write_method(frame, channel, method);
    bytes(bytes_of(frame.flatten()));
  }
  template <class M>
  void send_content(std::uint16_t channel, const M& method, Bytes properties,
                    std::string_view body) {
    Chain content;
    write_content(content, channel, method, properties, Body(bytes_of(body)), 4096);
    bytes(bytes_of(content.flatten()));
  }
  void publish(std::uint16_t channel, std::string_view exchange, std::string_view key,
               std::string_view body, const Properties& properties = {}, bool mandatory = false) {
    send_content(channel,
                 BasicPublish{.exchange = exchange, .routing_key = key, .mandatory = mandatory},
                 properties.encode(), body);
  }

  // Turns until nothing moves.
  void run() {
    for (int turn = 0; turn < 10000; ++turn) {
      bool moved = false;
      if (!input.empty() && session->wants_input()) {
        std::size_t used = session->on_bytes(input, out);
        input.erase(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(used));
        moved = used > 0;
      }
      if (std::exchange(host.woken, false)) {
        session->on_wake(out);
        moved = true;
      }
      drain();
      if (!moved) return;
    }
    FAIL() << "the session never comes to rest";
  }
  void pass(Duration time) {
    core.time.advance(time);
    while (session->next_deadline() && *session->next_deadline() <= core.time.now()) {
      session->on_deadline(core.time.now(), out);
    }
    run();
  }
  void hang_up() {
    session->on_closed();
    session.reset();
  }

  // ---- receiving
  // All frames since the last call.
  std::vector<std::string> take() { return std::exchange(frames, {}); }
  // The only frame since the last call.
  std::string one() {
    std::vector<std::string> all = take();
    EXPECT_EQ(all.size(), 1u) << ::testing::PrintToString(all);
    return all.empty() ? "" : all[0];
  }

  // ---- the usual beginning
  void open(std::uint16_t heartbeat_s = 0, bool able = true) {
    bytes(greeting_0_9_1);
    TableWriter capabilities;
    for (const char* name :
         {"authentication_failure_close", "connection.blocked", "consumer_cancel_notify"}) {
      if (able) capabilities.add(name, true);
    }
    TableWriter properties;
    properties.add("capabilities", capabilities.view());
    using namespace std::literals;
    send(0, ConnectionStartOk{.client_properties = properties.bytes(),
                              .mechanism = "PLAIN",
                              .response = bytes_of("\0guest\0guest"sv),
                              .locale = "en_US"});
    send(0, ConnectionTuneOk{
                .channel_max = 2047, .frame_max = options.frame_max, .heartbeat = heartbeat_s});
    send(0, ConnectionOpen{.virtual_host = "/"});
    take();
  }
  void open_channel(std::uint16_t number) {
    send(number, ChannelOpen{});
    EXPECT_EQ(one(), std::to_string(number) + " channel.open-ok(reserved_1=<>)");
  }
  void declare(std::uint16_t channel, std::string_view queue) {
    send(channel, QueueDeclare{.queue = queue});
    EXPECT_TRUE(one().starts_with(std::to_string(channel) + " queue.declare-ok("));
  }
  void consume(std::uint16_t channel, std::string_view queue, std::string_view tag,
               bool no_ack = false) {
    send(channel, BasicConsume{.queue = queue, .consumer_tag = tag, .no_ack = no_ack});
  }

  AmqpOptions options;
  FakeCore& core;
  FakeHost host;
  Chain out;
  std::vector<std::byte> input;
  std::string raw;  // all output, ever
  std::vector<std::string> frames;
  std::unique_ptr<ByteSession> session;

 private:
  void drain() {
    std::string fresh = out.flatten();
    out.clear();
    raw += fresh;
    pending_ += fresh;
    for (;;) {
      if (pending_.starts_with("AMQP")) {
        frames.emplace_back("greeting");
        pending_.erase(0, greeting_size);
      }
      Result<std::optional<Frame>> frame = read_frame(bytes_of(pending_), 1 << 20);
      ASSERT_TRUE(frame.has_value());
      if (!*frame) return;
      frames.push_back(show(**frame));
      pending_.erase(0, size_of(**frame));
    }
  }
  std::string pending_;
};

}  // namespace wharf::amqp::testing
