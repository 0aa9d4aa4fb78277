// Random operations on one queue, against a model that keeps every record in one ordered map and
// does everything the plain way. Each thing the queue tells is checked when it is told, and the
// sums whenever the queue has come to rest. A seed replays a run.
#include <algorithm>
#include <deque>
#include <limits>
#include <list>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"
#include "broker/queue.h"
#include "broker/queue_test_host.h"

namespace wharf::broker::test {
namespace {

enum class State { ready, leased, transfer };

struct ModelRecord {
  std::string body;
  State state = State::ready;
  SessionId holder;
  std::uint32_t acquired = 0;
  std::uint32_t failed = 0;
  std::optional<WallTime> deadline;
  std::optional<DeathReason> dying;  // the queue has yet to tell
};

struct ModelConsumer {
  SessionId session;
  ConsumerId id = 0;
  bool leased = true;
  std::int32_t priority = 0;
  std::uint64_t credit = 0;
  std::int64_t credit_bytes = 0;
  std::uint64_t waits_since = 0;
  bool waits = false;
};

struct ModelGet {
  SessionId session;
  RequestId request = 0;
  bool leased = true;
};

// Lanes count downwards, so that the first ready record is the next to be delivered.
struct Place {
  int lane = 0;
  Sequence sequence = 0;
  friend bool operator<(const Place& a, const Place& b) {
    return a.lane != b.lane ? a.lane > b.lane : a.sequence < b.sequence;
  }
};

class Model {
 public:
  Model(const QueueSpec& spec_in, const Clock& clock_in) : spec(spec_in), clock(clock_in) {}

  const QueueSpec spec;
  const Clock& clock;
  std::map<Place, ModelRecord> records;
  std::list<ModelConsumer> consumers;  // in the order of registration
  std::deque<ModelGet> gets;
  std::vector<RecordRef> confirmable;  // dead letters that the host was given
  std::uint64_t now_waiting = 0;
  std::optional<Place> just_placed;  // may be delivered although it has no time to live
  std::string refused_body;          // being offered to a full queue

  std::uint64_t count(State state) const {
    return static_cast<std::uint64_t>(std::ranges::count_if(
        records, [&](const auto& item) { return item.second.state == state; }));
  }
  std::uint64_t ready_bytes() const {
    std::uint64_t sum = 0;
    for (const auto& [place, record] : records) {
      if (record.state == State::ready) sum += record.body.size();
    }
    return sum;
  }
  bool is_full(std::size_t more) const {
    return (spec.length_max && count(State::ready) + 1 > *spec.length_max) ||
           (spec.length_bytes_max && ready_bytes() + more > *spec.length_bytes_max);
  }
  bool is_over_limit() const {
    return (spec.length_max && count(State::ready) > *spec.length_max) ||
           (spec.length_bytes_max && ready_bytes() > *spec.length_bytes_max);
  }
  bool is_expired(const ModelRecord& record) const {
    return record.deadline && *record.deadline <= clock.wall();
  }
  std::optional<Place> first_ready() const {
    for (const auto& [place, record] : records) {
      if (record.state == State::ready) return place;
    }
    return std::nullopt;
  }
  std::optional<Place> head_of(int lane) const {
    for (const auto& [place, record] : records) {
      if (place.lane == lane && record.state == State::ready) return place;
    }
    return std::nullopt;
  }
  std::optional<int> highest_ready_lane() const {
    for (const auto& [place, record] : records) {
      if (record.state == State::ready) return place.lane;
    }
    return std::nullopt;
  }

  // ---- consumers
  bool may_wait(const ModelConsumer& consumer) const {
    if (spec.single_active && &consumer != &consumers.front()) return false;
    return consumer.credit > 0 && consumer.credit_bytes > 0;
  }
  void restate_waiting() {
    for (ModelConsumer& consumer : consumers) {
      bool may = may_wait(consumer);
      if (may && !consumer.waits) consumer.waits_since = ++now_waiting;
      consumer.waits = may;
    }
  }
  ModelConsumer* next_consumer() {
    ModelConsumer* next = nullptr;
    for (ModelConsumer& consumer : consumers) {
      if (!consumer.waits) continue;
      if (!next || consumer.priority > next->priority ||
          (consumer.priority == next->priority && consumer.waits_since < next->waits_since)) {
        next = &consumer;
      }
    }
    return next;
  }

