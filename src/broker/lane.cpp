#include "broker/lane.h"

#include <algorithm>
#include <utility>

namespace wharf::broker {

bool Reserve::covers(Sequence sequence, storage::Lsn durable_up_to) {
  if (sequence <= safe_) return true;
  if (sequence > noted_) return false;
  if (sequence >= behind_note_) return true;
  if (durable_up_to < note_end_) return false;
  safe_ = noted_;
  return true;
}

void Reserve::extend(storage::Store& store, LaneId lane, Sequence delivered, Sequence next) {
  if (store.durable_up_to() >= note_end_) safe_ = noted_;
  noted_ = std::max(noted_, delivered) + (noted_ < delivered + size ? delivered + size - std::max(noted_, delivered) : 0);
  behind_note_ = next;
  store.note_deliverable(lane, noted_);
  note_end_ = store.end();
}

}  // namespace wharf::broker
