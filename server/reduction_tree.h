// Brings the sums of shard-tree nodes together in the one order that the tree
// allows (engine/shard_tree.h), in whatever order they arrive.
//
// Deliberately knows nothing of networks, steps or workers. A sum may be a
// number or a tensor; `Merge` says how two become one.
#ifndef LOCKSTEP_SERVER_REDUCTION_TREE_H_
#define LOCKSTEP_SERVER_REDUCTION_TREE_H_

#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "engine/shard_tree.h"

namespace lockstep::server {

enum class ReductionResult {
  kStored,     // waits for its sibling
  kDuplicate,  // its shards were there already; dropped
  kComplete,   // all shards are in: take the root
};

// One value's tree. Holds at most one sum per pair of siblings, so a sum whose
// sibling is there never takes memory of its own.
// Merge: void(Sum& into, Sum&& other), into = into + other; the two operands'
// order does not matter, as IEEE addition commutes.
// Threads: none of its own; the caller locks.
template <typename Sum, typename Merge>
class ReductionTree {
 public:
  explicit ReductionTree(int shards, Merge merge = Merge()) : shards_(shards), merge_(merge) {}

  // Adds the sum over `node`. A node that holds shards which are there already
  // as parts takes their place: equal shards have equal bits, whoever sent them.
  // Requires: IsShardTreeNode(shards, node).
  ReductionResult Add(ShardNode node, Sum sum) {
    if (IsCovered(node)) return ReductionResult::kDuplicate;
    DropPartsOf(node);
    while (true) {
      const std::optional<ShardNode> sibling = ShardTreeSibling(shards_, node);
      if (!sibling) break;
      const auto other = sums_.find(*sibling);
      if (other == sums_.end()) break;
      merge_(other->second, std::move(sum));
      sum = std::move(other->second);
      sums_.erase(other);
      node = {std::min(node.first, sibling->first), std::max(node.end, sibling->end)};
    }
    sums_.emplace(node, std::move(sum));
    return node.size() == shards_ ? ReductionResult::kComplete : ReductionResult::kStored;
  }

  // Whether every shard of `node` is in.
  bool IsCovered(const ShardNode& node) const {
    // Sums do not overlap: only the last that begins no later can hold it.
    auto next = sums_.upper_bound({node.first, std::numeric_limits<int>::max()});
    return next != sums_.begin() && std::prev(next)->first.Contains(node);
  }

  // The first shard that is not in, or one behind the last where all are.
  int FirstMissing() const {
    int first = 0;
    for (const auto& entry : sums_) {
      if (entry.first.first != first) break;
      first = entry.first.end;
    }
    return first;
  }

  // The sum held over exactly this node; null: there is none.
  Sum* Find(const ShardNode& node) {
    const auto found = sums_.find(node);
    return found == sums_.end() ? nullptr : &found->second;
  }

  bool complete() const { return sums_.count({0, shards_}) > 0; }
  // Requires: complete().
  Sum& root() { return sums_.begin()->second; }
  const Sum& root() const { return sums_.begin()->second; }

  // Sums held now.
  size_t size() const { return sums_.size(); }

 private:
  void DropPartsOf(const ShardNode& node) {
    auto it = sums_.lower_bound({node.first, node.first});
    while (it != sums_.end() && node.Contains(it->first)) it = sums_.erase(it);
  }

  int shards_;
  Merge merge_;
  std::map<ShardNode, Sum> sums_;
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_REDUCTION_TREE_H_
