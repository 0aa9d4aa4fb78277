// MSG and HMSG.
#include <array>
#include <charconv>
#include <cstring>

#include "protocol/nats/connection.h"
#include "protocol/nats/convert.h"
#include "protocol/nats/names.h"

namespace wharf::nats {

namespace {

constexpr std::string_view line_end = "\r\n";

// A number as text, without an allocation.
class Digits {
 public:
  explicit Digits(std::size_t value) {
    end_ = std::to_chars(text_.data(), text_.data() + text_.size(), value).ptr;
  }
  std::string_view view() const {
    return {text_.data(), static_cast<std::size_t>(end_ - text_.data())};
  }

 private:
  std::array<char, 20> text_;
  char* end_;
};

std::byte* put(std::byte* at, std::string_view text) {
  if (!text.empty()) std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

template <class... Texts>
void append_all(Chain& out, Texts... texts) {
  std::byte* at = out.extend((texts.size() + ...)).data();
  ((at = put(at, texts)), ...);
}

}  // namespace

void NatsSession::deliver(Chain& out) {
  core_.take_live(*session_, mail_);
  for (const broker::LiveItem& item : mail_.items) {
    Subscription* subscription = subscriptions_.find(item.consumer);
    if (!subscription || closing_) continue;
    if (subscription->filtered && is_hidden(*subscription, *item.record)) continue;
    if (item.record->format() == nats_format) {
      write_own(*subscription, item, out);
    } else {
      write_foreign(*subscription, item, out);
    }
    ++out_messages_;
    out_bytes_ += item.record->body().size();
    if (++subscription->delivered == subscription->max) end_subscription(*subscription);
  }
  mail_.clear();
}

bool NatsSession::is_hidden(const Subscription& subscription,
                            const broker::LiveRecord& record) const {
  std::string scratch;
  return !auth::may_hear(permissions_->subscribe, to_subject(record.name(), scratch),
                         subscription.group);
}

// Who may answer only is given leave for this one.
void NatsSession::note_reply(std::string_view reply) {
  if (!permissions_ || !permissions_->responses) return;
  replies_.got(reply, *permissions_->responses, core_.clock().now());
}

void NatsSession::write_own(const Subscription& subscription, const broker::LiveItem& item,
                            Chain& out) {
  const broker::LiveRecord& record = *item.record;
  Bytes properties = record.properties();
  Bytes body = record.body();
  bool is_short = body.size() < Chain::share_size_min;
  if (properties.empty() && subscription.literal && is_short) {
    Digits size(body.size());
    append_all(out, std::string_view(subscription.head), size.view(), line_end, text_of(body),
               line_end);
    return;
  }
  Properties own = read_properties(properties);
  std::string_view reply;
  if (!own.reply.empty()) note_reply(reply = to_subject(own.reply, scratch_));
  write_message(subscription, item, reply, own.headers, out);
}

void NatsSession::write_foreign(const Subscription& subscription, const broker::LiveItem& item,
                                Chain& out) {
  const broker::LiveRecord& record = *item.record;
  const broker::Formats& formats = core_.formats();
  write_headers(formats, record.format(), record.properties(), headers_scratch_);
  std::string_view reply = formats.common(record.format(), record.properties()).reply_to;
  if (!reply.empty()) note_reply(reply = to_subject(reply, scratch_));
  write_message(subscription, item, reply, headers_scratch_, out);
}

// Who does not know headers gets the message without them.
void NatsSession::write_message(const Subscription& subscription, const broker::LiveItem& item,
                                std::string_view reply, std::string_view headers, Chain& out) {
  if (!connect_.headers) headers = {};
  std::string name_scratch;
  std::string_view subject = subscription.subject;
  if (!subscription.literal) subject = to_subject(item.record->name(), name_scratch);
  Bytes body = item.record->body();
  Digits header_size(headers.size());
  Digits total_size(headers.size() + body.size());
  std::string_view blank = " ";
  std::string_view verb = headers.empty() ? "MSG " : "HMSG ";
  std::string_view reply_end = reply.empty() ? "" : " ";
  std::string_view sizes = headers.empty() ? "" : header_size.view();
  std::string_view sizes_end = headers.empty() ? "" : " ";
  append_all(out, verb, subject, blank, std::string_view(subscription.sid), blank, reply, reply_end,
             sizes, sizes_end, total_size.view(), line_end, headers);
  const Buffer& block = mail_.blocks[item.block];
  out.append(block, static_cast<std::size_t>(body.data() - block.bytes().data()), body.size());
  out.append(bytes_of(line_end));
}

}  // namespace wharf::nats
