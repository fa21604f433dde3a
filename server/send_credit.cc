#include "server/send_credit.h"

#include <algorithm>
#include <optional>

namespace lockstep::server {
namespace {

// ceil(log2 shards), which is also the most bits set in a number below `shards`.
int Levels(int shards) {
  int levels = 0;
  while (1 << levels < shards) ++levels;
  return levels;
}

int Window(int shards) { return Levels(shards) + 1; }

}  // namespace

SendCredit::SendCredit(int shards)
    // A tree holds at most one sum of each two neighbours.
    : shards_(shards), unlimited_((shards + 1) / 2 <= Bound(shards)) {}

int SendCredit::Bound(int shards) { return Levels(shards) + 1 + Window(shards); }

bool SendCredit::IsEnoughFor(int shards, const std::vector<ShardNode>& nodes) {
  SendCredit credit(shards);
  for (const ShardNode& node : nodes) credit.HandOut(node);
  return credit.Give().size() == nodes.size();
}

void SendCredit::HandOut(const ShardNode& node) {
  if (Has(node)) return;
  changed_ |= waiting_.insert(node).second;
}

void SendCredit::Advance(int first_missing) {
  if (first_missing <= first_missing_) return;
  first_missing_ = first_missing;
  while (!given_.empty() && given_.begin()->end <= first_missing_) given_.erase(given_.begin());
  changed_ = true;
}

bool SendCredit::Has(const ShardNode& node) const {
  return given_.count(node) > 0 || (node.end <= first_missing_ && waiting_.count(node) == 0);
}

std::vector<ShardNode> SendCredit::Give() {
  std::vector<ShardNode> now;
  if (!changed_) return now;
  changed_ = false;
  while (!waiting_.empty() && MayGet(*waiting_.begin())) {
    now.push_back(*waiting_.begin());
    waiting_.erase(waiting_.begin());
  }
  return now;
}

bool SendCredit::MayGet(const ShardNode& node) {
  // What it sends is in already.
  if (node.end <= first_missing_) return true;
  given_.insert(node);
  if (unlimited_ || node.first <= first_missing_ || Behind() <= Window(shards_)) return true;
  given_.erase(node);
  return false;
}

int SendCredit::Behind() const {
  int count = 0;
  std::optional<ShardNode> last;  // the finest one before
  bool alone = false;             // it has not been taken together with its sibling
  for (const ShardNode& node : given_) {
    const bool is_finest = !last.has_value() || last->first < node.first;
    if (!is_finest) continue;
    const bool joins =
        alone && last->end == node.first && IsShardTreeNode(shards_, {last->first, node.end});
    last = node;
    // The one that holds the missing shard is counted by itself.
    alone = !joins && node.first > first_missing_;
    if (alone) ++count;
  }
  return count;
}

}  // namespace lockstep::server
