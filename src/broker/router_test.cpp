#include "broker/router.h"

#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "broker/catalog_testing.h"

namespace wharf::broker {
namespace {

using namespace catalog_testing;

using Names = std::set<std::string>;
using Headers = std::vector<std::pair<std::string, Value>>;

// Properties of the format of these tests: "name=number;name=text;flag".
constexpr Format test_format{200};
int times_read = 0;

void read_headers(Bytes properties, const HeaderVisitor& visit) {
  ++times_read;
  std::string_view rest = text_of(properties);
  while (!rest.empty()) {
    std::string_view header = rest.substr(0, rest.find(';'));
    rest.remove_prefix(std::min(rest.size(), header.size() + 1));
    std::size_t equals = header.find('=');
    std::string_view name = header.substr(0, equals);
    if (equals == std::string_view::npos) {
      visit(name, Value());
      continue;
    }
    std::string text(header.substr(equals + 1));
    bool is_number = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
    visit(name, is_number ? Value(std::int64_t{std::stoi(text)}) : Value(text));
  }
}

class RouterTest : public ::testing::Test {
 protected:
  RouterTest() {
    formats_.add(test_format, read_headers, [](Bytes) { return CommonProperties(); });
  }

  void apply(const Change& change) { ASSERT_TRUE(catalog_.apply(change)); }
  void put_queues(std::initializer_list<std::string> names) {
    for (const std::string& name : names) {
      apply(PutQueue{home, QueueId(next_id_++), {}, queue(name)});
    }
  }
  void put_exchange(std::string name, ExchangeKind kind,
                    std::optional<std::string> alternate = {}) {
    ExchangeSpec spec = exchange(std::move(name), kind);
    spec.alternate = std::move(alternate);
    apply(PutExchange{home, spec});
  }
  void bind(const BindingSpec& spec) { apply(PutBinding{home, spec}); }
  void bind_headers(const std::string& queue_name, HeaderMatch match, Headers headers) {
    BindingSpec spec = to_queue("std.headers", queue_name);
    spec.match = match;
    spec.headers = std::move(headers);
    spec.arguments = {test_format, ByteVector(1, static_cast<std::byte>(next_id_++))};
    bind(spec);
  }

  Names route(std::string_view exchange, std::initializer_list<std::string_view> keys,
              std::string_view properties = "") {
    std::vector<Key> all;
    for (std::string_view key : keys) all.push_back({key});
    const ExchangeEntry* from = catalog_.find_exchange(home, exchange);
    EXPECT_TRUE(from) << exchange;
    router_.route(*from, {all, test_format, bytes_of(properties)}, result_);
    Names names;
    for (QueueId queue : result_.queues) {
      EXPECT_TRUE(names.insert(catalog_.find_queue(queue)->spec.name).second) << "twice";
    }
    return names;
  }

