// broker/message.h: a message as the core holds it: an envelope of explicit fields, which the core
// owns, the properties as the origin protocol wrote them, and a body that nobody here reads. All of
// it lies in one counted block, laid out as it stands on disk (docs/formats/message.md), filled
// once, immutable.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fault.h"
#include "base/id.h"
#include "base/time.h"
#include "wire/buffer.h"
#include "wire/bytes.h"

namespace wharf::broker {

// Whose way of writing the properties are in. The numbers are on disk: docs/formats/message.md
// lists them. The core only compares them and looks up readers in Formats (broker/value.h).
using Format = StrongId<struct FormatTag, std::uint8_t>;

enum class DeathReason : std::uint8_t { rejected = 1, expired, max_length, delivery_limit };

// One (queue, reason) pair that a message has died of, newest first in the list.
struct Death {
  std::string queue;
  DeathReason reason = DeathReason::rejected;
  std::uint64_t count = 1;
  WallTime time;                  // of the first time
  std::string exchange;           // it was published to then
  std::vector<std::string> keys;  // with the visible keys of then
  std::optional<std::uint64_t> original_ttl_ms;
};

// A further routing key that the sender gave; hidden ones are not shown to receivers.
struct Key {
  std::string_view text;
  bool hidden = false;
};

// Views into somebody's bytes. keys[0] is the routing key.
struct Envelope {
  std::string_view exchange;
  std::span<const Key> keys;
  bool persistent = false;
  std::uint8_t priority = 0;
  std::optional<std::uint64_t> ttl_ms;
  WallTime arrived;
  Format format;
  Bytes properties;
  std::span<const Death> deaths;
  // What the message first died of, once it has; kept when the list changes.
  std::optional<std::size_t> first_death;  // index into deaths
};

class Message {
 public:
  Message() = default;
  // Takes what encode made, from memory or from disk. Faults: malformed.
  static Result<Message> decode(Buffer record);

  explicit operator bool() const { return static_cast<bool>(record_); }
  const Buffer& record() const { return record_; }

  std::string_view exchange() const;
  std::string_view routing_key() const;
  std::size_t key_count() const;
  Key key(std::size_t index) const;
  bool persistent() const;
  std::uint8_t priority() const;
  std::optional<std::uint64_t> ttl_ms() const;
  WallTime arrived() const;
  Format format() const;
  Bytes properties() const;
  bool has_deaths() const;
  std::vector<Death> deaths() const;  // decodes; only for messages that died
  std::optional<std::size_t> first_death() const;
  std::size_t body_size() const;
  std::size_t body_offset() const;  // within record(), to share it
  Bytes body() const;

 private:
  friend class MessageBuilder;
  explicit Message(Buffer record) : record_(std::move(record)) {}
  Buffer record_;
};

// Lays a message out while its body arrives. Allocates by what has come, not by what was announced,
// once `body_size` passes 128 KiB.
class MessageBuilder {
 public:
  // Copies all of `envelope`. REQUIRES: texts of 65535 bytes at most, 255 keys at most.
  MessageBuilder(const Envelope& envelope, std::uint64_t body_size);
  // REQUIRES: no more than missing().
  void append(Bytes body);
  std::uint64_t missing() const;
  // REQUIRES: missing() == 0. The builder is empty afterwards.
  Message finish();

 private:
  void append_raw(Bytes bytes);

  Buffer record_;
  std::size_t used_ = 0;
  std::size_t total_ = 0;
};

}  // namespace wharf::broker
