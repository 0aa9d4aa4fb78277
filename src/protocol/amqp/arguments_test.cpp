// What becomes of the arguments of a declare. The refusals are in errors_test.cpp.
#include "protocol/amqp/arguments.h"

#include <gmock/gmock.h>

#include "protocol/amqp/convert.h"
#include "protocol/amqp/equivalence.h"

namespace wharf::amqp {
namespace {

using namespace std::literals;
using broker::HeaderMatch;
using broker::Overflow;
using broker::QueueKind;
using broker::QueueSpec;

QueueSpec spec_of(const TableWriter& arguments, bool durable = true) {
  Or<QueueSpec> spec = to_queue_spec(
      {.queue = "q", .durable = durable, .arguments = arguments.bytes()}, "q", false, "/");
  EXPECT_TRUE(spec.has_value()) << spec.error().text;
  return spec.value_or(QueueSpec{});
}

TEST(QueueArguments, AreReadWhateverTheLetter) {
  TableWriter arguments;
  arguments.add("x-message-ttl", std::uint16_t{1000});
  arguments.add("x-expires", std::int64_t{134'217'728'000});
  arguments.add("x-max-length", std::int8_t{5});
  arguments.add("x-max-length-bytes", std::int32_t{500});
  arguments.add("x-overflow", "reject-publish-dlx"sv);
  arguments.add("x-dead-letter-exchange", ""sv);
  arguments.add("x-dead-letter-routing-key", "dead"sv);
  arguments.add("x-max-priority", std::uint8_t{10});
  arguments.add("x-single-active-consumer", true);
  arguments.add("x-queue-mode", "lazy"sv);
  arguments.add("x-queue-version", std::int32_t{1});
  arguments.add("x-somebody-elses", "kept"sv);
  QueueSpec spec = spec_of(arguments);
  EXPECT_EQ(spec.message_ttl_ms, 1000u);
  EXPECT_EQ(spec.expires_ms, 134'217'728'000u);
  EXPECT_EQ(spec.length_max, 5u);
  EXPECT_EQ(spec.length_bytes_max, 500u);
  EXPECT_EQ(spec.overflow, Overflow::reject_publish_dead_letter);
  EXPECT_EQ(spec.dead_letter_exchange, "");
  EXPECT_EQ(spec.dead_letter_key, "dead");
  EXPECT_EQ(spec.priority_max, 10);
  EXPECT_TRUE(spec.single_active);
  EXPECT_FALSE(spec.delivery_limit.has_value());
  EXPECT_EQ(spec.arguments.format, amqp_format);
  EXPECT_EQ(text_of(spec.arguments.bytes), text_of(arguments.bytes()));
}

TEST(QueueArguments, OfQuorumQueues) {
  auto limit_of = [](std::optional<std::int32_t> limit) {
    TableWriter arguments;
    arguments.add("x-queue-type", "quorum"sv);
    if (limit) arguments.add("x-delivery-limit", *limit);
    QueueSpec spec = spec_of(arguments);
    EXPECT_EQ(spec.kind, QueueKind::counted);
    return spec.delivery_limit;
  };
  EXPECT_EQ(limit_of({}), 20u);
  EXPECT_EQ(limit_of(3), 3u);
  EXPECT_EQ(limit_of(-1), std::nullopt);
}

TEST(QueueArguments, ClassicIsWhatHasNoType) {
  TableWriter named;
  named.add("x-queue-type", "classic"sv);
  QueueSpec wanted = spec_of(named);
  QueueSpec current = spec_of({});
  EXPECT_FALSE(difference(wanted, current, "/"));
}

TEST(QueueArguments, DifferencesOfTypeAndValue) {
  TableWriter one;
  one.add("x-expires", std::int32_t{10});
  TableWriter same;
  same.add("x-expires", std::int64_t{10});
  TableWriter other;
  other.add("x-expires", std::int64_t{20});
  EXPECT_FALSE(difference(spec_of(same), spec_of(one), "/"));
  EXPECT_EQ(difference(spec_of(other), spec_of(one), "/").value().text,
            "inequivalent arg 'x-expires' for queue 'q' in vhost '/': received '20' but current is "
            "'10'");
  EXPECT_EQ(difference(spec_of(other), spec_of({}), "/").value().text,
            "inequivalent arg 'x-expires' for queue 'q' in vhost '/': received the value '20' of "
            "type 'long' but current is none");
  EXPECT_EQ(difference(spec_of({}, false), spec_of({}), "/").value().text,
            "inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current "
            "is 'true'");
}

TEST(Bindings, HeadersOfEachMatch) {
  auto fill = [](std::string_view match) {
    TableWriter arguments;
    arguments.add("x-match", match);
    arguments.add("x-own", std::int32_t{1});
    arguments.add("n", std::int32_t{2});
    broker::BindingSpec binding;
    EXPECT_TRUE(fill_binding(binding, arguments.view(), true).has_value());
    return binding;
  };
  EXPECT_EQ(fill("any").match, HeaderMatch::any);
  EXPECT_EQ(fill("any").headers.size(), 1u);
  EXPECT_EQ(fill("all-with-x").match, HeaderMatch::all_with_x);
  EXPECT_EQ(fill("all-with-x").headers.size(), 2u);
}

TEST(Bindings, OrderOfArgumentsDoesNotMatter) {
  TableWriter one;
  one.add("a", true);
  one.add("b", false);
  TableWriter two;
  two.add("b", false);
  two.add("a", true);
  broker::BindingSpec first;
  broker::BindingSpec second;
  ASSERT_TRUE(fill_binding(first, one.view(), false));
  ASSERT_TRUE(fill_binding(second, two.view(), false));
  EXPECT_EQ(first.arguments, second.arguments);
  EXPECT_TRUE(first.headers.empty());
}

TEST(Names, LoseLineEnds) { EXPECT_EQ(clean_name("a\r\nb\tc"), "ab\tc"); }

TEST(ConsumerArguments, Priority) {
  TableWriter arguments;
  arguments.add("x-priority", std::int16_t{-3});
  arguments.add("x-cancel-on-ha-failover", true);
  EXPECT_EQ(consumer_priority(arguments.view(), "q", QueueKind::standard, "/").value(), -3);
  TableWriter stream;
  stream.add("x-stream-offset", "first"sv);
  EXPECT_FALSE(consumer_priority(stream.view(), "q", QueueKind::standard, "/").has_value());
}

}  // namespace
}  // namespace wharf::amqp
