#include "broker/change_codec.h"

#include <cstring>
#include <limits>
#include <memory>

#include <gtest/gtest.h>

#include "broker/catalog_testing.h"

namespace wharf::broker {
namespace {

using namespace catalog_testing;

ByteVector encode(const std::vector<Change>& changes, const auth::Access& access) {
  ByteVector record;
  encode_changes(changes, access, record);
  return record;
}

ByteVector from_hex(std::string_view hex) {
  ByteVector bytes;
  std::string digits;
  for (char letter : hex) {
    if (letter == ' ') continue;
    digits += letter;
    if (digits.size() < 2) continue;
    bytes.push_back(static_cast<std::byte>(std::stoi(digits, nullptr, 16)));
    digits.clear();
  }
  return bytes;
}

// Uses every field and every type of value.
std::vector<Change> everything() {
  ExchangeSpec full_exchange = exchange("e", ExchangeKind::headers);
  full_exchange.auto_delete = true;
  full_exchange.internal = true;
  full_exchange.alternate = "alt";
  full_exchange.arguments = {Format(1), ByteVector(3, std::byte{9})};
  QueueSpec full_queue = queue("q");
  full_queue.kind = QueueKind::counted;
  full_queue.auto_delete = true;
  full_queue.single_active = true;
  full_queue.message_ttl_ms = 0;
  full_queue.expires_ms = 1;
  full_queue.length_max = std::numeric_limits<std::uint64_t>::max();
  full_queue.length_bytes_max = 1u << 31;
  full_queue.overflow = Overflow::reject_publish_dead_letter;
  full_queue.dead_letter_exchange = "";
  full_queue.dead_letter_key = "key";
  full_queue.priority_max = 255;
  full_queue.delivery_limit = 20;
  full_queue.arguments = {Format(2), ByteVector(1, std::byte{0})};
  BindingSpec binding = to_exchange("std.headers", "e", "k");
  binding.match = HeaderMatch::any_with_x;
  binding.headers = {{"none", Value()},
                     {"yes", Value(true)},
                     {"no", Value(false)},
                     {"int", Value(std::int64_t{-5})},
                     {"real", Value(-0.5)},
                     {"text", Value(std::string("t\0t", 3))},
                     {"blob", Value(Blob{"b"})},
                     {"time", Value(WallTime(std::chrono::milliseconds(-1)))},
                     {"opaque", Value(Opaque{'D', "xyz"})},
                     {"", Value(std::string())}};
  return {PutExchange{home, full_exchange},
          PutQueue{other_vhost, QueueId(0x0102030405060708), {}, full_queue},
          PutBinding{home, binding},
          DeleteBinding{home, to_queue("std.direct", "q", "")},
          DeleteQueue{home, QueueId(7), "q"},
          DeleteExchange{home, "e"}};
}

TEST(ChangeCodec, KnownBytes) {
  auto access = open_access();
  QueueSpec spec = queue("q");
  spec.length_max = 3;
  EXPECT_EQ(encode({PutQueue{home, QueueId(0x0001000000000002), {}, spec}}, *access),
            from_hex("01 01000000 03 01000000 2F 0200000000000100"
                     "01000000 71 00 00 00 4100 0300000000000000 00 00000000"));
  EXPECT_EQ(encode({PutExchange{home, exchange("e", ExchangeKind::topic)},
                    DeleteExchange{other_vhost, "e"}},
                   *access),
            from_hex("01 02000000 01 01000000 2F 01000000 65 03 01 00 00000000"
                     "02 05000000 6F74686572 01000000 65"));
  BindingSpec binding = to_queue("e", "q", "k");
  binding.headers = {{"h", Value(std::int64_t{1})}};
  EXPECT_EQ(encode({PutBinding{home, binding}}, *access),
            from_hex("01 01000000 05 01000000 2F 01000000 65 01 01000000 71 01000000 6B 00"
                     "01000000 01000000 68 02 0100000000000000 00 00000000"));
  EXPECT_EQ(encode({}, *access), from_hex("01 00000000"));
}

TEST(ChangeCodec, RoundTripOfEverything) {
  auto access = open_access();
  ByteVector record = encode(everything(), *access);
  Result<std::vector<Change>> changes = decode_changes(record, *access);
  ASSERT_TRUE(changes) << changes.error().why;
  ASSERT_EQ(changes->size(), everything().size());
  EXPECT_EQ(encode(*changes, *access), record);
  const auto& queue = std::get<PutQueue>((*changes)[1]);
  EXPECT_EQ(queue.vhost, other_vhost);
  EXPECT_EQ(queue.queue, QueueId(0x0102030405060708));
  EXPECT_EQ(queue.spec.kind, QueueKind::counted);
  EXPECT_EQ(queue.spec.overflow, Overflow::reject_publish_dead_letter);
  EXPECT_EQ(queue.spec.dead_letter_exchange, "");
  EXPECT_EQ(queue.spec.message_ttl_ms, 0u);
  EXPECT_EQ(queue.spec.delivery_limit, 20u);
  const auto& binding = std::get<PutBinding>((*changes)[2]);
  EXPECT_EQ(binding.binding.headers, std::get<PutBinding>(everything()[2]).binding.headers);
  EXPECT_EQ(binding.binding.destination_kind, Resource::exchange);
}

TEST(ChangeCodec, EveryPrefixAndOneByteMore) {
  auto access = open_access();
  ByteVector record = encode(everything(), *access);
  for (std::size_t size = 0; size < record.size(); ++size) {
    // A block of its own size, so that a sanitizer sees one byte too far.
    auto exact = std::make_unique<std::byte[]>(size);
    std::memcpy(exact.get(), record.data(), size);
    Result<std::vector<Change>> changes = decode_changes({exact.get(), size}, *access);
    ASSERT_FALSE(changes) << size;
    EXPECT_EQ(changes.error().code, Errc::malformed) << size;
  }
  record.push_back(std::byte{0});
  EXPECT_FALSE(decode_changes(record, *access));
}

TEST(ChangeCodec, BadBytes) {
  auto access = open_access();
  struct Case {
    const char* what;
    std::string_view hex;
    Errc code;
  };
  for (const Case& one :
       {Case{"version", "02 00000000", Errc::unsupported},
        Case{"count", "01 FFFFFFFF", Errc::malformed},
        Case{"kind 0", "01 01000000 00 01000000 2F 01000000 65", Errc::malformed},
        Case{"kind 7", "01 01000000 07 01000000 2F 01000000 65", Errc::malformed},
        Case{"vhost", "01 01000000 02 01000000 21 01000000 65", Errc::not_found},
        Case{"text size", "01 01000000 02 01000000 2F FFFFFFFF 65", Errc::malformed},
        Case{"exchange kind", "01 01000000 01 01000000 2F 01000000 65 05 01 00 00000000",
             Errc::malformed},
        Case{"exchange flags", "01 01000000 01 01000000 2F 01000000 65 03 11 00 00000000",
             Errc::malformed},
        Case{"queue flags",
             "01 01000000 03 01000000 2F 0200000000000100 01000000 71 00 00 00 0108 00 00000000",
             Errc::malformed},
        Case{"boolean",
             "01 01000000 05 01000000 2F 01000000 65 01 01000000 71 01000000 6B 00"
             "01000000 01000000 68 01 02 00 00000000",
             Errc::malformed},
        Case{"value type",
             "01 01000000 05 01000000 2F 01000000 65 01 01000000 71 01000000 6B 00"
             "01000000 01000000 68 08 00 00000000",
             Errc::malformed},
        Case{"destination",
             "01 01000000 05 01000000 2F 01000000 65 03 01000000 71 01000000 6B 00"
             "00000000 00 00000000",
             Errc::malformed},
        Case{"header count",
             "01 01000000 05 01000000 2F 01000000 65 01 01000000 71 01000000 6B 00"
             "FFFFFFFF 00 00000000",
             Errc::malformed}}) {
    Result<std::vector<Change>> changes = decode_changes(from_hex(one.hex), *access);
    ASSERT_FALSE(changes) << one.what;
    EXPECT_EQ(changes.error().code, one.code) << one.what;
  }
}

TEST(ChangeCodec, VhostsAreKnownByName) {
  auto access = open_access();
  ByteVector record = encode({PutQueue{other_vhost, QueueId(1), {}, queue("q")}}, *access);
  auth::AccessSpec turned;
  turned.vhosts = {"new", "x", "other"};
  std::string why;
  auto today = auth::Access::build(turned, why);
  ASSERT_TRUE(today);
  Result<std::vector<Change>> changes = decode_changes(record, **today);
  ASSERT_TRUE(changes);
  EXPECT_EQ(std::get<PutQueue>((*changes)[0]).vhost, VhostId(3));
}

TEST(ChangeCodec, WholeCatalogThereAndBack) {
  auto access = open_access();
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SeededRandom random(seed);
    Catalog catalog(2, predeclared());
    std::uint64_t next_queue = 1;
    for (int step = 0; step < 300; ++step) {
      static_cast<void>(catalog.apply(random_change(random, catalog, next_queue)));
    }
    ByteVector record = encode(catalog.changes(Catalog::Extent::durable), *access);
    Result<std::vector<Change>> changes = decode_changes(record, *access);
    ASSERT_TRUE(changes);
    Catalog restored(2, predeclared());
    for (const Change& change : *changes) ASSERT_TRUE(restored.apply(change));
    EXPECT_EQ(fingerprint(restored, *access), record) << "seed " << seed;
  }
}

}  // namespace
}  // namespace wharf::broker
