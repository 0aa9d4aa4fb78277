// broker/queue_test_fixture.h: for tests only: one queue, and verbs for what is done to it.
#pragma once

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "broker/queue.h"
#include "broker/queue_test_host.h"

namespace wharf::broker::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr SessionId alice{1};
inline constexpr SessionId bob{2};
inline constexpr SessionId carol{3};
inline constexpr std::uint32_t much = std::numeric_limits<std::uint32_t>::max();
inline constexpr std::uint64_t much_bytes = std::numeric_limits<std::uint64_t>::max();

class QueueTest : public testing::Test {
 protected:
  void make(QueueSpec spec = {}) {
    spec.name = "q";
    queue_.emplace(QueueId(1ULL << 48 | 7), spec, host_);
    host_.add(*queue_);
  }
  static QueueSpec durable() {
    QueueSpec spec;
    spec.durable = true;
    return spec;
  }
  static QueueSpec dead_lettering(QueueSpec spec = {}) {
    spec.dead_letter_exchange = "dead";
    return spec;
  }

  bool publish(std::string_view body, const MessageOptions& options = {}) {
    return host_.publish(*queue_, make_message(host_.time, body, options));
  }
  void publish_many(int count, const MessageOptions& options = {}) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(publish(std::to_string(published_++), options));
  }
  Outcome<void> subscribe(SessionId session, std::uint32_t credit = much, SubscribeSpec spec = {}) {
    if (spec.consumer == 0) spec.consumer = 1;
    spec.credit = credit;
    if (spec.credit_bytes == 0) spec.credit_bytes = much_bytes;
    return queue_->subscribe(session, spec);
  }
  void settle(SessionId session, RecordRef record, Disposition disposition = Disposition::accept) {
    queue_->settle(session, std::span(&record, 1), disposition);
  }
  // Bodies delivered or got since the last call, in order.
  std::vector<std::string> bodies() {
    std::vector<std::string> all;
    for (const Told& one : take()) {
      if (one.delivery) all.push_back(one.body());
    }
    return all;
  }
  std::vector<Told> take() {
    host_.run();
    return std::exchange(host_.told, {});
  }
  std::vector<Told> take(Told::What what) {
    std::vector<Told> all = take();
    std::erase_if(all, [&](const Told& one) { return one.what != what; });
    return all;
  }
  std::vector<Told> dead() { return take(Told::What::dead); }
  // Crashes with everything before `cut` on disk, and recovers.
  void restart(const QueueSpec& spec, storage::Lsn cut) {
    auto store = host_.disk().crash(cut);
    queue_.reset();
    host_.forget();
    host_.replace_store(std::move(store));
    host_.memory = 0;
    make(spec);
    for (const storage::LaneState& state : host_.disk().lanes()) queue_->restore(state);
    queue_->dispatch();
    take();
  }
  using Bodies = std::vector<std::string>;

  TestHost host_;
  std::optional<Queue> queue_;
  int published_ = 0;
};

}  // namespace wharf::broker::test
