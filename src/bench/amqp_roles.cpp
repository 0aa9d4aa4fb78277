#include "bench/amqp_roles.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "protocol/amqp/properties.h"

namespace wharf::bench {

namespace {

// What a publisher may have in its own hands: enough for one write, too little to hide a slow
// server.
constexpr std::size_t out_size_max = 64 * 1024;
constexpr std::size_t ring_size_min = 16;

std::string message_template(const AmqpBenchOptions& options, const std::string& queue,
                             std::size_t frame_max) {
  amqp::Properties properties;
  if (options.persistent) properties.delivery_mode = 2;
  ByteVector body(options.body_size, std::byte{'x'});
  Chain out;
  amqp::write_content(out, AmqpPeer::channel, amqp::BasicPublish{.routing_key = queue},
                      properties.encode(), amqp::Body(body), frame_max);
  return out.flatten();
}

}  // namespace

std::string queue_name(const AmqpBenchOptions& options, std::uint32_t index) {
  return options.queue_prefix + "-" + std::to_string(index);
}

std::vector<std::string> queues_of(const AmqpBenchOptions& options, std::uint32_t index,
                                   std::uint32_t count) {
  std::vector<std::string> names;
  if (count >= options.queues) return {queue_name(options, index % options.queues)};
  for (std::uint32_t i = index; i < options.queues; i += count) {
    names.push_back(queue_name(options, i));
  }
  return names;
}

Publisher::Publisher(std::unique_ptr<AmqpPeer> peer, const AmqpBenchOptions& options,
                     std::uint32_t index, Tally& tally, const Clock& clock)
    : peer_(std::move(peer)),
      window_(options.confirm_window),
      interval_(interval_of(options.run, options.publishers)),
      phase_(interval_ / options.publishers * index),
      tally_(tally),
      clock_(clock),
      pending_(std::bit_ceil(std::max<std::size_t>(window_, ring_size_min))) {
  for (const std::string& queue : queues_of(options, index, options.publishers)) {
    templates_.push_back(message_template(options, queue, peer_->frame_max()));
  }
  // In the first body frame; all frames before the last are full.
  if (options.body_size < stamp_size) return;
  std::size_t chunk_max = peer_->frame_max() - amqp::frame_overhead;
  std::size_t frames = (options.body_size + chunk_max - 1) / chunk_max;
  stamp_from_end_ = options.body_size + (frames - 1) * amqp::frame_overhead + 1;
}

Try<void> Publisher::prepare() {
  if (window_ == 0) return {};
  auto selected = peer_->call<amqp::ConfirmSelectOk>(amqp::ConfirmSelect{});
  if (!selected) return std::unexpected(selected.error());
  return {};
}

void Publisher::start(Instant now, std::uint64_t quota) {
  quota_ = quota;
  due_ = now + phase_;
  may_send_now_ = has_room();
}

Instant Publisher::next_due() const {
  bool waits = interval_ > Duration{} && has_room() && peer_->out().empty();
  return waits ? due_ : Instant::max();
}

Try<void> Publisher::on_writable() {
  fill_out();
  return peer_->flush();
}

void Publisher::fill_out() {
  // One look at the clock serves a few messages: they leave in the same write.
  constexpr int messages_per_look = 16;
  Instant now = clock_.now();
  for (int count = 1; has_room() && peer_->out().size() < out_size_max; ++count) {
    if (count % messages_per_look == 0) now = clock_.now();
    if (interval_ == Duration{}) {
      send(now);
      continue;
    }
    if (due_ > now) break;
    send(due_);
    due_ += interval_;
  }
  bool due = interval_ == Duration{} || due_ <= now;
  may_send_now_ = has_room() && due;
}

void Publisher::send(Instant moment) {
  const std::string& bytes = templates_[next_template_];
  if (++next_template_ == templates_.size()) next_template_ = 0;
  std::span<std::byte> space = peer_->out().extend(bytes.size());
  std::memcpy(space.data(), bytes.data(), bytes.size());
  if (stamp_from_end_ > 0) {
    put_be(space.data() + space.size() - stamp_from_end_, moment.time_since_epoch().count());
  }
  ++sent_;
  ++tally_.counts.sent;
  if (window_ > 0) pending_[sent_ & (pending_.size() - 1)] = {moment, false};
}

Try<void> Publisher::on_readable() {
  Try<void> read = peer_->read([this](const amqp::Frame& frame) { on_confirm(frame); });
  if (!read) return read;
  return on_writable();
}

void Publisher::on_confirm(const amqp::Frame& frame) {
  Result<amqp::Method> method = amqp::read_method(frame.payload);
  if (!method) return;
  bool nack = method->id == amqp::BasicNack::id;
  if (!nack && method->id != amqp::BasicAck::id) return;
  // The tag and the bit `multiple` are in the same place in both.
  Reader in(method->arguments);
  auto tag = in.be<std::uint64_t>();
  bool multiple = (in.be<std::uint8_t>() & 1) != 0;
  if (tag > sent_) return;
  std::uint64_t& count = nack ? tally_.counts.nacked : tally_.counts.confirmed;
  Instant now = clock_.now();
  for (std::uint64_t each = multiple ? settled_ + 1 : tag; each <= tag; ++each) {
    if (confirm_one(each, now)) ++count;
  }
  settle_in_order();
}

bool Publisher::confirm_one(std::uint64_t tag, Instant now) {
  Pending& pending = pending_[tag & (pending_.size() - 1)];
  if (tag <= settled_ || pending.done) return false;
  pending.done = true;
  if (tally_.measured.holds(pending.sent)) tally_.publish_to_confirm.add(now - pending.sent);
  return true;
}

void Publisher::settle_in_order() {
  while (settled_ < sent_ && pending_[(settled_ + 1) & (pending_.size() - 1)].done) ++settled_;
}

Consumer::Consumer(std::unique_ptr<AmqpPeer> peer, const AmqpBenchOptions& options,
                   std::uint32_t index, Tally& tally, const Clock& clock)
    : peer_(std::move(peer)),
      options_(options),
      queues_(queues_of(options, index, options.consumers)),
      tally_(tally),
      clock_(clock) {}

Try<void> Consumer::prepare() {
  auto qos = peer_->call<amqp::BasicQosOk>(amqp::BasicQos{.prefetch_count = options_.prefetch});
  if (!qos) return std::unexpected(qos.error());
  for (const std::string& queue : queues_) {
    // Without an answer, so that no delivery has to be sorted out from it.
    amqp::BasicConsume consume{.queue = queue,
                               .consumer_tag = queue,
                               .no_ack = options_.ack == AckMode::automatic,
                               .no_wait = true};
    amqp::write_method(peer_->out(), AmqpPeer::channel, consume);
  }
  return peer_->flush();
}

Try<void> Consumer::on_readable() {
  Try<void> read = peer_->read([this](const amqp::Frame& frame) { on_frame(frame); });
  if (!read) return read;
  return peer_->flush();
}

void Consumer::on_frame(const amqp::Frame& frame) {
  if (frame.type == amqp::FrameType::body) return on_body(frame.payload);
  if (frame.type == amqp::FrameType::method) return on_deliver(frame);
  Result<amqp::ContentHeader> header = amqp::read_content_header(frame.payload);
  if (!header) return;
  body_missing_ = header->body_size;
  stamped_ = false;
  if (body_missing_ == 0) on_message();
}

void Consumer::on_deliver(const amqp::Frame& frame) {
  Result<amqp::Method> method = amqp::read_method(frame.payload);
  if (!method || method->id != amqp::BasicDeliver::id) return;
  Result<amqp::BasicDeliver> deliver = schema::decode<amqp::BasicDeliver>(method->arguments);
  if (!deliver) return;
  tag_ = deliver->delivery_tag;
  if (deliver->redelivered) ++tally_.redelivered;
}

void Consumer::on_body(Bytes part) {
  if (!stamped_ && part.size() >= stamp_size) {
    stamp_ = Instant(Duration(Reader(part).be<std::int64_t>()));
    stamped_ = true;
  }
  body_missing_ -= std::min<std::uint64_t>(body_missing_, part.size());
  tally_.counts.received_bytes += part.size();
  if (body_missing_ == 0) on_message();
}

void Consumer::on_message() {
  ++tally_.counts.received;
  if (stamped_ && tally_.measured.holds(stamp_))
    tally_.publish_to_deliver.add(clock_.now() - stamp_);
  if (options_.ack == AckMode::automatic || tag_ - acked_tag_ < options_.ack_every) return;
  amqp::BasicAck ack{.delivery_tag = tag_, .multiple = tag_ - acked_tag_ > 1};
  amqp::write_method(peer_->out(), AmqpPeer::channel, ack);
  acked_tag_ = tag_;
}

Try<void> Consumer::finish() {
  if (options_.ack == AckMode::manual && tag_ > acked_tag_) {
    amqp::BasicAck ack{.delivery_tag = tag_, .multiple = true};
    amqp::write_method(peer_->out(), AmqpPeer::channel, ack);
    acked_tag_ = tag_;
  }
  return peer_->flush();
}

}  // namespace wharf::bench
