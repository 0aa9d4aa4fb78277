// The directory with shards that are lists of messages: what is sent to whom, and when answers
// leave.
#include "broker/directory.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace wharf::broker {
namespace {

constexpr SessionId first_session(1);
constexpr SessionId second_session(2);

class DirectoryTest : public ::testing::Test, protected DirectoryHost {
 protected:
  DirectoryTest()
      : access_(build_access()),
        catalog_(1, {}),
        directory_(catalog_, *access_, 3, 1000, 1, *this) {
    directory_.durable(lsn_);
  }

  static std::shared_ptr<const auth::Access> build_access() {
    auth::AccessSpec spec;
    spec.vhosts = {"/"};
    auth::UserSpec user;
    user.name = "u";
    spec.users.push_back(user);
    spec.permissions.push_back({"u", "/"});
    std::string why;
    return auth::Access::build(spec, why).value();
  }

  void to_shard(ShardIndex shard, ShardMessage message) override {
    if (auto* changes = std::get_if<ApplyChanges>(&message); changes && shard == 0) {
      for (const Change& change : changes->changes) ASSERT_TRUE(catalog_.apply(change));
      return;
    }
    sent_.emplace_back(shard, std::move(message));
  }
  storage::Lsn log_change(Bytes record) override {
    records_.emplace_back(record.begin(), record.end());
    return ++lsn_;
  }

  void ask(RequestId request, CatalogRequest what, SessionId session = first_session) {
    CatalogAsk ask;
    ask.session = session;
    ask.request = request;
    ask.vhost = VhostId(1);
    ask.who = {auth::UserId(1), "u", false};
    ask.what = std::move(what);
    directory_.ask(std::move(ask));
  }
  static DeclareQueueRequest declare(const std::string& name, bool durable) {
    DeclareQueueRequest request;
    request.spec.name = name;
    request.spec.durable = durable;
    return request;
  }

  template <class T>
  std::vector<T> sent() const {
    std::vector<T> found;
    for (const auto& [shard, message] : sent_) {
      if (const T* body = std::get_if<T>(&message)) found.push_back(*body);
    }
    return found;
  }
  // The replies that sessions got, by request.
  std::vector<Reply> replies() const {
    std::vector<Reply> found;
    for (const EventFor& event : sent<EventFor>()) found.push_back(std::get<Reply>(event.event));
    return found;
  }
  // Two more shards say that they have applied what they were sent.
  void apply_everywhere() {
    std::uint64_t order = 0;
    for (const ApplyChanges& changes : sent<ApplyChanges>()) order = std::max(order, changes.order);
    directory_.applied(1, order);
    directory_.applied(2, order);
  }

