// protocol/amqp/fake_core.h: for tests: a core in one thread and in memory, true to the promises of
// broker/api.h: nothing happens inside a call but what it returns, the rest comes as events through
// take_events, in the promised order. Receipts and replies can be held back by a test.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/random.h"
#include "broker/api.h"

namespace wharf::amqp::testing {

using namespace broker;

class FakeAccess final : public auth::Access {
 public:
  std::set<std::pair<Verb, std::string>> denied;  // resources, for everybody
  std::string certificate_user = "cert";

  Result<Principal> login(std::string_view user, std::string_view password, bool) const override {
    if (user != "guest" || password != "guest") return fault(Errc::refused, "no");
    return Principal{auth::UserId(1), std::string(user), false};
  }
  Result<Principal> login_external(std::string_view user, bool) const override {
    if (user != certificate_user) return fault(Errc::refused, "no");
    return Principal{auth::UserId(2), std::string(user), true};
  }
  VhostId vhost(std::string_view name) const override {
    if (name == "/") return VhostId(1);
    return name == "closed" ? VhostId(2) : VhostId();
  }
  std::string_view vhost_name(VhostId vhost) const override {
    return vhost == VhostId(1) ? "/" : "closed";
  }
  std::size_t vhost_count() const override { return 2; }
  bool may_open(const Principal&, VhostId vhost) const override { return vhost == VhostId(1); }
  bool authorize(const Principal&, Verb verb, VhostId, std::string_view resource) const override {
    return !denied.contains({verb, std::string(resource)});
  }
};

class FakeClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  WallTime wall() const override {
    return WallTime(std::chrono::milliseconds(1'700'000'000'000)) +
           std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch());
  }
  void advance(Duration by) { now_ += by; }

 private:
  Instant now_{std::chrono::hours(1)};
};

class FakeCore final : public Core {
 public:
  bool hold_receipts = false;
  bool hold_replies = false;
  bool overloaded = false;
  bool wants_pause = false;
  Alarm alarm;
  FakeAccess access_rules;
  FakeClock time;
  std::uint64_t settle_calls = 0;
  std::uint64_t grant_calls = 0;

  FakeCore() {
    for (auto [name, kind] :
         {std::pair{"amq.direct", ExchangeKind::direct},
          std::pair{"amq.fanout", ExchangeKind::fanout},
          std::pair{"amq.topic", ExchangeKind::topic},
          std::pair{"amq.headers", ExchangeKind::headers}, std::pair{"", ExchangeKind::direct}}) {
      ExchangeSpec spec;
      spec.name = name;
      spec.kind = kind;
      spec.durable = true;
      exchanges_[name] = spec;
    }
  }

  // ---- what tests ask
  std::size_t sessions() const { return sessions_.size(); }
  std::size_t consumers() const {
    std::size_t count = 0;
    for (const auto& [name, queue] : queues_) count += queue.consumers.size();
    return count;
  }
  std::size_t leased() const {
    std::size_t count = 0;
    for (const auto& [name, queue] : queues_) count += queue.leased.size();
    return count;
  }
  std::size_t ready(const std::string& name) const { return queues_.at(name).ready.size(); }
  bool has_queue(const std::string& name) const { return queues_.contains(name); }
  const QueueSpec& queue_spec(const std::string& name) const { return queues_.at(name).spec; }
  const std::vector<BindingSpec>& bindings() const { return bindings_; }
  void release_receipts() {
    for (auto& [session, event] : std::exchange(held_receipts_, {})) tell(session, event);
  }
  void release_receipts_backwards() {
    auto held = std::exchange(held_receipts_, {});
    for (auto it = held.rbegin(); it != held.rend(); ++it) tell(it->first, it->second);
  }
  void release_replies() {
    for (auto& [session, event] : std::exchange(held_replies_, {})) tell(session, event);
  }
  void set_alarm(Alarm what) {
    alarm = what;
    for (auto& [id, session] : sessions_) tell(id, what);
  }
  void evict_all(const std::string& why) {
    for (auto& [id, session] : sessions_) tell(id, Evicted{why});
  }
  void end_queue(const std::string& name) { remove_queue(name); }
  // As if it came from another client.
  void put(const std::string& queue, const Message& message) {
    place(queues_.at(queue), message);
    dispatch(queues_.at(queue));
  }
  void add_queue(const QueueSpec& spec) { make_queue(spec, SessionId()); }

