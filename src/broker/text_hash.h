// broker/text_hash.h: lets maps keyed by std::string be asked with a string_view, without a copy.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

namespace wharf::broker {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};

}  // namespace wharf::broker
