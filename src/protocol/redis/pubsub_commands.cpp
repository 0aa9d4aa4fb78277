// Subscribing, publishing, and who listens to what.
#include <fmt/format.h>

#include "base/assert.h"
#include "broker/glob.h"
#include "protocol/redis/connection.h"
#include "protocol/redis/convert.h"

namespace wharf::redis {

namespace {

// Shard channels are names of their own; the common room is that of all protocols.
constexpr broker::Room shard_room = 1;

std::string_view subscribe_word(SubscriptionKind kind) {
  switch (kind) {
    case SubscriptionKind::channel:
      return "subscribe";
    case SubscriptionKind::pattern:
      return "psubscribe";
    case SubscriptionKind::shard_channel:
      return "ssubscribe";
  }
  std::unreachable();
}

std::string_view unsubscribe_word(SubscriptionKind kind) {
  switch (kind) {
    case SubscriptionKind::channel:
      return "unsubscribe";
    case SubscriptionKind::pattern:
      return "punsubscribe";
    case SubscriptionKind::shard_channel:
      return "sunsubscribe";
  }
  std::unreachable();
}

}  // namespace

// ---- subscribing

void RedisSession::subscribe(const Request& request) {
  subscribe_all(SubscriptionKind::channel, request);
}
void RedisSession::psubscribe(const Request& request) {
  subscribe_all(SubscriptionKind::pattern, request);
}
void RedisSession::ssubscribe(const Request& request) {
  subscribe_all(SubscriptionKind::shard_channel, request);
}

// Heard at once; told once every shard has it (confirm).
void RedisSession::subscribe_all(SubscriptionKind kind, const Request& request) {
  if (!may_subscribe(request)) return;
  for (std::size_t i = 1; i < request.size(); ++i) {
    Subscription* subscription = subscriptions_.find(kind, request[i]);
    if (!subscription) {
      if (subscriptions_.full()) return reject("ERR too many subscriptions");
      subscription = &subscriptions_.add(kind, request[i]);
      if (!listen(*subscription)) {
        subscriptions_.remove(*subscription);
        return reject(no_channel_permission);
      }
    }
    confirmations_.push_back({kind, subscription->consumer, subscriptions_.shown_count(kind)});
  }
  note_subscribed();
}

// One name that may not be heard refuses all.
bool RedisSession::may_subscribe(const Request& request) {
  for (std::size_t i = 1; i < request.size(); ++i) {
    if (request[i].size() > name_size_max) {
      reject("ERR channel name is too long");
      return false;
    }
    if (!hears_all_ && !core_.access().authorize(who_, auth::Verb::read, vhost_, request[i])) {
      reject(no_channel_permission);
      return false;
    }
  }
  return true;
}

broker::Outcome<void> RedisSession::listen(const Subscription& subscription) {
  broker::ListenSpec spec;
  bool is_pattern = subscription.kind == SubscriptionKind::pattern;
  spec.kind = is_pattern ? broker::ListenSpec::Kind::glob : broker::ListenSpec::Kind::name;
  spec.text = subscription.name();
  spec.room =
      subscription.kind == SubscriptionKind::shard_channel ? shard_room : broker::common_room;
  spec.consumer = subscription.consumer;
  return core_.listen(session_, spec);
}

void RedisSession::begin_fence() {
  fenced_ = true;
  core_.fence(session_, next_request_++);
}

void RedisSession::confirm() {
  for (const Confirmation& each : confirmations_) {
    // Nothing ends a subscription before it is confirmed.
    const Subscription* subscription = subscriptions_.find(each.consumer);
    ASSERT(subscription);
    write_confirmation(subscribe_word(each.kind), subscription->name(), each.count);
  }
  confirmations_.clear();
}

void RedisSession::write_confirmation(std::string_view what, std::string_view name,
                                      std::size_t count) {
  replies_.push(3);
  replies_.bulk(what);
  replies_.bulk(name);
  replies_.integer(static_cast<std::int64_t>(count));
  replies_.end_push();
}

void RedisSession::unsubscribe(const Request& request) {
  unsubscribe_all(SubscriptionKind::channel, request);
}
void RedisSession::punsubscribe(const Request& request) {
  unsubscribe_all(SubscriptionKind::pattern, request);
}
void RedisSession::sunsubscribe(const Request& request) {
  unsubscribe_all(SubscriptionKind::shard_channel, request);
}

void RedisSession::unsubscribe_all(SubscriptionKind kind, const Request& request) {
  // What was heard before is sent before.
  deliver(replies_.out());
  if (request.size() == 1) {
    std::vector<Subscription*> all = subscriptions_.all(kind);
    if (all.empty()) write_unsubscribed(kind, nullptr);
    for (Subscription* subscription : all) {
      std::string name(subscription->name());
      end(*subscription);
      std::string_view shown = name;
      write_unsubscribed(kind, &shown);
    }
  }
  for (std::size_t i = 1; i < request.size(); ++i) {
    if (Subscription* subscription = subscriptions_.find(kind, request[i])) end(*subscription);
    std::string_view name = request[i];
    write_unsubscribed(kind, &name);
  }
  note_subscribed();
}

void RedisSession::end(Subscription& subscription) {
  core_.unlisten(session_, subscription.consumer);
  subscriptions_.remove(subscription);
}

void RedisSession::write_unsubscribed(SubscriptionKind kind, const std::string_view* name) {
  std::size_t count = subscriptions_.shown_count(kind);
  if (name) return write_confirmation(unsubscribe_word(kind), *name, count);
  replies_.push(3);
  replies_.bulk(unsubscribe_word(kind));
  replies_.null_bulk();
  replies_.integer(static_cast<std::int64_t>(count));
  replies_.end_push();
}

void RedisSession::note_subscribed() {
  bool subscribed = !subscriptions_.empty();
  if (subscribed == counted_subscribed_) return;
  counted_subscribed_ = subscribed;
  if (subscribed) {
    server_.subscribed.fetch_add(1, std::memory_order_relaxed);
  } else {
    server_.subscribed.fetch_sub(1, std::memory_order_relaxed);
  }
}

// ---- publishing

void RedisSession::publish(const Request& request) { publish_to(broker::common_room, request); }
void RedisSession::spublish(const Request& request) { publish_to(shard_room, request); }

void RedisSession::publish_to(broker::Room room, const Request& request) {
  std::string_view name = request[1];
  if (name.size() > name_size_max) return replies_.error("ERR channel name is too long");
  broker::LiveMessage message{.name = name,
                              .format = redis_format,
                              .properties = {},
                              .body = bytes_of(request[2]),
                              .room = room};
  broker::PublishOptions options;
  if (!replies_.muted()) options.receipt = replies_.next_token();
  auto published = core_.publish_live(session_, message, options);
  if (!published) return replies_.error(error_of(published.error()));
  if (published->slow || published->queues > 0) hold_publisher(*published);
  std::int64_t receivers = std::int64_t{published->listeners} + published->queues;
  if (published->receipts > 0 && options.receipt) {
    replies_.hold_integer(receivers, published->receipts);
  } else {
    replies_.integer(receivers);
  }
}

// ---- who listens

void RedisSession::pubsub_channels(const Request& request) {
  show_channels(broker::common_room, request);
}
void RedisSession::pubsub_shardchannels(const Request& request) {
  show_channels(shard_room, request);
}

void RedisSession::show_channels(broker::Room room, const Request& request) {
  std::vector<std::string> names;
  core_.each_name(vhost_, room, [&](std::string_view name, std::uint32_t) {
    if (request.size() < 3 || broker::glob_matches(request[2], name)) names.emplace_back(name);
  });
  replies_.array(names.size());
  for (const std::string& name : names) replies_.bulk(name);
}

void RedisSession::pubsub_numsub(const Request& request) {
  show_counts(broker::common_room, request);
}
void RedisSession::pubsub_shardnumsub(const Request& request) { show_counts(shard_room, request); }

void RedisSession::show_counts(broker::Room room, const Request& request) {
  replies_.array(2 * (request.size() - 2));
  for (std::size_t i = 2; i < request.size(); ++i) {
    replies_.bulk(request[i]);
    replies_.integer(core_.count_listeners(vhost_, room, request[i]));
  }
}

void RedisSession::pubsub_numpat(const Request&) {
  replies_.integer(core_.count_patterns(vhost_, broker::common_room));
}

void RedisSession::pubsub_help(const Request&) { help("pubsub"); }

}  // namespace wharf::redis
