#include "protocol/redis/clients.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/assert.h"
#include "protocol/redis/convert.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace wharf::redis {

namespace {

constexpr std::size_t secret_size = 16;

std::string random_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  SecureRandom random;
  random.fill(std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

std::string random_hex(std::size_t digits) {
  std::string hex;
  for (char byte : random_bytes(digits / 2)) {
    hex += fmt::format("{:02x}", static_cast<unsigned>(static_cast<unsigned char>(byte)));
  }
  return hex;
}

void put_text(Writer& out, std::string_view text) {
  out.be(static_cast<std::uint32_t>(text.size()));
  out.text(text);
}

std::string take_text(Reader& in) {
  auto size = in.be<std::uint32_t>();
  return std::string(text_of(in.take(std::min<std::size_t>(size, in.left()))));
}

void put_optional(Writer& out, const std::optional<std::string>& text) {
  out.be(static_cast<std::uint8_t>(text.has_value()));
  put_text(out, text.value_or(""));
}

std::optional<std::string> take_optional(Reader& in) {
  bool has_value = in.be<std::uint8_t>() != 0;
  std::string text = take_text(in);
  if (!has_value) return std::nullopt;
  return text;
}

void put_filter(Writer& out, const ClientFilter& filter) {
  out.be(static_cast<std::uint32_t>(filter.ids.size()));
  for (std::uint64_t id : filter.ids) out.be(id);
  put_optional(out, filter.remote);
  put_optional(out, filter.local);
  put_optional(out, filter.user);
  put_optional(out, filter.type);
  put_optional(out, filter.owned_by);
  out.be(filter.but_not);
}

ClientFilter take_filter(Reader& in) {
  ClientFilter filter;
  std::size_t count = in.be<std::uint32_t>();
  for (std::size_t i = 0; i < count && in.left() > 0; ++i) {
    filter.ids.push_back(in.be<std::uint64_t>());
  }
  filter.remote = take_optional(in);
  filter.local = take_optional(in);
  filter.user = take_optional(in);
  filter.type = take_optional(in);
  filter.owned_by = take_optional(in);
  filter.but_not = in.be<std::uint64_t>();
  return filter;
}

bool fits(const std::optional<std::string>& wanted, std::string_view is) {
  return !wanted || *wanted == is;
}

}  // namespace

std::string client_line(const ClientFacts& facts) {
  std::string flags;
  if (facts.subscribed()) flags += 'P';
  if (facts.queued >= 0) flags += 'x';
  if (facts.no_evict) flags += 'e';
  if (facts.no_touch) flags += 'T';
  if (flags.empty()) flags += 'N';
  return fmt::format(
      "id={} addr={} laddr={} fd=-1 name={} age={} idle={} flags={} db=0 sub={} psub={} ssub={} "
      "multi={} qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem={} "
      "tot-mem={} events=r cmd={} user={} redir=-1 resp={} lib-name={} lib-ver={}\n",
      facts.id, facts.remote, facts.local, facts.name, facts.age_s, facts.idle_s, flags,
      facts.channels, facts.patterns, facts.shard_channels, facts.queued, facts.unsent,
      facts.unsent, facts.command, facts.user, facts.protocol, facts.library,
      facts.library_version);
}

bool ClientFilter::matches(const ClientFacts& facts) const {
  if (facts.id == but_not) return false;
  if (!ids.empty() && std::ranges::find(ids, facts.id) == ids.end()) return false;
  return fits(remote, facts.remote) && fits(local, facts.local) && fits(user, facts.user) &&
         fits(type, facts.subscribed() ? "pubsub" : "normal") && fits(owned_by, facts.user);
}

std::shared_ptr<ServerState> make_server_state(const RedisOptions& options, const Clock& clock) {
  return std::make_shared<ServerState>(options, clock);
}

ServerState::ServerState(const RedisOptions& the_options, const Clock& clock)
    : options(the_options),
      started(clock.now()),
      run_id(random_hex(40)),
      secret_(random_bytes(secret_size)) {}

void ServerState::enter(Client& client) {
  ShardClients& shard = shard_of(client.session());
  shard.list.push_back(&client);
  appoint(shard);
}

void ServerState::leave(Client& client, broker::SessionId session) {
  ShardClients& shard = shard_of(session);
  std::erase(shard.list, &client);
  appoint(shard);
}

void ServerState::appoint(ShardClients& shard) {
  std::uint64_t delegate = shard.list.empty() ? 0 : shard.list.front()->session().value();
  shard.delegate.store(delegate, std::memory_order_release);
}

void ServerState::answer(broker::SessionId asked, const ClientMail& question, ClientMail& answer) {
  answer.kind = ClientMail::Kind::answer;
  answer.request = question.request;
  for (Client* client : shard_of(asked).list) {
    ClientFacts facts = client->facts();
    if (!question.filter.matches(facts)) continue;
    if (question.kind == ClientMail::Kind::list) {
      answer.lines += client_line(facts);
    } else {
      ++answer.killed;
      client->kill();
    }
  }
}

std::vector<broker::SessionId> ServerState::delegates(broker::SessionId asker) const {
  std::vector<broker::SessionId> all;
  for (std::size_t shard = 0; shard < shards_max; ++shard) {
    std::uint64_t delegate = shards_[shard].delegate.load(std::memory_order_acquire);
    if (delegate != 0 && shard != asker.value() >> 48) all.emplace_back(delegate);
  }
  return all;
}

broker::Message ServerState::pack(const ClientMail& mail, WallTime now) const {
  ByteVector body;
  Writer out(body);
  out.be(static_cast<std::uint8_t>(mail.kind));
  out.be(mail.asker.value());
  out.be(mail.request);
  put_filter(out, mail.filter);
  out.be(mail.killed);
  put_text(out, mail.lines);
  broker::Key key{secret_, true};
  broker::Envelope envelope;
  envelope.keys = std::span(&key, 1);
  envelope.format = redis_format;
  envelope.arrived = now;
  broker::MessageBuilder builder(envelope, body.size());
  builder.append(body);
  return builder.finish();
}

std::optional<ClientMail> ServerState::unpack(const broker::Message& message) const {
  if (message.format() != redis_format || message.routing_key() != secret_) return std::nullopt;
  Reader in(message.body());
  ClientMail mail;
  mail.kind = static_cast<ClientMail::Kind>(in.be<std::uint8_t>());
  mail.asker = broker::SessionId(in.be<std::uint64_t>());
  mail.request = in.be<std::uint64_t>();
  mail.filter = take_filter(in);
  mail.killed = in.be<std::uint64_t>();
  mail.lines = take_text(in);
  return mail;
}

}  // namespace wharf::redis
