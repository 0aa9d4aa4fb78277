#include "protocol/amqp/confirms.h"

#include <algorithm>
#include <limits>

namespace wharf::amqp {

void Confirms::add(std::uint32_t receipts, bool refused) {
  if (count_ == ring_.size()) grow();
  std::uint64_t number = next();
  ++count_;
  constexpr std::uint32_t most = std::numeric_limits<std::uint16_t>::max();
  ASSERT(receipts <= most);
  at(number) = {static_cast<std::uint16_t>(receipts), refused, false};
  if (receipts > 0) return;
  news_ = true;
  if (number != first_) late_.push_back(number);
}

void Confirms::receipt(std::uint64_t number, bool stored) {
  if (number < first_ || number >= next()) return;
  Entry& entry = at(number);
  if (entry.missing == 0) return;
  if (!stored) entry.refused = true;
  if (--entry.missing > 0) return;
  news_ = true;
  if (number != first_) late_.push_back(number);
}

void Confirms::grow() {
  std::vector<Entry> larger(std::max<std::size_t>(ring_.size() * 2, 64));
  for (std::uint64_t i = 0; i < count_; ++i) larger[i] = ring_[(head_ + i) & (ring_.size() - 1)];
  ring_ = std::move(larger);
  head_ = 0;
}

}  // namespace wharf::amqp
