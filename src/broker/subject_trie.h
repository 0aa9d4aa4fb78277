// broker/subject_trie.h: patterns of segments, and which of them match a subject. A segment of a
// pattern is a literal, any one segment, one or more, or none or more; wildcards may stand anywhere
// and often.
//
// Shape: one node for each prefix of a pattern; all literal edges of a trie lie in one hash table,
// keyed by (node, text). A run of wildcards is brought into one order first (`any one` becomes `one
// any`, `some` becomes `one any`), so that patterns with the same meaning are the same node, and
// below a none-or-more node there are only literals. Matching: the set of live nodes is carried
// from segment to segment, each node in it once. So the cost is segments * live nodes, never
// exponential; without wildcards it is one look-up a segment, whatever the number of patterns.
// Memory: about 120 bytes a node, 50 a value. An empty trie allocates nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/container_hash/hash.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include "base/assert.h"
#include "broker/subject.h"

namespace wharf::broker {

// Value: small, copied, with == and boost::hash.
template <class Value>
class SubjectTrie {
 public:
  // False when the pattern, or one of the same meaning, has this value already.
  bool add(const SubjectPattern& pattern, const Value& value) {
    if (nodes_.empty()) nodes_.emplace_back();
    std::uint32_t at = root;
    walk(pattern, [&](SegmentKind kind, std::string_view text) {
      at = child_or_new(at, kind, text);
      return true;
    });
    std::vector<Value>& values = nodes_[at].values;
    auto index = static_cast<std::uint32_t>(values.size());
    if (!places_.emplace(Place{at, value}, index).second) return false;
    values.push_back(value);
    return true;
  }

  // False when it was not there.
  bool remove(const SubjectPattern& pattern, const Value& value) {
    if (nodes_.empty()) return false;
    std::vector<Step> path;
    std::uint32_t at = root;
    walk(pattern, [&](SegmentKind kind, std::string_view text) {
      path.push_back({at, kind, text});
      at = child(at, kind, text);
      return at != none;
    });
    if (at == none && !path.empty()) return false;
    auto place = places_.find(Place{at, value});
    if (place == places_.end()) return false;
    std::vector<Value>& values = nodes_[at].values;
    std::uint32_t index = place->second;
    places_.erase(place);
    if (index + 1 != values.size()) {
      values[index] = values.back();
      places_.at(Place{at, values[index]}) = index;
    }
    values.pop_back();
    prune(path, at);
    return true;
  }

  // Calls visit(value) for every value of every matching pattern; a value that has several matching
  // patterns comes as often. `visit` must not use this trie.
  template <class Visit>
  void match(std::span<const std::string_view> segments, Visit&& visit) const {
    if (nodes_.empty()) return;
    live_.clear();
    ++step_;
    activate(root, live_);
    for (std::string_view segment : segments) {
      if (live_.empty()) return;
      advance(segment);
    }
    for (std::uint32_t at : live_) {
      for (const Value& value : nodes_[at].values) visit(value);
    }
  }

  // Pairs of a pattern and a value.
  std::size_t size() const { return places_.size(); }
  bool empty() const { return places_.empty(); }
  // In use, the root among them.
  std::size_t node_count() const { return nodes_.size() - free_.size(); }

 private:
  static constexpr std::uint32_t root = 0;
  static constexpr std::uint32_t none = 0;  // the root is nobody's child

  struct Node {
    std::uint32_t one = none;
    std::uint32_t any = none;
    std::uint32_t children = 0;  // of all three kinds
    bool is_any = false;
    mutable std::uint64_t step = 0;  // that it became live in; kept for `any` nodes only
    std::vector<Value> values;
  };
  struct EdgeView {
    std::uint32_t parent = none;
    std::string_view text;
    std::size_t text_hash = 0;
  };
  struct Edge {
    std::uint32_t parent = none;
    std::string text;
  };
  struct EdgeHash {
    using is_transparent = void;
    std::size_t operator()(const EdgeView& edge) const {
      std::size_t seed = edge.text_hash;
      boost::hash_combine(seed, edge.parent);
      return seed;
    }
    std::size_t operator()(const Edge& edge) const {
      return (*this)(EdgeView{edge.parent, edge.text, hash_of(edge.text)});
    }
  };
  struct EdgeEqual {
    using is_transparent = void;
    template <class One, class Two>
    bool operator()(const One& one, const Two& two) const {
      return one.parent == two.parent && std::string_view(one.text) == std::string_view(two.text);
    }
  };
  using Place = std::pair<std::uint32_t, Value>;
  struct Step {
    std::uint32_t parent = none;
    SegmentKind kind = SegmentKind::literal;
    std::string_view text;
  };