  // ---- Core
  SessionId attach(EventListener& listener, VhostId, const Principal& who) override {
    SessionId id(++last_session_);
    sessions_[id] = {&listener, who, {}, false};
    if (alarm.any()) tell(id, alarm);
    return id;
  }

  void detach(SessionId session, std::optional<RequestId> request) override {
    ASSERT(sessions_.contains(session));
    std::vector<std::string> gone;
    for (auto& [name, queue] : queues_) {
      std::erase_if(queue.consumers, [&](const auto& c) { return c.session == session; });
      give_back(queue, session);
      if (queue.owner == session) gone.push_back(name);
    }
    for (const std::string& name : gone) remove_queue(name);
    if (request) {
      tell(session, Reply{*request, Done{}});
    } else {
      sessions_.erase(session);
    }
    dispatch_all();
  }

  void forget(SessionId session) override { sessions_.erase(session); }

  void take_events(SessionId session, std::vector<Event>& events) override {
    Session& state = sessions_.at(session);
    state.notified = false;
    for (Event& event : state.events) events.push_back(std::move(event));
    state.events.clear();
  }

  Outcome<Published> publish(SessionId session, const Message& message,
                             const PublishOptions& options) override {
    ASSERT(sessions_.contains(session));
    std::string exchange(message.exchange());
    auto it = exchanges_.find(exchange);
    if (it == exchanges_.end()) return failure(Errc::not_found, Resource::exchange, exchange);
    std::string resource = exchange.empty() ? "amq.default" : exchange;
    if (access_rules.denied.contains({Verb::write, resource})) {
      return failure(Errc::refused, Resource::exchange, exchange, Verb::write);
    }
    if (it->second.internal) return failure(Errc::not_allowed, Resource::exchange, exchange);
    if (overloaded) return failure(Errc::overloaded, Resource::none, "");
    std::set<std::string> targets;
    route(exchange, message, targets, 0);
    bool stored = true;
    for (const std::string& name : targets) {
      Queue& queue = queues_.at(name);
      bool full = queue.spec.length_max && queue.ready.size() >= *queue.spec.length_max;
      if (full && queue.spec.overflow == Overflow::reject_publish) {
        stored = false;
      } else {
        place(queue, message);
      }
    }
    Published published{static_cast<std::uint32_t>(targets.size()), targets.empty() ? 0u : 1u};
    published.must_wait = wants_pause;
    if (options.receipt && published.receipts > 0) receipt(session, {*options.receipt, stored});
    dispatch_all();
    return published;
  }

  // Live messages are heard by nobody here.
  Outcome<LivePublished> publish_live(SessionId, const LiveMessage&,
                                      const PublishOptions&) override {
    return LivePublished();
  }
  Outcome<void> listen(SessionId, const ListenSpec&) override { return {}; }
  void unlisten(SessionId, ConsumerId) override {}
  void fence(SessionId session, RequestId request) override { reply(session, request, Done{}); }
  void take_live(SessionId, LiveMail& mail) override { mail.clear(); }
  void set_slow(SessionId, bool) override {}
  std::uint32_t count_listeners(VhostId, Room, std::string_view) const override { return 0; }
  void each_name(VhostId, Room, const NameVisitor&) const override {}
  std::uint32_t count_patterns(VhostId, Room) const override { return 0; }

