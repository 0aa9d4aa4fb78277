#include "broker/dead_letter.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace wharf::broker {

namespace {

Death new_death(const Message& message, std::string_view queue, DeathReason reason, WallTime now) {
  Death death;
  death.queue = queue;
  death.reason = reason;
  death.time = now;
  death.exchange = message.exchange();
  for (std::size_t i = 0; i < message.key_count(); ++i) {
    Key key = message.key(i);
    if (!key.hidden) death.keys.emplace_back(key.text);
  }
  death.original_ttl_ms = message.ttl_ms();
  return death;
}

}  // namespace

Message make_dead_letter(const Message& message, const QueueSpec& spec, DeathReason reason,
                         WallTime now) {
  ASSERT(spec.dead_letter_exchange.has_value());
  std::vector<Death> deaths;
  std::optional<std::size_t> first_index;
  if (message.has_deaths()) {
    deaths = message.deaths();
    first_index = message.first_death();
  }
  auto same = std::ranges::find_if(deaths, [&](const Death& death) {
    return death.queue == spec.name && death.reason == reason;
  });
  if (same == deaths.end()) {
    deaths.insert(deaths.begin(), new_death(message, spec.name, reason, now));
    first_index = first_index ? *first_index + 1 : 0;
  } else {
    ++same->count;
    auto moved = static_cast<std::size_t>(same - deaths.begin());
    std::rotate(deaths.begin(), same, same + 1);
    if (first_index == moved) {
      first_index = 0;
    } else if (first_index && *first_index < moved) {
      ++*first_index;
    }
  }

  std::vector<Key> keys;
  if (spec.dead_letter_key) {
    keys.push_back({*spec.dead_letter_key, false});
  } else {
    for (std::size_t i = 0; i < message.key_count(); ++i) keys.push_back(message.key(i));
  }
  Envelope envelope;
  envelope.exchange = *spec.dead_letter_exchange;
  envelope.keys = keys;
  envelope.persistent = message.persistent();
  envelope.priority = message.priority();
  envelope.arrived = now;
  envelope.format = message.format();
  envelope.properties = message.properties();
  envelope.deaths = deaths;
  envelope.first_death = first_index;
  MessageBuilder builder(envelope, message.body_size());
  builder.append(message.body());
  return builder.finish();
}

bool is_dead_letter_cycle(std::span<const Death> deaths, std::string_view queue) {
  for (const Death& death : deaths) {
    if (death.reason == DeathReason::rejected) return false;
    if (death.queue == queue) return true;
  }
  return false;
}

}  // namespace wharf::broker
