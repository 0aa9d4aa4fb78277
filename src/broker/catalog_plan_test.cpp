#include "broker/catalog_plan.h"

#include <gtest/gtest.h>

#include "broker/catalog_testing.h"

namespace wharf::broker {
namespace {

using namespace catalog_testing;

// "+q:a" for a queue put, "-b:x>a" for a binding deleted, and so on.
std::string summary(const std::vector<Change>& changes) {
  struct Words {
    std::string operator()(const PutExchange& one) { return "+x:" + one.spec.name; }
    std::string operator()(const DeleteExchange& one) { return "-x:" + one.name; }
    std::string operator()(const PutQueue& one) { return "+q:" + one.spec.name; }
    std::string operator()(const DeleteQueue& one) { return "-q:" + one.name; }
    std::string operator()(const PutBinding& one) {
      return "+b:" + one.binding.source + ">" + one.binding.destination;
    }
    std::string operator()(const DeleteBinding& one) {
      return "-b:" + one.binding.source + ">" + one.binding.destination;
    }
  };
  std::string text;
  for (const Change& change : changes) {
    if (!text.empty()) text += ' ';
    text += std::visit(Words(), change);
  }
  return text;
}

// The permissions of one user, and a session of his.
class Asker {
 public:
  Asker(std::string configure, std::string write, std::string read) {
    auth::AccessSpec spec;
    spec.users.resize(1);
    spec.users[0].name = "ada";
    spec.permissions = {{"ada", "/", std::move(configure), std::move(write), std::move(read)}};
    std::string why;
    access_ = auth::Access::build(spec, why).value();
    who_ = access_->login_external("ada", true).value();
  }
  Requester operator()(std::uint64_t session = 1) const {
    return {*access_, who_, home, SessionId(session)};
  }

 private:
  std::shared_ptr<const auth::Access> access_;
  Principal who_;
};

class PlanTest : public ::testing::Test {
 protected:
  void apply(const Change& change) { ASSERT_TRUE(catalog_.apply(change)); }
  void apply(const std::vector<Change>& changes) {
    for (const Change& change : changes) apply(change);
  }
  void put_queue(std::string name) { put_queue(queue(std::move(name)), 0); }
  void put_queue(const QueueSpec& spec, std::uint64_t owner) {
    apply(PutQueue{home, QueueId(next_id_++), SessionId(owner), spec});
  }
  void bind(const BindingSpec& spec) { apply(PutBinding{home, spec}); }
  QueueId id(std::string_view name) { return catalog_.find_queue(home, name)->id; }

  Declared declare(const QueueSpec& spec, std::uint64_t session = 1) {
    auto plan = plan_declare_queue(catalog_, all_(session), spec, false);
    EXPECT_TRUE(plan);
    return plan ? plan->what : Declared::absent;
  }
  Declared declare(const ExchangeSpec& spec) {
    auto plan = plan_declare_exchange(catalog_, all_(), spec, false);
    EXPECT_TRUE(plan);
    return plan ? plan->what : Declared::absent;
  }

