// The shard tree as a program for a stack: after leaf i is pushed, the top two
// sums are folded into one ShardFolds()[i] times.
#ifndef LOCKSTEP_ENGINE_KERNELS_SHARD_FOLDS_H_
#define LOCKSTEP_ENGINE_KERNELS_SHARD_FOLDS_H_

#include "absl/container/inlined_vector.h"
#include "engine/shard_tree.h"

namespace lockstep::kernels {

// No allocation up to so many shards.
using ShardFoldCounts = absl::InlinedVector<int, 64>;

// The inner nodes that a leaf completes are those that end just behind it.
inline void CountShardFolds(const ShardNode& node, ShardFoldCounts& folds) {
  if (node.size() < 2) return;
  const int middle = ShardTreeMiddle(node);
  CountShardFolds({node.first, middle}, folds);
  CountShardFolds({middle, node.end}, folds);
  ++folds[node.end - 1];
}

inline ShardFoldCounts ShardFolds(int shards) {
  ShardFoldCounts folds(shards, 0);
  CountShardFolds({0, shards}, folds);
  return folds;
}

// How many sums lie on the stack at most: one per level of the tree, and the leaf.
inline int ShardStackDepth(int shards) {
  int depth = 1;
  for (int covered = 1; covered < shards; covered *= 2) ++depth;
  return depth;
}

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_SHARD_FOLDS_H_
