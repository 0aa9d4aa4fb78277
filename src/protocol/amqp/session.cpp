// Turns, frames, channels and events of a session.
#include "protocol/amqp/session.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "protocol/amqp/connection.h"

namespace wharf::amqp {

namespace {

constexpr std::size_t payload_max_before_tune = 16 << 10;
constexpr std::size_t shown_bytes_max = 16;

Error unexpected_frame(const Frame& frame) {
  bool all = frame.payload.size() <= shown_bytes_max;
  return {ReplyCode::unexpected_frame,
          fmt::format("type {}, {} octets = {}", static_cast<int>(frame.type),
                      all ? "all" : "first 16", erlang_binary(frame.payload, shown_bytes_max)),
          0};
}

}  // namespace

std::unique_ptr<ByteSession> make_amqp_session(const AmqpOptions& options, broker::Core& core,
                                               SessionHost& host, const Peer& peer) {
  return std::make_unique<AmqpSession>(options, core, host, peer);
}

AmqpSession::AmqpSession(const AmqpOptions& options, broker::Core& core, SessionHost& host,
                         const Peer& peer)
    : host_(host), peer_(peer), link_(options, core) {
  ASSERT(options.message_size_max <= 32 << 20);
  timers_.set(Timer::end, core.clock().now() + options.handshake_timeout);
}

AmqpSession::~AmqpSession() { ASSERT(!attached()); }

// ---- Turns

std::size_t AmqpSession::on_bytes(Bytes input, Chain& out) {
  if (!input.empty()) heartbeat_.received();
  if (deaf_ || phase_ == Phase::silent || ended_) return input.size();
  if (!wants_input()) return 0;
  std::size_t size_before = out.size();
  std::size_t used = phase_ == Phase::greeting ? take_greeting(input, out) : 0;
  if (phase_ != Phase::greeting) used += take_frames(input.subspan(used), out);
  end_turn(out);
  note_output(out.size() != size_before);
  return used;
}

void AmqpSession::on_wake(Chain& out) {
  std::size_t size_before = out.size();
  stalled_ = output_is_high();
  if (attached()) {
    events_.clear();
    link_.core.take_events(link_.session, events_);
    for (broker::Event& event : events_) {
      // The first of them may have ended the session in the core.
      if (!attached()) break;
      std::visit([&](auto& what) { on_event(what, out); }, event);
    }
    events_.clear();
    if (attached()) take_live(out);
  }
  end_turn(out);
  note_output(out.size() != size_before);
}

// New output may be gone by the end of this very turn, unseen; so credit that waits for it asks for
// one more look. If the output is still there then, the carrier will wake us once it has drained.
void AmqpSession::note_output(bool grew) {
  if (!grew) return;
  heartbeat_.sent();
  if (!link_.earning.empty()) host_.wake();
}

void AmqpSession::end_turn(Chain& out) {
  if (phase_ != Phase::running) return;
  link_.flush_settles();
  numbers_.swap(link_.newsworthy);
  for (std::uint16_t number : numbers_) {
    if (Channel* channel = find_channel(number)) channel->flush_confirms(out);
  }
  numbers_.clear();
  numbers_.swap(link_.relieved);
  for (std::uint16_t number : numbers_) {
    if (Channel* channel = find_channel(number)) channel->share_room();
  }
  numbers_.clear();
  renew_credit(out);
}

bool AmqpSession::output_is_high() const {
  return host_.unsent_bytes() > link_.options.output_high;
}

// What is drained in one go is counted from what the carrier holds and what this turn has added.
bool AmqpSession::output_is_low(const Chain& out) const {
  std::size_t unsent = std::max(host_.unsent_bytes(), out.size());
  return unsent <= link_.options.output_high / 4;
}

void AmqpSession::renew_credit(Chain& out) {
  bool low = output_is_low(out);
  for (broker::ConsumerId id : link_.earning) {
    Consumer* consumer = link_.find_consumer(id);
    if (!consumer || !consumer->earning) continue;
    Grant grant = consumer->credit.take(low);
    if (grant) {
      link_.core.grant(link_.session, consumer->queue, id, grant.messages, grant.bytes);
    }
    // Those whose credit waits for the output to drain stay listed.
    if (low) consumer->earning = false;
  }
  if (low) link_.earning.clear();
}

// ---- Frames

std::size_t AmqpSession::payload_max() const {
  // RabbitMQ lets a payload be as long as a whole frame may be; some clients count that way.
  return link_.frame_max == 0 ? payload_max_before_tune : link_.frame_max;
}

std::size_t AmqpSession::take_frames(Bytes input, Chain& out) {
  std::size_t used = 0;
  while (!ended_ && !deaf_ && !held_ && phase_ != Phase::silent) {
    Bytes rest = input.subspan(used);
    Result<std::optional<Frame>> frame = read_frame(rest, payload_max());
    if (!frame) {
      frame_fault(frame.error(), rest, out);
      return input.size();
    }
    if (!*frame) return used;
    if (must_wait(**frame)) {
      stalled_ = true;
      if (output_is_high()) host_.wake();
      return used;
    }
    on_frame(**frame, out);
    used += size_of(**frame);
  }
  return ended_ || deaf_ || phase_ == Phase::silent ? input.size() : used;
}

// A frame must not overtake an answer that its channel waits for, and nobody is served whose
// answers pile up unread.
bool AmqpSession::must_wait(const Frame& frame) {
  if (phase_ == Phase::detaching) return true;
  if (phase_ != Phase::running) return false;
  if (output_is_high()) return true;
  const Channel* channel = find_channel(frame.channel);
  return channel && channel->busy();
}

void AmqpSession::on_frame(const Frame& frame, Chain& out) {
  if (frame.channel == 0) return on_connection_frame(frame, out);
  if (phase_ == Phase::closed) return;
  if (phase_ != Phase::running) return fail_connection(unexpected_frame(frame), out);
  on_channel_frame(frame, out);
}

void AmqpSession::on_channel_frame(const Frame& frame, Chain& out) {
  if (frame.type == FrameType::heartbeat) return fail_connection(unexpected_frame(frame), out);
  Channel* channel = find_channel(frame.channel);
  if (!channel) return on_unknown_channel(frame, out);
  if (channel->closing()) return on_closing_channel(frame, out);
  Checked result = dispatch(*channel, frame, out);
  if (!result) return fail_channel(*channel, std::move(result.error()), out);
  bool published = std::exchange(link_.published, false);
  bool must_wait = std::exchange(link_.must_wait, false) || alarm_.any();
  if (published && must_wait && phase_ == Phase::running) hold_publisher(out);
}

Checked AmqpSession::dispatch(Channel& channel, const Frame& frame, Chain& out) {
  switch (frame.type) {
    case FrameType::method: {
      Result<Method> method = read_method(frame.payload);
      if (!method) return refuse(ReplyCode::frame_error, "method frame is too short", 0);
      return on_channel_method(channel, *method, out);
    }
    case FrameType::header: {
      Result<ContentHeader> header = read_content_header(frame.payload);
      if (!header) return refuse(ReplyCode::frame_error, "header frame is too short", 0);
      return channel.on_header(*header, out);
    }
    case FrameType::body:
      return channel.on_body(frame.payload, out);
    case FrameType::heartbeat:
      break;
  }
  return refuse(ReplyCode::unexpected_frame, "heartbeat on a channel", 0);
}

Checked AmqpSession::on_channel_method(Channel& channel, const Method& method, Chain& out) {
  if (method.id == ChannelOpen::id) {
    return refuse(ReplyCode::channel_error, "second 'channel.open' seen", method.id);
  }
  if (method.id != ChannelClose::id) return channel.on_method(method, out);
  if (!schema::decode<ChannelClose>(method.arguments)) {
    return refuse(ReplyCode::frame_error, "cannot decode channel.close", method.id);
  }
  std::uint16_t number = channel.number();
  channel.flush_confirms(out);
  channel.release();
  drop_channel(number);
  write_method(out, number, ChannelCloseOk{});
  return {};
}

void AmqpSession::on_unknown_channel(const Frame& frame, Chain& out) {
  if (frame.type != FrameType::method) {
    return fail_connection(
        {ReplyCode::unexpected_frame, "expected method frame, got non method frame instead", 0},
        out);
  }
  Result<Method> method = read_method(frame.payload);
  MethodId id = method ? method->id : 0;
  if (id != ChannelOpen::id) {
    return fail_connection({ReplyCode::channel_error, "expected 'channel.open'", id}, out);
  }
  if (!schema::decode<ChannelOpen>(method->arguments)) {
    return fail_connection({ReplyCode::frame_error, "cannot decode channel.open", id}, out);
  }
  std::size_t most = link_.options.channel_max;
  if (channel_max_ != 0) most = channel_max_;
  if (most != 0 && channels_.size() >= most) {
    return fail_connection(
        {ReplyCode::not_allowed,
         fmt::format("number of channels opened ({}) has reached the negotiated channel_max ({})",
                     channels_.size(), most),
         0},
        out);
  }
  channels_.emplace(frame.channel, std::make_unique<Channel>(link_, frame.channel));
  write_method(out, frame.channel, ChannelOpenOk{});
}

// After our channel.close all is discarded but its end; a crossing close is answered.
void AmqpSession::on_closing_channel(const Frame& frame, Chain& out) {
  if (frame.type != FrameType::method) return;
  Result<Method> method = read_method(frame.payload);
  if (!method) return;
  if (method->id == ChannelClose::id) write_method(out, frame.channel, ChannelCloseOk{});
  if (method->id == ChannelCloseOk::id) drop_channel(frame.channel);
}

void AmqpSession::frame_fault(const Fault& fault, Bytes input, Chain& out) {
  std::string what = fault.why;
  Reader in(input);
  auto type = in.be<std::uint8_t>();
  in.take(sizeof(Frame::channel));
  auto size = in.be<std::uint32_t>();
  if (fault.code == Errc::too_large) {
    what = fmt::format("{{frame_too_large,{},{}}}", size, payload_max() - frame_overhead);
  }
  Bytes shown = in.take(std::min({in.left(), std::size_t{size}, shown_bytes_max}));
  fail_connection({ReplyCode::frame_error,
                   fmt::format("type {}, first {} octets = {}: {}", type, shown.size(),
                               erlang_binary(shown, shown_bytes_max), what),
                   0},
                  out);
  // Frames can no longer be told apart, so the answer would not be understood.
  deaf_ = true;
  if (!ended_) {
    timers_.set(Timer::end, link_.core.clock().now() + link_.options.refusal_delay);
  }
}

// ---- Channels

Channel* AmqpSession::find_channel(std::uint16_t number) {
  if (last_channel_ && last_channel_->number() == number) return last_channel_;
  auto it = channels_.find(number);
  if (it == channels_.end()) return nullptr;
  last_channel_ = it->second.get();
  return last_channel_;
}

void AmqpSession::drop_channel(std::uint16_t number) {
  last_channel_ = nullptr;
  channels_.erase(number);
}

void AmqpSession::fail_channel(Channel& channel, Error error, Chain& out) {
  if (!error.method) error.method = channel.current_method();
  if (is_hard(error.code)) return fail_connection(error, out);
  channel.flush_confirms(out);
  channel.release();
  channel.set_closing();
  std::string text = reply_text(error);
  write_method(out, channel.number(),
               ChannelClose{.reply_code = number_of(error.code),
                            .reply_text = text,
                            .class_id = class_of(*error.method),
                            .method_id = method_of(*error.method)});
}

// ---- Events

void AmqpSession::on_event(broker::Reply& event, Chain& out) {
  if (event.request == detach_request_) return finish_detach(out);
  if (phase_ != Phase::running) return;
  Channel* channel = find_channel(Link::channel_of(event.request));
  if (!channel || channel->closing()) return;
  Checked result = channel->on_reply(event, out);
  if (!result) fail_channel(*channel, std::move(result.error()), out);
}

void AmqpSession::on_event(broker::Delivery& event, Chain& out) {
  if (phase_ != Phase::running) return;
  Consumer* consumer = link_.find_consumer(event.consumer);
  if (consumer) return consumer->channel->on_delivery(*consumer, event, out);
  if (event.leased) {
    link_.settles.add(event.queue, broker::Disposition::release, event.record);
  }
}

void AmqpSession::on_event(broker::Receipt& event, Chain& out) {
  if (phase_ != Phase::running) return;
  Channel* channel = find_channel(Link::channel_of(event.token));
  if (!channel || channel->closing()) return;
  Checked result = channel->on_receipt(event.token, event.stored, out);
  if (!result) fail_channel(*channel, std::move(result.error()), out);
}

void AmqpSession::on_event(broker::ConsumerCancelled& event, Chain& out) {
  Consumer* consumer = link_.find_consumer(event.consumer);
  if (consumer) consumer->channel->on_cancelled(*consumer, out);
}

// An alarm that rises is felt at the next publish only; see hold_publisher.
void AmqpSession::on_event(broker::Alarm& event, Chain& out) {
  alarm_ = event;
  link_.must_wait = false;
  if (!held_ || phase_ != Phase::running) return;
  held_ = alarm_.any();
  tell_alarm(out);
}

// Nothing holds back those who answer, so an asker that does not read loses answers instead.
bool AmqpSession::has_room_for_answers(const Chain& out) const {
  return std::max(host_.unsent_bytes(), out.size()) <= 4 * link_.options.output_high;
}

void AmqpSession::on_event(broker::Direct& event, Chain& out) {
  if (phase_ != Phase::running) return;
  Consumer* consumer = link_.find_consumer(event.consumer);
  if (!consumer || !has_room_for_answers(out)) return;
  consumer->channel->on_direct(*consumer, event.message, out);
}

void AmqpSession::take_live(Chain& out) {
  link_.core.take_live(link_.session, live_);
  for (const broker::LiveItem& item : live_.items) {
    Consumer* consumer = link_.find_consumer(item.consumer);
    if (phase_ != Phase::running || !consumer || !has_room_for_answers(out)) continue;
    consumer->channel->on_live(*consumer, *item.record, out);
  }
  live_.clear();
}

void AmqpSession::on_event(broker::Evicted& event, Chain& out) {
  if (phase_ != Phase::running) return;
  close_with({ReplyCode::connection_forced, event.reason, 0}, out);
}

}  // namespace wharf::amqp
