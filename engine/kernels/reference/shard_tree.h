// The definition of sums over shards, for the twins of kernels that follow the
// shard tree.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_SHARD_TREE_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_SHARD_TREE_H_

#include <cstddef>
#include <type_traits>
#include <vector>

#include "engine/shard_tree.h"

namespace lockstep::kernels::reference {

// T, where it is to be deduced from other arguments (so that null fits too).
template <class T>
using Same = std::common_type_t<T>;

// node(lo, hi) = node(lo, mid) + node(mid, hi), element by element; leaf(shard)
// gives a shard's own sums, a vector.
template <class Leaf>
auto TreeSum(const ShardNode& node, const Leaf& leaf) -> decltype(leaf(0)) {
  if (node.size() == 1) return leaf(node.first);
  const int middle = ShardTreeMiddle(node);
  auto left = TreeSum({node.first, middle}, leaf);
  const auto right = TreeSum({middle, node.end}, leaf);
  for (std::size_t i = 0; i < left.size(); ++i) left[i] = left[i] + right[i];
  return left;
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_SHARD_TREE_H_
