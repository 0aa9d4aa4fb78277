// broker/text_hash.h: lets maps keyed by std::string be asked with a string_view, without a copy.
#pragma once

#include <cstddef>
#include <string_view>

#include <boost/container_hash/hash.hpp>

namespace wharf::broker {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return boost::hash_range(text.begin(), text.end());
  }
};

}  // namespace wharf::broker
