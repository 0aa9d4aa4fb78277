// protocol/redis/clients.h: who is connected, for CLIENT LIST and CLIENT KILL and the figures of
// INFO. Every shard has a list of its own, which only its thread touches; a question that is about
// all goes as mail (Core::send) to one session of each shard, the delegate, which answers for its
// list. Threads: what is atomic from any, the rest on the shard's.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "broker/api.h"
#include "protocol/redis/session.h"

namespace wharf::redis {

// One connection as CLIENT LIST shows it.
struct ClientFacts {
  std::uint64_t id = 0;
  std::string_view remote;
  std::string_view local;
  std::string_view name;
  std::string_view user;
  std::string_view library;
  std::string_view library_version;
  std::string_view command{};  // the last one, "client|list"
  std::int64_t age_s = 0;
  std::int64_t idle_s = 0;
  std::size_t channels = 0;
  std::size_t patterns = 0;
  std::size_t shard_channels = 0;
  std::int64_t queued = -1;  // commands of a transaction; -1: there is none
  std::size_t unsent = 0;
  int protocol = 2;
  bool no_evict = false;
  bool no_touch = false;
  bool subscribed() const { return channels + patterns + shard_channels > 0; }
};

// With its line end.
std::string client_line(const ClientFacts& facts);

// Which connections a question is about; what is not set fits all.
struct ClientFilter {
  std::vector<std::uint64_t> ids;
  std::optional<std::string> remote;
  std::optional<std::string> local;
  std::optional<std::string> user;
  std::optional<std::string> type;      // normal, pubsub, master, replica
  std::optional<std::string> owned_by;  // whose connections the one who asks may see
  std::uint64_t but_not = 0;
  bool matches(const ClientFacts& facts) const;
};

class Client {
 public:
  virtual ~Client() = default;
  virtual ClientFacts facts() const = 0;
  virtual void kill() = 0;
  virtual broker::SessionId session() const = 0;
};

// A question of one session to another shard's delegate, and the answer to it.
struct ClientMail {
  enum class Kind : char { list = 'L', kill = 'K', answer = 'A' };
  Kind kind = Kind::list;
  broker::SessionId asker;
  std::uint64_t request = 0;
  ClientFilter filter{};  // of a question
  std::string lines{};    // of an answer
  std::uint64_t killed = 0;
};

class ServerState {
 public:
  ServerState(const RedisOptions& the_options, const Clock& clock);

  const RedisOptions options;
  const Instant started;
  const std::string run_id;  // 40 hex digits

  std::atomic<std::uint64_t> next_client{1};
  std::atomic<std::uint64_t> connections{0};  // ever
  std::atomic<std::uint64_t> commands{0};     // ever
  std::atomic<std::uint64_t> connected{0};
  std::atomic<std::uint64_t> subscribed{0};  // connections with subscriptions

  // ---- the list of the session's shard
  void enter(Client& client);
  void leave(Client& client, broker::SessionId session);
  // Answers for the shard of `asked`: what list and kill ask.
  void answer(broker::SessionId asked, const ClientMail& question, ClientMail& answer);
  // The delegates of the shards but that of `asker`.
  std::vector<broker::SessionId> delegates(broker::SessionId asker) const;

  // ---- mail; what was not written by this process is not read
  broker::Message pack(const ClientMail& mail, WallTime now) const;
  std::optional<ClientMail> unpack(const broker::Message& message) const;

 private:
  static constexpr std::size_t shards_max = 1024;
  struct ShardClients {
    std::vector<Client*> list;
    std::atomic<std::uint64_t> delegate{0};
  };
  ShardClients& shard_of(broker::SessionId session) {
    return shards_[(session.value() >> 48) % shards_max];
  }
  static void appoint(ShardClients& shard);

  std::array<ShardClients, shards_max> shards_;
  std::string secret_;  // proves that mail comes from a session of this process
};

}  // namespace wharf::redis
