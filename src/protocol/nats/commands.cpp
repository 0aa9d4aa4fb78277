#include "protocol/nats/commands.h"

#include <array>

namespace wharf::nats {

namespace {

constexpr std::size_t words_max = 4;

struct Words {
  std::array<std::string_view, words_max> at;
  std::size_t count = 0;  // words_max + 1 for more than that
};

bool separates(char byte) { return byte == ' ' || byte == '\t' || byte == '\r'; }

Words split(std::string_view text) {
  Words words;
  const char* at = text.data();
  const char* end = at + text.size();
  while (true) {
    while (at != end && separates(*at)) ++at;
    if (at == end) return words;
    const char* start = at;
    while (at != end && !separates(*at)) ++at;
    if (words.count == words_max) {
      ++words.count;
      return words;
    }
    words.at[words.count++] = {start, static_cast<std::size_t>(at - start)};
  }
}

// Decimal digits and nothing else.
bool read_size(std::string_view text, std::uint64_t& out) {
  constexpr std::size_t digits_max = 18;
  if (text.empty() || text.size() > digits_max) return false;
  std::uint64_t value = 0;
  for (char digit : text) {
    if (digit < '0' || digit > '9') return false;
    value = value * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  out = value;
  return true;
}

}  // namespace

std::optional<Pub> read_pub(std::string_view arguments) {
  Words words = split(arguments);
  if (words.count != 2 && words.count != 3) return std::nullopt;
  Pub pub;
  pub.subject = words.at[0];
  if (words.count == 3) pub.reply = words.at[1];
  if (!read_size(words.at[words.count - 1], pub.total_size)) return std::nullopt;
  return pub;
}

std::optional<Pub> read_hpub(std::string_view arguments) {
  Words words = split(arguments);
  if (words.count != 3 && words.count != 4) return std::nullopt;
  Pub pub;
  pub.subject = words.at[0];
  if (words.count == 4) pub.reply = words.at[1];
  if (!read_size(words.at[words.count - 2], pub.header_size)) return std::nullopt;
  if (!read_size(words.at[words.count - 1], pub.total_size)) return std::nullopt;
  if (pub.header_size > pub.total_size) return std::nullopt;
  return pub;
}

std::optional<Sub> read_sub(std::string_view arguments) {
  Words words = split(arguments);
  if (words.count == 2) return Sub{words.at[0], {}, words.at[1]};
  if (words.count == 3) return Sub{words.at[0], words.at[1], words.at[2]};
  return std::nullopt;
}

std::optional<Unsub> read_unsub(std::string_view arguments) {
  Words words = split(arguments);
  if (words.count != 1 && words.count != 2) return std::nullopt;
  Unsub unsub;
  unsub.sid = words.at[0];
  if (words.count == 2) read_size(words.at[1], unsub.max);
  return unsub;
}

}  // namespace wharf::nats
