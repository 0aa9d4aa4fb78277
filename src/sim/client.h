// sim/client.h: a small AMQP client, a state machine over the real codec: it says only what a
// correct client would say, at moments and in mixtures that the seed chooses, and tells the shadow
// of everything. One connection at a time, a few channels, one request at a time on each of them.
//   client.cpp             the connection: frames in, login, channels coming and going
//   client_overhear.cpp    what the broker writes, when it does: the model follows the broker's
//   order,
//                          however late a client reads
//   client_replies.cpp     what the broker answers and delivers
//   client_operations.cpp  what a client does when it has nothing to wait for
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/amqp/frame.h"
#include "sim/chance.h"
#include "sim/connection.h"
#include "sim/plan.h"
#include "sim/shadow.h"
#include "sim/trace.h"

namespace wharf::sim {

// A request that is answered.
enum class Task : std::uint8_t {
  open_channel,
  select_confirm,
  select_tx,
  declare_exchange,
  declare_queue,
  look_at_queue,
  bind,
  queue_done,
  delete_queue,
  purge,
  consume,
  cancel,
  get,
  qos,
  recover,
  commit,
  rollback,
  close_channel,
};

struct Todo {
  Task task = Task::qos;
  std::size_t index = 0;  // of the exchange, queue or binding
  bool no_ack = false;
  std::string tag{};  // of the consumer
};

class Client {
 public:
  Client(std::size_t index, const Plan& plan, std::uint64_t seed, Shadow& shadow,
         const SimClock& clock, Trace& trace, ChannelUid& last_uid);

  // ---- the connection; made and ended by the world
  bool connected() const { return connection_ != nullptr; }
  void connect(Connection& connection);
  // What the broker writes to this client's connection: see Connection::Tap.
  void overhear(Bytes output);
  // Reads all that is in the inbox.
  void read();
  // The connection is gone: closed by the broker, or cut.
  void lost();
  // Whether it may be cut: the model does not follow a change of the catalog into the unknown.
  bool may_hang_up() const;
  // The broker is dead, and the model has been told.
  void forget_connection();

  // ---- work
  // Whether act() has a channel to work with.
  bool may_act() const;
  // One operation; false when there is nothing that it can do now.
  bool act();
  bool open() const { return phase_ == Phase::open; }
  bool reads_at(Instant now) const { return now >= pause_until_; }
  std::optional<Instant> pause_end() const;
  bool blocked() const { return blocked_; }
  // Since when it has been waiting for an answer, if so.
  std::optional<Instant> waiting_since() const;
  std::string waiting_for() const;
  std::uint64_t operations() const { return operations_; }

  // ---- the end of a run
  // From now on it only empties queues, all of them, round after round.
  void begin_drain();
  bool drain_round_done() const;
  void begin_drain_round();
  std::uint64_t drained_in_round() const { return drained_; }

 private:
  enum class Phase : std::uint8_t { offline, handshake, open, closing };
  enum class Mode : std::uint8_t { plain, confirm, tx };

  struct Held {
    CopyId copy = 0;
    QueueIndex queue = 0;
  };
  struct HeldSettle {
    std::uint64_t tag = 0;
    Held held;
    Settlement how = Settlement::accept;
  };
  struct Consumer {
    QueueIndex queue = 0;
    bool no_ack = false;
    std::uint64_t queue_changes = 0;
  };
  struct Unconfirmed {
    MessageId message = 0;
    bool left = false;  // the broker has written its answer
  };
  // A message on its way in.
  struct Incoming {
    amqp::MethodId method = 0;
    std::string consumer{};
    std::uint64_t tag = 0;
    bool redelivered = false;
    std::string exchange{};
    std::string key{};
    bool has_header = false;
    std::uint64_t body_size = 0;
    std::string properties{};
    std::string body{};
  };
  struct Channel {
    std::uint16_t number = 0;
    ChannelUid uid = 0;
    Mode mode = Mode::plain;
    bool open = false;
    bool closing = false;
    std::deque<Todo> todo;
    std::optional<Todo> waiting;
    Instant waiting_since;
    std::uint64_t changes_at_request = 0;
    std::uint64_t next_publish = 1;
    std::map<std::uint64_t, Unconfirmed> unconfirmed;
    std::uint64_t next_tag = 1;               // that the broker gives
    std::map<std::uint64_t, Held> under_way;  // written by the broker, not yet read
    std::map<std::uint64_t, Held> unacked;
    std::vector<HeldSettle> tx_settles;
    bool tx_dirty = false;
    std::map<std::string, Consumer> consumers;
    std::optional<Incoming> incoming;
    std::optional<Incoming> overheard;
  };