  Asker all_{".*", ".*", ".*"};
  Catalog catalog_{1, predeclared()};
  std::uint64_t next_id_ = 1;
};

template <class T>
void expect_failure(const Outcome<T>& outcome, Errc code, Resource resource, std::string_view name,
                    std::optional<Verb> verb = std::nullopt) {
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().fault.code, code) << outcome.error().fault.why;
  EXPECT_EQ(outcome.error().resource, resource);
  EXPECT_EQ(outcome.error().name, name);
  EXPECT_EQ(outcome.error().verb, verb.value_or(outcome.error().verb));
}

// ---- declaring queues

TEST_F(PlanTest, DeclareQueueAbsentThenEqual) {
  EXPECT_EQ(declare(queue("q")), Declared::absent);
  apply(create_queue(all_(), QueueId(9), queue("q")));
  EXPECT_EQ(declare(queue("q")), Declared::equal);
  EXPECT_EQ(declare(queue("q"), 2), Declared::equal);
}

TEST_F(PlanTest, DeclareQueueComparesEveryFieldButTheArguments) {
  put_queue("q");
  auto changed = [](auto change) {
    QueueSpec spec = queue("q");
    change(spec);
    return spec;
  };
  for (const QueueSpec& spec :
       {changed([](QueueSpec& s) { s.kind = QueueKind::counted; }),
        changed([](QueueSpec& s) { s.durable = false; }),
        changed([](QueueSpec& s) { s.auto_delete = true; }),
        changed([](QueueSpec& s) { s.single_active = true; }),
        changed([](QueueSpec& s) { s.message_ttl_ms = 0; }),
        changed([](QueueSpec& s) { s.expires_ms = 1; }),
        changed([](QueueSpec& s) { s.length_max = 1; }),
        changed([](QueueSpec& s) { s.length_bytes_max = 1; }),
        changed([](QueueSpec& s) { s.overflow = Overflow::reject_publish; }),
        changed([](QueueSpec& s) { s.dead_letter_exchange = ""; }),
        changed([](QueueSpec& s) { s.dead_letter_key = ""; }),
        changed([](QueueSpec& s) { s.priority_max = 1; }),
        changed([](QueueSpec& s) { s.delivery_limit = 0; })}) {
    auto plan = plan_declare_queue(catalog_, all_(), spec, false);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->what, Declared::different);
    EXPECT_EQ(plan->current->spec.name, "q");
  }
  QueueSpec other_arguments = queue("q");
  other_arguments.arguments = {Format(1), ByteVector(1, std::byte{1})};
  EXPECT_EQ(declare(other_arguments), Declared::equal);
}

TEST_F(PlanTest, ExclusiveQueuesAreLockedBeforeAnythingIsCompared) {
  QueueSpec mine = exclusive_queue("mine");
  mine.durable = true;
  PutQueue created = create_queue(all_(1), QueueId(9), mine);
  EXPECT_EQ(created.owner, SessionId(1));
  EXPECT_FALSE(created.spec.durable);
  apply(created);
  EXPECT_EQ(declare(mine, 1), Declared::equal);  // durable is not kept and not compared
  QueueSpec longer = mine;
  longer.length_max = 3;
  EXPECT_EQ(declare(longer, 1), Declared::different);
  auto other = plan_declare_queue(catalog_, all_(2), longer, false);
  expect_failure(other, Errc::locked, Resource::queue, "mine");
  auto passive = plan_declare_queue(catalog_, all_(2), mine, true);
  expect_failure(passive, Errc::locked, Resource::queue, "mine");
  // The flag must match, even for the owner.
  auto not_exclusive = plan_declare_queue(catalog_, all_(1), queue("mine"), false);
  expect_failure(not_exclusive, Errc::locked, Resource::queue, "mine");
  put_queue("shared");
  auto exclusive = plan_declare_queue(catalog_, all_(1), exclusive_queue("shared"), false);
  expect_failure(exclusive, Errc::locked, Resource::queue, "shared");
}

TEST_F(PlanTest, PassiveDeclareNeedsTheNameAndAnyRight) {
  put_queue(exclusive_queue("mine"), 1);
  auto there = plan_declare_queue(catalog_, all_(1), queue("mine"), true);
  ASSERT_TRUE(there);
  EXPECT_EQ(there->what, Declared::equal);
  auto missing = plan_declare_queue(catalog_, all_(), queue("none"), true);
  expect_failure(missing, Errc::not_found, Resource::queue, "none");
  put_queue("q");
  for (const Asker& ada : {Asker("q", "", ""), Asker("", "q", ""), Asker("", "", "q")}) {
    EXPECT_TRUE(plan_declare_queue(catalog_, ada(), queue("q"), true));
    EXPECT_TRUE(plan_declare_exchange(catalog_, ada(), exchange("x", ExchangeKind::fanout), true)
                    .error()
                    .fault.code == Errc::refused);
  }
  auto nobody = plan_declare_queue(catalog_, Asker("", "", "")(), queue("q"), true);
  expect_failure(nobody, Errc::refused, Resource::queue, "q", Verb::configure);
}

