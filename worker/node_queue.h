// The nodes that a worker has been given and not begun, in the order in which it
// begins them.
#ifndef LOCKSTEP_WORKER_NODE_QUEUE_H_
#define LOCKSTEP_WORKER_NODE_QUEUE_H_

#include <algorithm>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "engine/shard_tree.h"
#include "lockstep/v1/worker_service.pb.h"

namespace lockstep::worker {

// A node of a round; `round` without its nodes.
struct QueuedNode {
  std::shared_ptr<const v1::Round> round;
  ShardNode node;
  bool hold = false;  // as ShardRange.hold, until a SendNodes
};

// Threads: one.
class NodeQueue {
 public:
  // Gradients that may wait with the worker until they may be sent. With as many it
  // begins no further node that would have to wait; one that may be sent at once is
  // begun whatever waits, so that its memory holds that one and these.
  static constexpr size_t kMostHeld = 2;

  void Add(QueuedNode node) { nodes_.push_back(std::move(node)); }

  // The node, where it is here, need not be held any more.
  void MaySend(uint64_t round, const ShardNode& node) {
    for (QueuedNode& queued : nodes_) {
      if (queued.round->round() == round && queued.node == node) queued.hold = false;
    }
  }

  // Whether there is a node to begin while so many finished ones are held.
  bool HasNext(size_t held) const { return Next(held) != nodes_.end(); }

  // Takes that node: the first that may be sent, else the first. Requires: HasNext.
  QueuedNode Take(size_t held) {
    const auto next = nodes_.begin() + (Next(held) - nodes_.cbegin());
    QueuedNode node = std::move(*next);
    nodes_.erase(next);
    return node;
  }

  bool empty() const { return nodes_.empty(); }
  void Clear() { nodes_.clear(); }

 private:
  std::deque<QueuedNode>::const_iterator Next(size_t held) const {
    const auto free = std::find_if(nodes_.begin(), nodes_.end(),
                                   [](const QueuedNode& queued) { return !queued.hold; });
    if (free != nodes_.end() || held >= kMostHeld) return free;
    return nodes_.begin();
  }

  std::deque<QueuedNode> nodes_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_NODE_QUEUE_H_
