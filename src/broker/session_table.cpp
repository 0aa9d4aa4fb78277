#include "broker/session_table.h"

#include <algorithm>

#include "base/assert.h"

namespace wharf::broker {

SessionId SessionTable::add(EventListener& listener, VhostId vhost, const Principal& who) {
  SessionId id((std::uint64_t{shard_} << 48) | next_++);
  auto state = std::make_unique<SessionState>();
  state->listener = &listener;
  state->vhost = vhost;
  state->who = who;
  state->shards.resize(shards_);
  sessions_.emplace(id, std::move(state));
  return id;
}

SessionState* SessionTable::find(SessionId id) {
  auto it = sessions_.find(id);
  return it == sessions_.end() ? nullptr : it->second.get();
}

const SessionState* SessionTable::find(SessionId id) const {
  auto it = sessions_.find(id);
  return it == sessions_.end() ? nullptr : it->second.get();
}

void SessionTable::tell(SessionId id, Event event) {
  SessionState* state = find(id);
  if (!state || !state->listener) return;
  state->events.push_back(std::move(event));
  notify(*state);
}

void SessionTable::tell(SessionState& state, const LiveRecord* record, const Buffer& block,
                        ConsumerId consumer) {
  if (!state.listener) return;
  std::vector<Buffer>& blocks = state.live.blocks;
  if (blocks.empty() || blocks.back().bytes().data() != block.bytes().data()) {
    blocks.push_back(block);
  }
  state.live.items.push_back({record, consumer, static_cast<std::uint32_t>(blocks.size() - 1)});
  notify(state);
}

void SessionTable::notify(SessionState& state) {
  if (state.notified) return;
  state.notified = true;
  state.listener->on_events();
}

void SessionTable::tell_all(const Event& event) {
  // In order of age, so that a run repeats under a seed whatever the hash order is.
  std::vector<SessionId> ids;
  for (const auto& [id, state] : sessions_) ids.push_back(id);
  std::ranges::sort(ids);
  for (SessionId id : ids) tell(id, event);
}

std::vector<QueueId> SessionTable::take_touched(SessionId session) {
  auto it = touched_.find(session);
  if (it == touched_.end()) return {};
  std::vector<QueueId> queues(it->second.begin(), it->second.end());
  std::ranges::sort(queues);
  touched_.erase(it);
  return queues;
}

}  // namespace wharf::broker