TEST_F(PlanTest, DeclareQueueRights) {
  QueueSpec spec = queue("q");
  auto rights = [&](const Asker& ada) { return plan_declare_queue(catalog_, ada(), spec, false); };
  expect_failure(rights(Asker("", ".*", ".*")), Errc::refused, Resource::queue, "q",
                 Verb::configure);
  EXPECT_TRUE(rights(Asker("q", "", "")));
  spec.dead_letter_exchange = "dlx";
  expect_failure(rights(Asker("q", ".*", "")), Errc::refused, Resource::queue, "q", Verb::read);
  expect_failure(rights(Asker("q", "q", "q")), Errc::refused, Resource::exchange, "dlx",
                 Verb::write);
  EXPECT_TRUE(rights(Asker("q", "dlx", "q")));
  spec.dead_letter_exchange = "";
  expect_failure(rights(Asker("q", "^$", "q")), Errc::refused, Resource::exchange,
                 default_exchange_resource, Verb::write);
  EXPECT_TRUE(rights(Asker("q", "default", "q")));
  // What is there already needs no right to what it links to.
  put_queue(spec, 0);
  EXPECT_TRUE(rights(Asker("q", "", "")));
}

// ---- declaring exchanges

TEST_F(PlanTest, DeclareExchange) {
  ExchangeSpec spec = exchange("e", ExchangeKind::topic);
  EXPECT_EQ(declare(spec), Declared::absent);
  apply(PutExchange{home, spec});
  EXPECT_EQ(declare(spec), Declared::equal);
  auto changed = [&](auto change) {
    ExchangeSpec other = spec;
    change(other);
    return declare(other);
  };
  EXPECT_EQ(changed([](auto& s) { s.kind = ExchangeKind::fanout; }), Declared::different);
  EXPECT_EQ(changed([](auto& s) { s.durable = false; }), Declared::different);
  EXPECT_EQ(changed([](auto& s) { s.auto_delete = true; }), Declared::different);
  EXPECT_EQ(changed([](auto& s) { s.internal = true; }), Declared::different);
  EXPECT_EQ(changed([](auto& s) { s.alternate = "alt"; }), Declared::different);
  EXPECT_EQ(changed([](auto& s) { s.arguments.format = Format(1); }), Declared::equal);
  EXPECT_EQ(declare(exchange("std.topic", ExchangeKind::topic)), Declared::equal);
}

TEST_F(PlanTest, DeclareExchangePassiveAndDefault) {
  auto passive = [&](std::string name) {
    return plan_declare_exchange(catalog_, all_(), exchange(name, ExchangeKind::headers), true);
  };
  ASSERT_TRUE(passive("std.topic"));
  EXPECT_EQ(passive("std.topic")->what, Declared::equal);
  expect_failure(passive("e"), Errc::not_found, Resource::exchange, "e");
  expect_failure(passive(""), Errc::not_allowed, Resource::exchange, "");
  auto active = plan_declare_exchange(catalog_, all_(), exchange("", ExchangeKind::direct), false);
  expect_failure(active, Errc::not_allowed, Resource::exchange, "");
}

TEST_F(PlanTest, DeclareExchangeRights) {
  ExchangeSpec spec = exchange("e", ExchangeKind::topic);
  auto rights = [&](const Asker& ada) {
    return plan_declare_exchange(catalog_, ada(), spec, false);
  };
  expect_failure(rights(Asker("", ".*", ".*")), Errc::refused, Resource::exchange, "e",
                 Verb::configure);
  EXPECT_TRUE(rights(Asker("^e$", "", "")));
  spec.alternate = "alt";
  expect_failure(rights(Asker("^e$", "alt", "")), Errc::refused, Resource::exchange, "e",
                 Verb::read);
  expect_failure(rights(Asker("^e$", "^e$", "^e$")), Errc::refused, Resource::exchange, "alt",
                 Verb::write);
  EXPECT_TRUE(rights(Asker("^e$", "alt", "^e$")));
}

// ---- deleting

TEST_F(PlanTest, DeleteQueue) {
  put_queue("q");
  put_queue(exclusive_queue("mine"), 1);
  EXPECT_EQ(plan_delete_queue(catalog_, all_(), "q").value()->id, id("q"));
  EXPECT_EQ(plan_delete_queue(catalog_, all_(), "none").value(), nullptr);
  EXPECT_EQ(plan_delete_queue(catalog_, all_(1), "mine").value()->id, id("mine"));
  expect_failure(plan_delete_queue(catalog_, all_(2), "mine"), Errc::locked, Resource::queue,
                 "mine");
  expect_failure(plan_delete_queue(catalog_, Asker("", ".*", ".*")(), "none"), Errc::refused,
                 Resource::queue, "none", Verb::configure);
}

