// Transactions: publishes and acknowledgements are kept until tx.commit, then carried out together;
// the commit is answered when all of it is as safe as a confirmed publish. It is no atomic change:
// neither is RabbitMQ's.
#include "protocol/amqp/channel.h"

namespace wharf::amqp {

Checked Channel::on(const TxSelect&, Chain& out) {
  if (confirming_) {
    return refuse(ReplyCode::precondition_failed, "cannot switch from confirm to tx mode");
  }
  if (!transaction_) transaction_ = std::make_unique<Transaction>();
  send(out, TxSelectOk{});
  return {};
}

Checked Channel::on(const TxCommit&, Chain& out) {
  if (!transaction_) {
    return refuse(ReplyCode::precondition_failed, "channel is not transactional");
  }
  Transaction work = std::exchange(*transaction_, {});
  ++tokens_used_;
  broker::Token receipt = token(tokens_used_);
  for (const Transaction::Publish& item : work.publishes) {
    Checked published = publish(item.message, item.mandatory, receipt, out);
    if (!published) return published;
  }
  link_.flush_settles();
  for (const Transaction::Settle& item : work.settles) settle(item.entry, item.disposition);
  commit_receipts_ += link_.settles.flush(link_.core, link_.session, receipt);
  if (commit_receipts_ == 0) return end_commit(out);
  return {};
}

Checked Channel::end_commit(Chain& out) {
  if (std::exchange(transaction_->failed, false)) {
    return refuse(ReplyCode::precondition_failed, "partial tx completion");
  }
  send(out, TxCommitOk{});
  return {};
}

// What was acknowledged is outstanding again; it was never given back, so it is not redelivered.
Checked Channel::on(const TxRollback&, Chain& out) {
  if (!transaction_) {
    return refuse(ReplyCode::precondition_failed, "channel is not transactional");
  }
  std::vector<Unacked::Entry> taken;
  for (const Transaction::Settle& item : transaction_->settles) taken.push_back(item.entry);
  unacked_.put_back(taken);
  *transaction_ = {};
  send(out, TxRollbackOk{});
  return {};
}

}  // namespace wharf::amqp