  Catalog catalog_{1, predeclared()};
  Formats formats_;
  Router router_{catalog_, formats_};
  RouteResult result_;
  std::uint64_t next_id_ = 1;
};

TEST_F(RouterTest, DefaultExchangeIsTheQueueOfThatName) {
  put_queues({"a", "b"});
  EXPECT_EQ(route("", {"a"}), Names{"a"});
  EXPECT_EQ(route("", {"c"}), Names{});
  EXPECT_EQ(route("", {""}), Names{});
  EXPECT_EQ(route("", {"c", "b", "a", "b"}), (Names{"a", "b"}));
}

TEST_F(RouterTest, DirectIsEqualityOfKeys) {
  put_queues({"a", "b", "c"});
  bind(to_queue("std.direct", "a", "k"));
  bind(to_queue("std.direct", "b", "k"));
  bind(to_queue("std.direct", "b", "l"));
  bind(to_queue("std.direct", "c", ""));
  EXPECT_EQ(route("std.direct", {"k"}), (Names{"a", "b"}));
  EXPECT_EQ(route("std.direct", {"l"}), Names{"b"});
  EXPECT_EQ(route("std.direct", {""}), Names{"c"});
  EXPECT_EQ(route("std.direct", {"K"}), Names{});
  EXPECT_EQ(route("std.direct", {"k", "l", ""}), (Names{"a", "b", "c"}));
}

TEST_F(RouterTest, FanoutIsAll) {
  put_queues({"a", "b"});
  EXPECT_EQ(route("std.fanout", {"k"}), Names{});
  bind(to_queue("std.fanout", "a", "1"));
  bind(to_queue("std.fanout", "a", "2"));
  bind(to_queue("std.fanout", "b", "3"));
  EXPECT_EQ(route("std.fanout", {"k", "l"}), (Names{"a", "b"}));
}

TEST_F(RouterTest, TopicWords) {
  struct Case {
    std::string_view pattern;
    std::vector<std::string_view> yes, no;
  };
  for (const Case& one :
       {Case{"a.b", {"a.b"}, {"", "a", "a.b.c", "a.", ".a.b", "A.b"}},
        Case{"a.*", {"a.b", "a."}, {"a", "a.b.c", ""}}, Case{"*", {"a", "*"}, {"", "a.b"}},
        Case{"#", {"", "a", "a.b", "."}, {}}, Case{"a.#", {"a", "a.b", "a.b.c", "a."}, {"", "b.a"}},
        Case{"#.b", {"b", "a.b", "a.a.b"}, {"", "b.a"}},
        Case{"a.#.b", {"a.b", "a.x.b", "a.b.b"}, {"a", "b"}}, Case{"*.#", {"a", "a.b"}, {""}},
        Case{"#.*", {"a", "a.b"}, {""}}, Case{"#.#", {"", "a", "a.b"}, {}},
        Case{"", {""}, {"a", "."}}, Case{"a..b", {"a..b"}, {"a.b", "a...b"}},
        Case{"a.*.b", {"a..b", "a.x.b"}, {"a.b"}}, Case{".", {"."}, {"", ".."}},
        Case{"a*", {"a*"}, {"a", "ab"}}, Case{"#a.b", {"#a.b"}, {"a.b", "x.a.b"}}}) {
    Catalog catalog(1, predeclared());
    ASSERT_TRUE(catalog.apply(PutQueue{home, QueueId(1), {}, queue("q")}));
    ASSERT_TRUE(
        catalog.apply(PutBinding{home, to_queue("std.topic", "q", std::string(one.pattern))}));
    Router router(catalog, formats_);
    auto matches = [&](std::string_view key) {
      Key keys[] = {{key}};
      router.route(*catalog.find_exchange(home, "std.topic"), {keys, test_format, {}}, result_);
      return result_.queues.size() == 1;
    };
    for (std::string_view key : one.yes) EXPECT_TRUE(matches(key)) << one.pattern << ' ' << key;
    for (std::string_view key : one.no) EXPECT_FALSE(matches(key)) << one.pattern << ' ' << key;
  }
}

TEST_F(RouterTest, TopicWithSeveralKeysAndBindings) {
  put_queues({"a", "b", "c"});
  bind(to_queue("std.topic", "a", "x.*"));
  bind(to_queue("std.topic", "a", "x.#"));
  bind(to_queue("std.topic", "b", "*.*"));
  bind(to_queue("std.topic", "c", "y"));
  EXPECT_EQ(route("std.topic", {"x.1"}), (Names{"a", "b"}));
  EXPECT_EQ(route("std.topic", {"x", "y"}), (Names{"a", "c"}));
  apply(DeleteBinding{home, to_queue("std.topic", "a", "x.#")});
  EXPECT_EQ(route("std.topic", {"x", "y"}), Names{"c"});
}

TEST_F(RouterTest, HeadersAllAndAny) {
  put_queues({"all", "any", "none", "every"});
  bind_headers("all", HeaderMatch::all, {{"a", std::int64_t{1}}, {"b", "t"}});
  bind_headers("any", HeaderMatch::any, {{"a", std::int64_t{1}}, {"b", "t"}});
  bind_headers("every", HeaderMatch::all, {});
  bind_headers("none", HeaderMatch::any, {});
  EXPECT_EQ(route("std.headers", {"k"}, "a=1;b=t;c=2"), (Names{"all", "any", "every"}));
  EXPECT_EQ(route("std.headers", {"k"}, "a=1;b=u"), (Names{"any", "every"}));
  EXPECT_EQ(route("std.headers", {"k"}, "b=t"), (Names{"any", "every"}));
  EXPECT_EQ(route("std.headers", {"k"}, "a=2"), Names{"every"});
  EXPECT_EQ(route("std.headers", {"k"}, ""), Names{"every"});
}

TEST_F(RouterTest, HeadersByPresence) {
  put_queues({"q"});
  bind_headers("q", HeaderMatch::all, {{"a", Value()}});
  EXPECT_EQ(route("std.headers", {"k"}, "a=1"), Names{"q"});
  EXPECT_EQ(route("std.headers", {"k"}, "a"), Names{"q"});
  EXPECT_EQ(route("std.headers", {"k"}, "b"), Names{});
}

TEST_F(RouterTest, HeadersThatStartWithX) {
  put_queues({"all", "any", "all x", "any x", "only x"});
  Headers wanted = {{"a", std::int64_t{1}}, {"x-b", std::int64_t{1}}};
  bind_headers("all", HeaderMatch::all, wanted);
  bind_headers("any", HeaderMatch::any, wanted);
  bind_headers("all x", HeaderMatch::all_with_x, wanted);
  bind_headers("any x", HeaderMatch::any_with_x, wanted);
  bind_headers("only x", HeaderMatch::any, {{"x-b", std::int64_t{1}}});
  EXPECT_EQ(route("std.headers", {"k"}, "a=1;x-b=1"), (Names{"all", "any", "all x", "any x"}));
  EXPECT_EQ(route("std.headers", {"k"}, "a=1"), (Names{"all", "any", "any x"}));
  EXPECT_EQ(route("std.headers", {"k"}, "x-b=1"), Names{"any x"});
}

TEST_F(RouterTest, HeadersTypesAreKept) {
  put_queues({"int", "real", "text"});
  bind_headers("int", HeaderMatch::all, {{"a", std::int64_t{1}}});
  bind_headers("real", HeaderMatch::all, {{"a", 1.0}});
  bind_headers("text", HeaderMatch::all, {{"a", "1"}});
  EXPECT_EQ(route("std.headers", {"k"}, "a=1"), Names{"int"});
}

TEST_F(RouterTest, HeadersAreReadOnceAndOnlyWhenAsked) {
  put_queues({"q"});
  put_exchange("second", ExchangeKind::headers);
  times_read = 0;
  route("std.headers", {"k"}, "a=1");
  EXPECT_EQ(times_read, 0);
  bind(to_exchange("std.headers", "second"));
  bind(to_queue("second", "q"));
  EXPECT_EQ(route("std.headers", {"k"}, "a=1"), Names{"q"});
  EXPECT_EQ(times_read, 1);
}

TEST_F(RouterTest, ExchangeToExchangeLooksAtKeysAfresh) {
  put_queues({"q", "r"});
  put_exchange("next", ExchangeKind::topic);
  bind(to_exchange("std.direct", "next", "a.b"));
  bind(to_queue("next", "q", "a.*"));
  bind(to_queue("next", "r", "c"));
  EXPECT_EQ(route("std.direct", {"a.b"}), Names{"q"});
  EXPECT_EQ(route("std.direct", {"a.b", "c"}), (Names{"q", "r"}));
  EXPECT_EQ(route("std.direct", {"c"}), Names{});
}

TEST_F(RouterTest, ExchangeCyclesEnd) {
  put_queues({"q", "r"});
  put_exchange("a", ExchangeKind::fanout);
  put_exchange("b", ExchangeKind::fanout);
  bind(to_exchange("a", "b"));
  bind(to_exchange("b", "a"));
  bind(to_exchange("b", "b"));
  bind(to_queue("a", "q"));
  bind(to_queue("b", "q"));
  bind(to_queue("b", "r"));
  EXPECT_EQ(route("a", {"k"}), (Names{"q", "r"}));
  EXPECT_EQ(route("b", {"k"}), (Names{"q", "r"}));
}

TEST_F(RouterTest, AlternateWhenNothingMatched) {
  put_queues({"q", "spare", "k"});
  put_exchange("e", ExchangeKind::direct, "alt");
  EXPECT_EQ(route("e", {"x"}), Names{});  // no such exchange as yet
  put_exchange("alt", ExchangeKind::fanout, "");
  EXPECT_EQ(route("e", {"k"}),
            Names{"k"});  // the alternate of the alternate is the default exchange
  bind(to_queue("alt", "spare"));
  bind(to_queue("e", "q", "k"));
  EXPECT_EQ(route("e", {"k"}), Names{"q"});
  EXPECT_EQ(route("e", {"x"}), Names{"spare"});
  EXPECT_EQ(route("e", {"x", "k"}), Names{"q"});
}

// A binding that matched is a match, even when what it leads to reaches no queue.
TEST_F(RouterTest, AlternateIsOfTheExchangeNotOfTheWholeSearch) {
  put_queues({"spare"});
  put_exchange("e", ExchangeKind::fanout, "alt");
  put_exchange("alt", ExchangeKind::fanout);
  put_exchange("empty", ExchangeKind::fanout);
  bind(to_queue("alt", "spare"));
  EXPECT_EQ(route("e", {"k"}), Names{"spare"});
  bind(to_exchange("e", "empty"));
  EXPECT_EQ(route("e", {"k"}), Names{});
}

TEST_F(RouterTest, AlternateCyclesEnd) {
  put_exchange("a", ExchangeKind::fanout, "b");
  put_exchange("b", ExchangeKind::fanout, "a");
  put_exchange("c", ExchangeKind::fanout, "c");
  EXPECT_EQ(route("a", {"k"}), Names{});
  EXPECT_EQ(route("c", {"k"}), Names{});
}

TEST_F(RouterTest, MessagesRouteByAllTheirKeysAndHeaders) {
  put_queues({"a", "b", "c"});
  bind_headers("c", HeaderMatch::all, {{"h", std::int64_t{1}}});
  std::string_view properties = "h=1";
  Key keys[] = {{"a"}, {"x"}, {"b", true}};
  Envelope envelope;
  envelope.keys = keys;
  envelope.format = test_format;
  envelope.properties = bytes_of(properties);
  Message message = MessageBuilder(envelope, 0).finish();
  EXPECT_TRUE(router_.route(home, "", message, result_));
  EXPECT_EQ(result_.queues.size(), 2u);
  EXPECT_TRUE(router_.route(home, "std.headers", message, result_));
  EXPECT_EQ(result_.queues, std::vector{catalog_.find_queue(home, "c")->id});
  EXPECT_FALSE(router_.route(home, "none", message, result_));
  EXPECT_TRUE(result_.queues.empty());
}

TEST_F(RouterTest, VhostsAreApart) {
  Catalog catalog(2, predeclared());
  ASSERT_TRUE(catalog.apply(PutQueue{other_vhost, QueueId(1), {}, queue("q")}));
  ASSERT_TRUE(catalog.apply(PutBinding{other_vhost, to_queue("std.direct", "q", "q")}));
  Router router(catalog, formats_);
  Key keys[] = {{"q"}};
  for (const char* name : {"", "std.direct"}) {
    router.route(*catalog.find_exchange(home, name), {keys, test_format, {}}, result_);
    EXPECT_TRUE(result_.queues.empty());
    router.route(*catalog.find_exchange(other_vhost, name), {keys, test_format, {}}, result_);
    EXPECT_EQ(result_.queues, std::vector{QueueId(1)});
  }
}

// ---- against a router that is written down from the definition

bool naive_topic(std::string_view pattern, std::string_view key, bool pattern_end, bool key_end) {
  if (pattern_end) return key_end;
  auto split = [](std::string_view text) {
    std::size_t dot = text.find('.');
    bool end = dot == std::string_view::npos;
    return std::tuple(text.substr(0, dot), end ? std::string_view() : text.substr(dot + 1), end);
  };
  auto [word, pattern_rest, pattern_rest_end] = split(pattern);
  if (word == "#" && naive_topic(pattern_rest, key, pattern_rest_end, key_end)) return true;
  if (key_end) return false;
  auto [key_word, key_rest, key_rest_end] = split(key);
  if (word == "#") return naive_topic(pattern, key_rest, false, key_rest_end);
  return (word == "*" || word == key_word) &&
         naive_topic(pattern_rest, key_rest, pattern_rest_end, key_rest_end);
}

bool naive_headers(const BindingSpec& spec, const std::map<std::string, Value>& headers) {
  bool any = spec.match == HeaderMatch::any || spec.match == HeaderMatch::any_with_x;
  std::size_t fitting = 0;
  for (const auto& [name, value] : spec.headers) {
    auto found = headers.find(name);
    fitting += found != headers.end() && found->second == value;
  }
  return any ? fitting > 0 : fitting == spec.headers.size();
}

struct Shadow {
  std::map<std::string, ExchangeSpec> exchanges;
  std::vector<BindingSpec> bindings;
  std::vector<std::string_view> keys;
  std::map<std::string, Value> headers;
  Names visited;
  Names queues;