  std::shared_ptr<const auth::Access> access_;
  Catalog catalog_;
  std::vector<std::pair<ShardIndex, ShardMessage>> sent_;
  std::vector<ByteVector> records_;
  storage::Lsn lsn_ = 0;
  Directory directory_;
};

TEST_F(DirectoryTest, DurableChangeIsToldWhenTheLogHasItAndAnsweredWhenAllHaveIt) {
  ask(7, declare("q", true));
  EXPECT_TRUE(sent<ApplyChanges>().empty());
  directory_.durable(lsn_);
  EXPECT_EQ(sent<ApplyChanges>().size(), 2u);
  EXPECT_TRUE(sent<DescribeAt>().empty());
  directory_.applied(1, 1);
  EXPECT_TRUE(sent<DescribeAt>().empty());
  directory_.applied(2, 1);
  ASSERT_EQ(sent<DescribeAt>().size(), 1u);
  EXPECT_EQ(sent<DescribeAt>()[0].request, 7u);
}

TEST_F(DirectoryTest, VolatileChangeIsNotLoggedButKeepsItsPlaceBehindADurableOne) {
  std::size_t records = records_.size();
  ask(1, declare("durable", true));
  ask(2, declare("volatile", false));
  EXPECT_EQ(records_.size(), records + 1);
  EXPECT_TRUE(sent<ApplyChanges>().empty());
  directory_.durable(lsn_);
  ASSERT_EQ(sent<ApplyChanges>().size(), 4u);
  apply_everywhere();
  EXPECT_EQ(sent<DescribeAt>().size(), 2u);
}

TEST_F(DirectoryTest, DeleteAsksTheOwnerAndTheNameWaitsMeanwhile) {
  ask(1, declare("q", false));
  apply_everywhere();
  ask(2, DeleteQueueRequest{"q", {true, false}});
  ASSERT_EQ(sent<RetireAt>().size(), 1u);
  EXPECT_TRUE(sent<RetireAt>()[0].conditions.if_unused);
  ask(3, declare("q", false), second_session);
  EXPECT_EQ(sent<DescribeAt>().size(), 1u);
  QueueId old = sent<RetireAt>()[0].queue;
  directory_.retired({sent<RetireAt>()[0].operation, 5, nullptr});
  apply_everywhere();
  ASSERT_EQ(replies().size(), 1u);
  EXPECT_EQ(std::get<QueueDeleted>(*replies()[0].outcome).ready, 5u);
  ASSERT_EQ(sent<DescribeAt>().size(), 2u);
  EXPECT_NE(sent<DescribeAt>()[1].queue, old);
}

TEST_F(DirectoryTest, OwnerMayRefuseADelete) {
  ask(1, declare("q", false));
  apply_everywhere();
  ask(2, DeleteQueueRequest{"q", {true, false}});
  directory_.retired({sent<RetireAt>()[0].operation, 0, "in use"});
  ASSERT_EQ(replies().size(), 1u);
  EXPECT_EQ(replies()[0].outcome.error().fault.code, Errc::precondition);
  EXPECT_EQ(replies()[0].outcome.error().name, "q");
  EXPECT_NE(catalog_.find_queue(VhostId(1), "q"), nullptr);
}

TEST_F(DirectoryTest, RefusalDoesNotOvertakeAnEarlierAnswerOfTheSession) {
  ask(1, declare("q", true));
  ask(2, DeclareQueueRequest{declare("missing", false).spec, true});
  EXPECT_TRUE(replies().empty());
  directory_.durable(lsn_);
  apply_everywhere();
  EXPECT_EQ(sent<DescribeAt>().size(), 1u);
  ASSERT_EQ(replies().size(), 1u);
  EXPECT_EQ(replies()[0].outcome.error().fault.code, Errc::not_found);
}

TEST_F(DirectoryTest, EndOfASessionTakesItsExclusiveQueues) {
  DeclareQueueRequest request = declare("mine", false);
  request.spec.exclusive = true;
  ask(1, request);
  ask(2, EndSessionRequest{});
  EXPECT_EQ(catalog_.find_queue(VhostId(1), "mine"), nullptr);
  EXPECT_TRUE(replies().empty());
  apply_everywhere();
  EXPECT_EQ(replies().size(), 1u);
}

TEST_F(DirectoryTest, UnusedQueueGoesOnlyIfItsOwnerStillSaysSo) {
  ask(1, declare("q", false));
  apply_everywhere();
  QueueId queue = catalog_.find_queue(VhostId(1), "q")->id;
  directory_.unused({queue, VhostId(1), "q"});
  ASSERT_EQ(sent<RetireAt>().size(), 1u);
  EXPECT_TRUE(sent<RetireAt>()[0].only_if_still_unused);
  directory_.unused({queue, VhostId(1), "q"});
  EXPECT_EQ(sent<RetireAt>().size(), 1u);
  directory_.retired({sent<RetireAt>()[0].operation, 0, "in use"});
  EXPECT_NE(catalog_.find_queue(VhostId(1), "q"), nullptr);
}

TEST_F(DirectoryTest, FailedLogFailsWhatWaitsAndWhatComes) {
  ask(1, declare("a", true));
  directory_.log_failed();
  ask(2, declare("b", true));
  ASSERT_EQ(replies().size(), 2u);
  EXPECT_EQ(replies()[0].outcome.error().fault.code, Errc::io);
  EXPECT_EQ(replies()[1].outcome.error().fault.code, Errc::io);
}

TEST_F(DirectoryTest, RecordsAndSnapshotRebuildTheCatalogAndTheNumbers) {
  ask(1, declare("a", true));
  ask(2, declare("b", true));
  ask(3, declare("volatile", false));
  Catalog from_records(1, {});
  std::uint64_t next = 1;
  for (const ByteVector& record : records_) {
    ASSERT_TRUE(Directory::replay(record, *access_, from_records, next));
  }
  EXPECT_EQ(from_records.queue_count(), 2u);
  EXPECT_GT(next, 3u);
  ByteVector snapshot;
  directory_.snapshot(snapshot);
  Catalog from_snapshot(1, {});
  std::uint64_t next_again = 1;
  ASSERT_TRUE(Directory::replay_snapshot(snapshot, *access_, from_snapshot, next_again));
  EXPECT_EQ(from_snapshot.queue_count(), 2u);
  EXPECT_EQ(next_again, next);
}

}  // namespace
}  // namespace wharf::broker
