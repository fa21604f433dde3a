// What the runner of a job that must go back hands to its successor.
#ifndef LOCKSTEP_SERVER_REWIND_H_
#define LOCKSTEP_SERVER_REWIND_H_

#include <cstdint>
#include <map>
#include <string>

#include "engine/shard_tree.h"
#include "server/node_ballot.h"

namespace lockstep::server {

struct Rewind {
  // The newest checkpoint of at most so many steps is the one to go on from;
  // newer ones hold a wrong sum.
  uint64_t step = 0;
  std::string reason;
  // Answers that differed, by step and node: the successor has a third worker
  // decide.
  std::map<uint64_t, std::map<ShardNode, NodeBallot>> disputes;
  // Rounds of this number and higher have not been used.
  uint64_t next_round = 0;
  // Counts for people, to go on with.
  uint64_t shards_audited = 0;
  uint64_t shards_speculated = 0;
  uint64_t answers_dropped = 0;
  uint32_t most_sums = 0;
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_REWIND_H_
