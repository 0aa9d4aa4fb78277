// protocol/redis/connection.h: the session's class; session.cpp has its turns and events, the
// *_commands.cpp files what each command does. A command's handler finds its words checked for
// number and permission to run, and writes exactly one answer (subscribes one a channel).
//
// Input rests (wants_input) while something is owed that must come first: confirmations until every
// shard has the subscription, lists of other shards' connections, answers for queues when many wait
// for the disk; and while publishers are to be held back.
// Invariant: session_ is set exactly while somebody is logged in.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/redis/clients.h"
#include "protocol/redis/commands.h"
#include "protocol/redis/reply.h"
#include "protocol/redis/request.h"
#include "protocol/redis/session.h"
#include "protocol/redis/subscriptions.h"

namespace wharf::redis {

class RedisSession final : public ByteSession, public broker::EventListener, public Client {
 public:
  RedisSession(ServerState& server, broker::Core& core, SessionHost& host, const Peer& peer);
  ~RedisSession() override;

  // ByteSession
  std::size_t on_bytes(Bytes input, Chain& out) override;
  void on_wake(Chain& out) override;
  void on_deadline(Instant now, Chain& out) override;
  std::optional<Instant> next_deadline() const override;
  bool wants_input() const override;
  bool closing() const override { return closing_; }
  void on_closed() override;
  void on_shutdown(Chain& out) override;

  // EventListener
  void on_events() override { host_.wake(); }

  // Client
  ClientFacts facts() const override;
  void kill() override;
  broker::SessionId session() const override { return session_; }

  // ---- connection_commands.cpp
  void auth(const Request& request);
  void hello(const Request& request);
  void ping(const Request& request);
  void echo(const Request& request);
  void select(const Request& request);
  void quit(const Request& request);
  void reset(const Request& request);
  void acl_whoami(const Request& request);
  void acl_help(const Request& request);

  // ---- client_commands.cpp
  void client_getname(const Request& request);
  void client_help(const Request& request);
  void client_id(const Request& request);
  void client_info(const Request& request);
  void client_kill(const Request& request);
  void client_list(const Request& request);
  void client_no_evict(const Request& request);
  void client_no_touch(const Request& request);
  void client_reply(const Request& request);
  void client_setinfo(const Request& request);
  void client_setname(const Request& request);

  // ---- pubsub_commands.cpp
  void subscribe(const Request& request);
  void psubscribe(const Request& request);
  void ssubscribe(const Request& request);
  void unsubscribe(const Request& request);
  void punsubscribe(const Request& request);
  void sunsubscribe(const Request& request);
  void publish(const Request& request);
  void spublish(const Request& request);
  void pubsub_channels(const Request& request);
  void pubsub_help(const Request& request);
  void pubsub_numpat(const Request& request);
  void pubsub_numsub(const Request& request);
  void pubsub_shardchannels(const Request& request);
  void pubsub_shardnumsub(const Request& request);

  // ---- transaction_commands.cpp
  void multi(const Request& request);
  void exec(const Request& request);
  void discard(const Request& request);
  void watch(const Request& request);
  void unwatch(const Request& request);

  // ---- server_commands.cpp
  void info(const Request& request);
  void time(const Request& request);
  void cluster(const Request& request);
  void config_get(const Request& request);
  void config_set(const Request& request);
  void config_resetstat(const Request& request);
  void config_help(const Request& request);

  // ---- command_commands.cpp
  void command(const Request& request);
  void command_count(const Request& request);
  void command_docs(const Request& request);
  void command_help(const Request& request);
  void command_info(const Request& request);
  void command_list(const Request& request);

 private:
  struct Transaction {
    struct Queued {
      const Command* command;
      KeptRequest words;
    };
    std::vector<Queued> queue;
    std::uint64_t bytes = 0;
    bool spoilt = false;  // a command was refused: EXEC will be, too
  };
  // A confirmation that waits for its fence.
  struct Confirmation {
    SubscriptionKind kind;
    broker::ConsumerId consumer;
    std::size_t count;
  };
  // What other shards are asked about connections.
  struct Gathering {
    ClientMail::Kind kind = ClientMail::Kind::list;
    std::uint64_t request = 0;
    std::size_t missing = 0;
    ClientMail sum{};
    bool plain_ok = false;  // the old form of CLIENT KILL
  };

