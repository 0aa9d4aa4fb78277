// broker/live_table.h: who listens to what, as one shard knows it. Every shard has the listeners of
// all, so that a live publish is matched where it arrives.
//
// Shape: names stand in a hash table, patterns in a trie, globs by the bytes before their first
// wildcard. Answers are kept in a table of fixed size, by name: a change of a name's own listeners
// makes its one answer void, a change of a pattern all of them. Cost of route(): one look-up when
// the answer is known; else one look-up, the trie's match, and a glob match for each glob whose
// prefix fits. Memory: about 250 bytes a listener, and the route cache.
// Shard: owner only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/container/small_vector.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include "broker/api.h"
#include "broker/subject_trie.h"
#include "broker/text_hash.h"

namespace wharf::broker {

struct SessionState;

struct LiveNode;
struct LiveGroup;
struct LivePeer;

struct LiveListener {
  LivePeer* peer = nullptr;
  LiveNode* node = nullptr;    // its pattern
  LiveGroup* group = nullptr;  // none
  ConsumerId consumer = 0;
  std::uint32_t place = 0;  // among its node's or its group's, to leave them at once
  bool hears_own = true;
};

// One session, as far as it listens.
struct LivePeer {
  SessionId session;
  VhostId vhost;
  SessionState* local = nullptr;  // of a session of this shard
  bool is_slow = false;
  boost::unordered_flat_map<ConsumerId, std::unique_ptr<LiveListener>> listeners;
};

// The listeners of one group at one pattern; never empty.
struct LiveGroup {
  std::string name;
  std::vector<LiveListener*> members;
};

// All that stands at one pattern.
struct LiveNode {
  VhostId vhost;
  Room room = 0;
  ListenSpec::Kind kind = ListenSpec::Kind::name;
  std::string text;         // of a name or glob; of a pattern a text that no other has
  SubjectPattern segments;  // of a pattern
  boost::container::small_vector<LiveListener*, 1> listeners;
  std::vector<std::unique_ptr<LiveGroup>> groups;
  bool empty() const { return listeners.empty() && groups.empty(); }
};

// Who hears a name. Good until the next change of the table.
struct LiveRoute {
  std::vector<const LiveListener*> listeners;  // those without a group; names before patterns
  std::vector<const LiveGroup*> groups;
  // For who asks the catalog as well: its generation when it knew no queue that takes the name.
  std::uint64_t unqueued_at = 0;
  bool empty() const { return listeners.empty() && groups.empty(); }
};

class LiveTable {
 public:
  LiveTable();
  ~LiveTable();

  // `local` is null for sessions of other shards. REQUIRES: the session has no such listener.
  void add(SessionId session, VhostId vhost, SessionState* local, const ListenSpec& spec);
  // Unknown ones are ignored.
  void remove(SessionId session, ConsumerId consumer);
  void remove_all(SessionId session);
  void set_slow(SessionId session, bool is_slow);

  bool empty() const { return peers_.empty(); }
  std::size_t size() const { return size_; }
  LiveRoute& route(VhostId vhost, Room room, std::string_view name);

  std::uint32_t count(VhostId vhost, Room room, std::string_view name) const;
  void each_name(VhostId vhost, Room room, const Core::NameVisitor& visit) const;
  // Distinct ones.
  std::uint32_t pattern_count(VhostId vhost, Room room) const;

 private:
  // Keyed by the text in the node.
  using Nodes = boost::unordered_flat_map<std::string_view, std::unique_ptr<LiveNode>, TextHash>;
  using NodeList = std::vector<LiveNode*>;
  struct Space {
    Nodes names;
    Nodes patterns;
    SubjectTrie<const LiveNode*> trie;  // of `patterns`
    Nodes globs;
    boost::unordered_flat_map<std::string, NodeList, TextHash, std::equal_to<>> globs_by_prefix;
    std::map<std::size_t, std::size_t> prefix_sizes;  // how many prefixes have each
  };
  struct Answer {
    VhostId vhost;
    Room room = 0;
    std::uint64_t version = 0;  // 0: void
    std::string name;
    LiveRoute route;
  };
  static constexpr std::size_t answers_size = 4096;
  using SpaceKey = std::pair<VhostId, Room>;

  Space& space_of(VhostId vhost, Room room);
  const Space* find_space(VhostId vhost, Room room) const;
  static Nodes& nodes_of(Space& space, ListenSpec::Kind kind);
  static void add_glob(Space& space, LiveNode& glob);
  static void remove_glob(Space& space, LiveNode& glob);
  LiveNode& node_for(VhostId vhost, const ListenSpec& spec);
  void drop_node(LiveNode& node);
  void detach(LiveListener& listener);
  void forget_answers(const LiveNode& node);
  Answer& answer_for(VhostId vhost, Room room, std::string_view name);
  void fill(const Space& space, std::string_view name, LiveRoute& route);

  boost::unordered_flat_map<SessionId, std::unique_ptr<LivePeer>> peers_;
  std::map<SpaceKey, std::unique_ptr<Space>> spaces_;
  std::size_t size_ = 0;
  std::uint64_t version_ = 1;
  std::vector<Answer> answers_;  // by hash of the name; made with the first listener
  LiveRoute nobody_;             // while nobody listens at all
  std::vector<std::string_view> segments_;
};

}  // namespace wharf::broker