  explicit Shadow(const Catalog& catalog) {
    catalog.each_exchange(
        home, [&](const ExchangeEntry& entry) { exchanges[entry.spec.name] = entry.spec; });
    for (const Change& change : catalog.changes(Catalog::Extent::whole)) {
      const auto* put = std::get_if<PutBinding>(&change);
      if (put && put->vhost == home) bindings.push_back(put->binding);
    }
  }

  bool matches(const BindingSpec& spec) const {
    auto any_key = [&](auto fits) { return std::ranges::any_of(keys, fits); };
    switch (exchanges.at(spec.source).kind) {
      case ExchangeKind::direct:
        return any_key([&](std::string_view key) { return key == spec.key; });
      case ExchangeKind::fanout:
        return true;
      case ExchangeKind::topic:
        return any_key([&](std::string_view key) {
          return naive_topic(spec.key, key, spec.key.empty(), key.empty());
        });
      case ExchangeKind::headers:
        return naive_headers(spec, headers);
    }
    return false;
  }

  void visit(const std::string& name) {
    if (!exchanges.contains(name) || !visited.insert(name).second) return;
    bool matched = false;
    for (const BindingSpec& spec : bindings) {
      if (spec.source != name || !matches(spec)) continue;
      matched = true;
      if (spec.destination_kind == Resource::queue) {
        queues.insert(spec.destination);
      } else {
        visit(spec.destination);
      }
    }
    const std::optional<std::string>& alternate = exchanges.at(name).alternate;
    if (!matched && alternate) visit(*alternate);
  }
};

TEST_F(RouterTest, AgreesWithTheNaiveRouter) {
  static constexpr std::string_view keys[] = {"", "a", "b", "a.b", "a.a", "b.b", "a.b.b"};
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SeededRandom random(seed);
    Catalog catalog(2, predeclared());
    Router router(catalog, formats_);
    std::uint64_t next_queue = 1;
    std::size_t reached = 0;
    for (int step = 0; step < 250; ++step) {
      static_cast<void>(catalog.apply(random_change(random, catalog, next_queue)));
      const ExchangeEntry* from =
          catalog.find_exchange(home, "e" + std::to_string(random.below(5)));
      if (!from) continue;
      Shadow shadow(catalog);
      std::vector<Key> all;
      for (std::uint64_t count = 1 + random.below(2); count > 0; --count) {
        shadow.keys.push_back(keys[random.below(std::size(keys))]);
        all.push_back({shadow.keys.back()});
      }
      auto number = static_cast<std::int64_t>(random.below(3));
      if (number < 2) shadow.headers["h"] = Value(number);
      std::string properties = number < 2 ? "h=" + std::to_string(number) : "";
      shadow.visit(from->spec.name);
      router.route(*from, {all, test_format, bytes_of(properties)}, result_);
      Names names;
      for (QueueId queue : result_.queues) names.insert(catalog.find_queue(queue)->spec.name);
      ASSERT_EQ(names.size(), result_.queues.size());
      ASSERT_EQ(names, shadow.queues) << "seed " << seed << ", step " << step;
      reached += names.size();
    }
    EXPECT_GT(reached, 50u);
  }
}

}  // namespace
}  // namespace wharf::broker
