#include "protocol/amqp/unacked.h"

namespace wharf::amqp {

void Unacked::compact() {
  auto first = entries_.begin() + static_cast<std::ptrdiff_t>(begin_);
  entries_.erase(entries_.begin(), first);
  begin_ = 0;
  std::erase_if(entries_, [](const Entry& entry) { return entry.gone; });
  ASSERT(entries_.size() == live_);
}

void Unacked::put_back(const std::vector<Entry>& taken) {
  compact();
  for (Entry entry : taken) {
    entry.gone = false;
    entries_.push_back(entry);
  }
  live_ = entries_.size();
  std::ranges::sort(entries_, {}, &Entry::tag);
}

}  // namespace wharf::amqp
