// What a simulated client does when it has nothing to wait for.
#include <algorithm>
#include <array>

#include "protocol/amqp/properties.h"
#include "protocol/amqp/table.h"
#include "sim/client.h"
#include "sim/client_send.h"

namespace wharf::sim {

namespace {
constexpr std::size_t consumers_per_channel_max = 3;
constexpr std::array<std::string_view, 18> task_names = {"open channel",  "select confirm",
                                                         "select tx",     "declare exchange",
                                                         "declare queue", "look at queue",
                                                         "bind",          "queue done",
                                                         "delete queue",  "purge",
                                                         "consume",       "cancel",
                                                         "get",           "qos",
                                                         "recover",       "commit",
                                                         "rollback",      "close channel"};

std::string_view name_of(Task task) { return task_names[static_cast<std::size_t>(task)]; }

constexpr std::string_view routing_keys[] = {"a.b", "a.c", "b.c", "a.b.c"};

constexpr std::array<std::string_view, 3> settle_names = {"settled: accept", "settled: requeue",
                                                          "settled: refuse"};

std::string_view overflow_name(broker::Overflow overflow) {
  switch (overflow) {
    case broker::Overflow::drop_head:
      return "drop-head";
    case broker::Overflow::reject_publish:
      return "reject-publish";
    case broker::Overflow::reject_publish_dead_letter:
      return "reject-publish-dlx";
  }
  std::unreachable();
}

ByteVector queue_arguments(const QueuePlan& queue) {
  amqp::TableWriter table;
  auto number = [](std::uint32_t value) { return static_cast<std::int64_t>(value); };
  if (queue.single_active) table.add("x-single-active-consumer", true);
  if (queue.counted) table.add("x-queue-type", std::string_view("quorum"));
  if (queue.ttl_ms) table.add("x-message-ttl", number(*queue.ttl_ms));
  if (queue.length_max) {
    table.add("x-max-length", number(*queue.length_max));
    table.add("x-overflow", overflow_name(queue.overflow));
  }
  if (queue.priority_max) table.add("x-max-priority", number(queue.priority_max));
  if (queue.delivery_limit) table.add("x-delivery-limit", number(*queue.delivery_limit));
  if (queue.dead_letter_exchange) {
    table.add("x-dead-letter-exchange", std::string_view(*queue.dead_letter_exchange));
  }
  if (queue.dead_letter_key) {
    table.add("x-dead-letter-routing-key", std::string_view(*queue.dead_letter_key));
  }
  return table.take();
}
}  // namespace

// ---- requests

void Client::request(Channel& channel, Todo todo) {
  if (todo.task == Task::queue_done) {
    shadow_.queue_ready(todo.index);
    return;
  }
  trace_.count(fmt::format("request: {}", name_of(todo.task)));
  channel.waiting = todo;
  channel.waiting_since = clock_.now();
  if (todo.index < plan_.queues.size()) {
    channel.changes_at_request = shadow_.queue_changes(todo.index);
  }
  send_request(channel, todo);
}

void Client::send_request(Channel& channel, const Todo& todo) {
  std::uint16_t number = channel.number;
  switch (todo.task) {
    case Task::open_channel:
      return send(number, amqp::ChannelOpen{});
    case Task::select_confirm:
      return send(number, amqp::ConfirmSelect{});
    case Task::select_tx:
      return send(number, amqp::TxSelect{});
    case Task::declare_exchange:
      return declare_exchange(channel, plan_.exchanges[todo.index]);
    case Task::declare_queue:
      return declare_queue(channel, todo.index, false);
    case Task::look_at_queue:
      unreadable_before_ = shadow_.unreadable(todo.index);
      return declare_queue(channel, todo.index, true);
    case Task::bind:
      return bind(channel, plan_.bindings[todo.index]);
    case Task::queue_done:
      return;
    case Task::delete_queue: {
      amqp::QueueDelete remove;
      remove.queue = plan_.queues[todo.index].name;
      return send(number, remove);
    }
    case Task::purge: {
      amqp::QueuePurge purge;
      purge.queue = plan_.queues[todo.index].name;
      shadow_.purge_sent(todo.index);
      return send(number, purge);
    }
    case Task::consume:
      return consume(channel, todo);
    case Task::cancel: {
      amqp::BasicCancel cancel;
      cancel.consumer_tag = todo.tag;
      return send(number, cancel);
    }
    case Task::get: {
      amqp::BasicGet get;
      get.queue = plan_.queues[todo.index].name;
      get.no_ack = todo.no_ack;
      if (todo.no_ack) shadow_.auto_ack_begins(channel.uid, todo.index);
      return send(number, get);
    }
    case Task::qos: {
      amqp::BasicQos qos;
      qos.prefetch_count = static_cast<std::uint16_t>(chance_.skewed(40));
      return send(number, qos);
    }
    case Task::recover:
      return recover(channel);
    case Task::commit:
      return commit(channel);
    case Task::rollback:
      return send(number, amqp::TxRollback{});
    case Task::close_channel: {
      shadow_.releasing(channel.uid);
      channel.closing = true;
      amqp::ChannelClose close;
      close.reply_code = 200;
      close.reply_text = "bye";
      return send(number, close);
    }
  }
}

void Client::consume(Channel& channel, const Todo& todo) {
  amqp::BasicConsume consume;
  consume.queue = plan_.queues[todo.index].name;
  consume.consumer_tag = todo.tag;
  consume.no_ack = todo.no_ack;
  if (todo.no_ack) shadow_.auto_ack_begins(channel.uid, todo.index);
  channel.consumers[todo.tag] = {todo.index, todo.no_ack, channel.changes_at_request};
  send(channel.number, consume);
}

void Client::recover(Channel& channel) {
  for (const auto& [tag, held] : channel.unacked) {
    shadow_.settled(held.copy, Settlement::requeue, channel.uid);
  }
  channel.unacked.clear();
  amqp::BasicRecover recover;
  recover.requeue = true;
  send(channel.number, recover);
}

void Client::commit(Channel& channel) {
  for (const HeldSettle& settle : channel.tx_settles) {
    shadow_.settled(settle.held.copy, settle.how, channel.uid);
  }
  shadow_.transaction_sent(channel.uid);
  send(channel.number, amqp::TxCommit{});
}

void Client::declare_exchange(Channel& channel, const ExchangePlan& exchange) {
  amqp::TableWriter arguments;
  if (!exchange.alternate.empty()) {
    arguments.add("alternate-exchange", std::string_view(exchange.alternate));
  }
  amqp::ExchangeDeclare declare;
  declare.exchange = exchange.name;
  declare.type = exchange.type;
  declare.durable = true;
  declare.arguments = arguments.bytes();
  send(channel.number, declare);
}

void Client::declare_queue(Channel& channel, QueueIndex index, bool passive) {
  const QueuePlan& queue = plan_.queues[index];
  ByteVector arguments = queue_arguments(queue);
  amqp::QueueDeclare declare;
  declare.queue = queue.name;
  declare.passive = passive;
  declare.durable = queue.durable;
  declare.arguments = arguments;
  send(channel.number, declare);
}

void Client::bind(Channel& channel, const BindingPlan& binding) {
  amqp::QueueBind bind;
  bind.queue = plan_.queues[binding.queue].name;
  bind.exchange = plan_.exchanges[binding.exchange].name;
  bind.routing_key = binding.key;
  send(channel.number, bind);
}

// Declares what is missing: a queue with its bindings and the exchanges that these need.
bool Client::repair_topology(Channel& channel) {
  for (QueueIndex queue = 0; queue < plan_.queues.size(); ++queue) {
    if (shadow_.queue_state(queue) != Shadow::QueueState::missing) continue;
    shadow_.queue_changing(queue);
    channel.todo.push_back({.task = Task::declare_queue, .index = queue});
    for (std::size_t i = 0; i < plan_.bindings.size(); ++i) {
      const BindingPlan& binding = plan_.bindings[i];
      if (binding.queue != queue) continue;
      if (!shadow_.exchange_ready(binding.exchange)) {
        channel.todo.push_back({.task = Task::declare_exchange, .index = binding.exchange});
      }
      channel.todo.push_back({.task = Task::bind, .index = i});
    }
    channel.todo.push_back({.task = Task::queue_done, .index = queue});
    return true;
  }
  for (std::size_t i = 0; i < plan_.exchanges.size(); ++i) {
    if (shadow_.exchange_ready(i)) continue;
    channel.todo.push_back({.task = Task::declare_exchange, .index = i});
    return true;
  }
  return false;
}

// ---- operations: false when there is nothing to do of that kind

bool Client::operate(Channel& channel) {
  if (chance_.permille(300) && repair_topology(channel)) return true;
  using Operation = bool (Client::*)(Channel&);
  const std::array<std::pair<std::uint32_t, Operation>, 9> operations = {{
      {blocked_ && polite_ ? 0 : weights_.publish, &Client::publish},
      {weights_.settle, &Client::settle},
      {weights_.consume, &Client::consume},
      {weights_.cancel, &Client::cancel},
      {weights_.get, &Client::get},
      {weights_.purge, &Client::purge_queue},
      {weights_.delete_queue, &Client::remove_queue},
      {weights_.commit, &Client::end_transaction},
      {weights_.close_channel, &Client::close_channel},
  }};
  std::uint32_t sum =
      weights_.qos + weights_.recover + weights_.close_connection + weights_.pause_reading;
  for (const auto& [weight, operation] : operations) sum += weight;
  if (sum == 0) return false;
  auto point = static_cast<std::uint32_t>(chance_.below(sum));
  for (const auto& [weight, operation] : operations) {
    if (point < weight) return (this->*operation)(channel);
    point -= weight;
  }
  if (point < weights_.qos) {
    request(channel, {.task = Task::qos});
    return true;
  }
  point -= weights_.qos;
  if (point < weights_.recover) {
    if (channel.mode == Mode::tx) return false;
    request(channel, {.task = Task::recover});
    return true;
  }
  point -= weights_.recover;
  if (point < weights_.close_connection) return close_connection();
  pause_until_ =
      clock_.now() + chance_.between(std::chrono::milliseconds(1), std::chrono::seconds(2));
  return true;
}

std::optional<QueueIndex> Client::pick_ready_queue() {
  QueueIndex queue = chance_.below(plan_.queues.size());
  if (shadow_.queue_state(queue) != Shadow::QueueState::ready) return std::nullopt;
  return queue;
}

bool Client::publish(Channel& channel) {
  for (std::uint64_t n = chance_.between(1, plan_.batch_max); n > 0; --n) publish_one(channel);
  return true;
}

std::size_t Client::pick_body_size() {
  if (chance_.permille(plan_.large_permille)) return chance_.skewed(20'000);
  return chance_.below(100);
}

void Client::publish_one(Channel& channel) {
  PublishFacts facts;
  facts.channel = channel.uid;
  std::size_t exchange = chance_.below(plan_.exchanges.size() * 2);
  if (exchange < plan_.exchanges.size() && shadow_.exchange_ready(exchange)) {
    facts.exchange = plan_.exchanges[exchange].name;
    facts.key = routing_keys[chance_.below(std::size(routing_keys))];
  } else {
    std::size_t queue = chance_.below(plan_.queues.size());
    facts.key = chance_.permille(950) ? plan_.queues[queue].name : "nowhere";
  }
  facts.body_size = pick_body_size();
  facts.persistent = chance_.permille(plan_.persistent_permille);
  facts.mandatory = chance_.permille(100);
  facts.in_transaction = channel.mode == Mode::tx;
  if (chance_.permille(200)) facts.priority = static_cast<std::uint8_t>(chance_.below(12));
  if (chance_.permille(plan_.ttl_permille)) {
    facts.ttl_ms = static_cast<std::uint32_t>(chance_.below(2000));
  }
  MessageId id = shadow_.sent(facts);
  if (channel.mode == Mode::confirm) channel.unconfirmed[channel.next_publish++] = {id, false};
  channel.tx_dirty = true;

  amqp::BasicPublish method;
  method.exchange = facts.exchange;
  method.routing_key = facts.key;
  method.mandatory = facts.mandatory;
  std::string mark = make_mark(Mark::head, id);
  std::string expiration = facts.ttl_ms ? std::to_string(*facts.ttl_ms) : "";
  amqp::Properties properties;
  properties.message_id = mark;
  properties.delivery_mode = static_cast<std::uint8_t>(facts.persistent ? 2 : 1);
  if (facts.priority) properties.priority = facts.priority;
  if (facts.ttl_ms) properties.expiration = expiration;
  std::string body = make_body(id, facts.body_size);
  Chain chain;
  amqp::write_content(chain, channel.number, method, properties.encode(),
                      amqp::Body(bytes_of(body)), frame_max_);
  trace_.note("client {}/{} > publish message {} to '{}' {} ({} bytes{})", index_, channel.number,
              id, facts.exchange, facts.key, facts.body_size,
              facts.persistent ? "" : ", transient");
  connection_->send(bytes_of(chain.flatten()));
}

// ---- settling

void Client::settle_one(Channel& channel, std::uint64_t tag, Settlement how) {
  Held held = channel.unacked.at(tag);
  channel.unacked.erase(tag);
  channel.tx_dirty = true;
  if (channel.mode == Mode::tx) {
    channel.tx_settles.push_back({tag, held, how});
  } else {
    shadow_.settled(held.copy, how, channel.uid);
  }
  trace_.count(settle_names[static_cast<std::size_t>(how)]);
  trace_.note("client {}/{} > settle tag {} as {}", index_, channel.number, tag,
              static_cast<int>(how));
  if (how == Settlement::accept) {
    amqp::BasicAck ack;
    ack.delivery_tag = tag;
    send(channel.number, ack);
  } else if (chance_.coin()) {
    amqp::BasicReject reject;
    reject.delivery_tag = tag;
    reject.requeue = how == Settlement::requeue;
    send(channel.number, reject);
  } else {
    amqp::BasicNack nack;
    nack.delivery_tag = tag;
    nack.requeue = how == Settlement::requeue;
    send(channel.number, nack);
  }
}

bool Client::settle(Channel& channel) {
  if (channel.unacked.empty()) return false;
  auto it = channel.unacked.begin();
  if (chance_.coin()) std::advance(it, chance_.below(channel.unacked.size()));
  std::uint64_t tag = it->first;
  Settlement how = Settlement::accept;
  if (chance_.permille(150)) how = Settlement::requeue;
  if (chance_.permille(150)) how = Settlement::refuse;
  if (chance_.permille(700)) {
    settle_one(channel, tag, how);
    return true;
  }
  // All up to the tag at once; or all that there is, which is tag 0, and takes in what is under
  // way.
  bool all = channel.consumers.empty() && chance_.permille(200);
  channel.tx_dirty = true;
  for (auto each = channel.unacked.begin(); each != channel.unacked.end();) {
    if (!all && each->first > tag) break;
    if (channel.mode == Mode::tx) {
      channel.tx_settles.push_back({each->first, each->second, how});
    } else {
      shadow_.settled(each->second.copy, how, channel.uid);
    }
    each = channel.unacked.erase(each);
  }
  trace_.note("client {}/{} > settle up to tag {} as {}", index_, channel.number, all ? 0 : tag,
              static_cast<int>(how));
  if (how == Settlement::accept) {
    amqp::BasicAck ack;
    ack.delivery_tag = all ? 0 : tag;
    ack.multiple = true;
    send(channel.number, ack);
  } else {
    amqp::BasicNack nack;
    nack.delivery_tag = all ? 0 : tag;
    nack.multiple = true;
    nack.requeue = how == Settlement::requeue;
    send(channel.number, nack);
  }
  return true;
}

bool Client::end_transaction(Channel& channel) {
  if (channel.mode != Mode::tx || !channel.tx_dirty) return false;
  request(channel, {.task = chance_.permille(750) ? Task::commit : Task::rollback});
  return true;
}

// ---- consuming

bool Client::consume(Channel& channel) {
  if (channel.consumers.size() >= consumers_per_channel_max) return false;
  std::optional<QueueIndex> queue = pick_ready_queue();
  // Nobody reads the queue of a retry loop.
  if (!queue || plan_.queues[*queue].name == "retry") return false;
  bool no_ack = plan_.queues[*queue].auto_ack && chance_.coin();
  request(channel, {.task = Task::consume,
                    .index = *queue,
                    .no_ack = no_ack,
                    .tag = fmt::format("c{}-{}", index_, next_consumer_++)});
  return true;
}

bool Client::cancel(Channel& channel) {
  if (channel.consumers.empty()) return false;
  auto it = channel.consumers.begin();
  std::advance(it, chance_.below(channel.consumers.size()));
  request(channel, {.task = Task::cancel, .tag = it->first});
  return true;
}

bool Client::get(Channel& channel) {
  std::optional<QueueIndex> queue = pick_ready_queue();
  if (!queue || plan_.queues[*queue].name == "retry") return false;
  bool no_ack = plan_.queues[*queue].auto_ack && chance_.coin();
  request(channel, {.task = Task::get, .index = *queue, .no_ack = no_ack});
  return true;
}

// ---- the rest

bool Client::remove_queue(Channel& channel) {
  std::optional<QueueIndex> queue = pick_ready_queue();
  if (!queue) return false;
  shadow_.queue_changing(*queue);
  request(channel, {.task = Task::delete_queue, .index = *queue});
  return true;
}

bool Client::purge_queue(Channel& channel) {
  std::optional<QueueIndex> queue = pick_ready_queue();
  if (!queue) return false;
  request(channel, {.task = Task::purge, .index = *queue});
  return true;
}

bool Client::close_channel(Channel& channel) {
  request(channel, {.task = Task::close_channel});
  return true;
}

bool Client::close_connection() {
  if (!may_hang_up()) return false;
  for (auto& [number, channel] : channels_) {
    if (channel.waiting) return false;
  }
  for (auto& [number, channel] : channels_) shadow_.releasing(channel.uid);
  phase_ = Phase::closing;
  closing_since_ = clock_.now();
  amqp::ConnectionClose close;
  close.reply_code = 200;
  close.reply_text = "bye";
  send(0, close);
  return true;
}

// Queues that may be there or not are deleted: nothing is promised about them.
void Client::begin_drain_script(Channel& channel) {
  drain_script_begun_ = true;
  for (QueueIndex queue = 0; queue < plan_.queues.size(); ++queue) {
    if (shadow_.queue_state(queue) != Shadow::QueueState::ready) {
      channel.todo.push_back({.task = Task::delete_queue, .index = queue});
      continue;
    }
    channel.todo.push_back({.task = Task::look_at_queue, .index = queue});
    channel.todo.push_back({.task = Task::get, .index = queue});
  }
}

}  // namespace wharf::sim