  bool send(SessionId to, ConsumerId consumer, const Message& message) override {
    if (!sessions_.contains(to)) return false;
    tell(to, Direct{consumer, message});
    return true;
  }
  bool inbox_alive(SessionId session) const override { return sessions_.contains(session); }
  const ExchangeSpec* find_exchange(VhostId, std::string_view name) const override {
    auto it = exchanges_.find(std::string(name));
    return it == exchanges_.end() ? nullptr : &it->second;
  }
  const QueueSpec* find_queue(VhostId, std::string_view name) const override {
    auto it = queues_.find(std::string(name));
    return it == queues_.end() ? nullptr : &it->second.spec;
  }

  void declare_queue(SessionId session, RequestId request, const QueueSpec& spec,
                     bool passive) override {
    auto it = queues_.find(spec.name);
    if (!passive && refused(session, request, Verb::configure, Resource::queue, spec.name)) return;
    if (it == queues_.end()) {
      if (passive) return fail(session, request, Errc::not_found, Resource::queue, spec.name);
      Queue& queue = make_queue(spec, spec.exclusive ? session : SessionId());
      return reply(session, request, QueueDeclared{queue.id, 0, 0});
    }
    Queue& queue = it->second;
    bool flag_differs = !passive && queue.spec.exclusive != spec.exclusive;
    if (flag_differs || (queue.owner && queue.owner != session)) {
      return fail(session, request, Errc::locked, Resource::queue, spec.name);
    }
    if (!passive && !same(queue.spec, spec)) {
      return reply(session, request, QueueDiffers{queue.spec});
    }
    reply(session, request,
          QueueDeclared{queue.id, queue.ready.size(),
                        static_cast<std::uint32_t>(queue.consumers.size())});
  }

  void delete_queue(SessionId session, RequestId request, std::string_view name,
                    DeleteConditions conditions) override {
    Queue* queue = usable(session, request, name, Verb::configure, true);
    if (!queue) return;
    std::string key(name);
    if (conditions.if_unused && !queue->consumers.empty()) {
      return fail(session, request, Errc::precondition, Resource::queue, key, "in use");
    }
    if (conditions.if_empty && !queue->ready.empty()) {
      return fail(session, request, Errc::precondition, Resource::queue, key, "not empty");
    }
    std::uint64_t ready = queue->ready.size();
    remove_queue(key);
    reply(session, request, QueueDeleted{ready});
  }

  void find_inbox(SessionId session, RequestId request, SessionId to,
                  std::string_view name) override {
    if (inbox_alive(to)) return reply(session, request, QueueDeclared{{}, 0, 1});
    fail(session, request, Errc::not_found, Resource::queue, std::string(name), "nobody there");
  }
  void purge_queue(SessionId session, RequestId request, std::string_view name) override {
    Queue* queue = usable(session, request, name, Verb::read, false);
    if (!queue) return;
    std::uint64_t ready = queue->ready.size();
    queue->ready.clear();
    reply(session, request, QueuePurged{ready});
  }

  void declare_exchange(SessionId session, RequestId request, const ExchangeSpec& spec,
                        bool passive) override {
    auto it = exchanges_.find(spec.name);
    if (it == exchanges_.end()) {
      if (passive) return fail(session, request, Errc::not_found, Resource::exchange, spec.name);
      if (refused(session, request, Verb::configure, Resource::exchange, spec.name)) return;
      exchanges_[spec.name] = spec;
      return reply(session, request, Done{});
    }
    const ExchangeSpec& current = it->second;
    bool equal = current.kind == spec.kind && current.durable == spec.durable &&
                 current.auto_delete == spec.auto_delete && current.internal == spec.internal &&
                 current.alternate == spec.alternate;
    if (!passive && !equal) return reply(session, request, ExchangeDiffers{current});
    reply(session, request, Done{});
  }

