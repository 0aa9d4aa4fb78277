#include "protocol/amqp/link.h"

#include <array>

namespace wharf::amqp {

namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t groups_max = 64;

}  // namespace

void SettleBatch::add(broker::QueueId queue, broker::Disposition disposition,
                      broker::RecordRef record) {
  for (std::size_t i = used_; i-- > 0;) {
    Group& group = groups_[i];
    if (group.queue == queue && group.disposition == disposition) {
      group.records.push_back(record);
      return;
    }
  }
  if (used_ == groups_.size()) groups_.emplace_back();
  Group& group = groups_[used_++];
  group.queue = queue;
  group.disposition = disposition;
  group.records.assign(1, record);
}

void SettleBatch::flush(broker::Core& core, broker::SessionId session) {
  for (std::size_t i = 0; i < used_; ++i) {
    const Group& group = groups_[i];
    core.settle(session, group.queue, group.records, group.disposition, std::nullopt);
  }
  used_ = 0;
  if (groups_.size() > groups_max) groups_.resize(groups_max);
}

std::uint32_t SettleBatch::flush(broker::Core& core, broker::SessionId session,
                                 broker::Token token) {
  auto calls = static_cast<std::uint32_t>(used_);
  for (std::size_t i = 0; i < used_; ++i) {
    const Group& group = groups_[i];
    core.settle(session, group.queue, group.records, group.disposition, token);
  }
  used_ = 0;
  return calls;
}

std::string Link::unguessable(std::string_view prefix) {
  std::array<std::byte, 16> chance;
  core.random().fill(chance);
  return std::string(prefix) + base64_url(chance);
}

bool Link::may_write_default() {
  if (!may_write_default_) {
    may_write_default_ = core.access().authorize(who, auth::Verb::write, vhost, "amq.default");
  }
  return *may_write_default_;
}

std::string base64_url(Bytes bytes) {
  std::string text;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (std::byte octet : bytes) {
    bits = bits << 8 | std::to_integer<std::uint32_t>(octet);
    for (count += 8; count >= 6; count -= 6) text += alphabet[bits >> (count - 6) & 63];
  }
  if (count > 0) text += alphabet[bits << (6 - count) & 63];
  return text;
}

bool from_base64_url(std::string_view text, ByteVector& out) {
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (char c : text) {
    std::size_t digit = alphabet.find(c);
    if (digit == std::string_view::npos) return false;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<std::byte>(bits >> count & 0xff));
  }
  return true;
}

}  // namespace wharf::amqp
