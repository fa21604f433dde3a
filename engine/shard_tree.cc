#include "engine/shard_tree.h"

namespace lockstep {

int ShardTreeMiddle(const ShardNode& node) {
  int left = 1;
  while (left * 2 < node.size()) left *= 2;
  return node.first + left;
}

bool IsShardTreeNode(int shards, const ShardNode& node) {
  if (node.first < 0 || node.end > shards || node.size() < 1) return false;
  ShardNode at{0, shards};
  while (at != node && at.size() > 1) {
    const int middle = ShardTreeMiddle(at);
    if (node.end <= middle) {
      at.end = middle;
    } else if (node.first >= middle) {
      at.first = middle;
    } else {
      return false;
    }
  }
  return at == node;
}

std::optional<ShardNode> ShardTreeSibling(int shards, const ShardNode& node) {
  ShardNode at{0, shards};
  while (at != node && at.size() > 1) {
    const int middle = ShardTreeMiddle(at);
    const ShardNode left{at.first, middle};
    const ShardNode right{middle, at.end};
    if (left == node) return right;
    if (right == node) return left;
    at = node.end <= middle ? left : right;
  }
  return std::nullopt;
}

namespace {

void Cover(const ShardNode& at, const ShardNode& run, std::vector<ShardNode>& nodes) {
  if (run.first >= at.end || run.end <= at.first) return;
  if (run.Contains(at)) {
    nodes.push_back(at);
    return;
  }
  const int middle = ShardTreeMiddle(at);
  Cover({at.first, middle}, run, nodes);
  Cover({middle, at.end}, run, nodes);
}

}  // namespace

std::vector<ShardNode> ShardTreeCover(int shards, const ShardNode& run) {
  std::vector<ShardNode> nodes;
  if (run.size() > 0) Cover({0, shards}, run, nodes);
  return nodes;
}

int64_t ShardBegin(int shard, int shards, int64_t examples) {
  return static_cast<int64_t>(static_cast<__int128>(shard) * examples / shards);
}

}  // namespace lockstep