  // ---- what the queue tells
  void on(const Told& told) {
    switch (told.what) {
      case Told::What::delivered:
        on_delivered(told);
        break;
      case Told::What::got:
        on_got(told);
        break;
      case Told::What::dead:
        on_dead(told);
        break;
      case Told::What::cancelled:
      case Told::What::unused:
        FAIL() << "nothing was to end";
        break;
    }
  }

  void requeue(ModelRecord& record) {
    ++record.acquired;
    ++record.failed;
    record.state = State::ready;
    if (spec.delivery_limit && record.failed > *spec.delivery_limit) {
      record.state = State::transfer;
      record.dying = DeathReason::delivery_limit;
    }
  }

 private:
  void on_taken(const Delivery& delivery, SessionId session, bool leased) {
    Place place{delivery.record.lane, delivery.record.sequence};
    ASSERT_EQ(first_ready()->sequence, place.sequence);
    ASSERT_EQ(first_ready()->lane, place.lane);
    ModelRecord& record = records.at(place);
    bool is_new =
        just_placed && just_placed->sequence == place.sequence && just_placed->lane == place.lane;
    EXPECT_TRUE(is_new || !is_expired(record));
    EXPECT_EQ(text_of(delivery.message.body()), record.body);
    EXPECT_EQ(delivery.acquired, record.acquired);
    EXPECT_EQ(delivery.failed, record.failed);
    EXPECT_EQ(delivery.redelivered, record.acquired > 0);
    EXPECT_EQ(delivery.leased, leased);
    if (leased) {
      record.state = State::leased;
      record.holder = session;
    } else {
      records.erase(place);
    }
  }

  void on_delivered(const Told& told) {
    ASSERT_TRUE(gets.empty()) << "gets come first";
    ModelConsumer* consumer = next_consumer();
    ASSERT_TRUE(consumer);
    ASSERT_EQ(consumer->session, told.session);
    ASSERT_EQ(consumer->id, told.consumer);
    --consumer->credit;
    consumer->credit_bytes -= static_cast<std::int64_t>(told.delivery->message.body_size());
    consumer->waits = false;
    restate_waiting();
    on_taken(*told.delivery, told.session, consumer->leased);
  }

  void on_got(const Told& told) {
    ASSERT_FALSE(gets.empty());
    ModelGet get = gets.front();
    gets.pop_front();
    ASSERT_EQ(get.request, told.request);
    ASSERT_EQ(get.session, told.session);
    if (told.delivery) {
      on_taken(*told.delivery, told.session, get.leased);
      EXPECT_EQ(told.ready, count(State::ready));
    } else {
      EXPECT_EQ(count(State::ready), 0u);
    }
  }

  void on_dead(const Told& told) {
    ASSERT_TRUE(spec.dead_letter_exchange.has_value());
    if (!told.record) {
      EXPECT_EQ(told.reason, DeathReason::max_length);
      EXPECT_EQ(told.body(), refused_body);
      return;
    }
    Place place{told.record->lane, told.record->sequence};
    ASSERT_TRUE(records.contains(place));
    ModelRecord& record = records.at(place);
    EXPECT_EQ(told.body(), record.body);
    if (record.state == State::ready) {
      // It died of itself, at the head of its lane.
      EXPECT_EQ(head_of(place.lane)->sequence, place.sequence);
      if (told.reason == DeathReason::expired) {
        EXPECT_TRUE(is_expired(record));
      } else {
        EXPECT_EQ(told.reason, DeathReason::max_length);
        EXPECT_TRUE(is_over_limit());
        EXPECT_EQ(place.lane, *highest_ready_lane());
      }
    } else {
      EXPECT_EQ(record.state, State::transfer);
      EXPECT_EQ(record.dying, told.reason);
      record.dying.reset();
    }
    record.state = State::transfer;
    confirmable.push_back(*told.record);
  }
};

class ModelRun {
 public:
  explicit ModelRun(std::uint64_t seed)
      : random_(seed), spec_(make_spec()), model_(spec_, host_.time) {
    host_.disk().keeps_changes = false;
    host_.disk().fetch_delay = static_cast<unsigned>(random_.below(3));
    host_.disk().reads_late = random_.below(2) == 0;
    queue_.emplace(QueueId(5), spec_, host_);
    host_.add(*queue_);
    host_.on_told = [this](const Told& told) { model_.on(told); };
  }