TEST_F(PlanTest, RemovedQueuesTakeAutoDeleteExchangesAlong) {
  put_queue("q");
  put_queue("r");
  for (const char* name : {"a", "b", "c"}) apply(PutExchange{home, auto_delete_exchange(name)});
  bind(to_exchange("a", "b"));
  bind(to_queue("b", "q"));
  bind(to_queue("c", "q"));
  bind(to_queue("c", "r"));
  bind(to_queue("std.fanout", "q"));
  EXPECT_EQ(summary(remove_queues(catalog_, {})), "");
  QueueId q = id("q");
  QueueId r = id("r");
  // c keeps its binding to r; a falls because b does.
  EXPECT_EQ(summary(remove_queues(catalog_, std::vector{q})), "-q:q -x:b -x:a");
  EXPECT_EQ(summary(remove_queues(catalog_, std::vector{r})), "-q:r");
  std::vector<Change> both = remove_queues(catalog_, std::vector{q, r, q, QueueId(99)});
  EXPECT_EQ(summary(both), "-q:q -q:r -x:b -x:c -x:a");
  apply(both);
  EXPECT_EQ(catalog_.binding_count(), 0u);
}

TEST_F(PlanTest, AutoDeleteNeedsABindingToLose) {
  put_queue("q");
  apply(PutExchange{home, auto_delete_exchange("a")});
  EXPECT_EQ(summary(remove_queues(catalog_, std::vector{id("q")})), "-q:q");
  bind(to_queue("a", "q", "1"));
  bind(to_queue("a", "q", "2"));
  EXPECT_EQ(summary(plan_unbind(catalog_, all_(), to_queue("a", "q", "1")).value()), "-b:a>q");
  EXPECT_EQ(summary(remove_queues(catalog_, std::vector{id("q")})), "-q:q -x:a");
}

TEST_F(PlanTest, AutoDeleteCyclesEnd) {
  put_queue("q");
  for (const char* name : {"a", "b"}) apply(PutExchange{home, auto_delete_exchange(name)});
  bind(to_exchange("a", "a"));
  bind(to_exchange("a", "b"));
  bind(to_exchange("b", "a"));
  std::vector<Change> plan = plan_delete_exchange(catalog_, all_(), "b", false).value();
  EXPECT_EQ(summary(plan), "-x:b");  // a still leads to itself
  plan = plan_unbind(catalog_, all_(), to_exchange("b", "a")).value();
  EXPECT_EQ(summary(plan), "-b:b>a -x:b");
  apply(plan);
  EXPECT_EQ(summary(plan_unbind(catalog_, all_(), to_exchange("a", "a")).value()), "-b:a>a -x:a");
}

TEST_F(PlanTest, DeleteExchange) {
  put_queue("q");
  apply(PutExchange{home, exchange("e", ExchangeKind::fanout)});
  apply(PutExchange{home, auto_delete_exchange("a")});
  bind(to_exchange("a", "e"));
  auto plan = [&](std::string_view name, bool if_unused) {
    return plan_delete_exchange(catalog_, all_(), name, if_unused);
  };
  EXPECT_EQ(summary(plan("none", true).value()), "");
  EXPECT_EQ(summary(plan("e", true).value()), "-x:e -x:a");  // only its own bindings are use
  bind(to_queue("e", "q"));
  expect_failure(plan("e", true), Errc::precondition, Resource::exchange, "e");
  EXPECT_STREQ(plan("e", true).error().fault.why, "in use");
  EXPECT_EQ(summary(plan("e", false).value()), "-x:e -x:a");
  expect_failure(plan("std.topic", false), Errc::not_allowed, Resource::exchange, "std.topic");
  expect_failure(plan("", false), Errc::not_allowed, Resource::exchange, "");
  auto refused = plan_delete_exchange(catalog_, Asker("", ".*", ".*")(), "none", false);
  expect_failure(refused, Errc::refused, Resource::exchange, "none", Verb::configure);
}

// ---- bindings

