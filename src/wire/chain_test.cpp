#include "wire/chain.h"

#include <string>

#include <gtest/gtest.h>

#include "base/random.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace wharf {
namespace {

std::string letters(std::size_t size, char first) {
  std::string text(size, ' ');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(first + i % 23);
  return text;
}

TEST(Chain, SmallPiecesAreCopiedTogether) {
  Chain chain;
  chain.append(bytes_of("ab"));
  chain.append(Buffer::copy_of(bytes_of("xcdx")), 1, 2);
  std::vector<Bytes> pieces;
  chain.front_pieces(pieces, 8);
  EXPECT_EQ(pieces.size(), 1u);
  EXPECT_EQ(chain.flatten(), "abcd");
}

TEST(Chain, LargeBodiesAreShared) {
  Buffer body = Buffer::copy_of(bytes_of(letters(Chain::share_size_min, 'a')));
  Chain chain;
  chain.append(bytes_of("head"));
  chain.append(body, 0, body.size());
  chain.append(bytes_of("tail"));
  std::vector<Bytes> pieces;
  chain.front_pieces(pieces, 8);
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[1].data(), body.bytes().data());
}

TEST(Chain, FrontPiecesStopAtTheAskedNumber) {
  Buffer body = Buffer::copy_of(bytes_of(letters(Chain::share_size_min, 'a')));
  Chain chain;
  for (int i = 0; i < 5; ++i) chain.append(body, 0, body.size());
  std::vector<Bytes> pieces;
  chain.front_pieces(pieces, 3);
  EXPECT_EQ(pieces.size(), 3u);
}

// Against a plain string, under a seed.
TEST(Chain, BehavesAsAStringThatGrowsAndShrinks) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SeededRandom random(seed);
    Chain chain;
    std::string model;
    for (int step = 0; step < 100; ++step) {
      std::string text = letters(random.below(step % 10 == 0 ? 20'000 : 300),
                                 static_cast<char>('a' + random.below(4)));
      switch (random.below(3)) {
        case 0:
          chain.append(bytes_of(text));
          model += text;
          break;
        case 1: {
          Buffer buffer = Buffer::copy_of(bytes_of(text));
          std::size_t offset = random.below(text.size() + 1);
          chain.append(buffer, offset, text.size() - offset);
          model += text.substr(offset);
          break;
        }
        default: {
          std::size_t size = random.below(model.size() + 1);
          chain.consume(size);
          model.erase(0, size);
        }
      }
      ASSERT_EQ(chain.size(), model.size()) << "seed " << seed;
      ASSERT_EQ(chain.flatten(), model) << "seed " << seed;
    }
  }
}

TEST(Buffer, LastReferenceFrees) {
  Buffer copy;
  {
    Buffer original = Buffer::copy_of(bytes_of("hello"));
    copy = original.slice(1, 3);
  }
  EXPECT_EQ(text_of(copy.bytes()), "ell");
}

TEST(Reader, FirstFaultSticks) {
  Reader reader(bytes_of("\x01\x02\x03"));
  EXPECT_EQ(reader.be<std::uint16_t>(), 0x0102);
  EXPECT_EQ(reader.be<std::uint32_t>(), 0u);
  EXPECT_EQ(reader.be<std::uint8_t>(), 0u);
  Result<int> result = reader.finish(1);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::malformed);
  EXPECT_EQ(result.error().at, 2u);
}

TEST(Reader, TrailingByteIsAFault) {
  Reader reader(bytes_of("\x01\x02"));
  reader.be<std::uint8_t>();
  EXPECT_FALSE(reader.finish(1));
}

TEST(Reader, VarintsRoundTripAndStopAtTenBytes) {
  for (std::uint64_t value : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128},
                              std::uint64_t{1} << 35, ~std::uint64_t{0}}) {
    ByteVector bytes;
    Writer(bytes).varint(value);
    Reader reader(bytes);
    EXPECT_EQ(reader.varint(), value);
    EXPECT_EQ(reader.left(), 0u);
  }
  ByteVector endless(11, std::byte{0xff});
  Reader reader(endless);
  reader.varint();
  EXPECT_TRUE(reader.failed());
}

}  // namespace
}  // namespace wharf
