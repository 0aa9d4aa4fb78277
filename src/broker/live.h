// broker/live.h: messages for those who listen at the moment: what is said of a live publish, and
// how it reaches a session.
//
// A live message is copied once, into a block that all who hear it share; what goes into a
// session's mailbox is a reference. A session takes its live mail in the turn in which it was
// woken, and lets it go at once: blocks are counted, so a late one costs memory but is not wrong.
// Order: all that one session publishes reaches each listener in that order. At most once; nothing
// of it is on disk, save what queues of the name take (see Core::publish_live).
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/message.h"
#include "broker/subject.h"
#include "wire/buffer.h"
#include "wire/bytes.h"

namespace wharf::broker {

using ConsumerId = std::uint32_t;

// Rooms do not hear each other. Room 0 is common to all protocols and holds the names of queues;
// the others are for what a protocol has to itself.
using Room = std::uint8_t;
constexpr Room common_room = 0;

// What a listener hears.
struct ListenSpec {
  enum class Kind : std::uint8_t {
    name,     // exactly `text`
    pattern,  // `segments`
    glob,     // `text` as a glob over the bytes of the name: * ? [abc] [a-z] [^a] and \ before any
  };
  Kind kind = Kind::name;
  std::string text;
  SubjectPattern segments;
  // Listeners of one group and one pattern share what they hear: a message goes to one of them.
  // Empty: none.
  std::string group;
  bool hears_own = true;  // what its own session publishes
  Room room = common_room;
  ConsumerId consumer = 0;  // chosen by the session, unique within it; comes back with each message
};

// Views into the caller's bytes, copied before publish_live returns.
struct LiveMessage {
  std::string_view name;  // canonical
  Format format;
  std::span<const Bytes> properties;  // in that format; the pieces are joined
  Bytes body;
  Room room = common_room;
};

struct LivePublished {
  std::uint32_t listeners = 0;  // subscriptions that hear it; of a group one
  std::uint32_t queues = 0;     // that take it
  std::uint32_t receipts = 0;   // to expect, if they were asked for
  bool slow = false;            // one that hears it is behind: the sender should pause a moment
  bool must_wait = false;       // the sender publishes no more until the Alarm event that says so
};

// A live message as it lies in a block: this, then name, properties and body.
class LiveRecord {
 public:
  // Bytes that a record of `message` takes, a multiple of its alignment.
  static std::size_t size_of(const LiveMessage& message);
  // REQUIRES: size_of(message) bytes at `at`, aligned to 8.
  static const LiveRecord* write(std::byte* at, const LiveMessage& message);

  Format format() const { return format_; }
  std::size_t size() const {
    return sizeof(LiveRecord) + name_size_ + properties_size_ + body_size_;
  }
  std::string_view name() const { return text_of(Bytes(data(), name_size_)); }
  Bytes properties() const { return {data() + name_size_, properties_size_}; }
  Bytes body() const { return {data() + name_size_ + properties_size_, body_size_}; }

 private:
  const std::byte* data() const {
    return reinterpret_cast<const std::byte*>(this) + sizeof(LiveRecord);
  }

  std::uint32_t name_size_;
  std::uint32_t properties_size_;
  std::uint32_t body_size_;
  Format format_;
};
static_assert(sizeof(LiveRecord) == 16);

struct LiveItem {
  const LiveRecord* record = nullptr;
  ConsumerId consumer = 0;
  std::uint32_t block = 0;  // of LiveMail::blocks, to share a large body
};

// What a session heard, oldest first. The records lie in the blocks.
struct LiveMail {
  std::vector<LiveItem> items;
  std::vector<Buffer> blocks;

  void clear() {
    items.clear();
    blocks.clear();
  }
};

}  // namespace wharf::broker
