// MULTI and what belongs to it. There are no keys, so WATCH has nothing to watch.
#include "protocol/redis/connection.h"

namespace wharf::redis {

void RedisSession::multi(const Request&) {
  if (transaction_) return reject("ERR MULTI calls can not be nested");
  transaction_ = std::make_unique<Transaction>();
  replies_.status("OK");
}

// All answers leave as one array, in one piece, once the last of them may.
void RedisSession::exec(const Request&) {
  if (!transaction_) return replies_.error("ERR EXEC without MULTI");
  std::unique_ptr<Transaction> transaction = std::move(transaction_);
  if (transaction->spoilt) {
    return replies_.error("EXECABORT Transaction discarded because of previous errors.");
  }
  replies_.begin_group();
  replies_.array(transaction->queue.size());
  for (const Transaction::Queued& each : transaction->queue) {
    last_command_ = each.command;
    (this->*each.command->run)(each.words.request());
  }
  replies_.end_group();
}

void RedisSession::discard(const Request&) {
  if (!transaction_) return replies_.error("ERR DISCARD without MULTI");
  transaction_.reset();
  replies_.status("OK");
}

void RedisSession::watch(const Request&) {
  if (transaction_) return reject("ERR WATCH inside MULTI is not allowed");
  replies_.status("OK");
}

void RedisSession::unwatch(const Request&) { replies_.status("OK"); }

}  // namespace wharf::redis
