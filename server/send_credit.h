// Which nodes of a round may be sent, so that the server holds O(log V) partial
// sums of a chunk however many workers there are and in whatever order they
// finish. A node without credit stays with its worker until it has some.
//
// Shards [0, p) are all in. A node has credit where it holds shard p, or where
// it is one of the leftmost: a window of L + 1 nodes behind p, L = ceil(log2 V).
//
// Bound: a tree never holds more than Bound() = 2 L + 2 sums.
//   - Sums that lie before p cover a part of [0, p), and what is whole has been
//     joined: at most one for each bit that is set in p, so L.
//   - Every other sum holds a node that has been given credit and reaches beyond
//     p. Sums do not overlap, so they can be told apart by the finest such
//     nodes: those that hold no other. At most one of them holds shard p, and
//     L + 1 lie behind it. (A node may be given out again in parts: the tree then
//     has it or parts of it, so that again only the finest count. Two siblings
//     count once: where both are in, they have been joined.)
//
// No deadlock: shard p's node has credit whenever somebody has it. A node never
// loses credit.
//
// With so few shards that no tree can hold more than Bound(), V <= 24, all have it.
#ifndef LOCKSTEP_SERVER_SEND_CREDIT_H_
#define LOCKSTEP_SERVER_SEND_CREDIT_H_

#include <set>
#include <vector>

#include "engine/shard_tree.h"

namespace lockstep::server {

// Of one round. Threads: none of its own; the owner locks.
class SendCredit {
 public:
  explicit SendCredit(int shards);

  // The most partial sums of one chunk that the server ever holds.
  static int Bound(int shards);
  // Whether all of `nodes`, which make up the tree, have credit at once.
  static bool IsEnoughFor(int shards, const std::vector<ShardNode>& nodes);

  // A node is handed out, perhaps again. Requires: a node of the tree.
  void HandOut(const ShardNode& node);
  // Every part of shards [0, first_missing) is in. It never falls.
  void Advance(int first_missing);
  // Gives credit to those that are handed out, from the left, as far as the bound
  // allows: those that have got some now, ascending.
  std::vector<ShardNode> Give();
  // Whether the node, which has been handed out, has credit.
  bool Has(const ShardNode& node) const;

  int first_missing() const { return first_missing_; }

 private:
  // A node comes after all those inside it.
  struct InsideFirst {
    bool operator()(const ShardNode& a, const ShardNode& b) const {
      return a.end != b.end ? a.end < b.end : a.first > b.first;
    }
  };

  bool MayGet(const ShardNode& node);
  // The finest nodes with credit behind shard first_missing_, siblings once.
  int Behind() const;

  const int shards_;
  const bool unlimited_;
  int first_missing_ = 0;
  bool changed_ = false;  // since Give
  std::set<ShardNode> waiting_;
  std::set<ShardNode, InsideFirst> given_;  // but for those that end before first_missing_
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_SEND_CREDIT_H_
