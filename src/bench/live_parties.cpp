#include "bench/live_parties.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

namespace wharf::bench {

namespace {

// What a publisher writes at once: enough for the cost of a call not to show, too little to hide a
// slow server.
constexpr std::size_t block_size_max = 64 * 1024;

std::size_t digits_of(std::uint32_t count) { return std::to_string(count - 1).size(); }

// How many subscribers hear number `index`.
std::uint32_t fan_out_of(const LiveBenchOptions& options, std::uint32_t index) {
  std::uint32_t name = index % options.names;
  if (name >= options.subscribers) return 0;
  return (options.subscribers - name - 1) / options.names + 1;
}

// What is no message, at the front of `rest`: deals with the line and takes it off. False when it
// is not whole.
Try<bool> take_line(const LiveProtocol& protocol, LiveConnection& from, Bytes& rest) {
  std::optional<std::string_view> line = first_line(rest);
  if (!line) return false;
  Try<std::string_view> answer = protocol.answer_to(*line);
  if (!answer) return std::unexpected(answer.error());
  from.send_soon(*answer);
  rest = rest.subspan(line->size() + line_end_size);
  return true;
}

// Gives each run of whole messages to on_run(bytes, count). Returns how much of the input was used.
template <class OnRun>
Try<std::size_t> read_messages(const LiveContext& context, const FrameReader& reader,
                               LiveConnection& from, Bytes input, OnRun&& on_run) {
  Bytes rest = input;
  while (!rest.empty()) {
    std::size_t count = context.each() ? reader.count_each(rest) : reader.count(rest);
    if (count > 0) {
      if (Try<void> ran = on_run(rest, count); !ran) return std::unexpected(ran.error());
      rest = rest.subspan(count * reader.frame_size());
      continue;
    }
    if (reader.may_begin(rest)) break;
    Try<bool> taken = take_line(context.protocol, from, rest);
    if (!taken) return std::unexpected(taken.error());
    if (!*taken) break;
  }
  return input.size() - rest.size();
}

// Counts the answers to publishes into `count`. Returns how much of the input was used.
Try<std::size_t> read_answers(const LiveProtocol& protocol, LiveConnection& from, Bytes input,
                              std::uint64_t& count) {
  Bytes rest = input;
  while (!rest.empty()) {
    if (protocol.answers_publish() && rest.front() == std::byte{':'}) {
      std::optional<std::string_view> line = first_line(rest);
      if (!line) break;
      ++count;
      rest = rest.subspan(line->size() + line_end_size);
      continue;
    }
    Try<bool> taken = take_line(protocol, from, rest);
    if (!taken) return std::unexpected(taken.error());
    if (!*taken) break;
  }
  return input.size() - rest.size();
}

Frame request_frame(const LiveContext& context, std::uint32_t index) {
  const LiveBenchOptions& options = context.options;
  return context.protocol.publish(name_of(options, index), reply_name_of(options, index),
                                  options.body_size);
}

}  // namespace

std::string name_of(const LiveBenchOptions& options, std::uint32_t index) {
  return fmt::format("{}.{:0{}}", options.name_prefix, index % options.names,
                     digits_of(options.names));
}

std::string reply_name_of(const LiveBenchOptions& options, std::uint32_t index) {
  return fmt::format("{}.reply.{:0{}}", options.name_prefix, index, digits_of(options.publishers));
}

Frame reply_frame(const LiveContext& context, std::uint32_t requester) {
  return context.protocol.publish(reply_name_of(context.options, requester), "",
                                  context.options.body_size);
}

// ---- Sender

Sender::Sender(LiveContext& context, const Frame& frame, std::uint32_t index, std::uint32_t fan_out,
               std::uint32_t depth)
    : context_(context),
      block_(frame, block_size_max),
      index_(index),
      fan_out_(fan_out),
      depth_(depth),
      interval_(interval_of(context.options.run, context.options.publishers)),
      moments_(std::bit_ceil(std::max<std::size_t>(depth, 1))) {}

void Sender::start(Instant now, std::uint64_t quota) {
  quota_ = quota;
  due_ = now + interval_ / context_.options.publishers * index_;
}

std::uint64_t Sender::room() const {
  std::uint64_t room = std::min<std::uint64_t>(quota_ - sent_, block_.count());
  if (depth_ > 0) room = std::min(room, depth_ - (sent_ - settled_));
  std::uint64_t window = context_.options.window;
  if (window > 0) {
    std::uint64_t behind = context_.tally.expected - context_.tally.counts.received;
    room = std::min(room, behind < window ? (window - behind) / std::max(fan_out_, 1u) : 0);
  }
  return room;
}

Bytes Sender::next_output() {
  Instant now = context_.clock.now();
  std::uint64_t count = room();
  if (interval_ > Duration{}) {
    auto due = now < due_ ? 0 : static_cast<std::uint64_t>((now - due_) / interval_) + 1;
    count = std::min(count, due);
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    Instant moment = interval_ > Duration{} ? due_ : now;
    due_ += interval_;
    block_.stamp(i, moment, {index_, sent_});
    if (depth_ > 0) moments_[sent_ & (moments_.size() - 1)] = moment;
    ++sent_;
  }
  context_.tally.counts.sent += count;
  context_.tally.expected += count * fan_out_;
  return block_.first(count);
}

// ---- Publisher

Try<std::unique_ptr<LivePublisher>> LivePublisher::open(LiveContext& context, const ServerUrl& url,
                                                        std::uint32_t index) {
  auto connection = LiveConnection::open(context.protocol, url, 0);
  if (!connection) return std::unexpected(connection.error());
  return std::make_unique<LivePublisher>(context, std::move(*connection), index);
}

LivePublisher::LivePublisher(LiveContext& context, std::unique_ptr<LiveConnection> connection,
                             std::uint32_t index)
    : Sender(
          context,
          context.protocol.publish(name_of(context.options, index), "", context.options.body_size),
          index, fan_out_of(context.options, index),
          context.protocol.answers_publish() ? context.options.depth : 0),
      connection_(std::move(connection)) {
  connection_->attach(*this, true);
}

Try<std::size_t> LivePublisher::on_input(LiveConnection& from, Bytes input) {
  std::uint64_t count = 0;
  Try<std::size_t> used = read_answers(context().protocol, from, input, count);
  if (!used) return used;
  if (count > 0) on_answers(count);
  if (Try<void> sent = from.on_writable(); !sent) return std::unexpected(sent.error());
  return used;
}

void LivePublisher::on_answers(std::uint64_t count) {
  LiveTally& tally = context().tally;
  Instant now = context().clock.now();
  std::uint64_t first = settled() + (context().each() ? 0 : count - 1);
  for (std::uint64_t number = first; number < settled() + count; ++number) {
    Instant sent = moment_of(number);
    if (tally.measured.holds(sent)) tally.publish_to_answer.add(now - sent);
  }
  settle(count);
  tally.counts.answered += count;
}

// ---- Subscriber

Try<std::unique_ptr<LiveSubscriber>> LiveSubscriber::open(LiveContext& context,
                                                          const ServerUrl& url,
                                                          std::uint32_t index) {
  std::string name = name_of(context.options, index);
  Frame frame = context.protocol.deliver(name, "", context.options.body_size);
  auto connection = LiveConnection::open(context.protocol, url, frame.size());
  if (!connection) return std::unexpected(connection.error());
  Try<void> subscribed = (*connection)->exchange(context.protocol.subscribe(name));
  if (!subscribed) return std::unexpected(subscribed.error());
  return std::make_unique<LiveSubscriber>(context, std::move(*connection), std::move(frame));
}

LiveSubscriber::LiveSubscriber(LiveContext& context, std::unique_ptr<LiveConnection> connection,
                               Frame frame)
    : context_(context),
      connection_(std::move(connection)),
      reader_(std::move(frame)),
      order_(context.options.publishers) {
  connection_->attach(*this, false);
}

Try<std::size_t> LiveSubscriber::on_input(LiveConnection& from, Bytes input) {
  auto on_run = [this](Bytes bytes, std::size_t count) -> Try<void> {
    on_messages(bytes, count);
    return {};
  };
  return read_messages(context_, reader_, from, input, on_run);
}

void LiveSubscriber::on_messages(Bytes input, std::size_t count) {
  LiveTally& tally = context_.tally;
  tally.counts.received += count;
  if (!context_.stamped()) return;
  Instant now = context_.clock.now();
  for (std::size_t i = context_.each() ? 0 : count - 1; i < count; ++i) {
    Bytes body = reader_.body(input, i);
    Instant sent = stamp_of(body);
    if (tally.measured.holds(sent)) tally.publish_to_deliver.add(now - sent);
    if (context_.options.check) order_.see(serial_of(body));
  }
}

// ---- Pair

Try<Pair> Pair::open(LiveContext& context, const ServerUrl& url, const std::string& hears,
                     std::size_t frame_size) {
  const LiveProtocol& protocol = context.protocol;
  Pair pair;
  auto in = LiveConnection::open(protocol, url, frame_size);
  if (!in) return std::unexpected(in.error());
  pair.in_ = std::move(*in);
  Try<void> subscribed = pair.in_->exchange(protocol.subscribe(hears));
  if (!subscribed) return std::unexpected(subscribed.error());
  if (protocol.publishes_while_subscribed()) return pair;
  auto out = LiveConnection::open(protocol, url, 0);
  if (!out) return std::unexpected(out.error());
  pair.out_ = std::move(*out);
  return pair;
}

void Pair::attach(LiveParty& party) {
  in_->attach(party, !out_);
  if (out_) out_->attach(party, true);
}

std::vector<LiveConnection*> Pair::all() {
  std::vector<LiveConnection*> all{in_.get()};
  if (out_) all.push_back(out_.get());
  return all;
}

// ---- Requester

Try<std::unique_ptr<Requester>> Requester::open(LiveContext& context, const ServerUrl& url,
                                                std::uint32_t index) {
  std::string hears = reply_name_of(context.options, index);
  std::size_t frame_size = context.protocol.deliver(hears, "", context.options.body_size).size();
  Try<Pair> pair = Pair::open(context, url, hears, frame_size);
  if (!pair) return std::unexpected(pair.error());
  return std::make_unique<Requester>(context, std::move(*pair), index);
}

Requester::Requester(LiveContext& context, Pair pair, std::uint32_t index)
    : Sender(context, request_frame(context, index), index, 1, context.options.depth),
      pair_(std::move(pair)),
      reader_(context.protocol.deliver(reply_name_of(context.options, index), "",
                                       context.options.body_size)),
      order_(context.options.publishers) {
  pair_.attach(*this);
}

Try<std::size_t> Requester::on_input(LiveConnection& from, Bytes input) {
  if (&from != &pair_.in()) {
    return read_answers(context().protocol, from, input, context().tally.counts.answered);
  }
  Instant now = context().clock.now();
  auto on_run = [this, now](Bytes bytes, std::size_t count) -> Try<void> {
    for (std::size_t i = 0; i < count; ++i) on_reply(reader_.body(bytes, i), now);
    return {};
  };
  Try<std::size_t> used = read_messages(context(), reader_, from, input, on_run);
  if (!used) return used;
  if (Try<void> sent = pair_.out().on_writable(); !sent) return std::unexpected(sent.error());
  return used;
}

void Requester::on_reply(Bytes body, Instant now) {
  LiveTally& tally = context().tally;
  ++tally.counts.received;
  settle(1);
  Instant sent = stamp_of(body);
  if (tally.measured.holds(sent)) tally.publish_to_deliver.add(now - sent);
  if (context().options.check) order_.see(serial_of(body));
}

// ---- Responder

Try<std::unique_ptr<Responder>> Responder::open(LiveContext& context, const ServerUrl& url,
                                                std::uint32_t index) {
  std::string hears = name_of(context.options, index);
  Frame frame =
      context.protocol.deliver(hears, reply_name_of(context.options, 0), context.options.body_size);
  Try<Pair> pair = Pair::open(context, url, hears, frame.size());
  if (!pair) return std::unexpected(pair.error());
  return std::make_unique<Responder>(context, std::move(*pair), std::move(frame));
}

Responder::Responder(LiveContext& context, Pair pair, Frame frame)
    : context_(context), pair_(std::move(pair)), reader_(std::move(frame)) {
  for (std::uint32_t i = 0; i < context.options.publishers; ++i) {
    frames_.push_back(reply_frame(context, i));
  }
  pair_.attach(*this);
}

Try<std::size_t> Responder::on_input(LiveConnection& from, Bytes input) {
  if (&from != &pair_.in()) {
    std::uint64_t answered = 0;
    return read_answers(context_.protocol, from, input, answered);
  }
  auto on_run = [this](Bytes bytes, std::size_t count) -> Try<void> {
    for (std::size_t i = 0; i < count; ++i) {
      if (Try<void> done = on_request(reader_.body(bytes, i)); !done) return done;
    }
    return {};
  };
  Try<std::size_t> used = read_messages(context_, reader_, from, input, on_run);
  if (!used) return used;
  if (Try<void> sent = pair_.out().on_writable(); !sent) return std::unexpected(sent.error());
  return used;
}

Try<void> Responder::on_request(Bytes body) {
  std::uint32_t sender = serial_of(body).sender;
  if (sender >= frames_.size()) return std::unexpected("a request came from nobody");
  const Frame& frame = frames_[sender];
  replies_ += frame.head;
  replies_ += text_of(body);
  replies_ += frame.tail;
  return {};
}

Bytes Responder::next_output() {
  replies_written_.clear();
  std::swap(replies_, replies_written_);
  return bytes_of(replies_written_);
}

}  // namespace wharf::bench
