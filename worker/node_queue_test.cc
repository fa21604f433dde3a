#include "worker/node_queue.h"

#include <gtest/gtest.h>

namespace lockstep::worker {
namespace {

QueuedNode Node(uint64_t round, int shard, bool hold) {
  auto header = std::make_shared<v1::Round>();
  header->set_round(round);
  return {header, {shard, shard + 1}, hold};
}

TEST(NodeQueueTest, NodesThatMayBeSentAreBegunFirst) {
  NodeQueue queue;
  queue.Add(Node(1, 3, true));
  queue.Add(Node(1, 5, false));
  queue.Add(Node(1, 7, false));
  EXPECT_EQ(queue.Take(0).node.first, 5);
  EXPECT_EQ(queue.Take(0).node.first, 7);
  const QueuedNode last = queue.Take(0);
  EXPECT_EQ(last.node.first, 3);
  EXPECT_TRUE(last.hold);
  EXPECT_TRUE(queue.empty());
}

TEST(NodeQueueTest, WithTwoHeldOnlyNodesThatMayBeSentAreBegun) {
  NodeQueue queue;
  queue.Add(Node(1, 3, true));
  queue.Add(Node(1, 5, true));
  EXPECT_TRUE(queue.HasNext(NodeQueue::kMostHeld - 1));
  EXPECT_FALSE(queue.HasNext(NodeQueue::kMostHeld));
  queue.MaySend(1, {5, 6});
  EXPECT_TRUE(queue.HasNext(NodeQueue::kMostHeld));
  const QueuedNode next = queue.Take(NodeQueue::kMostHeld);
  EXPECT_EQ(next.node.first, 5);
  EXPECT_FALSE(next.hold);
  EXPECT_FALSE(queue.HasNext(NodeQueue::kMostHeld));
}

TEST(NodeQueueTest, CreditIsForANodeOfItsRoundAlone) {
  NodeQueue queue;
  queue.Add(Node(2, 5, true));
  queue.MaySend(1, {5, 6});
  queue.MaySend(2, {4, 6});
  EXPECT_FALSE(queue.HasNext(NodeQueue::kMostHeld));
  queue.Clear();
  EXPECT_FALSE(queue.HasNext(0));
}

}  // namespace
}  // namespace lockstep::worker
