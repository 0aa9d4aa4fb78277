// broker/directory.h: decides every change of the catalog, for all shards, in one order. Lives on
// shard 0. A request is checked against shard 0's copy, its changes are logged (if durable) and
// sent to every shard, and the answer goes out once all shards have applied them and the log has
// them on disk. So whoever has been told "declared" finds it from every connection, and after a
// crash. Deleting a queue asks its owner first (is it unused, is it empty); other requests about
// that name wait meanwhile, so that a name never means two things. Shard: 0 only. Cost: a catalog
// change costs one message to each shard; publishing never comes here.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "broker/catalog.h"
#include "broker/catalog_plan.h"
#include "broker/shard_message.h"
#include "broker/text_hash.h"
#include "storage/store.h"

namespace wharf::broker {

// What the directory needs of the shard it lives on.
class DirectoryHost {
 public:
  virtual ~DirectoryHost() = default;
  // To any shard, this one included (handled before the call returns then).
  virtual void to_shard(ShardIndex shard, ShardMessage message) = 0;
  // Appends to the log; durable once durable_up_to() reaches the result.
  virtual storage::Lsn log_change(Bytes record) = 0;
};

class Directory {
 public:
  // `catalog` is shard 0's copy, changed by nobody but through ApplyChanges sent from here.
  Directory(const Catalog& catalog, const auth::Access& access, ShardIndex shards,
            std::uint32_t queues_max, std::uint64_t next_queue_number, DirectoryHost& host);

  void ask(CatalogAsk ask);
  void retired(const Retired& answer);
  void unused(const QueueUnused& report);
  void applied(ShardIndex shard, std::uint64_t order);
  void durable(storage::Lsn up_to);
  // Nothing will be durable any more: all that waits, and all that is asked from now on, fails.
  void log_failed();

  // Everything durable, as records: each with its length before it.
  void snapshot(ByteVector& out) const;
  // Reads what log_change was given, or what snapshot wrote, into `catalog` and
  // `next_queue_number`. Faults: those of decode_changes and Catalog::apply.
  static Result<void> replay(Bytes record, const auth::Access& access, Catalog& catalog,
                             std::uint64_t& next_queue_number);
  static Result<void> replay_snapshot(Bytes records, const auth::Access& access, Catalog& catalog,
                                      std::uint64_t& next_queue_number);

 private:
  // What is still to be said once a change is everywhere and safe.
  struct Pending {
    std::uint64_t order = 0;
    storage::Lsn lsn = 0;
    SessionId session;
    RequestId request = 0;
    ShardIndex answer_shard = 0;
    ShardMessage answer;
  };
  // A change that other shards may hear of once the log is durable up to `lsn`.
  struct Broadcast {
    storage::Lsn lsn = 0;
    ApplyChanges changes;
  };
  // A queue that its owner is being asked about.
  struct Retiring {
    CatalogAsk ask;
    QueueId queue;
    std::string name_key;
  };
  // The first byte of a record in the log.
  static constexpr std::uint8_t record_reservation = 1;
  static constexpr std::uint8_t record_changes = 2;

  void carry_out(const CatalogAsk& ask, const Requester& by, DeclareQueueRequest& request);
  void carry_out(const CatalogAsk& ask, const Requester& by, DeleteQueueRequest& request);
  void carry_out(const CatalogAsk& ask, const Requester& by, DeclareExchangeRequest& request);
  void carry_out(const CatalogAsk& ask, const Requester& by, DeleteExchangeRequest& request);
  void carry_out(const CatalogAsk& ask, const Requester& by, BindRequest& request);
  void carry_out(const CatalogAsk& ask, const Requester& by, UnbindRequest& request);
  void carry_out(const CatalogAsk& ask, const Requester& by, EndSessionRequest& request);
  void carry_out_plan(const CatalogAsk& ask, Outcome<std::vector<Change>> plan);

  void change(std::vector<Change> changes);
  void broadcast();
  void retire(const CatalogAsk& ask, std::string_view name, RetireAt question);
  // Answers when all that was decided so far is everywhere and safe.
  void answer(const CatalogAsk& ask, ReplyBody body);
  void answer_with(const CatalogAsk& ask, ShardIndex shard, ShardMessage message);
  void fail(const CatalogAsk& ask, Failure failure);
  void settle_pending();
  QueueId new_queue_id(VhostId vhost, std::string_view name);
  void reserve_queue_numbers();
  static void encode_reservation(std::uint64_t next_queue_number, ByteVector& out);

  const Catalog& catalog_;
  const auth::Access& access_;
  ShardIndex shards_;
  std::uint32_t queues_max_;
  std::uint64_t next_queue_number_;
  std::uint64_t reserved_queue_number_ = 0;
  DirectoryHost& host_;

  std::uint64_t order_ = 0;  // of the last change sent out
  storage::Lsn lsn_ = 0;     // of the last change logged
  storage::Lsn durable_up_to_ = 0;
  std::vector<std::uint64_t> applied_;  // by shard
  std::deque<Broadcast> broadcasts_;
  std::deque<Pending> pending_;
  bool log_failed_ = false;
  std::uint64_t next_operation_ = 1;
  boost::unordered_flat_map<std::uint64_t, Retiring> retiring_;
  // Requests that wait for a retirement of their queue to end, by vhost and name.
  boost::unordered_flat_map<std::string, std::deque<CatalogAsk>> waiting_;
};

}  // namespace wharf::broker