  static std::size_t hash_of(std::string_view text) { return std::hash<std::string_view>{}(text); }

  // Calls visit(kind, text) for each edge of the pattern in its one order, until it says false.
  template <class Visit>
  static void walk(const SubjectPattern& pattern, Visit&& visit) {
    bool any = false;
    for (const SubjectSegment& segment : pattern) {
      switch (segment.kind) {
        case SegmentKind::literal:
          if (std::exchange(any, false) && !visit(SegmentKind::any, std::string_view())) return;
          if (!visit(SegmentKind::literal, std::string_view(segment.text))) return;
          break;
        case SegmentKind::some:
          any = true;
          [[fallthrough]];
        case SegmentKind::one:
          if (!visit(SegmentKind::one, std::string_view())) return;
          break;
        case SegmentKind::any:
          any = true;
          break;
      }
    }
    if (any) visit(SegmentKind::any, std::string_view());
  }

  std::uint32_t child(std::uint32_t at, SegmentKind kind, std::string_view text) const {
    if (kind == SegmentKind::one) return nodes_[at].one;
    if (kind == SegmentKind::any) return nodes_[at].any;
    auto it = edges_.find(EdgeView{at, text, hash_of(text)});
    return it == edges_.end() ? none : it->second;
  }

  std::uint32_t child_or_new(std::uint32_t at, SegmentKind kind, std::string_view text) {
    if (std::uint32_t there = child(at, kind, text)) return there;
    std::uint32_t made = 0;
    if (free_.empty()) {
      made = static_cast<std::uint32_t>(nodes_.size());
      nodes_.emplace_back();
    } else {
      made = free_.back();
      free_.pop_back();
      nodes_[made] = Node();
    }
    nodes_[made].is_any = kind == SegmentKind::any;
    set_child({at, kind, text}, made);
    ++nodes_[at].children;
    return made;
  }

  void set_child(const Step& step, std::uint32_t child_index) {
    if (step.kind == SegmentKind::one) {
      nodes_[step.parent].one = child_index;
    } else if (step.kind == SegmentKind::any) {
      nodes_[step.parent].any = child_index;
    } else if (child_index != none) {
      edges_.emplace(Edge{step.parent, std::string(step.text)}, child_index);
    } else {
      edges_.erase(edges_.find(EdgeView{step.parent, step.text, hash_of(step.text)}));
    }
  }

  // Frees `at` and the nodes above it that lead nowhere any more.
  void prune(std::vector<Step>& path, std::uint32_t at) {
    while (!path.empty() && nodes_[at].values.empty() && nodes_[at].children == 0) {
      Step step = path.back();
      path.pop_back();
      set_child(step, none);
      ASSERT(nodes_[step.parent].children > 0);
      --nodes_[step.parent].children;
      nodes_[at] = Node();
      free_.push_back(at);
      at = step.parent;
    }
  }

  // A node has one parent, so only an `any` node, which can also stay live, is met twice in a step.
  void activate(std::uint32_t at, std::vector<std::uint32_t>& live) const {
    live.push_back(at);
    if (std::uint32_t any = nodes_[at].any) activate_any(any, live);
  }
  void activate_any(std::uint32_t at, std::vector<std::uint32_t>& live) const {
    if (std::exchange(nodes_[at].step, step_) != step_) live.push_back(at);
  }

  void advance(std::string_view segment) const {
    ++step_;
    next_.clear();
    std::size_t hash = hash_of(segment);
    for (std::uint32_t at : live_) {
      const Node& node = nodes_[at];
      if (node.is_any) activate_any(at, next_);
      if (node.one) activate(node.one, next_);
      if (node.children == std::uint32_t(node.one != none) + std::uint32_t(node.any != none))
        continue;
      auto it = edges_.find(EdgeView{at, segment, hash});
      if (it != edges_.end()) activate(it->second, next_);
    }
    std::swap(live_, next_);
  }

  std::vector<Node> nodes_;
  std::vector<std::uint32_t> free_;
  boost::unordered_flat_map<Edge, std::uint32_t, EdgeHash, EdgeEqual> edges_;
  // Where a value stands in its node's list, so that removing it does not search.
  boost::unordered_flat_map<Place, std::uint32_t, boost::hash<Place>> places_;

  // Of the match under way, kept to keep their memory.
  mutable std::vector<std::uint32_t> live_;
  mutable std::vector<std::uint32_t> next_;
  mutable std::uint64_t step_ = 0;
};

}  // namespace wharf::broker
