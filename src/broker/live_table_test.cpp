#include "broker/live_table.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "broker/glob.h"

namespace wharf::broker {
namespace {

const VhostId home(1);
const VhostId elsewhere(2);

ListenSpec to_name(std::string name, ConsumerId consumer) {
  ListenSpec spec;
  spec.text = std::move(name);
  spec.consumer = consumer;
  return spec;
}

ListenSpec to_glob(std::string glob, ConsumerId consumer) {
  ListenSpec spec = to_name(std::move(glob), consumer);
  spec.kind = ListenSpec::Kind::glob;
  return spec;
}

// `*` one, `>` one or more, anything else a literal.
ListenSpec to_pattern(std::string_view text, ConsumerId consumer) {
  ListenSpec spec;
  spec.kind = ListenSpec::Kind::pattern;
  spec.consumer = consumer;
  std::vector<std::string_view> words;
  split_segments(text, words);
  for (std::string_view word : words) {
    if (word == "*") {
      spec.segments.push_back({SegmentKind::one, {}});
    } else if (word == ">") {
      spec.segments.push_back({SegmentKind::some, {}});
    } else {
      spec.segments.push_back({SegmentKind::literal, std::string(word)});
    }
  }
  return spec;
}

ListenSpec in_group(ListenSpec spec, std::string group) {
  spec.group = std::move(group);
  return spec;
}

using Who = std::pair<std::uint64_t, ConsumerId>;

struct LiveTableTest : ::testing::Test {
  LiveTable table;

  void add(std::uint64_t session, const ListenSpec& spec, VhostId vhost = home) {
    table.add(SessionId(session), vhost, nullptr, spec);
  }
  std::vector<Who> heard(std::string_view name, VhostId vhost = home, Room room = common_room) {
    std::vector<Who> all;
    for (const LiveListener* each : table.route(vhost, room, name).listeners) {
      all.emplace_back(each->peer->session.value(), each->consumer);
    }
    std::ranges::sort(all);
    return all;
  }
};

TEST_F(LiveTableTest, NamesPatternsAndGlobs) {
  EXPECT_TRUE(table.empty());
  EXPECT_TRUE(heard("a.b").empty());
  add(1, to_name("a.b", 1));
  add(1, to_pattern("a.*", 2));
  add(2, to_pattern(">", 1));
  add(3, to_glob("a.*", 1));
  add(3, to_glob("*", 2));
  EXPECT_EQ(heard("a.b"), (std::vector<Who>{{1, 1}, {1, 2}, {2, 1}, {3, 1}, {3, 2}}));
  EXPECT_EQ(heard("a.b.c"), (std::vector<Who>{{2, 1}, {3, 1}, {3, 2}}));
  EXPECT_EQ(heard("b"), (std::vector<Who>{{2, 1}, {3, 2}}));
  EXPECT_EQ(table.size(), 5U);
  EXPECT_EQ(table.pattern_count(home, common_room), 4U);
}

TEST_F(LiveTableTest, AnAnswerIsForgottenWhenItChanges) {
  add(1, to_name("a", 1));
  EXPECT_EQ(heard("a").size(), 1U);
  add(2, to_name("a", 1));
  EXPECT_EQ(heard("a").size(), 2U);
  add(2, to_glob("?", 2));
  EXPECT_EQ(heard("a").size(), 3U);
  table.remove(SessionId(1), 1);
  EXPECT_EQ(heard("a"), (std::vector<Who>{{2, 1}, {2, 2}}));
  table.remove(SessionId(1), 1);
  table.remove_all(SessionId(2));
  EXPECT_TRUE(heard("a").empty());
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(table.size(), 0U);
}

TEST_F(LiveTableTest, VhostsAndRoomsDoNotHearEachOther) {
  ListenSpec closed = to_name("a", 2);
  closed.room = 3;
  add(1, to_name("a", 1));
  add(1, closed);
  add(2, to_name("a", 1), elsewhere);
  EXPECT_EQ(heard("a"), (std::vector<Who>{{1, 1}}));
  EXPECT_EQ(heard("a", home, 3), (std::vector<Who>{{1, 2}}));
  EXPECT_EQ(heard("a", elsewhere), (std::vector<Who>{{2, 1}}));
}

TEST_F(LiveTableTest, GroupsAreOnePatternEach) {
  add(1, in_group(to_name("a.b", 1), "g"));
  add(2, in_group(to_name("a.b", 1), "g"));
  add(3, in_group(to_pattern("a.*", 1), "g"));
  add(3, in_group(to_name("a.b", 2), "h"));
  const LiveRoute& route = table.route(home, common_room, "a.b");
  EXPECT_TRUE(route.listeners.empty());
  std::multiset<std::size_t> sizes;
  for (const LiveGroup* group : route.groups) sizes.insert(group->members.size());
  EXPECT_EQ(sizes, (std::multiset<std::size_t>{1, 1, 2}));
  EXPECT_EQ(table.count(home, common_room, "a.b"), 3U);
  table.remove_all(SessionId(3));
  EXPECT_EQ(table.route(home, common_room, "a.b").groups.size(), 1U);
}

// ---- against a model that looks at everything

bool model_hears(const ListenSpec& spec, std::string_view name) {
  if (spec.kind == ListenSpec::Kind::name) return spec.text == name;
  if (spec.kind == ListenSpec::Kind::glob) return glob_matches(spec.text, name);
  std::vector<std::string_view> words;
  split_segments(name, words);
  for (std::size_t at = 0; at < spec.segments.size(); ++at) {
    if (spec.segments[at].kind == SegmentKind::some) return words.size() > at;
    if (at >= words.size()) return false;
    bool fits = spec.segments[at].kind == SegmentKind::one || spec.segments[at].text == words[at];
    if (!fits) return false;
  }
  return words.size() == spec.segments.size();
}

TEST_F(LiveTableTest, LikeAModel) {
  std::mt19937 chance(4);
  auto below = [&](std::size_t end) { return static_cast<std::size_t>(chance() % end); };
  const char* words[] = {"a", "b", "c"};
  auto make_name = [&] {
    std::string name = words[below(3)];
    for (std::size_t more = below(3); more > 0; --more) name += std::string(".") + words[below(3)];
    return name;
  };
  std::map<Who, ListenSpec> model;
  for (int step = 0; step < 20'000; ++step) {
    Who who{below(6) + 1, static_cast<ConsumerId>(below(6) + 1)};
    if (below(3) == 0) {
      table.remove(SessionId(who.first), who.second);
      model.erase(who);
    } else if (below(50) == 0) {
      table.remove_all(SessionId(who.first));
      std::erase_if(model, [&](const auto& each) { return each.first.first == who.first; });
    } else if (!model.contains(who)) {
      ListenSpec spec = to_name(make_name(), who.second);
      if (below(3) == 0) spec = to_glob(make_name() + "*", who.second);
      if (below(3) == 0) spec = to_pattern(below(2) ? "a.*" : "*.b.>", who.second);
      add(who.first, spec);
      model.emplace(who, spec);
    }
    std::string name = make_name();
    std::vector<Who> expected;
    for (const auto& [each, spec] : model) {
      if (model_hears(spec, name)) expected.push_back(each);
    }
    ASSERT_EQ(heard(name), expected) << name << " at step " << step;
    ASSERT_EQ(table.size(), model.size());
  }
}

}  // namespace
}  // namespace wharf::broker
