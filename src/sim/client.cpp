#include "sim/client.h"

#include <algorithm>

#include "protocol/amqp/codes.h"
#include "protocol/amqp/table.h"
#include "sim/client_send.h"
#include "sim/open_access.h"

namespace wharf::sim {

namespace {
constexpr std::size_t channels_max = 3;
}  // namespace

Client::Client(std::size_t index, const Plan& plan, std::uint64_t seed, Shadow& shadow,
               const SimClock& clock, Trace& trace, ChannelUid& last_uid)
    : index_(index),
      plan_(plan),
      weights_(plan.weights[index % plan.weights.size()]),
      chance_(seed, Stream::workload, index),
      shadow_(shadow),
      clock_(clock),
      trace_(trace),
      last_uid_(last_uid) {
  polite_ = chance_.permille(800);
}

void Client::violate(const std::string& what) {
  shadow_.violate(fmt::format("client {}: {}", index_, what));
}

// ---- the connection

void Client::connect(Connection& connection) {
  connection_ = &connection;
  phase_ = Phase::handshake;
  blocked_ = false;
  closing_since_ = clock_.now();
  connection_->send(amqp::greeting_0_9_1);
}

void Client::lost() {
  if (phase_ == Phase::open) trace_.note("client {} lost its connection", index_);
  for (auto& [number, channel] : channels_) shadow_.channel_ended(channel.uid);
  forget_connection();
}

void Client::forget_connection() {
  connection_ = nullptr;
  phase_ = Phase::offline;
  channels_.clear();
  drain_script_begun_ = false;
}

bool Client::may_hang_up() const {
  auto changes_catalog = [](const Todo& todo) {
    return todo.task == Task::declare_exchange || todo.task == Task::declare_queue ||
           todo.task == Task::bind || todo.task == Task::queue_done ||
           todo.task == Task::delete_queue || todo.task == Task::purge;
  };
  for (const auto& [number, channel] : channels_) {
    if (channel.waiting && changes_catalog(*channel.waiting)) return false;
    if (std::ranges::any_of(channel.todo, changes_catalog)) return false;
  }
  return true;
}

std::optional<Instant> Client::pause_end() const {
  if (pause_until_ <= clock_.now()) return std::nullopt;
  return pause_until_;
}

std::optional<Instant> Client::waiting_since() const {
  if (!connected()) return std::nullopt;
  std::optional<Instant> since;
  if (phase_ != Phase::open) since = closing_since_;
  for (const auto& [number, channel] : channels_) {
    if (channel.waiting && (!since || channel.waiting_since < *since))
      since = channel.waiting_since;
  }
  return since;
}

std::string Client::waiting_for() const {
  if (phase_ != Phase::open) return "the connection";
  for (const auto& [number, channel] : channels_) {
    if (channel.waiting) {
      return fmt::format("request {} on channel {}", static_cast<int>(channel.waiting->task),
                         channel.uid);
    }
  }
  return "nothing";
}

Client::Channel* Client::find(std::uint16_t number) {
  auto it = channels_.find(number);
  return it == channels_.end() ? nullptr : &it->second;
}

// ---- frames in

void Client::read() {
  ByteQueue& inbox = connection_->inbox();
  std::size_t payload_max = std::max<std::size_t>(frame_max_, 4096) - amqp::frame_overhead;
  while (connection_ && !inbox.empty()) {
    Result<std::optional<amqp::Frame>> frame = amqp::read_frame(inbox.bytes(), payload_max);
    if (!frame) return violate(fmt::format("unreadable frame: {}", frame.error().why));
    if (!*frame) return;
    std::size_t size = size_of(**frame);
    trace_.mix(inbox.bytes().first(size));
    on_frame(**frame);
    inbox.drop(size);
  }
}

void Client::on_frame(const amqp::Frame& frame) {
  if (frame.type == amqp::FrameType::heartbeat) return;
  if (frame.type == amqp::FrameType::method) {
    Result<amqp::Method> method = amqp::read_method(frame.payload);
    if (!method) return violate("unreadable method");
    trace_.note("client {}/{} < {}", index_, frame.channel, amqp::method_name(method->id));
    if (frame.channel == 0) return on_connection_method(*method);
    if (Channel* channel = find(frame.channel)) return on_method(*channel, *method);
    return violate(fmt::format("{} on channel {}, which is not open", amqp::method_name(method->id),
                               frame.channel));
  }
  Channel* channel = find(frame.channel);
  if (!channel || !channel->incoming) return violate("content without a method");
  if (!add_content(*channel->incoming, frame)) return;
  Incoming message = std::move(*channel->incoming);
  channel->incoming.reset();
  on_message(*channel, message);
}

void Client::on_connection_method(const amqp::Method& method) {
  switch (method.id) {
    case amqp::ConnectionStart::id: {
      std::string response =
          fmt::format("{0}{1}{0}{2}", '\0', OpenAccess::user_name, OpenAccess::password);
      // What a client does not claim to understand it is not told.
      amqp::TableWriter capabilities;
      for (const char* name : {"connection.blocked", "consumer_cancel_notify", "basic.nack",
                               "publisher_confirms", "authentication_failure_close"}) {
        capabilities.add(name, true);
      }
      amqp::TableWriter properties;
      properties.add("product", std::string_view("sim"));
      properties.add("capabilities", capabilities.view());
      amqp::ConnectionStartOk start;
      start.client_properties = properties.bytes();
      start.mechanism = "PLAIN";
      start.response = bytes_of(response);
      start.locale = "en_US";
      return send(0, start);
    }
    case amqp::ConnectionTune::id: {
      auto tune = decode<amqp::ConnectionTune>(method);
      frame_max_ = std::min(tune.frame_max, plan_.frame_max);
      amqp::ConnectionTuneOk answer;
      answer.channel_max = tune.channel_max;
      answer.frame_max = frame_max_;
      send(0, answer);
      amqp::ConnectionOpen open;
      open.virtual_host = "/";
      return send(0, open);
    }
    case amqp::ConnectionOpenOk::id:
      phase_ = Phase::open;
      return;
    case amqp::ConnectionClose::id: {
      auto close = decode<amqp::ConnectionClose>(method);
      bool stopping = close.reply_code == number_of(amqp::ReplyCode::connection_forced);
      bool failed = close.reply_code == number_of(amqp::ReplyCode::internal_error);
      if (!stopping && !failed) {
        violate(fmt::format("connection closed: {} {}", close.reply_code, close.reply_text));
      }
      phase_ = Phase::closing;
      closing_since_ = clock_.now();
      return send(0, amqp::ConnectionCloseOk{});
    }
    case amqp::ConnectionCloseOk::id:
      for (auto& [number, channel] : channels_) shadow_.channel_synced(channel.uid);
      return;
    case amqp::ConnectionBlocked::id:
      blocked_ = true;
      trace_.count("publisher blocked");
      return;
    case amqp::ConnectionUnblocked::id:
      blocked_ = false;
      return;
    default:
      violate(fmt::format("unexpected {}", amqp::method_name(method.id)));
  }
}

void Client::on_method(Channel& channel, const amqp::Method& method) {
  if (channel.incoming) return violate("a method in the middle of a message");
  channel.incoming = begin_message(method);
  if (channel.incoming) return;
  switch (method.id) {
    case amqp::BasicAck::id: {
      auto ack = decode<amqp::BasicAck>(method);
      return on_confirm(channel, ack.delivery_tag, ack.multiple, true);
    }
    case amqp::BasicNack::id: {
      auto nack = decode<amqp::BasicNack>(method);
      return on_confirm(channel, nack.delivery_tag, nack.multiple, false);
    }
    case amqp::BasicCancel::id:
      return on_cancelled(channel, std::string(decode<amqp::BasicCancel>(method).consumer_tag));
    case amqp::ChannelClose::id:
      return on_channel_close(channel, method);
    default:
      on_reply(channel, method);
  }
}

std::optional<Client::Incoming> Client::begin_message(const amqp::Method& method) {
  Incoming incoming;
  incoming.method = method.id;
  if (method.id == amqp::BasicDeliver::id) {
    auto deliver = decode<amqp::BasicDeliver>(method);
    incoming.consumer = deliver.consumer_tag;
    incoming.tag = deliver.delivery_tag;
    incoming.redelivered = deliver.redelivered;
    incoming.exchange = deliver.exchange;
    incoming.key = deliver.routing_key;
    return incoming;
  }
  if (method.id == amqp::BasicGetOk::id) {
    auto got = decode<amqp::BasicGetOk>(method);
    incoming.tag = got.delivery_tag;
    incoming.redelivered = got.redelivered;
    incoming.exchange = got.exchange;
    incoming.key = got.routing_key;
    return incoming;
  }
  if (method.id == amqp::BasicReturn::id) {
    auto returned = decode<amqp::BasicReturn>(method);
    incoming.exchange = returned.exchange;
    incoming.key = returned.routing_key;
    return incoming;
  }
  return std::nullopt;
}

bool Client::add_content(Incoming& incoming, const amqp::Frame& frame) {
  if (frame.type == amqp::FrameType::body) {
    incoming.body += text_of(frame.payload);
    if (!incoming.has_header || incoming.body.size() > incoming.body_size) {
      violate("a body that is too long");
    }
  } else {
    Result<amqp::ContentHeader> header = amqp::read_content_header(frame.payload);
    if (!header || incoming.has_header) {
      violate("a header that cannot be");
      return false;
    }
    incoming.has_header = true;
    incoming.body_size = header->body_size;
    incoming.properties = text_of(header->properties);
  }
  return incoming.body.size() >= incoming.body_size;
}

// ---- channels

void Client::open_channel() {
  std::uint16_t number = 1;
  while (channels_.contains(number)) ++number;
  Channel& channel = channels_[number];
  channel.number = number;
  channel.uid = ++last_uid_;
  request(channel, {.task = Task::open_channel});
  if (draining_) return;
  if (chance_.permille(plan_.tx_permille)) {
    channel.mode = Mode::tx;
    channel.todo.push_back({.task = Task::select_tx});
  } else if (chance_.permille(plan_.confirm_permille)) {
    channel.mode = Mode::confirm;
    channel.todo.push_back({.task = Task::select_confirm});
  }
}

void Client::channel_gone(Channel& channel) {
  shadow_.channel_ended(channel.uid);
  channels_.erase(channel.number);
}

// The broker closes a channel only when a queue was changed by somebody else, or when it is
// failing.
bool Client::is_expected_close(const Channel& channel, std::uint16_t code) const {
  if (code == number_of(amqp::ReplyCode::internal_error)) return true;
  if (code == number_of(amqp::ReplyCode::precondition_failed)) {
    // A commit that a full queue refuses.
    return channel.waiting && channel.waiting->task == Task::commit;
  }
  if (code != number_of(amqp::ReplyCode::not_found) || !channel.waiting) return false;
  switch (channel.waiting->task) {
    case Task::consume:
    case Task::get:
    case Task::purge:
    case Task::look_at_queue:
      return shadow_.queue_changes(channel.waiting->index) != channel.changes_at_request ||
             shadow_.queue_state(channel.waiting->index) != Shadow::QueueState::ready;
    default:
      return false;
  }
}

void Client::on_channel_close(Channel& channel, const amqp::Method& method) {
  auto close = decode<amqp::ChannelClose>(method);
  if (!channel.closing && !is_expected_close(channel, close.reply_code)) {
    violate(
        fmt::format("channel {} closed: {} {}", channel.uid, close.reply_code, close.reply_text));
  }
  if (channel.waiting && channel.waiting->task == Task::purge) {
    shadow_.purge_done(channel.waiting->index);
  }
  send(channel.number, amqp::ChannelCloseOk{});
  channel_gone(channel);
}

// ---- work

bool Client::may_act() const {
  if (phase_ != Phase::open) return false;
  if (channels_.size() < (draining_ ? 1 : channels_max)) return true;
  return std::ranges::any_of(channels_, [&](const auto& entry) {
    const Channel& channel = entry.second;
    if (channel.waiting || channel.closing) return false;
    return !draining_ || !drain_script_begun_ || !channel.todo.empty();
  });
}

bool Client::act() {
  if (phase_ != Phase::open) return false;
  if (channels_.size() < (draining_ ? 1 : channels_max) &&
      (channels_.empty() || chance_.permille(100))) {
    open_channel();
    return true;
  }
  auto it = channels_.begin();
  std::advance(it, chance_.below(channels_.size()));
  Channel& channel = it->second;
  if (channel.waiting || channel.closing) return false;
  if (!channel.todo.empty()) {
    Todo todo = std::move(channel.todo.front());
    channel.todo.pop_front();
    request(channel, std::move(todo));
    return true;
  }
  if (draining_) {
    if (drain_script_begun_) return false;
    begin_drain_script(channel);
    return true;
  }
  if (!operate(channel)) return false;
  ++operations_;
  return true;
}

void Client::begin_drain() { draining_ = true; }

void Client::begin_drain_round() {
  drained_ = 0;
  drain_script_begun_ = false;
}

bool Client::drain_round_done() const {
  if (!drain_script_begun_ || channels_.empty()) return false;
  const Channel& channel = channels_.begin()->second;
  return !channel.waiting && channel.todo.empty();
}

}  // namespace wharf::sim
