// What receivers are shown of a message, and what the core sees of its headers.
#include "protocol/amqp/convert.h"

#include <gmock/gmock.h>

#include "protocol/amqp/frame.h"
#include "protocol/amqp/properties.h"

namespace wharf::amqp {
namespace {

using namespace std::literals;
using broker::Death;
using broker::DeathReason;
using broker::Message;

Message message_with(const Properties& properties, std::span<const Death> deaths = {},
                     broker::Format format = amqp_format) {
  ByteVector bytes = properties.encode();
  broker::Key key{"k", false};
  broker::Envelope envelope{.exchange = "e",
                            .keys = std::span(&key, 1),
                            .persistent = false,
                            .priority = 0,
                            .ttl_ms = {},
                            .arrived = {},
                            .format = format,
                            .properties = bytes,
                            .deaths = deaths,
                            .first_death = {}};
  if (!deaths.empty()) envelope.first_death = deaths.size() - 1;
  broker::MessageBuilder builder(envelope, 0);
  return builder.finish();
}

const broker::Formats no_formats;
const ShownTo to_nobody{no_formats};

std::string headers_of(Bytes properties) {
  Result<Properties> parsed = Properties::parse(properties);
  EXPECT_TRUE(parsed.has_value());
  return parsed && parsed->headers ? print(*parsed->headers) : "none";
}

TEST(ShownProperties, AreTheOriginalBytes) {
  ByteVector scratch;
  Message message = message_with({.content_type = "a/b", .expiration = "10"});
  Bytes shown = shown_properties(message, 0, to_nobody, scratch);
  EXPECT_EQ(shown.data(), message.properties().data());
  EXPECT_EQ(shown.size(), message.properties().size());
}

constexpr broker::Format other_format{9};

// Another protocol, whose properties nobody looks at.
broker::Formats with_other() {
  broker::Formats formats;
  formats.add(
      other_format,
      [](Bytes, const broker::HeaderVisitor& visit) {
        visit("n", std::int64_t{7});
        visit("twice", std::string("one"));
        visit("blob", broker::Blob{"b"});
        visit("twice", std::string("two"));
        visit("x-death", std::string("forged"));
        visit("x-delivery-count", std::string("forged"));
        visit(std::string(300, 'x'), std::string("name too long"));
      },
      [](Bytes) {
        static const std::string long_id(300, 'i');
        broker::CommonProperties common;
        common.reply_to = "_INBOX.1";
        common.content_type = "a/b";
        common.correlation_id = long_id;
        common.timestamp = WallTime(std::chrono::seconds(5));
        return common;
      });
  return formats;
}

std::vector<std::string_view> names_of(TableView headers) {
  std::vector<std::string_view> names;
  for (const TableField& field : headers.items()) names.push_back(field.name);
  return names;
}

TEST(ShownProperties, OfAnotherProtocolAreWhatBothKnow) {
  ByteVector scratch;
  broker::Formats formats = with_other();
  Message message = message_with({}, {}, other_format);
  Result<Properties> shown = Properties::parse(shown_properties(message, 3, {formats}, scratch));
  ASSERT_TRUE(shown.has_value());
  EXPECT_EQ(shown->reply_to, "_INBOX.1");
  EXPECT_EQ(shown->content_type, "a/b");
  EXPECT_EQ(shown->timestamp, 5U);
  EXPECT_EQ(shown->delivery_mode, 1);
  EXPECT_FALSE(shown->correlation_id.has_value());
  EXPECT_EQ(names_of(*shown->headers),
            (std::vector<std::string_view>{"correlation_id", "n", "twice", "blob", "x-death",
                                           "x-delivery-count"}));
  EXPECT_EQ(find(*shown->headers, "x-delivery-count"), FieldValue(std::int64_t{3}));
}

TEST(ShownProperties, OfAnotherProtocolHaveEachNameOnce) {
  ByteVector scratch;
  broker::Formats formats = with_other();
  std::vector<Death> deaths(1);
  deaths[0] = {"q", DeathReason::rejected, 1, WallTime(5000ms), "", {"k"}, {}};
  Message message = message_with({}, deaths, other_format);
  std::string headers = headers_of(shown_properties(message, 0, {formats}, scratch));
  EXPECT_NE(headers.find("\"twice\": A [S \"one\", S \"two\"]"), std::string::npos) << headers;
  EXPECT_NE(headers.find("\"x-death\": A [F"), std::string::npos) << headers;
  EXPECT_EQ(headers.find("\"x-death\": S"), std::string::npos) << headers;
}

TEST(ShownProperties, OfAnotherProtocolFitAFrame) {
  broker::Formats formats;
  formats.add(
      other_format,
      [](Bytes, const broker::HeaderVisitor& visit) {
        visit("a", std::string(2000, 'a'));
        visit("b", std::string(3000, 'b'));
        visit("c", std::string(1500, 'c'));
        for (int number = 0; number < 1000; ++number) visit("many", std::int64_t{number});
        visit("d", true);
      },
      [](Bytes) {
        broker::CommonProperties common;
        common.reply_to = "r";
        return common;
      });
  Message message = message_with({}, {}, other_format);
  constexpr std::size_t frame_max = 4096;
  for (std::uint32_t returns : {0U, 1U}) {
    ByteVector scratch;
    Bytes shown = shown_properties(message, returns, {formats, frame_max}, scratch);
    EXPECT_LE(shown.size() + content_header_size + frame_overhead, frame_max);
    Result<Properties> parsed = Properties::parse(shown);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(names_of(*parsed->headers).size(), 3U + returns);
  }
}

TEST(ShownProperties, OfAFormatThatNobodyKnowsAreEmpty) {
  ByteVector scratch;
  Message message = message_with({.type = "t"}, {}, other_format);
  Result<Properties> shown = Properties::parse(shown_properties(message, 0, to_nobody, scratch));
  EXPECT_EQ(*shown, Properties{.delivery_mode = 1});
}

TEST(ShownProperties, CountReturns) {
  ByteVector scratch;
  TableWriter headers;
  headers.add("x-delivery-count", "forged"sv);
  headers.add("n", std::int8_t{1});
  Message message = message_with({.headers = headers.view()});
  EXPECT_EQ(headers_of(shown_properties(message, 2, to_nobody, scratch)),
            "{\"n\": b 1, \"x-delivery-count\": l 2}");
}

TEST(ShownProperties, TellOfDeathsInRabbitShape) {
  std::vector<Death> deaths(2);
  deaths[0] = {"second", DeathReason::max_length, 3, WallTime(5000ms), "dlx", {"k2"}, {}};
  deaths[1] = {"first", DeathReason::expired, 1, WallTime(4999ms), "", {"k", "cc"}, 60000};
  TableWriter headers;
  headers.add("x-death", "forged"sv);
  headers.add("mine", true);
  Message message = message_with({.headers = headers.view(), .expiration = "60000"}, deaths);
  ByteVector scratch;
  Bytes shown = shown_properties(message, 0, to_nobody, scratch);
  EXPECT_FALSE(Properties::parse(shown)->expiration.has_value());
  EXPECT_EQ(headers_of(shown),
            "{\"mine\": t true, "
            "\"x-first-death-reason\": S \"expired\", \"x-first-death-queue\": S \"first\", "
            "\"x-first-death-exchange\": S \"\", "
            "\"x-last-death-reason\": S \"maxlen\", \"x-last-death-queue\": S \"second\", "
            "\"x-last-death-exchange\": S \"dlx\", "
            "\"x-death\": A [F {\"count\": l 3, \"reason\": S \"maxlen\", \"queue\": S \"second\", "
            "\"time\": T 5, \"exchange\": S \"dlx\", \"routing-keys\": A [S \"k2\"]}, "
            "F {\"original-expiration\": S \"60000\", \"count\": l 1, \"reason\": S \"expired\", "
            "\"queue\": S \"first\", \"time\": T 4, \"exchange\": S \"\", "
            "\"routing-keys\": A [S \"k\", S \"cc\"]}]}");
}

TEST(Letters, ThatClientsDoNotKnowAreReplaced) {
  // {"a": L 1, "t": F {"u": U 2}}
  Bytes raw = bytes_of("\1aL\0\0\0\0\0\0\0\1\1tF\0\0\0\5\1uU\0\2"sv);
  TableView table = *TableView::parse(raw);
  for (const TableField& field : table.items()) EXPECT_TRUE(has_foreign_letter(field));
  ByteVector plain = without_foreign_letters(table);
  EXPECT_EQ(text_of(plain), "\1al\0\0\0\0\0\0\0\1\1tF\0\0\0\5\1us\0\2"sv);
  for (const TableField& field : TableView::trusted(plain).items()) {
    EXPECT_FALSE(has_foreign_letter(field));
  }
}

TEST(CommonForm, IntegersAreOneType) {
  TableWriter headers;
  headers.add("b", std::int8_t{-1});
  headers.add("i", std::uint32_t{7});
  headers.add("d", 1.5f);
  headers.add("s", "x"sv);
  headers.add("v", std::monostate{});
  headers.add("t", Timestamp{9});
  ByteVector bytes = Properties{.headers = headers.view()}.encode();
  std::vector<std::pair<std::string, broker::Value>> seen;
  read_headers(bytes, [&](std::string_view name, broker::Value value) {
    seen.emplace_back(name, std::move(value));
  });
  std::vector<std::pair<std::string, broker::Value>> expected = {
      {"b", std::int64_t{-1}}, {"i", std::int64_t{7}},  {"d", 1.5},
      {"s", std::string("x")}, {"v", std::monostate{}}, {"t", WallTime(9s)}};
  EXPECT_EQ(seen, expected);
  read_headers(bytes_of("rubbish"), [](std::string_view, broker::Value) { FAIL(); });
}

}  // namespace
}  // namespace wharf::amqp
