// The bytes on disk, both ways: golden bytes, every prefix, every single bit. The pages in
// docs/formats show the same bytes.
#include <string>

#include <gtest/gtest.h>

#include "storage/block.h"
#include "storage/catalog.h"
#include "storage/crc32c.h"
#include "storage/record.h"
#include "storage/segment_index.h"
#include "storage/snapshot.h"
#include "storage/superblock.h"

namespace wharf::storage {
namespace {

std::string hex(Bytes bytes) {
  std::string text;
  for (std::byte b : bytes) {
    text += "0123456789abcdef"[static_cast<unsigned>(b) >> 4];
    text += "0123456789abcdef"[static_cast<unsigned>(b) & 15];
  }
  return text;
}

ShardKey test_key() {
  std::array<std::byte, 16> uuid;
  for (unsigned i = 0; i < 16; ++i) uuid[i] = static_cast<std::byte>(0xa0 + i);
  return ShardKey::of(uuid);
}

template <class Write>
ByteVector written(std::uint64_t bytes, Write write) {
  ByteVector out(bytes);
  write(std::span<std::byte>(out));
  return out;
}

ByteVector message_example() {
  std::array<LaneRef, 2> refs{LaneRef{LaneId{7}, 1}, LaneRef{LaneId{300}, 1000}};
  std::array<Bytes, 2> payload{bytes_of("hel"), bytes_of("lo")};
  MessageFields fields{refs, payload, 5, 0, false};
  return written(message_bytes(fields), [&](auto out) { write_message(fields, out); });
}

ByteVector relocated_example() {
  std::array<LaneRef, 1> refs{LaneRef{LaneId{7}, 1}};
  std::array<Bytes, 1> payload{bytes_of("hello")};
  MessageFields fields{refs, payload, 5, 2, true};
  return written(message_bytes(fields), [&](auto out) { write_message(fields, out); });
}

ByteVector settled_example() {
  std::array<SequenceRange, 3> ranges{SequenceRange{1, 10}, {12, 12}, {1000, 2000}};
  return written(settled_bytes(LaneId{7}, 5000, ranges),
                 [&](auto out) { write_settled(LaneId{7}, 5000, ranges, out); });
}

ByteVector small_example(RecordType type, std::vector<std::uint64_t> numbers) {
  return written(small_bytes(numbers), [&](auto out) { write_small(type, numbers, out); });
}

std::vector<ByteVector> record_examples() {
  return {message_example(),
          relocated_example(),
          settled_example(),
          small_example(RecordType::failures, {7, 3, 2}),
          small_example(RecordType::deliverable, {7, 500}),
          small_example(RecordType::drop_lane, {7}),
          small_example(RecordType::settle_below, {7, 100}),
          small_example(RecordType::release, {12}),
          written(meta_bytes(bytes_of("x")), [](auto out) { write_meta(bytes_of("x"), out); })};
}

TEST(Format, ChecksumIsCastagnoli) {
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xe3069283u);
  EXPECT_EQ(crc32c(bytes_of("6789"), crc32c(bytes_of("12345"))), 0xe3069283u);
  EXPECT_EQ(crc32c({}), 0u);
}

TEST(Format, RecordsAreTheseBytes) {
  std::vector<std::string> golden{"b021fc3d1c0000000100000002000000050701ac02e80768656c6c6f",
                                  "3d59ec931900000002010000010000000502070168656c6c6f",
                                  "7277d0e21b000000030000000300000007882701090100db07e807",
                                  "c4bb2868130000000400000000000000070302",
                                  "3d28c53313000000050000000000000007f403",
                                  "7bfc0a6811000000060000000000000007",
                                  "8926072b1200000007000000000000000764",
                                  "cd6b908e1100000009000000000000000c",
                                  "977eaccc11000000080000000000000078"};
  std::vector<ByteVector> examples = record_examples();
  ASSERT_EQ(golden.size(), examples.size());
  for (std::size_t i = 0; i < golden.size(); ++i) EXPECT_EQ(hex(examples[i]), golden[i]);
}

TEST(Format, RecordsComeBack) {
  ByteVector bytes = message_example();
  Record message = *decode_record(bytes, true);
  EXPECT_EQ(message.type, RecordType::message);
  EXPECT_EQ(message.charge, 5u);
  EXPECT_EQ(text_of(message.payload), "hello");
  std::vector<std::pair<std::uint64_t, Sequence>> refs;
  message.each_ref([&](LaneRef ref) { refs.emplace_back(ref.lane.value(), ref.sequence); });
  EXPECT_EQ(refs, (std::vector<std::pair<std::uint64_t, Sequence>>{{7, 1}, {300, 1000}}));

  bytes = relocated_example();
  Record relocated = *decode_record(bytes, true);
  EXPECT_EQ(relocated.segment, 2u);
  EXPECT_TRUE(relocated.is_volatile);

  bytes = settled_example();
  Record settled = *decode_record(bytes, true);
  EXPECT_EQ(settled.ref.lane, LaneId{7});
  EXPECT_EQ(settled.charge, 5000u);
  std::vector<SequenceRange> ranges;
  settled.each_range([&](SequenceRange range) { ranges.push_back(range); });
  EXPECT_EQ(ranges, (std::vector<SequenceRange>{{1, 10}, {12, 12}, {1000, 2000}}));

  bytes = small_example(RecordType::failures, {7, 3, 2});
  Record failures = *decode_record(bytes, true);
  EXPECT_EQ(failures.failures, 2u);
  EXPECT_EQ(failures.ref.sequence, 3u);
}

TEST(Format, NoPrefixAndNoFlippedBitPassesForARecord) {
  for (const ByteVector& good : record_examples()) {
    ASSERT_TRUE(decode_record(good, true));
    for (std::size_t size = 0; size < good.size(); ++size) {
      // Of its own allocation, so that one byte too far is seen.
      ByteVector prefix(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FALSE(decode_record(prefix, true));
      EXPECT_FALSE(decode_record(prefix, false));
    }
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
      ByteVector bad = good;
      bad[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
      EXPECT_FALSE(decode_record(bad, true)) << bit;
      // Without the checksum it may pass for another record, but must not be read past its end.
      (void)decode_record(bad, false);
    }
  }
}

ByteVector block_example() {
  ByteVector message = message_example();
  ByteVector block(page_bytes);
  std::ranges::copy(message, block.begin() + block_header_bytes);
  BlockHeader header{.generation = 3,
                     .sequence = 18,
                     .durable = 16,
                     .payload_bytes = static_cast<std::uint32_t>(message.size()),
                     .record_count = 1,
                     .payload_crc = crc32c(message),
                     .epoch = 2,
                     .previous_hash = 0x1122334455667788,
                     .flags = 0,
                     .depth = 2};
  encode_block_header(header, test_key(), std::span(block).first(block_header_bytes));
  return block;
}

TEST(Format, ABlockIsTheseBytes) {
  ByteVector block = block_example();
  EXPECT_EQ(hex(Bytes(block).first(64)),
            "57424c4b32c820d90300000000000000120000000000000010000000000000001c00000001000000"
            "ea61367e0200000088776655443322110100020000000000");
  Result<BlockHeader> header = decode_block_header(block, test_key());
  ASSERT_TRUE(header);
  EXPECT_EQ(header->generation, 3u);
  EXPECT_EQ(header->sequence, 18u);
  EXPECT_EQ(header->durable, 16u);
  EXPECT_EQ(header->epoch, 2u);
  EXPECT_EQ(header->depth, 2u);
  EXPECT_TRUE(payload_intact(*header, block));
  Chain chain = next_chain({1000, 17, 0x1122334455667788}, *header, 5096);
  EXPECT_EQ(chain.end, 5096u);
  EXPECT_EQ(chain.block, 18u);
  EXPECT_EQ(chain.hash, 0xd42c7c1b78e4285bu);
}

TEST(Format, NoFlippedBitPassesForABlock) {
  ByteVector good = block_example();
  for (std::size_t size = 0; size < block_header_bytes; ++size) {
    ByteVector prefix(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(decode_block_header(prefix, test_key()));
  }
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    good[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    Result<BlockHeader> header = decode_block_header(good, test_key());
    EXPECT_FALSE(header && payload_intact(*header, good)) << bit;
    good[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
  }
}

TEST(Format, ABlockOfAnotherShardIsNone) {
  ByteVector block = block_example();
  ShardKey other = ShardKey::of({});
  EXPECT_FALSE(decode_block_header(block, other));
}

ByteVector segment_example() {
  ByteVector page(page_bytes);
  encode_segment_header({.number = 3,
                         .epoch = 2,
                         .segment_bytes = 65536,
                         .before = {131072, 17, 0x1122334455667788},
                         .durable_block = 16},
                        test_key(), page);
  return page;
}

TEST(Format, ASegmentHeaderIsTheseBytes) {
  ByteVector page = segment_example();
  EXPECT_EQ(hex(Bytes(page).first(80)),
            "57484152465345470100000002000000a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0300000000000000"
            "00000200000000001100000000000000887766554433221110000000000000000000010000000000");
  EXPECT_EQ(hex(Bytes(page).last(4)), "0593929c");
  Result<SegmentHeader> header = decode_segment_header(page, test_key());
  ASSERT_TRUE(header);
  EXPECT_EQ(header->number, 3u);
  EXPECT_EQ(header->before, (Chain{131072, 17, 0x1122334455667788}));
  for (std::size_t bit = 0; bit < page.size() * 8; ++bit) {
    page[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    EXPECT_FALSE(decode_segment_header(page, test_key())) << bit;
    page[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
  }
  EXPECT_FALSE(decode_segment_header(Bytes(page).first(4095), test_key()));
  EXPECT_FALSE(decode_segment_header(page, ShardKey::of({})));
}

TEST(Format, ASuperblockIsTheseBytes) {
  Superblock super{.key = test_key(),
                   .segment_bytes = 65536,
                   .sequence = 5,
                   .epoch = 2,
                   .clean = true,
                   .snapshot = 200704,
                   .first_segment = 2,
                   .last_segment = 4,
                   .durable_end = 204800,
                   .durable_block = 18,
                   .first_of_epoch = 4};
  ByteVector page(superblock_bytes);
  encode_superblock(super, page);
  EXPECT_EQ(hex(Bytes(page).first(104)),
            "57484152465355500100000001000000a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0000010000000000"
            "05000000000000000200000000000000001003000000000002000000000000000400000000000000"
            "002003000000000012000000000000000400000000000000");
  EXPECT_EQ(hex(Bytes(page).last(4)), "7bdca15a");
  Result<Superblock> back = decode_superblock(page);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->key, super.key);
  EXPECT_EQ(back->snapshot, 200704u);
  EXPECT_EQ(back->durable_block, 18u);
  EXPECT_TRUE(back->clean);
  for (std::size_t bit = 0; bit < page.size() * 8; ++bit) {
    page[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    EXPECT_FALSE(decode_superblock(page)) << bit;
    page[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
  }
  EXPECT_FALSE(decode_superblock(Bytes(page).first(4095)));
}

Catalog catalog_example() {
  Catalog catalog;
  catalog.add_segment(2);
  catalog.add_segment(3);
  for (Sequence s = 1; s <= 5; ++s) catalog.add({LaneId{7}, s}, 10, false, 2);
  catalog.add({LaneId{7}, 6}, 10, true, 3);
  catalog.add({LaneId{7}, 7}, 10, false, 3);
  catalog.add({LaneId{300}, 1000}, 10, false, 3);
  catalog.settle(*catalog.find(LaneId{7}), 1, 10);
  catalog.settle(*catalog.find(LaneId{7}), 3, 10);
  catalog.find(LaneId{7})->failures[2] = 4;
  catalog.find(LaneId{7})->failures[6] = 1;
  catalog.find(LaneId{300})->deliverable = 1000;
  catalog.segment(2)->end = 65536;
  return catalog;
}

TEST(Format, ASnapshotIsTheseBytes) {
  SnapshotHead head{{200704, 18, 0x99}, 2};
  Buffer file = encode_snapshot(head, catalog_example(), bytes_of("topology"), test_key());
  EXPECT_EQ(hex(file.bytes()),
            "5748415246534e500100000002000000a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0010030000000000"
            "12000000000000009900000000000000410000000000000000000000d466dcc80202808004050300"
            "0302070804280002020100020002020104030000030001010000010204ac02e907010ae807e80700"
            "0103e8070001000000746f706f6c6f67797afd73615748415246454e44010000002be4da52");
  Catalog back;
  ByteVector state;
  Result<SnapshotHead> decoded = decode_snapshot(file.bytes(), test_key(), back, state);
  ASSERT_TRUE(decoded) << decoded.error().why;
  EXPECT_EQ(decoded->chain, head.chain);
  EXPECT_EQ(text_of(state), "topology");
  back.check();
  const Lane& lane = *back.find(LaneId{7});
  EXPECT_EQ(lane.count, 4u);
  EXPECT_EQ(lane.charge, 40u);
  EXPECT_EQ(lane.next, 8u);
  EXPECT_EQ(lane.failures, (std::map<Sequence, std::uint32_t>{{2, 4}}));
  EXPECT_EQ(Catalog::live_extent(lane, 6), nullptr);
  EXPECT_NE(Catalog::live_extent(lane, 7), nullptr);
  EXPECT_EQ(back.find(LaneId{300})->deliverable, 1000u);

  for (std::size_t size = 0; size < file.size(); ++size) {
    Catalog none;
    ByteVector prefix(file.bytes().begin(),
                      file.bytes().begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(decode_snapshot(prefix, test_key(), none, state)) << size;
  }
  ByteVector bytes(file.bytes().begin(), file.bytes().end());
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    Catalog none;
    bytes[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    EXPECT_FALSE(decode_snapshot(bytes, test_key(), none, state)) << bit;
    bytes[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
  }
}

TEST(Format, AnIndexIsTheseBytes) {
  Catalog catalog = catalog_example();
  SegmentOffsets offsets(3);
  offsets.add(*catalog.find(LaneId{7}), {6, 4160, 30});
  offsets.add(*catalog.find(LaneId{7}), {7, 4190, 40});
  offsets.add(*catalog.find(LaneId{300}), {1000, 4230, 50});
  offsets.seal();
  ByteVector file = build_index(offsets, catalog, test_key());
  EXPECT_EQ(hex(file),
            "0ac0201e000028aef3c945ce0f862132cec166540700000000000000000000000000000007000000"
            "02000000060000000000000007000000000000002c010000000000000b0000000000000005000000"
            "01000000e803000000000000e80300000000000057484152464944580100000002000000a0a1a2a3"
            "a4a5a6a7a8a9aaabacadaeaf03000000000000001400000000000000946e33350000000000000000"
            "98ef3421");
  Result<IndexFooter> footer =
      decode_index_footer(Bytes(file).last(index_footer_bytes), file.size(), test_key());
  ASSERT_TRUE(footer);
  EXPECT_EQ(footer->segment, 3u);
  EXPECT_EQ(footer->lane_count, 2u);
  const Extent& extent = catalog.find(LaneId{7})->extents.back();
  Bytes stored = Bytes(file).subspan(extent.blob_offset, stored_blob_bytes(extent.blob_bytes));
  Result<Bytes> blob = open_blob(stored, LaneId{7}, 3);
  ASSERT_TRUE(blob);
  EXPECT_FALSE(open_blob(stored, LaneId{8}, 3));
  EXPECT_FALSE(open_blob(stored, LaneId{7}, 4));
  OffsetCursor cursor;
  OffsetEntry entry = *cursor.next(*blob);
  EXPECT_EQ(entry.sequence, 6u);
  EXPECT_EQ(entry.offset, 4160u);
  EXPECT_EQ(entry.bytes, 30u);
  EXPECT_EQ(cursor.next(*blob)->sequence, 7u);
  EXPECT_EQ(cursor.next(*blob).error().code, Errc::not_found);
  for (std::size_t bit = 0; bit < stored.size() * 8; ++bit) {
    ByteVector bad(stored.begin(), stored.end());
    bad[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    EXPECT_FALSE(open_blob(bad, LaneId{7}, 3));
  }
  IndexEntry first =
      decode_index_entry(Bytes(file).subspan(footer->directory_offset, index_entry_bytes));
  EXPECT_EQ(first.lane, LaneId{7});
  EXPECT_EQ(first.lowest, 6u);
  EXPECT_EQ(first.highest, 7u);
}

}  // namespace
}  // namespace wharf::storage
