#include "base/random.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include <sys/random.h>

#include "base/assert.h"

namespace wharf {

std::uint64_t Random::below(std::uint64_t bound) {
  ASSERT(bound > 0);
  return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
}

void Random::fill(std::span<std::byte> out) {
  while (!out.empty()) {
    std::uint64_t word = next();
    std::size_t size = std::min(out.size(), sizeof(word));
    std::memcpy(out.data(), &word, size);
    out = out.subspan(size);
  }
}

// The state is filled by splitmix64, as the authors advise: an all-zero state cannot come out of
// it.
SeededRandom::SeededRandom(std::uint64_t seed) {
  for (std::uint64_t& word : state_) {
    seed += 0x9e3779b97f4a7c15;
    std::uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    word = z ^ (z >> 31);
  }
}

std::uint64_t SeededRandom::next() {
  std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
  std::uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t SecureRandom::next() {
  std::uint64_t word = 0;
  ASSERT(::getrandom(&word, sizeof(word), 0) == static_cast<ssize_t>(sizeof(word)));
  return word;
}

}  // namespace wharf
