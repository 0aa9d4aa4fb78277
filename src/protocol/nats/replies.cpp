#include "protocol/nats/replies.h"

#include <algorithm>

namespace wharf::nats {

void Replies::got(std::string_view reply, const auth::ResponseRule& rule, Instant now) {
  if (open_.size() >= sweep_at_) sweep(now);
  open_.insert_or_assign(std::string(reply), Open{now + rule.expires, 0});
}

bool Replies::use(std::string_view reply, const auth::ResponseRule& rule, Instant now) {
  auto it = open_.find(reply);
  if (it == open_.end()) return false;
  if (it->second.expires <= now) {
    open_.erase(it);
    return false;
  }
  ++it->second.used;
  if (rule.max > 0 && it->second.used >= rule.max) open_.erase(it);
  return true;
}

void Replies::sweep(Instant now) {
  boost::unordered::erase_if(open_, [&](const auto& each) { return each.second.expires <= now; });
  sweep_at_ = std::max(sweep_min, 2 * open_.size());
}

}  // namespace wharf::nats
