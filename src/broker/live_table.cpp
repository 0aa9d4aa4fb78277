#include "broker/live_table.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "broker/glob.h"

namespace wharf::broker {

namespace {

// Two patterns have the same text exactly when they are the same.
std::string text_of_pattern(const SubjectPattern& segments) {
  std::string text;
  for (const SubjectSegment& segment : segments) {
    text += static_cast<char>('0' + static_cast<int>(segment.kind));
    text += segment.text;
    text += '.';
  }
  return text;
}

template <class Listeners>
void leave(Listeners& listeners, const LiveListener& listener) {
  ASSERT(listeners[listener.place] == &listener);
  listeners[listener.place] = listeners.back();
  listeners[listener.place]->place = listener.place;
  listeners.pop_back();
}

template <class Listeners>
void join(Listeners& listeners, LiveListener& listener) {
  listener.place = static_cast<std::uint32_t>(listeners.size());
  listeners.push_back(&listener);
}

LiveGroup& group_for(LiveNode& node, const std::string& name) {
  for (const auto& group : node.groups) {
    if (group->name == name) return *group;
  }
  node.groups.push_back(std::make_unique<LiveGroup>());
  node.groups.back()->name = name;
  return *node.groups.back();
}

}  // namespace

LiveTable::LiveTable() = default;
LiveTable::~LiveTable() = default;

// ---- coming and going

void LiveTable::add(SessionId session, VhostId vhost, SessionState* local, const ListenSpec& spec) {
  if (answers_.empty()) answers_.resize(answers_size);
  std::unique_ptr<LivePeer>& peer = peers_[session];
  if (!peer) {
    peer = std::make_unique<LivePeer>();
    peer->session = session;
    peer->vhost = vhost;
    peer->local = local;
  }
  auto [it, is_new] = peer->listeners.emplace(spec.consumer, std::make_unique<LiveListener>());
  ASSERT(is_new);
  LiveListener& listener = *it->second;
  LiveNode& node = node_for(vhost, spec);
  listener.peer = peer.get();
  listener.node = &node;
  listener.consumer = spec.consumer;
  listener.hears_own = spec.hears_own;
  ++size_;
  if (spec.group.empty()) {
    join(node.listeners, listener);
  } else {
    listener.group = &group_for(node, spec.group);
    join(listener.group->members, listener);
  }
  forget_answers(node);
}

void LiveTable::remove(SessionId session, ConsumerId consumer) {
  auto peer = peers_.find(session);
  if (peer == peers_.end()) return;
  auto listener = peer->second->listeners.find(consumer);
  if (listener == peer->second->listeners.end()) return;
  detach(*listener->second);
  peer->second->listeners.erase(listener);
  if (peer->second->listeners.empty()) peers_.erase(peer);
}

void LiveTable::remove_all(SessionId session) {
  auto peer = peers_.find(session);
  if (peer == peers_.end()) return;
  for (auto& [consumer, listener] : peer->second->listeners) detach(*listener);
  peers_.erase(peer);
}

void LiveTable::set_slow(SessionId session, bool is_slow) {
  auto peer = peers_.find(session);
  if (peer != peers_.end()) peer->second->is_slow = is_slow;
}

void LiveTable::detach(LiveListener& listener) {
  LiveNode& node = *listener.node;
  if (!listener.group) {
    leave(node.listeners, listener);
  } else {
    leave(listener.group->members, listener);
    if (listener.group->members.empty()) {
      std::erase_if(node.groups, [&](const auto& each) { return each.get() == listener.group; });
    }
  }
  --size_;
  forget_answers(node);
  if (node.empty()) drop_node(node);
}

// ---- patterns

LiveTable::Space& LiveTable::space_of(VhostId vhost, Room room) {
  std::unique_ptr<Space>& space = spaces_[{vhost, room}];
  if (!space) space = std::make_unique<Space>();
  return *space;
}

const LiveTable::Space* LiveTable::find_space(VhostId vhost, Room room) const {
  auto it = spaces_.find({vhost, room});
  return it == spaces_.end() ? nullptr : it->second.get();
}

LiveTable::Nodes& LiveTable::nodes_of(Space& space, ListenSpec::Kind kind) {
  switch (kind) {
    case ListenSpec::Kind::name:
      return space.names;
    case ListenSpec::Kind::pattern:
      return space.patterns;
    case ListenSpec::Kind::glob:
      return space.globs;
  }
  std::unreachable();
}

LiveNode& LiveTable::node_for(VhostId vhost, const ListenSpec& spec) {
  Space& space = space_of(vhost, spec.room);
  Nodes& nodes = nodes_of(space, spec.kind);
  bool is_pattern = spec.kind == ListenSpec::Kind::pattern;
  std::string text = is_pattern ? text_of_pattern(spec.segments) : spec.text;
  if (auto it = nodes.find(text); it != nodes.end()) return *it->second;
  auto made = std::make_unique<LiveNode>();
  LiveNode& node = *made;
  node.vhost = vhost;
  node.room = spec.room;
  node.kind = spec.kind;
  node.text = std::move(text);
  node.segments = spec.segments;
  nodes.emplace(node.text, std::move(made));
  if (is_pattern) space.trie.add(node.segments, &node);
  if (spec.kind == ListenSpec::Kind::glob) add_glob(space, node);
  return node;
}

void LiveTable::drop_node(LiveNode& node) {
  Space& space = space_of(node.vhost, node.room);
  if (node.kind == ListenSpec::Kind::pattern) space.trie.remove(node.segments, &node);
  if (node.kind == ListenSpec::Kind::glob) remove_glob(space, node);
  // The key lies in the node, which goes after its place in the map.
  Nodes& nodes = nodes_of(space, node.kind);
  auto it = nodes.find(node.text);
  std::unique_ptr<LiveNode> gone = std::move(it->second);
  nodes.erase(it);
}

void LiveTable::add_glob(Space& space, LiveNode& glob) {
  std::string_view prefix = glob_prefix(glob.text);
  NodeList& those = space.globs_by_prefix[std::string(prefix)];
  if (those.empty()) ++space.prefix_sizes[prefix.size()];
  those.push_back(&glob);
}

void LiveTable::remove_glob(Space& space, LiveNode& glob) {
  std::string_view prefix = glob_prefix(glob.text);
  auto those = space.globs_by_prefix.find(prefix);
  std::erase(those->second, &glob);
  if (!those->second.empty()) return;
  auto sizes = space.prefix_sizes.find(prefix.size());
  if (--sizes->second == 0) space.prefix_sizes.erase(sizes);
  space.globs_by_prefix.erase(those);
}

// ---- matching

LiveRoute& LiveTable::route(VhostId vhost, Room room, std::string_view name) {
  if (empty()) return nobody_ = {};
  Answer& answer = answer_for(vhost, room, name);
  bool is_known = answer.version == version_ && answer.vhost == vhost && answer.room == room &&
                  answer.name == name;
  if (is_known) return answer.route;
  answer.vhost = vhost;
  answer.room = room;
  answer.name = name;
  answer.version = version_;
  answer.route.listeners.clear();
  answer.route.groups.clear();
  answer.route.unqueued_at = 0;
  if (const Space* space = find_space(vhost, room)) fill(*space, name, answer.route);
  return answer.route;
}

LiveTable::Answer& LiveTable::answer_for(VhostId vhost, Room room, std::string_view name) {
  std::size_t hash = TextHash{}(name) + vhost.value() * 31 + room;
  return answers_[hash % answers_size];
}

void LiveTable::forget_answers(const LiveNode& node) {
  if (node.kind == ListenSpec::Kind::name) {
    answer_for(node.vhost, node.room, node.text).version = 0;
  } else {
    ++version_;
  }
}

void LiveTable::fill(const Space& space, std::string_view name, LiveRoute& route) {
  auto take = [&route](const LiveNode& node) {
    route.listeners.insert(route.listeners.end(), node.listeners.begin(), node.listeners.end());
    for (const auto& group : node.groups) route.groups.push_back(group.get());
  };
  if (auto it = space.names.find(name); it != space.names.end()) take(*it->second);
  if (!space.trie.empty()) {
    segments_.clear();
    split_segments(name, segments_);
    space.trie.match(segments_, [&](const LiveNode* node) { take(*node); });
  }
  for (const auto& [size, count] : space.prefix_sizes) {
    if (size > name.size()) break;
    auto those = space.globs_by_prefix.find(name.substr(0, size));
    if (those == space.globs_by_prefix.end()) continue;
    for (const LiveNode* glob : those->second) {
      if (glob_matches(glob->text, name)) take(*glob);
    }
  }
}

// ---- looking in

std::uint32_t LiveTable::count(VhostId vhost, Room room, std::string_view name) const {
  const Space* space = find_space(vhost, room);
  if (!space) return 0;
  auto it = space->names.find(name);
  if (it == space->names.end()) return 0;
  std::size_t count = it->second->listeners.size();
  for (const auto& group : it->second->groups) count += group->members.size();
  return static_cast<std::uint32_t>(count);
}

void LiveTable::each_name(VhostId vhost, Room room, const Core::NameVisitor& visit) const {
  const Space* space = find_space(vhost, room);
  if (!space) return;
  for (const auto& [name, node] : space->names) visit(name, count(vhost, room, name));
}

std::uint32_t LiveTable::pattern_count(VhostId vhost, Room room) const {
  const Space* space = find_space(vhost, room);
  return space ? static_cast<std::uint32_t>(space->patterns.size() + space->globs.size()) : 0;
}

}  // namespace wharf::broker