  void go(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      step();
      if (random_.below(4) == 0) host_.turn();
      if (random_.below(16) == 0) rest();
    }
    rest();
    finish();
  }

 private:
  bool chance(std::uint64_t one_in) { return random_.below(one_in) == 0; }
  SessionId any_session() { return SessionId(1 + random_.below(4)); }

  QueueSpec make_spec() {
    QueueSpec spec;
    spec.name = "q";
    spec.durable = chance(2);
    if (spec.durable && chance(4)) spec.kind = QueueKind::counted;
    spec.single_active = chance(4);
    spec.priority_max = chance(2) ? 0 : static_cast<std::uint8_t>(1 + random_.below(4));
    bool dead_letters = chance(2);
    if (chance(2)) spec.delivery_limit = static_cast<std::uint32_t>(random_.below(4));
    if (chance(3)) spec.length_max = random_.below(30);
    if (chance(4)) spec.length_bytes_max = random_.below(1 << 20);
    spec.overflow = static_cast<Overflow>(random_.below(3));
    bool drops = spec.overflow == Overflow::drop_head && (spec.length_max || spec.length_bytes_max);
    expires_ = chance(2);
    if (expires_ && chance(2)) spec.message_ttl_ms = random_.below(300);
    // The model learns of records that die of themselves by their dead letters.
    if (dead_letters || expires_ || drops) spec.dead_letter_exchange = "dead";
    return spec;
  }

  void step() {
    switch (random_.below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        publish();
        break;
      case 4:
        subscribe();
        break;
      case 5:
        unsubscribe();
        break;
      case 6:
      case 7:
        grant();
        break;
      case 8:
      case 9:
      case 10:
        settle();
        break;
      case 11:
        get();
        break;
      case 12:
        confirm();
        break;
      case 13:
        rarely();
        break;
      case 14:
        host_.time.passed += std::chrono::milliseconds(random_.below(expires_ ? 60 : 5));
        break;
      case 15:
        host_.turn();
        break;
    }
  }

  void rarely() {
    switch (random_.below(8)) {
      case 0:
        purge();
        break;
      case 1:
        session_gone();
        break;
      case 2:
      case 3:
        host_.tight = !host_.tight;
        break;
      case 4:
        queue_->shed();
        break;
      case 5:
        host_.disk().full = !host_.disk().full;
        break;
      case 6:
        host_.flushes = !host_.flushes;
        break;
      case 7:
        for (int i = 0; i < 40; ++i) publish();
        break;
    }
  }

