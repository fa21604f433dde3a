// Who computes which shards of a round: pure decisions, free to be anything,
// because no assignment changes a bit.
#ifndef LOCKSTEP_SERVER_SHARD_ASSIGNMENT_H_
#define LOCKSTEP_SERVER_SHARD_ASSIGNMENT_H_

#include <cstdint>
#include <vector>

#include "engine/shard_tree.h"

namespace lockstep::server {

// Nodes of the tree over `shards` for each of `workers`: an even share of
// consecutive shards each, cut into the fewest nodes. Workers beyond the
// number of shards get none. Requires: workers >= 1.
std::vector<std::vector<ShardNode>> AssignShards(int shards, int workers);

// The same where some nodes must be handed out whole and by themselves, because
// others compute them too. `alone`: nodes of the tree, ascending, apart.
std::vector<std::vector<ShardNode>> AssignShardsAround(int shards, int workers,
                                                       const std::vector<ShardNode>& alone);

// For a tree that would otherwise be handed out in more nodes than may be sent at
// once (send_credit.h): blocks of shards, dealt out one after another, so that all
// workers go through the tree from the left together, and what one of them has
// finished is soon wanted. A block is the largest power of two of shards with which
// no worker has an eighth more to do than with AssignShards, and which is likely to
// have at most one of `alone`. `alone`: as above.
std::vector<std::vector<ShardNode>> DealShards(int shards, int workers,
                                               const std::vector<ShardNode>& alone);

// The shards of a round that are computed twice, ascending: each with the
// probability `fraction`, by the job's seed, so that nobody can know better.
// `kind`: a number for the kind of round.
std::vector<ShardNode> ChooseAudited(uint64_t seed, uint64_t step, int kind, int shards,
                                     double fraction);

// Shares out nodes that nobody works on any more: each is cut evenly.
std::vector<std::vector<ShardNode>> AssignFreedNodes(int shards,
                                                     const std::vector<ShardNode>& freed,
                                                     int workers);

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_SHARD_ASSIGNMENT_H_
