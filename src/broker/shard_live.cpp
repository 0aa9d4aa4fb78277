// Live messages: matched where they are published, copied once, and handed to the mailboxes of
// those who listen; for other shards they are collected and go as one piece of mail a turn.
#include <algorithm>
#include <array>

#include "base/assert.h"
#include "broker/shard.h"

namespace wharf::broker {

namespace {

// As for exchanges: a client that asks for ever new names must not fill the memory.
constexpr std::size_t may_write_kept_max = 256;

std::string_view text_of_spec(const ListenSpec& spec, std::string& scratch) {
  if (spec.kind != ListenSpec::Kind::pattern) return spec.text;
  scratch = pattern_text(spec.segments);
  return scratch;
}

ByteVector joined(std::span<const Bytes> pieces) {
  ByteVector all;
  for (Bytes piece : pieces) all.insert(all.end(), piece.begin(), piece.end());
  return all;
}

}  // namespace

// ---- listening

Outcome<void> Shard::listen(SessionId session, const ListenSpec& spec) {
  SessionState* state = sessions_.find(session);
  ASSERT(state);
  std::string scratch;
  std::string_view text = text_of_spec(spec, scratch);
  if (!setup_.access->authorize(state->who, Verb::read, state->vhost, text)) {
    return std::unexpected(Failure{Fault{Errc::refused, 0, "no right to read"}, Resource::queue,
                                   std::string(text), Verb::read});
  }
  live_.add(session, state->vhost, state, spec);
  note_shard(session, setup_.index);
  for (ShardIndex shard = 0; shard < setup_.count; ++shard) {
    if (shard == setup_.index) continue;
    note_shard(session, shard);
    send_to(shard, ListenAt{session, state->vhost, spec});
  }
  return {};
}

void Shard::unlisten(SessionId session, ConsumerId consumer) {
  for (ShardIndex shard = 0; shard < setup_.count; ++shard) {
    send_to(shard, UnlistenAt{session, consumer});
  }
}

void Shard::set_slow(SessionId session, bool is_slow) {
  for (ShardIndex shard = 0; shard < setup_.count; ++shard) {
    send_to(shard, SlowAt{session, is_slow});
  }
}

void Shard::on(ListenAt& message) {
  live_.add(message.session, message.vhost, nullptr, message.spec);
}
void Shard::on(UnlistenAt& message) { live_.remove(message.session, message.consumer); }
void Shard::on(SlowAt& message) { live_.set_slow(message.session, message.is_slow); }

void Shard::take_live(SessionId session, LiveMail& mail) {
  mail.clear();
  SessionState* state = sessions_.find(session);
  if (state) std::swap(mail, state->live);
}

std::uint32_t Shard::count_listeners(VhostId vhost, Room room, std::string_view name) const {
  return live_.count(vhost, room, name);
}

void Shard::each_name(VhostId vhost, Room room, const NameVisitor& visit) const {
  live_.each_name(vhost, room, visit);
}

std::uint32_t Shard::count_patterns(VhostId vhost, Room room) const {
  return live_.pattern_count(vhost, room);
}

// ---- fences: mail between two shards keeps its order, so what comes back has passed all before it

void Shard::fence(SessionId session, RequestId request) {
  if (setup_.count == 1) return reply(session, request, Done{});
  send_live_mail();
  sessions_.find(session)->fences.push_back({request, setup_.count - 1U});
  for (ShardIndex shard = 0; shard < setup_.count; ++shard) {
    if (shard != setup_.index) send_to(shard, FenceAt{session, request});
  }
}

void Shard::on(FenceAt& message) {
  if (!message.is_back) {
    send_to(shard_of(message.session), FenceAt{message.session, message.request, true});
    return;
  }
  SessionState* state = sessions_.find(message.session);
  if (!state) return;
  auto fence = std::ranges::find(state->fences, message.request, &SessionState::Fence::request);
  if (fence == state->fences.end() || --fence->missing > 0) return;
  state->fences.erase(fence);
  reply(message.session, message.request, Done{});
}

// ---- publishing

Outcome<LivePublished> Shard::publish_live(SessionId session, const LiveMessage& message,
                                           const PublishOptions& options) {
  SessionState* state = sessions_.find(session);
  ASSERT(state);
  Failure failure{{}, Resource::queue, {}, Verb::write};
  if (!may_write_name(*state, message.name)) {
    failure.fault = {Errc::refused, 0, "no right to write"};
    failure.name = message.name;
    return std::unexpected(std::move(failure));
  }
  LivePublished published;
  LiveRoute& route = live_.route(state->vhost, message.room, message.name);
  hear(session, route, message, published);
  placed_in_crowd_ = false;
  published.must_wait = must_wait(session, *state);
  if (message.room != common_room || route.unqueued_at == catalog_.generation()) return published;
  if (!route_live(state->vhost, message, route)) return published;
  if (store_->failed()) {
    failure.fault = {Errc::io, 0, "the log has failed"};
    failure.name = message.name;
    return std::unexpected(std::move(failure));
  }
  published.queues = static_cast<std::uint32_t>(routes_.queues.size());
  Waiter waiter;
  if (options.receipt) waiter = ReceiptTo{session, *options.receipt};
  published.receipts = distribute(to_message(message), waiter);
  published.must_wait = must_wait(session, *state);
  return published;
}

bool Shard::may_write_name(SessionState& state, std::string_view name) {
  if (state.may_write_all_names) return true;
  auto it = state.may_write_name.find(name);
  if (it != state.may_write_name.end()) return it->second;
  bool allowed = setup_.access->authorize(state.who, Verb::write, state.vhost, name);
  if (state.may_write_name.size() >= may_write_kept_max) state.may_write_name.clear();
  state.may_write_name.emplace(name, allowed);
  return allowed;
}

// The queues that take it, in routes_; false when there are none. Where none can take any message
// of that name, that is remembered.
bool Shard::route_live(VhostId vhost, const LiveMessage& message, LiveRoute& route) {
  const QueueEntry* queue = catalog_.find_queue(vhost, message.name);
  const ExchangeEntry* exchange = catalog_.find_exchange(vhost, setup_.live_exchange);
  bool is_bound = exchange && !exchange->outgoing.empty();
  if (!queue && !is_bound) {
    route.unqueued_at = catalog_.generation();
    return false;
  }
  Key key{message.name, false};
  ByteVector properties = joined(message.properties);
  std::array<const ExchangeEntry*, 2> from{catalog_.find_exchange(vhost, ""), exchange};
  router_.route(std::span(from).first(is_bound ? 2 : 1),
                RouteInput{std::span(&key, 1), message.format, properties}, routes_);
  return !routes_.queues.empty();
}

Message Shard::to_message(const LiveMessage& message) const {
  Key key{message.name, false};
  ByteVector properties = joined(message.properties);
  Envelope envelope;
  envelope.keys = std::span(&key, 1);
  envelope.persistent = true;
  envelope.arrived = setup_.clock->wall();
  envelope.format = message.format;
  envelope.properties = properties;
  MessageBuilder builder(envelope, message.body.size());
  builder.append(message.body);
  return builder.finish();
}

// What queues get is heard live as well where its address is a name that can be listened to.
void Shard::hear_message(SessionId session, VhostId vhost, const Message& message,
                         Published& published) {
  if (live_.empty()) return;
  std::string_view exchange = message.exchange();
  if (!exchange.empty() && exchange != setup_.live_exchange) return;
  Bytes properties = message.properties();
  LivePublished heard;
  for (std::size_t index = 0; index < message.key_count(); ++index) {
    LiveMessage live{.name = message.key(index).text,
                     .format = message.format(),
                     .properties = std::span(&properties, 1),
                     .body = message.body()};
    hear(session, live_.route(vhost, common_room, live.name), live, heard);
  }
  published.listeners = heard.listeners;
}

void Shard::hear(SessionId from, const LiveRoute& route, const LiveMessage& message,
                 LivePublished& published) {
  if (route.empty()) return;
  const LiveRecord* record = nullptr;
  auto give = [&](const LiveListener& listener) {
    if (!record) record = live_writer_.write(message);
    published.slow |= listener.peer->is_slow;
    ++published.listeners;
    hand_over_live(listener, record);
  };
  for (const LiveListener* listener : route.listeners) {
    if (listener->hears_own || listener->peer->session != from) give(*listener);
  }
  for (const LiveGroup* group : route.groups) {
    if (const LiveListener* member = pick(*group, from)) give(*member);
  }
}

// One at random; a session that is not to hear itself leaves its turn to the next.
const LiveListener* Shard::pick(const LiveGroup& group, SessionId from) {
  std::size_t size = group.members.size();
  std::size_t start = size == 1 ? 0 : live_chance_() % size;
  for (std::size_t step = 0; step < size; ++step) {
    const LiveListener* member = group.members[(start + step) % size];
    if (member->hears_own || member->peer->session != from) return member;
  }
  return nullptr;
}

void Shard::hand_over_live(const LiveListener& listener, const LiveRecord* record) {
  const LivePeer& peer = *listener.peer;
  const Buffer& block = live_writer_.block();
  if (peer.local) {
    SessionTable::tell(*peer.local, record, block, listener.consumer);
    return;
  }
  LiveAt& mail = live_mail_[shard_of(peer.session)];
  if (mail.blocks.empty() || mail.blocks.back().bytes().data() != block.bytes().data()) {
    mail.blocks.push_back(block);
  }
  bool is_new = mail.items.empty() || mail.items.back().item.record != record;
  std::uint64_t bytes = sizeof(LiveAt::Item) + (is_new ? record->size() : 0);
  mail.bytes += bytes;
  mail_bytes_ += bytes;
  auto index = static_cast<std::uint32_t>(mail.blocks.size() - 1);
  mail.items.push_back({peer.session, {record, listener.consumer, index}});
}

void Shard::send_live_mail() {
  for (ShardIndex shard = 0; shard < setup_.count; ++shard) {
    if (live_mail_[shard].items.empty()) continue;
    live_mail_[shard].from = setup_.index;
    send_to(shard, std::exchange(live_mail_[shard], {}));
  }
}

void Shard::on(LiveAt& message) {
  taken_[message.from] += message.bytes;
  SessionId session;
  SessionState* state = nullptr;
  for (const LiveAt::Item& each : message.items) {
    if (each.session != session) state = sessions_.find(session = each.session);
    if (!state) continue;
    SessionTable::tell(*state, each.item.record, message.blocks[each.item.block],
                       each.item.consumer);
  }
}

}  // namespace wharf::broker
