#include "protocol/redis/reply.h"

#include <algorithm>

#include "base/assert.h"

namespace wharf::redis {

namespace {

constexpr std::string_view end_of_line = "\r\n";

}  // namespace

void Replies::line(char kind, std::string_view text) {
  std::byte* at = space(1 + text.size() + end_of_line.size());
  *at++ = static_cast<std::byte>(kind);
  put(put(at, text), end_of_line);
}

void Replies::header(char kind, std::size_t size) { line(kind, Decimal(size).text()); }

void Replies::error(std::string_view text) {
  std::string clean(text);
  std::ranges::replace(clean, '\r', ' ');
  std::ranges::replace(clean, '\n', ' ');
  line('-', clean);
}

void Replies::integer(std::int64_t value) {
  if (value >= 0) return line(':', Decimal(static_cast<std::uint64_t>(value)).text());
  line(':', "-" + std::string(Decimal(0 - static_cast<std::uint64_t>(value)).text()));
}

void Replies::bulk(std::string_view text) {
  Decimal size(text.size());
  std::byte* at =
      space(1 + size.text().size() + end_of_line.size() + text.size() + end_of_line.size());
  *at++ = std::byte{'$'};
  put(put(put(put(at, size.text()), end_of_line), text), end_of_line);
}

void Replies::verbatim(std::string_view text) {
  if (!is_resp3_) return bulk(text);
  constexpr std::string_view kind = "txt:";
  header('=', kind.size() + text.size());
  raw(kind);
  raw(text);
  raw(end_of_line);
}

void Replies::push(std::size_t size) {
  in_push_ = true;
  retarget();
  header(is_resp3_ ? '>' : '*', size);
}

void Replies::end_push() {
  in_push_ = false;
  retarget();
}

// ---- waiting

void Replies::hold_integer(std::int64_t value, std::uint32_t receipts) {
  held_.push_back({.value = value, .missing = receipts, .has_value = true});
  held_bytes_ += sizeof(Held);
  retarget();
}

void Replies::receipt(std::uint64_t token, bool stored) {
  if (token < first_token_ || token - first_token_ >= held_.size()) return;
  Held& held = held_[token - first_token_];
  if (held.missing > 0) --held.missing;
  if (!stored) held.refused = true;
  release();
}

void Replies::begin_group() {
  ASSERT(!in_group_);
  in_group_ = true;
  group_begin_ = held_.size();
  held_.push_back({});
  held_bytes_ += sizeof(Held);
  retarget();
}

void Replies::end_group() {
  ASSERT(in_group_);
  in_group_ = false;
  for (std::size_t i = group_begin_; i + 1 < held_.size(); ++i) held_[i].joined = true;
  release();
}

// How many may leave: up to the last one that is complete and not joined to one that is not.
std::size_t Replies::complete_from_front() const {
  std::size_t leaving = 0;
  for (std::size_t i = 0; i < held_.size() && held_[i].missing == 0; ++i) {
    if (!held_[i].joined) leaving = i + 1;
  }
  return leaving;
}

void Replies::release() {
  if (in_group_) return;
  std::size_t leaving = complete_from_front();
  text_ = nullptr;
  for (std::size_t i = 0; i < leaving; ++i) {
    write_held(held_.front());
    held_bytes_ -= sizeof(Held) + held_.front().behind.size();
    held_.pop_front();
    ++first_token_;
  }
  retarget();
}

void Replies::write_held(const Held& held) {
  if (held.refused) {
    error("ERR a queue of this name did not take the message");
  } else if (held.has_value) {
    integer(held.value);
  }
  raw(held.behind);
}

// Where the next answer goes: to nowhere, behind the last one that waits, or out.
void Replies::retarget() {
  muted_text_.clear();
  if (muted_ && !in_push_) {
    text_ = &muted_text_;
  } else {
    text_ = held_.empty() ? nullptr : &held_.back().behind;
  }
}

std::byte* Replies::text_space(std::size_t size) {
  if (text_ != &muted_text_) held_bytes_ += size;
  std::size_t offset = text_->size();
  text_->resize(offset + size);
  return reinterpret_cast<std::byte*>(text_->data()) + offset;
}

}  // namespace wharf::redis
