// protocol/nats/convert.h: properties of messages between NATS and the core. Their own format: none
// at all when there is neither reply nor header; else u16 length of the reply subject (big-endian),
// the reply as a canonical name, the header block as it came (docs/formats/message.md).
//
// Common properties that NATS has no place for are headers: Nats-Msg-Id, Correlation-Id,
// Content-Type, Content-Encoding, Message-Type, App-Id, User-Id, Expiration (ms), Timestamp (ms
// since 1970) and Priority. The other way User-Id stays a header: nobody has checked it. What text
// cannot carry goes in base64 under its name with -Base64 behind it.
#pragma once

#include <string>
#include <string_view>

#include "broker/message.h"
#include "broker/value.h"
#include "wire/bytes.h"

namespace wharf::nats {

inline constexpr broker::Format nats_format{2};

struct Properties {
  std::string_view reply;    // canonical; empty: none
  std::string_view headers;  // the block with its end; empty: none
};

// Bytes that do not parse have neither.
Properties read_properties(Bytes properties);

// A broker::HeaderReader; without what read_common finds.
void read_headers(Bytes properties, const broker::HeaderVisitor& visit);
// A broker::CommonReader.
broker::CommonProperties read_common(Bytes properties);

// The header block for a message of another format, into `out`; empty when it has nothing to say.
void write_headers(const broker::Formats& formats, broker::Format format, Bytes properties,
                   std::string& out);

}  // namespace wharf::nats
