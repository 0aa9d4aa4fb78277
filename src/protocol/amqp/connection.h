// protocol/amqp/connection.h: the session itself; session.h is what others see of it.
//
//   greeting --> start --> tune --> open --> running --> detaching --> closed --> (closing())
//       '----------'---------'--------'---------'-------------------------^
//   refused before it is open: `silent` for a while, then the end
//
// `detaching`: the client has asked to close and waits for its exclusive queues to be gone.
// `closed`: a close frame or close-ok has been sent; only close and close-ok are still looked at.
//
// A turn is one call of on_bytes or on_wake: what it collects (settled records, confirms, credit)
// is handed over at its end. Files: session.cpp (turns, frames, channels, events), connection.cpp
// (channel 0: handshake, close, blocked, timers).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "broker/api.h"
#include "protocol/amqp/channel.h"
#include "protocol/amqp/frame.h"
#include "protocol/amqp/link.h"
#include "protocol/amqp/session.h"
#include "protocol/amqp/timers.h"
#include "wire/byte_session.h"

namespace wharf::amqp {

class AmqpSession final : public ByteSession, public broker::EventListener {
 public:
  AmqpSession(const AmqpOptions& options, broker::Core& core, SessionHost& host, const Peer& peer);
  ~AmqpSession() override;

  std::size_t on_bytes(Bytes input, Chain& out) override;
  void on_wake(Chain& out) override;
  void on_deadline(Instant now, Chain& out) override;
  std::optional<Instant> next_deadline() const override { return timers_.next(); }
  bool wants_input() const override { return !ended_ && !held_ && !stalled_; }
  bool closing() const override { return ended_; }
  void on_closed() override;
  void on_shutdown(Chain& out) override;

  void on_events() override { host_.wake(); }

 private:
  enum class Phase : std::uint8_t {
    greeting,
    start,  // connection.start sent
    tune,   // tune sent
    open,   // waiting for open
    running,
    detaching,
    closed,
    silent,  // refused; what still comes is not looked at
  };

  // ---- session.cpp: frames
  std::size_t take_frames(Bytes input, Chain& out);
  std::size_t payload_max() const;
  bool must_wait(const Frame& frame);
  void on_frame(const Frame& frame, Chain& out);
  void on_channel_frame(const Frame& frame, Chain& out);
  Checked dispatch(Channel& channel, const Frame& frame, Chain& out);
  Checked on_channel_method(Channel& channel, const Method& method, Chain& out);
  void on_unknown_channel(const Frame& frame, Chain& out);
  void on_closing_channel(const Frame& frame, Chain& out);
  void frame_fault(const Fault& fault, Bytes input, Chain& out);

  // ---- session.cpp: channels
  Channel* find_channel(std::uint16_t number);
  void drop_channel(std::uint16_t number);
  void fail_channel(Channel& channel, Error error, Chain& out);

  // ---- session.cpp: events
  void on_event(broker::Reply& event, Chain& out);
  void on_event(broker::Delivery& event, Chain& out);
  void on_event(broker::Receipt& event, Chain& out);
  void on_event(broker::ConsumerCancelled& event, Chain& out);
  void on_event(broker::Alarm& event, Chain& out);
  void on_event(broker::Direct& event, Chain& out);
  void on_event(broker::Evicted& event, Chain& out);
  void take_live(Chain& out);
  bool has_room_for_answers(const Chain& out) const;
  void end_turn(Chain& out);
  void renew_credit(Chain& out);
  void note_output(bool grew);
  bool output_is_low(const Chain& out) const;
  bool output_is_high() const;

  // ---- connection.cpp
  std::size_t take_greeting(Bytes input, Chain& out);
  void on_connection_frame(const Frame& frame, Chain& out);
  Checked on_connection_method(const Method& method, Chain& out);
  template <class M>
  Checked decode_and(const Method& method, Chain& out);
  Checked on(const ConnectionStartOk& method, Chain& out);
  Checked on(const ConnectionTuneOk& method, Chain& out);
  Checked on(const ConnectionOpen& method, Chain& out);
  Checked on(const ConnectionClose& method, Chain& out);
  Checked on(const ConnectionCloseOk& method, Chain& out);
  Checked on(const ConnectionUpdateSecret& method, Chain& out);
  void fail_connection(const Error& error, Chain& out);
  void close_with(const Error& error, Chain& out);
  void go_silent();
  void linger();
  void finish_detach(Chain& out);
  void detach();
  void drop_channels();
  void start_timers();
  void check_overdue(Instant now, Chain& out);
  void hold_publisher(Chain& out);
  void tell_alarm(Chain& out);
  bool attached() const { return static_cast<bool>(link_.session); }

  SessionHost& host_;
  const Peer peer_;
  Link link_;
  Phase phase_ = Phase::greeting;
  MethodId current_method_ = 0;    // on channel 0
  std::uint16_t channel_max_ = 0;  // as tuned
  bool ended_ = false;
  bool deaf_ = false;     // frames can no longer be told apart
  bool stalled_ = false;  // the next frame must wait for an answer or for output to drain
  bool held_ = false;     // a publisher, by an alarm
  bool blocked_ = false;  // and was told so
  broker::Alarm alarm_;
  broker::RequestId detach_request_ = 0;
  Heartbeat heartbeat_;
  Timers timers_;
  boost::unordered_flat_map<std::uint16_t, std::unique_ptr<Channel>> channels_;
  Channel* last_channel_ = nullptr;  // the one that was looked up last
  std::vector<broker::Event> events_;
  broker::LiveMail live_;
  std::vector<std::uint16_t> numbers_;  // kept to keep its memory
};

}  // namespace wharf::amqp