TEST_F(PlanTest, BindOnceAndUnbind) {
  put_queue("q");
  BindingSpec spec = to_queue("std.direct", "q", "k");
  EXPECT_EQ(summary(plan_unbind(catalog_, all_(), spec).value()), "");
  std::vector<Change> plan = plan_bind(catalog_, all_(), spec).value();
  EXPECT_EQ(summary(plan), "+b:std.direct>q");
  apply(plan);
  EXPECT_EQ(summary(plan_bind(catalog_, all_(), spec).value()), "");
  EXPECT_EQ(summary(plan_unbind(catalog_, all_(), spec).value()), "-b:std.direct>q");
}

TEST_F(PlanTest, BindNeedsBothEndsUnbindNone) {
  put_queue("q");
  struct Case {
    BindingSpec spec;
    Resource missing;
    std::string_view name;
  };
  for (const Case& one : {Case{to_queue("e", "none"), Resource::exchange, "e"},
                          Case{to_queue("std.topic", "none"), Resource::queue, "none"},
                          Case{to_exchange("std.topic", "q"), Resource::exchange, "q"},
                          Case{to_exchange("e", "q"), Resource::exchange, "e"}}) {
    expect_failure(plan_bind(catalog_, all_(), one.spec), Errc::not_found, one.missing, one.name);
    EXPECT_EQ(summary(plan_unbind(catalog_, all_(), one.spec).value()), "");
  }
}

TEST_F(PlanTest, DefaultExchangeIsNotBound) {
  put_queue("q");
  for (const BindingSpec& spec : {to_queue("", "q", "k"), to_exchange("std.fanout", "")}) {
    expect_failure(plan_bind(catalog_, all_(), spec), Errc::not_allowed, Resource::exchange, "");
    expect_failure(plan_unbind(catalog_, all_(), spec), Errc::not_allowed, Resource::exchange, "");
  }
}

TEST_F(PlanTest, ExclusiveQueuesAreBoundByTheirOwner) {
  put_queue(exclusive_queue("mine"), 1);
  BindingSpec spec = to_queue("std.direct", "mine");
  EXPECT_TRUE(plan_bind(catalog_, all_(1), spec));
  EXPECT_TRUE(plan_unbind(catalog_, all_(1), spec));
  expect_failure(plan_bind(catalog_, all_(2), spec), Errc::locked, Resource::queue, "mine");
  expect_failure(plan_unbind(catalog_, all_(2), spec), Errc::locked, Resource::queue, "mine");
}

TEST_F(PlanTest, BindRights) {
  put_queue("q");
  BindingSpec queue_binding = to_queue("std.direct", "q");
  BindingSpec exchange_binding = to_exchange("std.direct", "std.topic");
  for (auto plan : {plan_bind, plan_unbind}) {
    expect_failure(plan(catalog_, Asker(".*", "", ".*")(), queue_binding), Errc::refused,
                   Resource::queue, "q", Verb::write);
    expect_failure(plan(catalog_, Asker(".*", ".*", "q")(), queue_binding), Errc::refused,
                   Resource::exchange, "std.direct", Verb::read);
    EXPECT_TRUE(plan(catalog_, Asker("", "q", "direct")(), queue_binding));
    expect_failure(plan(catalog_, Asker("", "direct", "direct")(), exchange_binding), Errc::refused,
                   Resource::exchange, "std.topic", Verb::write);
    EXPECT_TRUE(plan(catalog_, Asker("", "topic", "direct")(), exchange_binding));
  }
}

// ---- using

TEST_F(PlanTest, UsableQueue) {
  put_queue("q");
  put_queue(exclusive_queue("mine"), 1);
  EXPECT_EQ(usable_queue(catalog_, all_(), "q", Verb::read).value()->id, id("q"));
  EXPECT_TRUE(usable_queue(catalog_, all_(1), "mine", Verb::read));
  expect_failure(usable_queue(catalog_, all_(2), "mine", Verb::read), Errc::locked, Resource::queue,
                 "mine");
  expect_failure(usable_queue(catalog_, all_(), "none", Verb::read), Errc::not_found,
                 Resource::queue, "none");
  expect_failure(usable_queue(catalog_, Asker(".*", ".*", "")(), "none", Verb::read), Errc::refused,
                 Resource::queue, "none", Verb::read);
}

}  // namespace
}  // namespace wharf::broker
