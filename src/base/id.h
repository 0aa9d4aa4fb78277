// base/id.h: numbers that name things, each kind a type of its own, so that one cannot stand in for
// another. Value 0 is "none" for every id.
#pragma once

#include <compare>
#include <cstddef>
#include <functional>

namespace wharf {

template <class Tag, class Int>
class StrongId {
 public:
  using Value = Int;
  constexpr StrongId() = default;
  constexpr explicit StrongId(Int value) : value_(value) {}
  constexpr Int value() const { return value_; }
  constexpr explicit operator bool() const { return value_ != Int{}; }
  friend constexpr auto operator<=>(StrongId, StrongId) = default;
  friend constexpr std::size_t hash_value(StrongId id) { return std::hash<Int>{}(id.value_); }

 private:
  Int value_{};
};

}  // namespace wharf

template <class Tag, class Int>
struct std::hash<wharf::StrongId<Tag, Int>> {
  std::size_t operator()(wharf::StrongId<Tag, Int> id) const noexcept {
    return std::hash<Int>{}(id.value());
  }
};
