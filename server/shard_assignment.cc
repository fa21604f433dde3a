#include "server/shard_assignment.h"

namespace lockstep::server {

std::vector<std::vector<ShardNode>> AssignShards(int shards, int workers) {
  return AssignFreedNodes(shards, {{0, shards}}, workers);
}

std::vector<std::vector<ShardNode>> AssignFreedNodes(int shards,
                                                     const std::vector<ShardNode>& freed,
                                                     int workers) {
  std::vector<std::vector<ShardNode>> assigned(workers);
  for (size_t i = 0; i < freed.size(); ++i) {
    const ShardNode& node = freed[i];
    const int parts = std::min(workers, node.size());
    for (int part = 0; part < parts; ++part) {
      const ShardNode run{node.first + static_cast<int>(ShardBegin(part, parts, node.size())),
                          node.first + static_cast<int>(ShardBegin(part + 1, parts, node.size()))};
      // Begin with another worker for each node, so that single shards spread.
      auto& mine = assigned[(part + i) % workers];
      for (const ShardNode& piece : ShardTreeCover(shards, run)) mine.push_back(piece);
    }
  }
  return assigned;
}

}  // namespace lockstep::server
