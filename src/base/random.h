// base/random.h: the one source of chance, so that a seed replays a run. Names that must not be
// guessed (tokens, generated names, salts) come from SecureRandom in production.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace wharf {

class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;

  // Uniform in [0, bound); bound > 0. The bias is below 2^-32 for the bounds in use.
  std::uint64_t below(std::uint64_t bound);
  void fill(std::span<std::byte> out);
};

// xoshiro256++ (Blackman and Vigna, 2019): fast, repeatable, not for secrets.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed);
  std::uint64_t next() override;

 private:
  std::uint64_t state_[4];
};

// The kernel's generator.
class SecureRandom final : public Random {
 public:
  std::uint64_t next() override;
};

}  // namespace wharf