  std::string make_body() {
    std::string body = std::to_string(next_body_++);
    // Large ones fill what a lane keeps in memory soon.
    if (chance(2)) body.resize(random_.below(80'000) + 10, 'x');
    return body;
  }

  void publish() {
    MessageOptions options;
    options.persistent = chance(2);
    options.priority = static_cast<std::uint8_t>(random_.below(6));
    if (expires_ && chance(3)) options.ttl_ms = chance(6) ? 0 : random_.below(200);
    std::string body = make_body();
    Message message = make_message(host_.time, body, options);
    model_.refused_body = body;
    Admission admission = queue_->admit(message);
    bool is_full = spec_.overflow != Overflow::drop_head && model_.is_full(body.size());
    ASSERT_EQ(admission.verdict, is_full ? Verdict::refuse : Verdict::place);
    if (is_full) return;
    Bytes record = message.record().bytes();
    if (admission.storing != Storing::none &&
        !host_.disk().append(std::span(&admission.ref, 1), std::span(&record, 1),
                             charge_of(message), admission.storing == Storing::spilled)) {
      queue_->abandon(admission);
      return;
    }
    Place place{admission.record.lane, admission.record.sequence};
    ASSERT_EQ(place.lane, std::min<int>(options.priority, spec_.priority_max));
    ModelRecord& added = model_.records[place];
    added.body = body;
    std::optional<std::uint64_t> ttl = options.ttl_ms;
    if (spec_.message_ttl_ms && (!ttl || *spec_.message_ttl_ms < *ttl)) ttl = spec_.message_ttl_ms;
    if (ttl) added.deadline = host_.time.wall() + std::chrono::milliseconds(*ttl);
    model_.just_placed = place;
    queue_->place(admission, message);
    model_.just_placed.reset();
  }

  void subscribe() {
    if (model_.consumers.size() >= 6) return;
    ModelConsumer consumer;
    consumer.session = any_session();
    consumer.id = next_consumer_++;
    consumer.leased = !chance(4);
    consumer.priority = static_cast<std::int32_t>(random_.below(3)) - 1;
    consumer.credit = random_.below(10);
    consumer.credit_bytes = static_cast<std::int64_t>(random_.below(500'000));
    SubscribeSpec spec{"q", consumer.id, consumer.leased, chance(8), consumer.priority};
    spec.credit = static_cast<std::uint32_t>(consumer.credit);
    spec.credit_bytes = static_cast<std::uint64_t>(consumer.credit_bytes);
    bool refused = exclusive_ || (spec.exclusive && !model_.consumers.empty()) ||
                   (spec.exclusive && spec_.single_active);
    if (!refused) {
      exclusive_ = spec.exclusive;
      model_.consumers.push_back(consumer);
      model_.restate_waiting();
    }
    ASSERT_EQ(queue_->subscribe(consumer.session, spec).has_value(), !refused);
  }

  ModelConsumer* any_consumer() {
    if (model_.consumers.empty()) return nullptr;
    auto it = model_.consumers.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(random_.below(model_.consumers.size())));
    return &*it;
  }

  void unsubscribe() {
    ModelConsumer* consumer = any_consumer();
    if (!consumer || !chance(3)) return;
    SessionId session = consumer->session;
    ConsumerId id = consumer->id;
    model_.consumers.remove_if([&](const ModelConsumer& one) { return &one == consumer; });
    exclusive_ = false;
    model_.restate_waiting();
    queue_->unsubscribe(session, id);
  }

  void grant() {
    ModelConsumer* consumer = any_consumer();
    if (!consumer) return;
    std::uint32_t messages = static_cast<std::uint32_t>(random_.below(10));
    std::uint64_t bytes = random_.below(400'000);
    consumer->credit += messages;
    consumer->credit_bytes += static_cast<std::int64_t>(bytes);
    model_.restate_waiting();
    queue_->grant(consumer->session, consumer->id, messages, bytes);
  }

  void settle() {
    SessionId session = any_session();
    auto disposition = static_cast<Disposition>(chance(2) ? 0 : random_.below(4));
    std::vector<RecordRef> refs;
    for (auto it = model_.records.begin(); it != model_.records.end();) {
      auto& [place, record] = *it;
      RecordRef ref{static_cast<std::uint8_t>(place.lane), place.sequence};
      bool is_own = record.state == State::leased && record.holder == session;
      // Now and then one that is not for this session to settle.
      if (!chance(is_own ? 2 : 20)) {
        ++it;
        continue;
      }
      refs.push_back(ref);
      if (is_own && apply(record, disposition)) {
        it = model_.records.erase(it);
      } else {
        ++it;
      }
    }
    queue_->settle(session, refs, disposition);
  }

  // True if the record is done with.
  bool apply(ModelRecord& record, Disposition disposition) {
    switch (disposition) {
      case Disposition::accept:
        return true;
      case Disposition::release:
        record.state = State::ready;
        return false;
      case Disposition::requeue:
        model_.requeue(record);
        return record.state == State::transfer && !spec_.dead_letter_exchange;
      case Disposition::dead_letter:
        record.state = State::transfer;
        record.dying = DeathReason::rejected;
        return !spec_.dead_letter_exchange;
    }
    return false;
  }

  void get() {
    ModelGet get{any_session(), ++next_request_, chance(2)};
    model_.gets.push_back(get);
    queue_->get(get.session, get.request, get.leased);
  }

  void confirm() {
    while (!model_.confirmable.empty() && !chance(4)) {
      RecordRef ref = model_.confirmable.back();
      model_.confirmable.pop_back();
      model_.records.erase({ref.lane, ref.sequence});
      queue_->dead_lettered(ref);
    }
  }

  void purge() {
    std::uint64_t purged = std::erase_if(
        model_.records, [](const auto& item) { return item.second.state == State::ready; });
    ASSERT_EQ(queue_->purge(), purged);
  }

  void session_gone() {
    SessionId session = any_session();
    model_.consumers.remove_if(
        [&](const ModelConsumer& consumer) { return consumer.session == session; });
    if (model_.consumers.empty()) exclusive_ = false;
    std::erase_if(model_.gets, [&](const ModelGet& get) { return get.session == session; });
    for (auto it = model_.records.begin(); it != model_.records.end();) {
      ModelRecord& record = it->second;
      bool is_done = record.state == State::leased && record.holder == session &&
                     apply(record, Disposition::requeue);
      it = is_done ? model_.records.erase(it) : std::next(it);
    }
    model_.restate_waiting();
    queue_->session_gone(session);
  }

  // Lets the queue finish what it can, then compares all there is.
  void rest() {
    bool flushed = host_.flushes;
    host_.flushes = true;
    host_.run();
    host_.flushes = flushed;
    queue_->check();
    ASSERT_EQ(queue_->ready(), model_.count(State::ready));
    ASSERT_EQ(queue_->ready_bytes(), model_.ready_bytes());
    ASSERT_EQ(queue_->leased(), model_.count(State::leased));
    ASSERT_EQ(queue_->in_transfer(), model_.count(State::transfer));
    ASSERT_EQ(queue_->consumers(), model_.consumers.size());
    ASSERT_TRUE(model_.gets.empty());
    if (queue_->ready() > 0) {
      ASSERT_FALSE(model_.next_consumer()) << "left waiting";
    }
    for (int lane = 0; lane <= spec_.priority_max; ++lane) {
      auto head = model_.head_of(lane);
      ASSERT_FALSE(head && model_.is_expired(model_.records.at(*head)));
    }
    ASSERT_FALSE(spec_.overflow == Overflow::drop_head && model_.is_over_limit());
    for (const auto& [place, record] : model_.records) ASSERT_FALSE(record.dying.has_value());
  }

  // Everything out: nothing may be left, in memory or on disk.
  void finish() {
    for (std::uint64_t session = 1; session <= 4; ++session) {
      while (true) {
        std::vector<RecordRef> refs;
        std::erase_if(model_.records, [&](const auto& item) {
          bool is_own =
              item.second.state == State::leased && item.second.holder == SessionId(session);
          if (is_own)
            refs.push_back({static_cast<std::uint8_t>(item.first.lane), item.first.sequence});
          return is_own;
        });
        if (refs.empty()) break;
        queue_->settle(SessionId(session), refs, Disposition::accept);
      }
    }
    while (!model_.confirmable.empty()) confirm();
    purge();
    host_.run();
    EXPECT_EQ(host_.memory, 0);
    for (unsigned lane = 0; lane <= spec_.priority_max; ++lane) {
      EXPECT_EQ(host_.disk().record_count(lane_id(QueueId(5), static_cast<std::uint8_t>(lane))),
                0u);
    }
  }

  SeededRandom random_;
  TestHost host_;
  bool expires_ = false;
  QueueSpec spec_;
  Model model_;
  std::optional<Queue> queue_;
  bool exclusive_ = false;
  std::uint64_t next_body_ = 0;
  ConsumerId next_consumer_ = 1;
  RequestId next_request_ = 0;
};

TEST(QueueModel, RandomOperations) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ModelRun run(seed);
    run.go(400);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace wharf::broker::test
