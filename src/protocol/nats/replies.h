// protocol/nats/replies.h: the answers that a user may give although it may not publish there: to
// reply subjects of messages that it got, so often and so long as its ResponseRule says.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/unordered/unordered_flat_map.hpp>

#include "auth/subject_rules.h"
#include "base/time.h"

namespace wharf::nats {

class Replies {
 public:
  // A message with that reply was delivered. Cost: one look-up; now and then one look at all.
  void got(std::string_view reply, const auth::ResponseRule& rule, Instant now);
  // Whether an answer may go there; counts it.
  bool use(std::string_view reply, const auth::ResponseRule& rule, Instant now);
  void clear() { open_.clear(); }
  std::size_t size() const { return open_.size(); }

 private:
  // What has expired is thrown out when the number has doubled since the last time.
  static constexpr std::size_t sweep_min = 1024;
  struct Open {
    Instant expires;
    std::uint32_t used = 0;
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  void sweep(Instant now);

  boost::unordered_flat_map<std::string, Open, TextHash, std::equal_to<>> open_;
  std::size_t sweep_at_ = sweep_min;
};

}  // namespace wharf::nats