  void delete_exchange(SessionId session, RequestId request, std::string_view name,
                       bool if_unused) override {
    std::string key(name);
    auto uses = [&](const BindingSpec& binding) { return binding.source == key; };
    if (if_unused && std::ranges::any_of(bindings_, uses)) {
      return fail(session, request, Errc::precondition, Resource::exchange, key, "in use");
    }
    exchanges_.erase(key);
    std::erase_if(bindings_, uses);
    reply(session, request, Done{});
  }

  void bind(SessionId session, RequestId request, const BindingSpec& binding) override {
    if (!exchanges_.contains(binding.source)) {
      return fail(session, request, Errc::not_found, Resource::exchange, binding.source);
    }
    bool to_queue = binding.destination_kind == Resource::queue;
    if (to_queue ? !queues_.contains(binding.destination)
                 : !exchanges_.contains(binding.destination)) {
      return fail(session, request, Errc::not_found, binding.destination_kind, binding.destination);
    }
    if (!std::ranges::any_of(bindings_, [&](const auto& b) { return same(b, binding); })) {
      bindings_.push_back(binding);
    }
    reply(session, request, Done{});
  }

  void unbind(SessionId session, RequestId request, const BindingSpec& binding) override {
    std::erase_if(bindings_, [&](const auto& b) { return same(b, binding); });
    reply(session, request, Done{});
  }

  void subscribe(SessionId session, RequestId request, const SubscribeSpec& spec) override {
    Queue* queue = usable(session, request, spec.queue, Verb::read, false);
    if (!queue) return;
    bool exclusive = std::ranges::any_of(queue->consumers, &Consumer::exclusive);
    if (exclusive || (spec.exclusive && !queue->consumers.empty())) {
      return fail(session, request, Errc::not_allowed, Resource::queue, spec.queue,
                  "in exclusive use");
    }
    queue->consumers.push_back({session, spec.consumer, spec.leased, spec.exclusive, spec.priority,
                                spec.credit, static_cast<std::int64_t>(spec.credit_bytes)});
    reply(session, request, Subscribed{queue->id});
    dispatch(*queue);
  }

  void unsubscribe(SessionId session, RequestId request, QueueId id, ConsumerId consumer) override {
    if (Queue* queue = find(id)) {
      std::erase_if(queue->consumers,
                    [&](const auto& c) { return c.session == session && c.id == consumer; });
    }
    reply(session, request, Done{});
  }

  void grant(SessionId session, QueueId id, ConsumerId consumer, std::uint32_t messages,
             std::uint64_t bytes) override {
    ASSERT(sessions_.contains(session));
    ++grant_calls;
    Queue* queue = find(id);
    if (!queue) return;
    for (Consumer& c : queue->consumers) {
      if (c.session != session || c.id != consumer) continue;
      c.credit += messages;
      c.credit_bytes += static_cast<std::int64_t>(bytes);
    }
    dispatch(*queue);
  }

  void get(SessionId session, RequestId request, std::string_view name, bool leased) override {
    Queue* queue = usable(session, request, name, Verb::read, false);
    if (!queue) return;
    if (queue->spec.kind == QueueKind::counted && queue->spec.single_active) {
      return fail(session, request, Errc::not_allowed, Resource::queue, queue->spec.name,
                  "single active");
    }
    Got got;
    if (!queue->ready.empty()) got.delivery = take(*queue, session, 0, leased);
    got.ready = queue->ready.size();
    reply(session, request, std::move(got));
  }

  void settle(SessionId session, QueueId id, std::span<const RecordRef> records,
              Disposition disposition, std::optional<Token> token) override {
    ASSERT(sessions_.contains(session));
    ++settle_calls;
    if (Queue* queue = find(id)) {
      for (RecordRef ref : records) settle_one(*queue, session, ref, disposition);
      dispatch(*queue);
    }
    if (token) receipt(session, {*token, true});
  }

  const Formats& formats() const override { return no_formats_; }
  const auth::Access& access() const override { return access_rules; }
  const Clock& clock() const override { return time; }
  Random& random() override { return random_; }

