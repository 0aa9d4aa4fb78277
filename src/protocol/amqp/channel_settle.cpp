// Acknowledgements. They are collected by queue and handed to the core at the end of the turn, so
// that those of a whole read go as one call.
#include <fmt/format.h>

#include "protocol/amqp/channel.h"

namespace wharf::amqp {

using broker::Disposition;

Checked Channel::on(const BasicAck& method, Chain&) {
  return settle(method.delivery_tag, method.multiple, Disposition::accept);
}

Checked Channel::on(const BasicNack& method, Chain&) {
  return settle(method.delivery_tag, method.multiple,
                method.requeue ? Disposition::requeue : Disposition::dead_letter);
}

Checked Channel::on(const BasicReject& method, Chain&) {
  return settle(method.delivery_tag, false,
                method.requeue ? Disposition::requeue : Disposition::dead_letter);
}

Checked Channel::settle(std::uint64_t tag, bool multiple, Disposition disposition) {
  bool known = unacked_.take(tag, multiple, [&](const Unacked::Entry& entry) {
    if (transaction_) {
      transaction_->settles.push_back({entry, disposition});
    } else {
      settle(entry, disposition);
    }
  });
  if (known) return {};
  return refuse(ReplyCode::precondition_failed, fmt::format("unknown delivery tag {}", tag));
}

void Channel::settle(const Unacked::Entry& entry, Disposition disposition) {
  link_.settles.add(entry.queue, disposition, entry.record());
  if (entry.consumer == 0) return;
  --held_;
  if (limit_ > 0 && !listed_relieved_) {
    listed_relieved_ = true;
    link_.relieved.push_back(number_);
  }
  Consumer* consumer = link_.find_consumer(entry.consumer);
  if (!consumer) return;
  consumer->credit.on_settled();
  link_.earn(*consumer);
}

Checked Channel::on(const BasicRecoverAsync& method, Chain&) { return recover(method.requeue); }

Checked Channel::on(const BasicRecover& method, Chain& out) {
  Checked recovered = recover(method.requeue);
  if (recovered) send(out, BasicRecoverOk{});
  return recovered;
}

Checked Channel::recover(bool requeue) {
  if (!requeue) return refuse(ReplyCode::not_implemented, "requeue=false");
  unacked_.take(0, true, [&](const Unacked::Entry& entry) { settle(entry, Disposition::requeue); });
  return {};
}

// The tags that were out at each look are remembered; the oldest still out was out at the first
// look before the limit, if its tag is not above the last of then. So a delivery itself carries no
// time.
Checked Channel::check_overdue(Instant now) {
  if (unacked_.empty()) {
    checkpoints_.clear();
    return {};
  }
  Instant limit = now - link_.options.ack_timeout;
  while (checkpoints_.size() > 1 && checkpoints_[1].at <= limit) checkpoints_.pop_front();
  bool overdue = !checkpoints_.empty() && checkpoints_.front().at <= limit &&
                 unacked_.oldest_tag() <= checkpoints_.front().last_tag;
  checkpoints_.push_back({now, last_tag_});
  if (!overdue) return {};
  auto timeout = std::chrono::duration_cast<std::chrono::milliseconds>(link_.options.ack_timeout);
  return refuse(ReplyCode::precondition_failed,
                fmt::format("delivery acknowledgement on channel {} timed out. Timeout value used: "
                            "{} ms. This timeout value can be configured, see consumers doc guide "
                            "to learn more",
                            number_, timeout.count()),
                0);
}

}  // namespace wharf::amqp
