#include "broker/catalog.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "broker/catalog_testing.h"

namespace wharf::broker {
namespace {

using namespace catalog_testing;

class CatalogTest : public ::testing::Test {
 protected:
  void apply(const Change& change) { EXPECT_TRUE(catalog_.apply(change)); }
  Errc refused(const Change& change) {
    std::uint64_t before = catalog_.generation();
    ByteVector content = fingerprint(catalog_, *access_);
    Result<void> applied = catalog_.apply(change);
    EXPECT_EQ(catalog_.generation(), before);
    EXPECT_EQ(fingerprint(catalog_, *access_), content);
    return applied ? Errc::io : applied.error().code;
  }
  void does_nothing(const Change& change) { EXPECT_EQ(refused(change), Errc::io); }
  void put_queue(std::string name, std::uint64_t id) {
    apply(PutQueue{home, QueueId(id), {}, queue(std::move(name))});
  }

  std::shared_ptr<const auth::Access> access_ = open_access();
  Catalog catalog_{2, predeclared()};
};

TEST_F(CatalogTest, PredeclaredExchangesAreInEveryVhost) {
  for (VhostId vhost : {home, other_vhost}) {
    for (const ExchangeSpec& spec : predeclared()) {
      const ExchangeEntry* entry = catalog_.find_exchange(vhost, spec.name);
      ASSERT_TRUE(entry) << spec.name;
      EXPECT_TRUE(entry->predeclared);
      EXPECT_EQ(entry->spec.kind, spec.kind);
      EXPECT_EQ(entry->vhost, vhost);
    }
  }
  EXPECT_FALSE(catalog_.find_exchange(VhostId(3), "std.topic"));
  EXPECT_FALSE(catalog_.find_exchange(VhostId(), ""));
  EXPECT_EQ(refused(DeleteExchange{home, "std.topic"}), Errc::precondition);
  EXPECT_EQ(refused(DeleteExchange{home, ""}), Errc::precondition);
}

TEST_F(CatalogTest, DefaultExchangeNeedsNoMention) {
  Catalog bare(1, {});
  ASSERT_TRUE(bare.find_exchange(home, ""));
  EXPECT_TRUE(bare.find_exchange(home, "")->spec.durable);
}

TEST_F(CatalogTest, QueuesByNameAndId) {
  put_queue("q", 5);
  apply(PutQueue{other_vhost, QueueId(6), {}, queue("q")});
  EXPECT_EQ(catalog_.queue_count(), 2u);
  EXPECT_EQ(catalog_.find_queue(home, "q")->id, QueueId(5));
  EXPECT_EQ(catalog_.find_queue(QueueId(6))->vhost, other_vhost);
  EXPECT_FALSE(catalog_.find_queue(home, "Q"));
  EXPECT_FALSE(catalog_.find_queue(QueueId(7)));
  apply(DeleteQueue{home, QueueId(5), "q"});
  EXPECT_FALSE(catalog_.find_queue(home, "q"));
  EXPECT_FALSE(catalog_.find_queue(QueueId(5)));
  EXPECT_TRUE(catalog_.find_queue(other_vhost, "q"));
}

TEST_F(CatalogTest, NamesAndIdsAreUnique) {
  put_queue("q", 5);
  apply(PutExchange{home, exchange("e", ExchangeKind::topic)});
  EXPECT_EQ(refused(PutQueue{home, QueueId(6), {}, queue("q")}), Errc::precondition);
  EXPECT_EQ(refused(PutQueue{home, QueueId(5), {}, queue("r")}), Errc::precondition);
  EXPECT_EQ(refused(PutQueue{home, QueueId(), {}, queue("r")}), Errc::precondition);
  EXPECT_EQ(refused(PutQueue{home, QueueId(6), {}, queue("")}), Errc::precondition);
  EXPECT_EQ(refused(PutExchange{home, exchange("e", ExchangeKind::topic)}), Errc::precondition);
  EXPECT_EQ(refused(PutExchange{home, exchange("", ExchangeKind::direct)}), Errc::precondition);
}

TEST_F(CatalogTest, UnknownVhosts) {
  VhostId none(3);
  EXPECT_EQ(refused(PutQueue{none, QueueId(1), {}, queue("q")}), Errc::not_found);
  EXPECT_EQ(refused(DeleteQueue{none, QueueId(1), "q"}), Errc::not_found);
  EXPECT_EQ(refused(PutExchange{none, exchange("e", ExchangeKind::topic)}), Errc::not_found);
  EXPECT_EQ(refused(DeleteExchange{none, "e"}), Errc::not_found);
  EXPECT_EQ(refused(PutBinding{none, to_queue("e", "q")}), Errc::not_found);
  EXPECT_EQ(refused(DeleteBinding{none, to_queue("e", "q")}), Errc::not_found);
}

TEST_F(CatalogTest, DeletingWhatIsNotThereDoesNothing) {
  put_queue("q", 5);
  does_nothing(DeleteQueue{home, QueueId(4), "q"});
  does_nothing(DeleteQueue{home, QueueId(5), "r"});
  does_nothing(DeleteExchange{home, "e"});
  does_nothing(DeleteBinding{home, to_queue("std.direct", "q")});
  does_nothing(DeleteBinding{home, to_queue("e", "q")});
}

TEST_F(CatalogTest, BindingsAreToldApartByKeyAndArguments) {
  put_queue("q", 5);
  BindingSpec plain = to_queue("std.headers", "q", "k");
  BindingSpec with_arguments = plain;
  with_arguments.arguments = {Format(1), ByteVector(1, std::byte{7})};
  with_arguments.headers = {{"h", Value(std::int64_t{1})}};
  apply(PutBinding{home, plain});
  does_nothing(PutBinding{home, plain});
  apply(PutBinding{home, with_arguments});
  does_nothing(PutBinding{home, with_arguments});
  apply(PutBinding{home, to_queue("std.headers", "q", "k2")});
  apply(PutBinding{home, to_queue("std.direct", "q", "k")});
  EXPECT_EQ(catalog_.binding_count(), 4u);
  apply(DeleteBinding{home, plain});
  does_nothing(DeleteBinding{home, plain});
  ASSERT_TRUE(catalog_.find_binding(home, with_arguments));
  EXPECT_EQ(catalog_.find_binding(home, with_arguments)->spec().headers, with_arguments.headers);
  EXPECT_EQ(catalog_.binding_count(), 3u);
}

TEST_F(CatalogTest, AQueueAndAnExchangeOfOneNameAreTwoDestinations) {
  put_queue("x", 5);
  apply(PutExchange{home, exchange("x", ExchangeKind::fanout)});
  apply(PutBinding{home, to_queue("std.direct", "x", "k")});
  apply(PutBinding{home, to_exchange("std.direct", "x", "k")});
  EXPECT_EQ(catalog_.binding_count(), 2u);
  apply(DeleteQueue{home, QueueId(5), "x"});
  EXPECT_FALSE(catalog_.find_binding(home, to_queue("std.direct", "x", "k")));
  EXPECT_TRUE(catalog_.find_binding(home, to_exchange("std.direct", "x", "k")));
}

TEST_F(CatalogTest, BindingsNeedBothEndsAndNotTheDefaultExchange) {
  put_queue("q", 5);
  EXPECT_EQ(refused(PutBinding{home, to_queue("e", "q")}), Errc::not_found);
  EXPECT_EQ(refused(PutBinding{home, to_queue("std.direct", "r")}), Errc::not_found);
  EXPECT_EQ(refused(PutBinding{home, to_exchange("std.direct", "q")}), Errc::not_found);
  EXPECT_EQ(refused(PutBinding{home, to_queue("", "q", "k")}), Errc::not_found);
  EXPECT_EQ(refused(PutBinding{home, to_exchange("std.direct", "")}), Errc::not_found);
  BindingSpec odd = to_queue("std.direct", "q");
  odd.destination_kind = Resource::consumer;
  EXPECT_EQ(refused(PutBinding{home, odd}), Errc::not_found);
}

TEST_F(CatalogTest, BindingsGoWithTheirEnds) {
  put_queue("q", 5);
  for (const char* name : {"a", "b", "c"}) {
    apply(PutExchange{home, exchange(name, ExchangeKind::direct)});
  }
  apply(PutBinding{home, to_exchange("a", "b", "k")});
  apply(PutBinding{home, to_exchange("b", "b", "self")});
  apply(PutBinding{home, to_exchange("b", "c", "k")});
  apply(PutBinding{home, to_queue("b", "q", "k")});
  apply(PutBinding{home, to_queue("a", "q", "k")});
  apply(DeleteExchange{home, "b"});
  EXPECT_EQ(catalog_.binding_count(), 1u);
  EXPECT_TRUE(catalog_.find_exchange(home, "c")->incoming.empty());
  EXPECT_EQ(catalog_.find_queue(home, "q")->incoming.size(), 1u);
  apply(DeleteQueue{home, QueueId(5), "q"});
  EXPECT_EQ(catalog_.binding_count(), 0u);
  EXPECT_TRUE(catalog_.find_exchange(home, "a")->by_key.empty());
}

// What one exchange's index holds of a key must not depend on which binding came first.
TEST_F(CatalogTest, BindingsOfOneKeyLeaveInAnyOrder) {
  for (std::size_t first = 0; first < 3; ++first) {
    for (std::uint64_t id = 1; id <= 3; ++id) put_queue("q" + std::to_string(id), id);
    for (const char* name : {"q1", "q2", "q3"}) {
      apply(PutBinding{home, to_queue("std.direct", name, "a key longer than a small string")});
    }
    const ExchangeEntry& direct = *catalog_.find_exchange(home, "std.direct");
    for (std::size_t step = 0; step < 3; ++step) {
      std::string name = "q" + std::to_string(1 + (first + step) % 3);
      apply(DeleteQueue{home, catalog_.find_queue(home, name)->id, name});
      std::size_t in_ring = 0;
      for (const auto& [key, head] : direct.by_key) {
        EXPECT_EQ(key.data(), head->key.data());
        const Binding* at = head;
        do {
          EXPECT_EQ(at->same_key_next->same_key_previous, at);
          at = at->same_key_next;
          ++in_ring;
        } while (at != head);
      }
      EXPECT_EQ(in_ring, 2 - step);
    }
    EXPECT_TRUE(direct.by_key.empty());
  }
}

TEST_F(CatalogTest, GenerationCountsChanges) {
  std::uint64_t before = catalog_.generation();
  put_queue("q", 5);
  apply(PutBinding{home, to_queue("std.direct", "q")});
  apply(DeleteBinding{home, to_queue("std.direct", "q")});
  apply(DeleteQueue{home, QueueId(5), "q"});
  apply(PutExchange{home, exchange("e", ExchangeKind::topic)});
  apply(DeleteExchange{home, "e"});
  EXPECT_EQ(catalog_.generation(), before + 6);
}

TEST_F(CatalogTest, SessionsOwnTheirExclusiveQueues) {
  SessionId ada(1), bob(2);
  for (std::uint64_t id = 1; id <= 4; ++id) {
    apply(PutQueue{home, QueueId(id), id == 4 ? bob : ada, exclusive_queue(std::to_string(id))});
  }
  put_queue("shared", 5);
  auto names = [&](SessionId session) {
    std::set<std::string> found;
    for (const QueueEntry* entry : catalog_.owned_by(session)) found.insert(entry->spec.name);
    return found;
  };
  EXPECT_EQ(names(ada), (std::set<std::string>{"1", "2", "3"}));
  apply(DeleteQueue{home, QueueId(1), "1"});
  EXPECT_EQ(names(ada), (std::set<std::string>{"2", "3"}));
  apply(DeleteQueue{home, QueueId(3), "3"});
  apply(DeleteQueue{home, QueueId(2), "2"});
  EXPECT_TRUE(names(ada).empty());
  EXPECT_EQ(names(bob), std::set<std::string>{"4"});
  EXPECT_TRUE(catalog_.owned_by(SessionId()).empty());
}

TEST_F(CatalogTest, DurabilityOfChanges) {
  put_queue("kept", 1);
  apply(PutQueue{home, QueueId(2), {}, queue("lost", false)});
  apply(PutExchange{home, exchange("lost", ExchangeKind::direct, false)});
  apply(PutBinding{home, to_queue("std.direct", "kept")});
  QueueSpec owned = exclusive_queue("owned");
  owned.durable = true;
  struct Case {
    Change change;
    bool durable;
  };
  for (const Case& one :
       {Case{PutQueue{home, QueueId(3), {}, queue("n")}, true},
        Case{PutQueue{home, QueueId(3), {}, queue("n", false)}, false},
        Case{PutQueue{home, QueueId(3), SessionId(1), owned}, false},
        Case{PutExchange{home, exchange("n", ExchangeKind::topic)}, true},
        Case{PutExchange{home, exchange("n", ExchangeKind::topic, false)}, false},
        Case{DeleteQueue{home, QueueId(1), "kept"}, true},
        Case{DeleteQueue{home, QueueId(2), "lost"}, false},
        Case{DeleteQueue{home, QueueId(2), "kept"}, false},
        Case{DeleteExchange{home, "std.direct"}, true}, Case{DeleteExchange{home, "lost"}, false},
        Case{DeleteExchange{home, "none"}, false},
        Case{PutBinding{home, to_queue("std.topic", "kept")}, true},
        Case{PutBinding{home, to_queue("std.topic", "lost")}, false},
        Case{PutBinding{home, to_queue("lost", "kept")}, false},
        Case{PutBinding{home, to_exchange("std.topic", "lost")}, false},
        Case{PutBinding{home, to_exchange("std.topic", "std.fanout")}, true},
        Case{DeleteBinding{home, to_queue("std.direct", "kept")}, true},
        Case{DeleteBinding{home, to_queue("std.topic", "kept")}, false}}) {
    EXPECT_EQ(catalog_.is_durable(one.change), one.durable) << one.change.index();
  }
}

// ---- properties

void check_invariants(const Catalog& catalog) {
  std::size_t outgoing = 0;
  std::size_t incoming = 0;
  std::size_t owned = 0;
  for (VhostId vhost : {home, other_vhost}) {
    catalog.each_exchange(vhost, [&](const ExchangeEntry& entry) {
      outgoing += entry.outgoing.size();
      incoming += entry.incoming.size();
      for (const Binding* binding : entry.outgoing) {
        ASSERT_EQ(binding->source, &entry);
        ASSERT_EQ(catalog.find_binding(vhost, binding->spec()), binding);
        const void* found = binding->queue;
        if (binding->queue) {
          ASSERT_EQ(catalog.find_queue(vhost, binding->queue->spec.name), found);
        } else {
          found = binding->exchange;
          ASSERT_EQ(catalog.find_exchange(vhost, binding->exchange->spec.name), found);
        }
      }
      bool is_topic = entry.spec.kind == ExchangeKind::topic;
      ASSERT_EQ(entry.by_topic.size(), is_topic ? entry.outgoing.size() : 0);
    });
  }
  catalog.each_queue([&](const QueueEntry& entry) {
    incoming += entry.incoming.size();
    ASSERT_EQ(catalog.find_queue(entry.id), &entry);
    if (!entry.owner) return;
    ++owned;
    ASSERT_EQ(std::ranges::count(catalog.owned_by(entry.owner), &entry), 1);
  });
  EXPECT_EQ(owned, catalog.owned_by(SessionId(1)).size() + catalog.owned_by(SessionId(2)).size());
  EXPECT_EQ(outgoing, catalog.binding_count());
  EXPECT_EQ(incoming, catalog.binding_count());
}

TEST(CatalogProperty, CopiesStayEqualAndSound) {
  auto access = open_access();
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SeededRandom random(seed);
    Catalog one(2, predeclared());
    Catalog two(2, predeclared());
    std::uint64_t next_queue = 1;
    for (int step = 0; step < 300; ++step) {
      Change change = random_change(random, one, next_queue);
      ASSERT_EQ(one.apply(change).has_value(), two.apply(change).has_value());
      if (step % 10 == 0) check_invariants(one);
    }
    check_invariants(one);
    EXPECT_EQ(one.generation(), two.generation());
    EXPECT_EQ(fingerprint(one, *access), fingerprint(two, *access)) << "seed " << seed;
    Catalog three(2, predeclared());
    for (const Change& change : one.changes(Catalog::Extent::whole)) {
      ASSERT_TRUE(three.apply(change));
    }
    check_invariants(three);
    EXPECT_EQ(fingerprint(one, *access), fingerprint(three, *access));
  }
}

// A crash keeps the logged changes only; what they make is what survives restarts of the whole.
TEST(CatalogProperty, ReplayOfDurableChangesIsTheDurableCatalog) {
  auto access = open_access();
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SeededRandom random(seed);
    Catalog lived(2, predeclared());
    Catalog replayed(2, predeclared());
    std::uint64_t next_queue = 1;
    for (int step = 0; step < 400; ++step) {
      Change change = random_change(random, lived, next_queue);
      bool durable = lived.is_durable(change);
      bool logged = lived.apply(change) && durable;
      ASSERT_TRUE(!logged || replayed.apply(change));
    }
    ByteVector expected;
    ByteVector found;
    encode_changes(lived.changes(Catalog::Extent::durable), *access, expected);
    encode_changes(replayed.changes(Catalog::Extent::whole), *access, found);
    EXPECT_EQ(found, expected) << "seed " << seed;
  }
}

TEST(CatalogScale, ManyBindingsOfOneExchangeAndKey) {
  constexpr std::uint64_t count = 1'000;
  for (const char* source : {"std.direct", "std.fanout", "std.topic"}) {
    Catalog catalog(1, predeclared());
    for (std::uint64_t id = 1; id <= count; ++id) {
      std::string name = "queue." + std::to_string(id);
      ASSERT_TRUE(catalog.apply(PutQueue{home, QueueId(id), SessionId(1), exclusive_queue(name)}));
      ASSERT_TRUE(catalog.apply(PutBinding{home, to_queue(source, name, "one.key")}));
    }
    for (std::uint64_t id = 1; id <= count; ++id) {
      ASSERT_TRUE(catalog.apply(DeleteQueue{home, QueueId(id), "queue." + std::to_string(id)}));
    }
    EXPECT_EQ(catalog.binding_count(), 0u);
  }
}

}  // namespace
}  // namespace wharf::broker
