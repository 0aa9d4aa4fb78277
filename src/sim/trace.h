// sim/trace.h: what happened in a run: as a number that two equal runs share, as text for a reader,
// and counted by kind.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "sim/options.h"
#include "wire/bytes.h"

namespace wharf::sim {

class Trace {
 public:
  explicit Trace(bool verbose) : verbose_(verbose) {}

  // FNV-1a over everything that is mixed in.
  void mix(std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) mix_byte(static_cast<std::uint8_t>(value >> shift));
  }
  void mix(Bytes bytes) {
    for (std::byte byte : bytes) mix_byte(static_cast<std::uint8_t>(byte));
  }
  std::uint64_t digest() const { return digest_; }

  template <class... Args>
  void note(fmt::format_string<Args...> format, Args&&... args) {
    if (verbose_) fmt::print("{:>6} {}\n", step_, fmt::format(format, std::forward<Args>(args)...));
  }
  void count(std::string_view what, std::uint64_t times = 1) {
    auto it = tally_.find(what);
    if (it == tally_.end()) it = tally_.emplace(what, 0).first;
    it->second += times;
  }
  const Tally& tally() const { return tally_; }
  void set_step(std::uint64_t step) { step_ = step; }
  bool verbose() const { return verbose_; }

 private:
  void mix_byte(std::uint8_t byte) { digest_ = (digest_ ^ byte) * 0x100000001b3; }

  bool verbose_;
  std::uint64_t step_ = 0;
  Tally tally_;
  std::uint64_t digest_ = 0xcbf29ce484222325;
};

}  // namespace wharf::sim
