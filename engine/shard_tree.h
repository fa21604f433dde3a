// The binary tree over shard indices in which shard sums meet. It depends on
// the number of shards alone, never on who computed which shard: that is why
// the number of workers changes no bit.
//
// Order: node(lo, hi) = node(lo, mid) + node(mid, hi), where mid - lo is the
// largest power of two below hi - lo. A leaf is [i, i + 1).
#ifndef LOCKSTEP_ENGINE_SHARD_TREE_H_
#define LOCKSTEP_ENGINE_SHARD_TREE_H_

#include <cstdint>
#include <optional>
#include <vector>

namespace lockstep {

// Shards [first, end).
struct ShardNode {
  int first = 0;
  int end = 0;

  int size() const { return end - first; }
  bool Contains(const ShardNode& other) const { return first <= other.first && other.end <= end; }
  friend bool operator==(const ShardNode& a, const ShardNode& b) {
    return a.first == b.first && a.end == b.end;
  }
  friend bool operator!=(const ShardNode& a, const ShardNode& b) { return !(a == b); }
  friend bool operator<(const ShardNode& a, const ShardNode& b) {
    return a.first != b.first ? a.first < b.first : a.end < b.end;
  }
};

// Where `node` is cut in two. Requires: size() >= 2. Depends on the node's
// size only, so a subtree's inner order is the same wherever it stands.
int ShardTreeMiddle(const ShardNode& node);

// Whether `node` is a node of the tree over `shards` shards.
bool IsShardTreeNode(int shards, const ShardNode& node);

// The other child of `node`'s parent; nothing for the root.
// Requires: IsShardTreeNode(shards, node).
std::optional<ShardNode> ShardTreeSibling(int shards, const ShardNode& node);

// The fewest nodes of the tree over `shards` that make up `run`, ascending.
// Requires: 0 <= run.first <= run.end <= shards.
std::vector<ShardNode> ShardTreeCover(int shards, const ShardNode& run);

// The first of the positions that shard `shard` of a batch of `examples` takes
// (and the end of those of the shard before): floor(shard * examples / shards).
int64_t ShardBegin(int shard, int shards, int64_t examples);

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_SHARD_TREE_H_
