// What is heard, written out; and what becomes of those who do not read it.
#include "protocol/redis/connection.h"

namespace wharf::redis {

namespace {

// So much is encoded ahead of the socket; what else was heard stays in the blocks it came in.
constexpr std::size_t encoded_max = 1 << 20;
constexpr std::string_view end_of_line = "\r\n";

std::size_t weight(const broker::LiveItem& item) {
  return item.record->name().size() + item.record->body().size() + sizeof(item);
}

}  // namespace

void RedisSession::deliver(Chain& out) {
  bool had_room = unsent(out) < encoded_max;
  bool was_behind = mail_at_ < mail_.items.size();
  if (was_behind) {
    core_.take_live(session_, later_.emplace_back());
    for (const broker::LiveItem& item : later_.back().items) backlog_bytes_ += weight(item);
    if (later_.back().items.empty()) later_.pop_back();
  } else {
    core_.take_live(session_, mail_);
    mail_at_ = 0;
  }
  write_mail(out);
  while (mail_at_ == mail_.items.size() && !later_.empty()) {
    mail_ = std::move(later_.front());
    later_.pop_front();
    mail_at_ = 0;
    write_mail(out);
  }
  bool is_behind = mail_at_ < mail_.items.size();
  if (!is_behind) {
    mail_.clear();
    backlog_bytes_ = 0;
  } else if (!was_behind) {
    count_backlog();
  }
  // If the socket takes all of it there is nobody else to call; if not, it calls when it has room.
  if (is_behind && had_room) host_.wake();
  guard_.added(unsent(out) + backlog_bytes_);
}

void RedisSession::count_backlog() {
  backlog_bytes_ = 0;
  for (std::size_t i = mail_at_; i < mail_.items.size(); ++i) {
    backlog_bytes_ += weight(mail_.items[i]);
  }
}

void RedisSession::write_mail(Chain& out) {
  std::size_t others = unsent(out) - out.size();
  for (; mail_at_ < mail_.items.size() && others + out.size() < encoded_max; ++mail_at_) {
    const broker::LiveItem& item = mail_.items[mail_at_];
    if (backlog_bytes_ > 0) backlog_bytes_ -= weight(item);
    const Subscription* subscription = subscriptions_.find(item.consumer);
    if (subscription && may_hear(*subscription, *item.record)) {
      write_message(out, *subscription, item);
    }
  }
}

// A pattern was allowed by its text; whether it matches only what may be read cannot be told from
// that.
bool RedisSession::may_hear(const Subscription& subscription,
                            const broker::LiveRecord& record) const {
  return hears_all_ || subscription.kind != SubscriptionKind::pattern ||
         core_.access().authorize(who_, auth::Verb::read, vhost_, record.name());
}

void RedisSession::write_message(Chain& out, const Subscription& subscription,
                                 const broker::LiveItem& item) {
  const broker::LiveRecord& record = *item.record;
  bool with_name = subscription.kind == SubscriptionKind::pattern;
  std::string_view name = with_name ? record.name() : std::string_view();
  std::string_view body = text_of(record.body());
  Decimal name_size(name.size());
  Decimal body_size(body.size());
  std::size_t name_bytes = with_name ? 5 + name_size.text().size() + name.size() : 0;
  bool shared = body.size() >= Chain::share_size_min;
  std::size_t size = subscription.frame.size() + name_bytes + 1 + body_size.text().size() +
                     end_of_line.size() + (shared ? 0 : body.size() + end_of_line.size());
  std::byte* at = out.extend(size).data();
  std::byte* begin = at;
  at = put(at, subscription.frame);
  *begin = replies_.protocol() == 3 ? std::byte{'>'} : std::byte{'*'};
  if (with_name) {
    *at++ = std::byte{'$'};
    at = put(put(put(put(at, name_size.text()), end_of_line), name), end_of_line);
  }
  *at++ = std::byte{'$'};
  at = put(put(at, body_size.text()), end_of_line);
  if (!shared) {
    put(put(at, body), end_of_line);
    return;
  }
  const Buffer& block = mail_.blocks[item.block];
  auto offset = static_cast<std::size_t>(record.body().data() - block.bytes().data());
  out.append(block, offset, body.size());
  out.append(bytes_of(end_of_line));
}

void RedisSession::guard_output(Chain& out) {
  if (subscriptions_.empty() && backlog_bytes_ == 0) {
    guard_ = OutputGuard(server_.options.output);
    return note_slow();
  }
  std::size_t offered = unsent(out);
  if (guard_.look(offered + backlog_bytes_, offered > 0, core_.clock().now())) return note_slow();
  // Redis drops what is left as well.
  out.clear();
  closing_ = true;
}

void RedisSession::note_slow() {
  if (guard_.slow() == told_slow_) return;
  told_slow_ = guard_.slow();
  core_.set_slow(session_, told_slow_);
}

}  // namespace wharf::redis
