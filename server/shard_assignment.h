// Who computes which shards of a round: pure decisions, free to be anything,
// because no assignment changes a bit.
#ifndef LOCKSTEP_SERVER_SHARD_ASSIGNMENT_H_
#define LOCKSTEP_SERVER_SHARD_ASSIGNMENT_H_

#include <vector>

#include "engine/shard_tree.h"

namespace lockstep::server {

// Nodes of the tree over `shards` for each of `workers`: an even share of
// consecutive shards each, cut into the fewest nodes. Workers beyond the
// number of shards get none. Requires: workers >= 1.
std::vector<std::vector<ShardNode>> AssignShards(int shards, int workers);

// Shares out nodes that nobody works on any more: each is cut evenly.
std::vector<std::vector<ShardNode>> AssignFreedNodes(int shards,
                                                     const std::vector<ShardNode>& freed,
                                                     int workers);

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_SHARD_ASSIGNMENT_H_