 private:
  struct Record {
    Message message;
    std::uint32_t acquired = 0;
    std::uint32_t failed = 0;
    SessionId session;  // while leased
  };
  struct Consumer {
    SessionId session;
    ConsumerId id = 0;
    bool leased = true;
    bool exclusive = false;
    std::int32_t priority = 0;
    std::uint32_t credit = 0;
    std::int64_t credit_bytes = 0;
  };
  struct Queue {
    QueueId id;
    QueueSpec spec;
    SessionId owner;
    std::uint64_t last_sequence = 0;
    std::map<RecordRef, Record> ready;
    std::map<RecordRef, Record> leased;
    std::deque<Consumer> consumers;
  };
  struct Session {
    EventListener* listener = nullptr;
    Principal who;
    std::vector<Event> events;
    bool notified = false;
  };

  static bool same(const QueueSpec& a, const QueueSpec& b) {
    return a.kind == b.kind && a.durable == b.durable && a.auto_delete == b.auto_delete &&
           a.message_ttl_ms == b.message_ttl_ms && a.expires_ms == b.expires_ms &&
           a.length_max == b.length_max && a.overflow == b.overflow &&
           a.dead_letter_exchange == b.dead_letter_exchange && a.priority_max == b.priority_max;
  }
  static bool same(const BindingSpec& a, const BindingSpec& b) {
    return a.source == b.source && a.destination_kind == b.destination_kind &&
           a.destination == b.destination && a.key == b.key && a.arguments == b.arguments;
  }

  static std::unexpected<Failure> failure(Errc code, Resource resource, std::string name,
                                          Verb verb = Verb::configure, const char* why = "") {
    return std::unexpected(Failure{Fault{code, 0, why}, resource, std::move(name), verb});
  }
  void fail(SessionId session, RequestId request, Errc code, Resource resource, std::string name,
            const char* why = "", Verb verb = Verb::configure) {
    answer(session, Reply{request, failure(code, resource, std::move(name), verb, why)});
  }
  void reply(SessionId session, RequestId request, ReplyBody body) {
    answer(session, Reply{request, std::move(body)});
  }
  void answer(SessionId session, Event event) {
    if (hold_replies) {
      held_replies_.emplace_back(session, std::move(event));
    } else {
      tell(session, std::move(event));
    }
  }
  void receipt(SessionId session, Receipt what) {
    if (hold_receipts) {
      held_receipts_.emplace_back(session, what);
    } else {
      tell(session, what);
    }
  }
  void tell(SessionId id, Event event) {
    auto it = sessions_.find(id);
    if (it == sessions_.end()) return;
    it->second.events.push_back(std::move(event));
    if (!std::exchange(it->second.notified, true)) it->second.listener->on_events();
  }

  bool refused(SessionId session, RequestId request, Verb verb, Resource resource,
               const std::string& name) {
    if (!access_rules.denied.contains({verb, name})) return false;
    fail(session, request, Errc::refused, resource, name, "", verb);
    return true;
  }
  Queue* usable(SessionId session, RequestId request, std::string_view name, Verb verb,
                bool missing_is_done) {
    std::string key(name);
    if (refused(session, request, verb, Resource::queue, key)) return nullptr;
    auto it = queues_.find(key);
    if (it == queues_.end()) {
      if (missing_is_done) {
        reply(session, request, QueueDeleted{0});
      } else {
        fail(session, request, Errc::not_found, Resource::queue, key);
      }
      return nullptr;
    }
    if (it->second.owner && it->second.owner != session) {
      fail(session, request, Errc::locked, Resource::queue, key);
      return nullptr;
    }
    return &it->second;
  }

