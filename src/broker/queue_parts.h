// broker/queue_parts.h: what the files that implement Queue share, and nobody else includes.
#pragma once

#include "base/assert.h"
#include "broker/queue.h"

namespace wharf::broker {

class Queue::Call {
 public:
  explicit Call(Queue& queue) : queue_(queue) {
    ASSERT(!queue_.in_call_ && "a QueueHost must not call back");
    queue_.in_call_ = true;
  }
  ~Call() {
    queue_.in_call_ = false;
#ifdef WHARF_SLOW_CHECKS
    queue_.check();
#endif
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

 private:
  Queue& queue_;
};

class Queue::Change {
 public:
  Change(Queue& queue, std::size_t lane) : queue_(queue), index_(lane), lane_(queue.lanes_[lane]) {
    queue_.ready_ -= lane_.ready();
    queue_.ready_bytes_ -= lane_.ready_bytes();
    queue_.outside_ -= outside();
  }
  ~Change() {
    queue_.ready_ += lane_.ready();
    queue_.ready_bytes_ += lane_.ready_bytes();
    queue_.outside_ += outside();
    queue_.ready_lanes_.set(index_, lane_.ready() > 0);
  }
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;
  Lane* operator->() { return &lane_; }

 private:
  std::uint64_t outside() const {
    return lane_.cold_count() + lane_.thin_count() + lane_.sweeps().size();
  }

  Queue& queue_;
  std::size_t index_;
  Lane& lane_;
};

}  // namespace wharf::broker
