#include "protocol/nats/frame.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace wharf::nats {

namespace {

// What must stand behind the name of a verb.
enum class Behind : std::uint8_t {
  blank,     // arguments
  anything,  // which is not looked at
};

struct VerbForm {
  std::string_view name;  // in lower case
  Verb verb;
  Behind behind;
};

constexpr std::array<VerbForm, 10> verbs = {{
    {"pub", Verb::pub, Behind::blank},
    {"hpub", Verb::hpub, Behind::blank},
    {"sub", Verb::sub, Behind::blank},
    {"unsub", Verb::unsub, Behind::blank},
    {"connect", Verb::connect, Behind::blank},
    {"ping", Verb::ping, Behind::anything},
    {"pong", Verb::pong, Behind::anything},
    {"+ok", Verb::ok, Behind::anything},
    {"-err", Verb::err, Behind::blank},
    {"info", Verb::info, Behind::blank},
}};

bool is_blank(char byte) { return byte == ' ' || byte == '\t'; }

char lower(char byte) { return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte | 0x20) : byte; }

bool agree(std::string_view name, std::string_view text) {
  std::size_t size = std::min(name.size(), text.size());
  return std::equal(name.begin(), name.begin() + static_cast<std::ptrdiff_t>(size), text.begin(),
                    [](char want, char have) { return want == lower(have); });
}

// The verb that `text` is the beginning of, or that is the beginning of `text`.
const VerbForm* find_verb(std::string_view text) {
  for (const VerbForm& form : verbs) {
    if (!agree(form.name, text)) continue;
    bool more = text.size() > form.name.size();
    if (more && form.behind == Behind::blank && !is_blank(text[form.name.size()])) return nullptr;
    return &form;
  }
  return nullptr;
}

// By far the most common one, without a look at the table.
bool is_pub(std::string_view text) {
  constexpr std::uint32_t mask = 0x00202020;
  constexpr std::uint32_t name = 0x20627570;  // "pub "
  if (text.size() < 4) return false;
  std::uint32_t front = 0;
  std::memcpy(&front, text.data(), sizeof(front));
  return (front | mask) == name;
}

std::string_view without_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

}  // namespace

Result<std::optional<Line>> read_line(Bytes input, std::size_t arguments_max) {
  std::string_view text = text_of(input);
  if (text.empty()) return std::nullopt;
  // No verb is longer than this, and blanks before the arguments are not counted without end.
  std::size_t looked_at = std::min(text.size(), 2 * arguments_max + 64);
  const void* end = std::memchr(text.data(), '\n', looked_at);
  std::string_view line = text.substr(0, looked_at);
  if (end)
    line = text.substr(0, static_cast<std::size_t>(static_cast<const char*>(end) - text.data()));
  Line result;
  std::size_t name_size = 3;
  if (is_pub(line)) {
    result.verb = Verb::pub;
  } else {
    const VerbForm* form = find_verb(line);
    bool cut = form && end && line.size() < form->name.size();
    bool bare = form && end && form->behind == Behind::blank && line.size() == form->name.size();
    if (!form || cut || bare) return fault(Errc::malformed, "no such verb");
    result.verb = form->verb;
    name_size = std::min(form->name.size(), line.size());
  }
  result.arguments = without_blanks(line.substr(name_size));
  if (result.arguments.ends_with('\r')) result.arguments.remove_suffix(1);
  bool too_large = result.arguments.size() > arguments_max || (!end && looked_at < text.size());
  if (too_large) return fault(Errc::too_large, "control line");
  if (!end) return std::nullopt;
  result.size = line.size() + 1;
  return result;
}

}  // namespace wharf::nats
