// sim/marks.h: how a simulated message can be known again, wherever its bytes turn up: in a
// delivery, or in a block on the simulated disk. The head mark is the message-id property of every
// message, so that a message with no body has one too; a body is made of its number alone, and ends
// in a tail mark if long enough. Once both marks of a message are on the platter, so is all
// between.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "wire/bytes.h"

namespace wharf::sim {

using MessageId = std::uint64_t;  // 1, 2, 3, ... within a run

enum class Mark : std::uint8_t { head = 1, tail = 2 };

constexpr std::size_t mark_size = 5 + 16;

std::string make_mark(Mark mark, MessageId id);
// None when the text is not a mark of that kind.
std::optional<MessageId> read_mark(Mark mark, std::string_view text);

// The one body that a message of this number and size can have.
std::string make_body(MessageId id, std::size_t size);
constexpr bool has_tail_mark(std::size_t body_size) { return body_size >= mark_size; }

void each_mark(Bytes bytes, const std::function<void(Mark, MessageId)>& visit);

}  // namespace wharf::sim
