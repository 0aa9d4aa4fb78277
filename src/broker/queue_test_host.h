// broker/queue_test_host.h: for tests only: a shard with nothing but queues in it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "broker/message.h"
#include "broker/queue.h"
#include "broker/queue_test_store.h"

namespace wharf::broker::test {

struct MessageOptions {
  bool persistent = false;
  std::uint8_t priority = 0;
  std::optional<std::uint64_t> ttl_ms{};
};

inline Message make_message(const Clock& clock, std::string_view body,
                            const MessageOptions& options = {}) {
  Envelope envelope;
  envelope.persistent = options.persistent;
  envelope.priority = options.priority;
  envelope.ttl_ms = options.ttl_ms;
  envelope.arrived = clock.wall();
  MessageBuilder builder(envelope, body.size());
  builder.append(bytes_of(body));
  return builder.finish();
}

// What queues told their host, in order.
struct Told {
  enum class What { delivered, got, cancelled, dead, unused } what = What::delivered;
  QueueId queue{};
  SessionId session{};
  RequestId request = 0;
  ConsumerId consumer = 0;
  std::optional<Delivery> delivery{};
  std::uint64_t ready = 0;
  std::optional<RecordRef> record{};
  Message message{};
  DeathReason reason{};

  std::string body() const {
    return std::string(text_of((delivery ? delivery->message : message).body()));
  }
};

class TestHost final : public QueueHost {
 public:
  TestHost() : store_(std::make_unique<FakeStore>()) {}

  // ---- for tests
  FakeClock time;
  bool tight = false;
  bool flushes = true;  // the disk follows at once
  std::vector<Told> told;
  std::function<void(const Told&)> on_told;  // instead of `told`
  std::int64_t memory = 0;

  FakeStore& disk() { return *store_; }
  void replace_store(std::unique_ptr<FakeStore> store) { store_ = std::move(store); }
  void add(Queue& queue) { queues_[queue.id()] = &queue; }
  // Forgets what queues asked for.
  void forget() {
    queues_.clear();
    dirty_.clear();
    wakes_.clear();
    timers_.clear();
    fetching_.clear();
  }

  bool publish(Queue& queue, const Message& message) {
    Admission admission = queue.admit(message);
    if (admission.verdict != Verdict::place) return admission.verdict == Verdict::discard;
    if (admission.storing != Storing::none) {
      Bytes record = message.record().bytes();
      auto stored = store_->append(std::span(&admission.ref, 1), std::span(&record, 1),
                                   charge_of(message), admission.storing != Storing::durable);
      if (!stored) {
        queue.abandon(admission);
        return false;
      }
    }
    queue.place(admission, message);
    return true;
  }

  // One turn of a shard; true if more is to come without anybody's doing.
  bool turn() {
    std::vector<storage::FetchResult> fetched;
    store_->take_fetched(fetched);
    for (storage::FetchResult& result : fetched) {
      auto it = fetching_.find(result.token);
      if (it == fetching_.end()) continue;
      QueueId id = it->second;
      fetching_.erase(it);
      queues_.at(id)->fetched(std::move(result));
    }
    if (flushes) store_->flush();
    std::erase_if(wakes_, [&](const auto& wake) {
      if (wake.first > store_->durable_up_to()) return false;
      dirty_.push_back(wake.second);
      return true;
    });
    for (const auto& [id, deadline] : std::map(timers_)) {
      if (deadline > time.now()) continue;
      timers_.erase(id);
      queues_.at(id)->on_timer();
    }
    for (QueueId id : std::exchange(dirty_, {})) queues_.at(id)->dispatch();
    bool is_due = false;
    for (const auto& [id, deadline] : timers_) is_due |= deadline <= time.now();
    bool wakes_soon = flushes && !wakes_.empty();
    return !dirty_.empty() || store_->is_reading() || is_due || wakes_soon;
  }
  void run() {
    for (int turns = 0; turn(); ++turns) ASSERT(turns < 100'000 && "does not come to rest");
  }
  void pass(Duration duration) {
    time.passed += duration;
    run();
  }
  std::optional<Instant> timer(QueueId id) const {
    auto it = timers_.find(id);
    if (it == timers_.end()) return std::nullopt;
    return it->second;
  }

  // ---- QueueHost
  void deliver(SessionId session, Delivery&& delivery) override {
    Told one{Told::What::delivered, delivery.queue, session};
    one.consumer = delivery.consumer;
    one.delivery = std::move(delivery);
    tell(std::move(one));
  }
  void got(SessionId session, RequestId request, Got&& got) override {
    Told one{Told::What::got, {}, session, request};
    one.delivery = std::move(got.delivery);
    one.ready = got.ready;
    tell(std::move(one));
  }
  void cancelled(SessionId session, ConsumerId consumer) override {
    tell({Told::What::cancelled, {}, session, 0, consumer});
  }
  void dead_letter(QueueId queue, std::optional<RecordRef> record, const Message& message,
                   DeathReason reason) override {
    Told one{Told::What::dead, queue};
    one.record = record;
    one.message = message;
    one.reason = reason;
    tell(std::move(one));
  }
  void unused(QueueId queue) override { tell({Told::What::unused, queue}); }
  void wants_dispatch(QueueId queue) override { dirty_.push_back(queue); }
  void wake_when_durable(QueueId queue, storage::Lsn lsn) override {
    wakes_.emplace_back(lsn, queue);
  }
  void set_timer(QueueId queue, Instant deadline) override { timers_[queue] = deadline; }
  void fetch(QueueId queue, LaneId lane, Sequence from, std::uint32_t count_max,
             std::uint64_t bytes_max) override {
    fetching_.emplace(next_token_, queue);
    store_->fetch(lane, from, count_max, bytes_max, next_token_++);
  }
  void add_memory(std::int64_t bytes) override {
    memory += bytes;
    ASSERT(memory >= 0);
  }
  bool memory_tight() const override { return tight; }
  storage::Store& store() override { return *store_; }
  const Clock& clock() const override { return time; }

 private:
  void tell(Told&& one) {
    if (on_told) {
      on_told(one);
    } else {
      told.push_back(std::move(one));
    }
  }

  std::unique_ptr<FakeStore> store_;
  std::map<QueueId, Queue*> queues_;
  std::vector<QueueId> dirty_;
  std::vector<std::pair<storage::Lsn, QueueId>> wakes_;
  std::map<QueueId, Instant> timers_;
  std::map<std::uint64_t, QueueId> fetching_;
  std::uint64_t next_token_ = 1;
};

}  // namespace wharf::broker::test
