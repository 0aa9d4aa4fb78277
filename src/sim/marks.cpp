#include "sim/marks.h"

#include <charconv>

#include <fmt/format.h>

namespace wharf::sim {

namespace {
constexpr std::string_view head_prefix = "wsim-";
constexpr std::string_view tail_prefix = "wend-";

std::string_view prefix_of(Mark mark) { return mark == Mark::head ? head_prefix : tail_prefix; }
}  // namespace

std::string make_mark(Mark mark, MessageId id) {
  return fmt::format("{}{:016x}", prefix_of(mark), id);
}

std::optional<MessageId> read_mark(Mark mark, std::string_view text) {
  if (text.size() != mark_size || !text.starts_with(prefix_of(mark))) return std::nullopt;
  MessageId id = 0;
  const char* begin = text.data() + head_prefix.size();
  auto [end, error] = std::from_chars(begin, text.data() + text.size(), id, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return id;
}

std::string make_body(MessageId id, std::size_t size) {
  std::string body(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    body[i] = static_cast<char>('A' + (id * 7 + i * 13 + i / 64) % 26);
  }
  if (has_tail_mark(size)) {
    std::string tail = make_mark(Mark::tail, id);
    body.replace(size - tail.size(), tail.size(), tail);
  }
  return body;
}

void each_mark(Bytes bytes, const std::function<void(Mark, MessageId)>& visit) {
  std::string_view text = text_of(bytes);
  // Both prefixes end in '-', which is rare in the filling (capital letters) and in binary fields.
  for (std::size_t dash = text.find('-'); dash != text.npos; dash = text.find('-', dash + 1)) {
    if (dash < head_prefix.size() - 1) continue;
    std::string_view candidate = text.substr(dash - (head_prefix.size() - 1), mark_size);
    for (Mark mark : {Mark::head, Mark::tail}) {
      if (std::optional<MessageId> id = read_mark(mark, candidate)) visit(mark, *id);
    }
  }
}

}  // namespace wharf::sim
