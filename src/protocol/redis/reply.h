// protocol/redis/reply.h: what the server sends, in RESP2 or RESP3
// (https://redis.io/docs/latest/develop/reference/protocol-spec/), and the order of it: an answer
// that must wait for the disk holds up the answers behind it, and only them; pushes go past.
// Owned by one session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>

#include "wire/bytes.h"
#include "wire/chain.h"

namespace wharf::redis {

// Decimal digits of an unsigned number, without an allocation.
class Decimal {
 public:
  explicit Decimal(std::uint64_t value) {
    do {
      *--begin_ = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value > 0);
  }
  Decimal(const Decimal&) = delete;
  Decimal& operator=(const Decimal&) = delete;
  std::string_view text() const {
    return {begin_, static_cast<std::size_t>(digits_ + sizeof(digits_) - begin_)};
  }

 private:
  char digits_[20];
  char* begin_ = digits_ + sizeof(digits_);
};

inline std::byte* put(std::byte* at, std::string_view text) {
  if (!text.empty()) std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

class Replies {
 public:
  // Answers go here from now on. The chain must live until the next bind.
  void bind(Chain& out) {
    out_ = &out;
    retarget();
  }
  void set_protocol(int version) { is_resp3_ = version == 3; }
  int protocol() const { return is_resp3_ ? 3 : 2; }
  // Answers are made and thrown away.
  void mute(bool muted) {
    muted_ = muted;
    retarget();
  }
  bool muted() const { return muted_; }
  // For pushes that are encoded elsewhere; they go past all answers that wait.
  Chain& out() { return *out_; }

  // ---- one value each
  void status(std::string_view text) { line('+', text); }
  // With its code: "ERR ...". Line ends in `text`, which may hold words of the peer, become spaces.
  void error(std::string_view text);
  void integer(std::int64_t value);
  void bulk(std::string_view text);
  void null_bulk() { raw(is_resp3_ ? "_\r\n" : "$-1\r\n"); }
  void null_array() { raw(is_resp3_ ? "_\r\n" : "*-1\r\n"); }
  // A text for people.
  void verbatim(std::string_view text);
  // ---- beginnings of values that hold others
  void array(std::size_t size) { header('*', size); }
  // `size` pairs.
  void map(std::size_t size) { is_resp3_ ? header('%', size) : header('*', 2 * size); }
  void set(std::size_t size) { header(is_resp3_ ? '~' : '*', size); }
  // Sent whatever mute says, at its place among the answers.
  void push(std::size_t size);
  void end_push();
  void raw(std::string_view text) { put(space(text.size()), text); }

  // ---- answers that wait for the disk
  // An integer that counts only once `receipts` have come for the token that is returned.
  std::uint64_t next_token() const { return first_token_ + held_.size(); }
  void hold_integer(std::int64_t value, std::uint32_t receipts);
  // One of them; when `stored` is false the answer becomes an error.
  void receipt(std::uint64_t token, bool stored);
  // What is written between the two leaves in one piece.
  void begin_group();
  void end_group();
  bool holding() const { return !held_.empty(); }
  std::size_t held_count() const { return held_.size(); }
  std::size_t held_bytes() const { return held_bytes_; }

 private:
  struct Held {
    std::int64_t value = 0;
    std::uint32_t missing = 0;  // receipts
    bool has_value = false;
    bool refused = false;
    bool joined = false;   // leaves together with the next one
    std::string behind{};  // answers that follow it
  };

  std::byte* space(std::size_t size) {
    if (!text_) [[likely]]
      return out_->extend(size).data();
    return text_space(size);
  }
  std::byte* text_space(std::size_t size);
  void line(char kind, std::string_view text);
  void header(char kind, std::size_t size);
  void retarget();
  void release();
  std::size_t complete_from_front() const;
  void write_held(const Held& held);

  Chain* out_ = nullptr;
  std::string* text_ = nullptr;  // where answers go instead, if they must not go out
  std::string muted_text_;
  std::deque<Held> held_;
  std::uint64_t first_token_ = 1;  // of held_
  std::size_t held_bytes_ = 0;
  std::size_t group_begin_ = 0;  // index into held_
  bool in_group_ = false;
  bool is_resp3_ = false;
  bool muted_ = false;
  bool in_push_ = false;
};

}  // namespace wharf::redis
