#include "server/shard_assignment.h"

#include <algorithm>

#include "engine/philox.h"

namespace lockstep::server {

std::vector<std::vector<ShardNode>> AssignShards(int shards, int workers) {
  return AssignFreedNodes(shards, {{0, shards}}, workers);
}

namespace {

// The nodes of shards [begin, end), those of `alone` that begin there by themselves.
// One that reaches over the border belongs to the run of its first shard.
void AddRun(int shards, int begin, int end, const std::vector<ShardNode>& alone,
            std::vector<ShardNode>* nodes) {
  const auto add = [&](int run_end) {
    for (const ShardNode& piece : ShardTreeCover(shards, {begin, run_end})) {
      nodes->push_back(piece);
    }
  };
  for (const ShardNode& node : alone) {
    if (node.end <= begin || node.first >= end) continue;
    if (node.first >= begin) {
      add(node.first);
      nodes->push_back(node);
    }
    begin = std::min(node.end, end);
  }
  add(end);
}

int DivideUp(int a, int b) { return (a + b - 1) / b; }

int DealtBlock(int shards, int workers, int alone) {
  const int even = DivideUp(shards, workers);
  int block = 1;
  for (int size = 2; size <= shards && size * alone <= shards; size *= 2) {
    if (DivideUp(DivideUp(shards, size), workers) * size <= even + even / 8) block = size;
  }
  return block;
}

}  // namespace

std::vector<std::vector<ShardNode>> AssignShardsAround(int shards, int workers,
                                                       const std::vector<ShardNode>& alone) {
  std::vector<std::vector<ShardNode>> assigned(workers);
  for (int worker = 0; worker < workers; ++worker) {
    AddRun(shards, static_cast<int>(ShardBegin(worker, workers, shards)),
           static_cast<int>(ShardBegin(worker + 1, workers, shards)), alone, &assigned[worker]);
  }
  return assigned;
}

std::vector<std::vector<ShardNode>> DealShards(int shards, int workers,
                                               const std::vector<ShardNode>& alone) {
  const int block = DealtBlock(shards, workers, static_cast<int>(alone.size()));
  std::vector<std::vector<ShardNode>> dealt(workers);
  for (int begin = 0, turn = 0; begin < shards; begin += block, ++turn) {
    AddRun(shards, begin, std::min(begin + block, shards), alone, &dealt[turn % workers]);
  }
  return dealt;
}

std::vector<ShardNode> ChooseAudited(uint64_t seed, uint64_t step, int kind, int shards,
                                     double fraction) {
  std::vector<ShardNode> audited;
  if (fraction <= 0) return audited;
  for (int shard = 0; shard < shards; ++shard) {
    const uint32_t word = RandomWord(seed, RandomStream::kAudit, step, shard, kind);
    if (static_cast<double>(word) < fraction * 4294967296.0) audited.push_back({shard, shard + 1});
  }
  return audited;
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