  Queue& make_queue(const QueueSpec& spec, SessionId owner) {
    Queue& queue = queues_[spec.name];
    queue.id = QueueId(++last_queue_);
    queue.spec = spec;
    queue.owner = owner;
    return queue;
  }
  Queue* find(QueueId id) {
    for (auto& [name, queue] : queues_) {
      if (queue.id == id) return &queue;
    }
    return nullptr;
  }
  void remove_queue(const std::string& name) {
    auto it = queues_.find(name);
    for (const Consumer& consumer : it->second.consumers) {
      tell(consumer.session, ConsumerCancelled{consumer.id});
    }
    std::erase_if(bindings_, [&](const auto& b) { return b.destination == name; });
    queues_.erase(it);
  }

  void route(const std::string& exchange, const Message& message, std::set<std::string>& targets,
             int depth) {
    if (depth > 8) return;
    for (std::size_t i = 0; i < message.key_count(); ++i) {
      std::string key(message.key(i).text);
      if (exchange.empty() && queues_.contains(key)) targets.insert(key);
      for (const BindingSpec& binding : bindings_) {
        bool all = exchanges_.at(exchange).kind == ExchangeKind::fanout || binding.key == "#";
        if (binding.source != exchange || (!all && binding.key != key)) continue;
        if (binding.destination_kind == Resource::queue) {
          targets.insert(binding.destination);
        } else {
          route(binding.destination, message, targets, depth + 1);
        }
      }
    }
  }

  void place(Queue& queue, const Message& message) {
    queue.ready[{0, ++queue.last_sequence}] = {message, 0, 0, SessionId()};
  }
  Delivery take(Queue& queue, SessionId session, ConsumerId consumer, bool leased) {
    auto it = queue.ready.begin();
    Record record = it->second;
    Delivery delivery{queue.id,        it->first,     consumer, record.acquired > 0,
                      record.acquired, record.failed, leased,   record.message};
    ++record.acquired;
    record.session = session;
    if (leased) queue.leased[it->first] = record;
    queue.ready.erase(it);
    return delivery;
  }
  void dispatch(Queue& queue) {
    for (std::size_t tried = 0; !queue.ready.empty() && tried < queue.consumers.size();) {
      Consumer& consumer = queue.consumers.front();
      if (consumer.credit > 0 && consumer.credit_bytes > 0) {
        --consumer.credit;
        Delivery delivery = take(queue, consumer.session, consumer.id, consumer.leased);
        consumer.credit_bytes -= static_cast<std::int64_t>(delivery.message.body_size());
        tell(consumer.session, std::move(delivery));
        tried = 0;
      } else {
        ++tried;
      }
      queue.consumers.push_back(consumer);
      queue.consumers.pop_front();
    }
  }
  void dispatch_all() {
    for (auto& [name, queue] : queues_) dispatch(queue);
  }
  void settle_one(Queue& queue, SessionId session, RecordRef ref, Disposition disposition) {
    auto it = queue.leased.find(ref);
    if (it == queue.leased.end() || it->second.session != session) return;
    Record record = it->second;
    queue.leased.erase(it);
    if (disposition == Disposition::requeue) ++record.failed;
    if (disposition == Disposition::release) --record.acquired;
    if (disposition == Disposition::requeue || disposition == Disposition::release) {
      queue.ready[ref] = record;
    }
  }
  void give_back(Queue& queue, SessionId session) {
    std::vector<RecordRef> refs;
    for (auto& [ref, record] : queue.leased) {
      if (record.session == session) refs.push_back(ref);
    }
    for (RecordRef ref : refs) settle_one(queue, session, ref, Disposition::requeue);
  }

  std::map<SessionId, Session> sessions_;
  std::map<std::string, Queue> queues_;
  std::map<std::string, ExchangeSpec> exchanges_;
  std::vector<BindingSpec> bindings_;
  std::vector<std::pair<SessionId, Event>> held_receipts_;
  std::vector<std::pair<SessionId, Event>> held_replies_;
  std::uint64_t last_session_ = 0;
  std::uint64_t last_queue_ = 0;
  Formats no_formats_;
  SeededRandom random_{7};
};

}  // namespace wharf::amqp::testing