  // ---- session.cpp
  std::size_t take_requests(Bytes input);
  const Command* look_up(const Request& request);
  void refuse_unknown(const Request& request);
  bool must_wait(const Command* command);
  void dispatch(const Command* command, const Request& request);
  bool is_refused(const Command& command);
  void reject(std::string_view error);
  void run(const Command& command, const Request& request);
  void protocol_error();
  void hold_publisher(const broker::LivePublished& published);
  void on_event(broker::Reply& event);
  void on_event(broker::Receipt& event);
  void on_event(broker::Alarm& event);
  void on_event(broker::Direct& event);
  void on_event(broker::Evicted& event);
  template <class Other>
  void on_event(Other&) {}  // of requests that this protocol does not make
  void take_events();
  void finish_gathering();

  // ---- delivery.cpp
  void deliver(Chain& out);
  void write_mail(Chain& out);
  void write_message(Chain& out, const Subscription& subscription, const broker::LiveItem& item);
  bool may_hear(const Subscription& subscription, const broker::LiveRecord& record) const;
  void guard_output(Chain& out);
  void note_slow();
  std::size_t unsent(const Chain& out) const { return std::max(host_.unsent_bytes(), out.size()); }
  void count_backlog();

  // ---- connection_commands.cpp
  bool is_logged_in() const { return static_cast<bool>(session_); }
  void log_in_default();
  bool log_in(std::string_view user, std::string_view password);
  void become(const auth::Principal& who, std::string shown);
  void listen_again();
  void log_out();
  bool set_name(std::string_view name);
  void help(std::string_view command);

  // ---- pubsub_commands.cpp
  void subscribe_all(SubscriptionKind kind, const Request& request);
  void unsubscribe_all(SubscriptionKind kind, const Request& request);
  bool may_subscribe(const Request& request);
  broker::Outcome<void> listen(const Subscription& subscription);
  void end(Subscription& subscription);
  void begin_fence();
  void confirm();
  void write_confirmation(std::string_view what, std::string_view name, std::size_t count);
  void write_unsubscribed(SubscriptionKind kind, const std::string_view* name);
  void publish_to(broker::Room room, const Request& request);
  void show_channels(broker::Room room, const Request& request);
  void show_counts(broker::Room room, const Request& request);
  void note_subscribed();

  // ---- client_commands.cpp
  void gather(Gathering question, const ClientFilter& filter);
  bool read_filter(const Request& request, ClientFilter& filter, bool& skip_me);
  bool manages_all() const;

  ServerState& server_;
  broker::Core& core_;
  SessionHost& host_;
  const Peer peer_;
  const auth::VhostId vhost_;
  const std::uint64_t id_;
  const Instant began_;

  broker::SessionId session_;
  auth::Principal who_;
  std::string user_;        // as clients see it
  bool hears_all_ = false;  // may read every name

  RequestParser parser_;
  Replies replies_;
  Subscriptions subscriptions_;
  std::unique_ptr<Transaction> transaction_;
  const Command* last_command_ = nullptr;
  const Command* said_command_ = nullptr;  // what the word below names; without subcommands
  std::string said_word_;

  // ---- what CLIENT sets
  std::string name_;
  std::string library_;
  std::string library_version_;
  bool no_evict_ = false;
  bool no_touch_ = false;
  bool replies_off_ = false;
  bool skip_next_ = false;

  // ---- why input rests
  std::vector<Confirmation> confirmations_;
  bool fenced_ = false;
  std::unique_ptr<Gathering> gathering_;
  std::optional<Instant> gather_until_;
  std::optional<Instant> stalled_until_;
  std::uint32_t stalls_ = 0;  // in the input of one read
  broker::Alarm alarm_;
  bool held_by_alarm_ = false;
  bool closing_ = false;
  std::uint64_t next_request_ = 1;

  // ---- what is heard
  std::vector<broker::Event> events_;
  broker::LiveMail mail_;
  std::size_t mail_at_ = 0;  // items of mail_ that are written
  std::deque<broker::LiveMail> later_;
  std::size_t backlog_bytes_ = 0;  // of what is in mail_ and later_, once it is counted
  OutputGuard guard_;
  bool told_slow_ = false;
  bool counted_subscribed_ = false;  // in the server's figures
  std::int64_t last_input_s_ = 0;    // since began_
};

}  // namespace wharf::redis