  // ---- client.cpp
  template <class M>
  void send(std::uint16_t channel, const M& method);
  void on_frame(const amqp::Frame& frame);
  void on_connection_method(const amqp::Method& method);
  void on_method(Channel& channel, const amqp::Method& method);
  // Begins a message when it is one of the methods that carry one.
  static std::optional<Incoming> begin_message(const amqp::Method& method);
  // True when the message is complete.
  bool add_content(Incoming& incoming, const amqp::Frame& frame);
  void on_channel_close(Channel& channel, const amqp::Method& method);
  void open_channel();
  void channel_gone(Channel& channel);
  bool is_expected_close(const Channel& channel, std::uint16_t code) const;
  Channel* find(std::uint16_t number);
  void violate(const std::string& what);

  // ---- client_overhear.cpp
  void overhear_method(std::uint16_t number, const amqp::Method& method);
  void overhear_close(const Channel& channel, const amqp::Method& method);
  void overhear_confirm(Channel& channel, std::uint64_t tag, bool multiple, bool accepted);
  void overhear_message(Channel& channel, const Incoming& incoming);
  std::optional<DeliveryFacts> read_content(const Incoming& incoming);

  // ---- client_replies.cpp
  void on_reply(Channel& channel, const amqp::Method& method);
  void finish_request(Channel& channel);
  void on_confirm(Channel& channel, std::uint64_t tag, bool multiple, bool accepted);
  void on_cancelled(Channel& channel, const std::string& tag);
  void on_message(Channel& channel, const Incoming& incoming);
  void on_got(Channel& channel);
  void on_transaction_end(Channel& channel, bool committed);
  void on_queue_empty(const Channel& channel, const Todo& done);

  // ---- client_operations.cpp
  void request(Channel& channel, Todo todo);
  void send_request(Channel& channel, const Todo& todo);
  void consume(Channel& channel, const Todo& todo);
  void recover(Channel& channel);
  void commit(Channel& channel);
  void declare_exchange(Channel& channel, const ExchangePlan& exchange);
  void declare_queue(Channel& channel, QueueIndex queue, bool passive);
  void bind(Channel& channel, const BindingPlan& binding);
  bool repair_topology(Channel& channel);
  bool operate(Channel& channel);
  bool publish(Channel& channel);
  void publish_one(Channel& channel);
  std::size_t pick_body_size();
  bool settle(Channel& channel);
  void settle_one(Channel& channel, std::uint64_t tag, Settlement how);
  bool consume(Channel& channel);
  bool cancel(Channel& channel);
  bool get(Channel& channel);
  bool end_transaction(Channel& channel);
  bool remove_queue(Channel& channel);
  bool purge_queue(Channel& channel);
  bool close_channel(Channel& channel);
  bool close_connection();
  std::optional<QueueIndex> pick_ready_queue();
  void begin_drain_script(Channel& channel);

  std::size_t index_;
  const Plan& plan_;
  const OperationWeights& weights_;
  Chance chance_;
  Shadow& shadow_;
  const SimClock& clock_;
  Trace& trace_;
  ChannelUid& last_uid_;

  Connection* connection_ = nullptr;
  Phase phase_ = Phase::offline;
  std::map<std::uint16_t, Channel> channels_;
  std::uint32_t frame_max_ = 4096;
  bool blocked_ = false;
  bool polite_ = true;  // stops to publish when asked to
  Instant closing_since_;
  Instant pause_until_;
  std::uint64_t operations_ = 0;
  std::uint64_t next_consumer_ = 1;
  bool draining_ = false;
  bool drain_script_begun_ = false;
  std::uint64_t drained_ = 0;         // in this round
  std::uint64_t drained_before_ = 0;  // the queue that is now looked at
  std::uint64_t promised_ = 0;        // what that queue said to hold
  std::uint64_t unreadable_before_ = 0;
};

}  // namespace wharf::sim
