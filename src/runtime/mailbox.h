// runtime/mailbox.h: how shards talk. A Mailbox is the inbox of one shard: a lane from each shard,
// in order within a lane. What a shard sends during one turn travels as one batch, with one
// wake-up. Memory: a lane holds whole batches; senders are bounded above this (credit,
// back-pressure). Threads: Outgoing is used by its own shard only; receive() by the owner; the lane
// between is a single-producer single-consumer list, so there is no lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace wharf::runtime {

// Unbounded single-producer single-consumer queue of batches: a linked list with a stub node.
template <class T>
class Lane {
 public:
  Lane() : head_(new Node), tail_(head_) {}
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;
  ~Lane() {
    while (head_) delete std::exchange(head_, head_->next.load());
  }

  // Producer only.
  void push(std::vector<T> batch) {
    Node* node = new Node;
    node->batch = std::move(batch);
    tail_->next.store(node, std::memory_order_release);
    tail_ = node;
  }

  // Consumer only. False when empty.
  bool pop(std::vector<T>& batch) {
    Node* next = head_->next.load(std::memory_order_acquire);
    if (!next) return false;
    delete std::exchange(head_, next);
    batch = std::move(head_->batch);
    return true;
  }

 private:
  struct Node {
    std::vector<T> batch;
    std::atomic<Node*> next{nullptr};
  };
  alignas(64) Node* head_;  // consumer's end; its own batch is already taken
  alignas(64) Node* tail_;  // producer's end
};

// The lanes between all shards of a process. Made once, before any shard runs.
template <class T>
class Post {
 public:
  // `wake(shard)` must be callable from any thread and cause a turn of that shard.
  Post(std::size_t shards, std::function<void(std::size_t)> wake)
      : shards_(shards),
        wake_(std::move(wake)),
        lanes_(shards * shards),
        out_(shards * shards),
        turns_(shards) {}

  // Called by shard `from`. Delivered when `from` calls flush.
  void send(std::size_t from, std::size_t to, T message) {
    out_[from * shards_ + to].messages.push_back(std::move(message));
  }

  // End of a turn of `from`: hands over what it sent. True when anything was.
  bool flush(std::size_t from) {
    bool any = false;
    for (std::size_t to = 0; to < shards_; ++to) {
      std::vector<T>& messages = out_[from * shards_ + to].messages;
      if (messages.empty()) continue;
      lanes_[from * shards_ + to].push(std::exchange(messages, {}));
      wake_(to);
      any = true;
    }
    return any;
  }

  // Called by shard `to`: one batch of the next lane that has one. False when all are empty. Lanes
  // take turns, so that one busy sender does not hide the others.
  bool receive(std::size_t to, std::vector<T>& batch) {
    for (std::size_t tried = 0; tried < shards_; ++tried) {
      std::size_t from = turns_[to].next;
      turns_[to].next = from + 1 == shards_ ? 0 : from + 1;
      if (lanes_[from * shards_ + to].pop(batch)) return true;
    }
    return false;
  }

  // For the simulator, which decides which lane moves.
  bool receive_from(std::size_t from, std::size_t to, std::vector<T>& batch) {
    return lanes_[from * shards_ + to].pop(batch);
  }

  // Asks for another turn of `shard`, from any thread.
  void wake(std::size_t shard) { wake_(shard); }

  std::size_t shards() const { return shards_; }

 private:
  struct alignas(64) Out {
    std::vector<T> messages;
  };
  struct alignas(64) Turn {
    std::size_t next = 0;  // the lane that receive looks at first
  };
  std::size_t shards_;
  std::function<void(std::size_t)> wake_;
  std::vector<Lane<T>> lanes_;
  std::vector<Out> out_;
  std::vector<Turn> turns_;
};

}  // namespace wharf::runtime
