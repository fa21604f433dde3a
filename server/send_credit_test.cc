#include "server/send_credit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "server/reduction_tree.h"
#include "server/shard_assignment.h"

namespace lockstep::server {
namespace {

struct Add {
  void operator()(int& into, int&& other) const { into += other; }
};

std::vector<ShardNode> Flat(const std::vector<std::vector<ShardNode>>& assigned) {
  std::vector<ShardNode> nodes;
  for (const auto& mine : assigned) nodes.insert(nodes.end(), mine.begin(), mine.end());
  return nodes;
}

std::vector<ShardNode> Singles(int shards) { return Flat(DealShards(shards, shards, {})); }

// A round: nodes that are computed, sent chunk by chunk where they have credit,
// lost, and handed out again in parts.
class Round {
 public:
  Round(int shards, uint64_t seed) : shards_(shards), credit_(shards), random_(seed) {
    for (int chunk = 0; chunk < kChunks; ++chunk) trees_.emplace_back(shards);
  }

  void HandOut(const std::vector<ShardNode>& nodes) {
    for (const ShardNode& node : nodes) {
      credit_.HandOut(node);
      at_work_.push_back({node, 0});
    }
    (void)credit_.Give();
  }

  // Sends one chunk of one that has credit: the `choose`th of so many.
  template <typename Choose>
  void SendOne(const Choose& choose) {
    std::vector<size_t> able;
    for (size_t i = 0; i < at_work_.size(); ++i) {
      if (credit_.Has(at_work_[i].node)) able.push_back(i);
    }
    ASSERT_FALSE(able.empty()) << "nobody may send, but " << at_work_.size() << " wait";
    const size_t chosen = able[choose(able.size())];
    AtWork& at_work = at_work_[chosen];
    (void)trees_[at_work.sent].Add(at_work.node, at_work.node.size());
    most_ = std::max(most_, trees_[at_work.sent].size());
    ASSERT_LE(most_, static_cast<size_t>(SendCredit::Bound(shards_)));
    if (++at_work.sent == kChunks) at_work_.erase(at_work_.begin() + static_cast<int>(chosen));
    int first_missing = shards_;
    for (const auto& tree : trees_) first_missing = std::min(first_missing, tree.FirstMissing());
    credit_.Advance(first_missing);
    (void)credit_.Give();
  }

  // A random one's worker dies; others get it in `parts` parts.
  void Lose(int parts) {
    const size_t chosen = random_() % at_work_.size();
    const ShardNode node = at_work_[chosen].node;
    at_work_.erase(at_work_.begin() + static_cast<int>(chosen));
    HandOut(Flat(AssignFreedNodes(shards_, {node}, parts)));
  }

  void RunAtRandom(int losses_of_thousand) {
    while (!at_work_.empty() && !testing::Test::HasFailure()) {
      if (static_cast<int>(random_() % 1000) < losses_of_thousand) Lose(1 + random_() % 5);
      SendOne([this](size_t count) { return random_() % count; });
    }
    for (auto& tree : trees_) {
      ASSERT_TRUE(tree.complete());
      EXPECT_EQ(tree.root(), shards_);
    }
  }

  bool done() const { return at_work_.empty(); }
  size_t most() const { return most_; }
  const SendCredit& credit() const { return credit_; }

 private:
  static constexpr int kChunks = 3;
  struct AtWork {
    ShardNode node;
    int sent = 0;  // chunks
  };

  const int shards_;
  SendCredit credit_;
  std::mt19937_64 random_;
  std::vector<ReductionTree<int, Add>> trees_;
  std::vector<AtWork> at_work_;
  size_t most_ = 0;
};

TEST(SendCreditTest, TheBoundIsLogarithmic) {
  EXPECT_EQ(SendCredit::Bound(1), 2);
  EXPECT_EQ(SendCredit::Bound(8), 8);
  EXPECT_EQ(SendCredit::Bound(64), 14);
  EXPECT_EQ(SendCredit::Bound(1000), 22);
}

TEST(SendCreditTest, NobodyWaitsWhereATreeCannotHoldMore) {
  for (int shards = 1; shards <= 24; ++shards) {
    EXPECT_TRUE(SendCredit::IsEnoughFor(shards, Singles(shards))) << shards;
  }
  for (int workers : {1, 2, 4, 8, 16}) {
    EXPECT_TRUE(SendCredit::IsEnoughFor(1024, Flat(AssignShards(1024, workers)))) << workers;
  }
  EXPECT_FALSE(SendCredit::IsEnoughFor(64, Singles(64)));
}

TEST(SendCreditTest, TheBoundHoldsInAnyOrderWithAnyLosses) {
  size_t most = 0;
  for (uint64_t seed = 1; seed <= 600 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const int shards = 1 + static_cast<int>(random() % 200);
    const int workers = 1 + static_cast<int>(random() % 200);
    const auto alone = ChooseAudited(seed, 0, 1, shards, seed % 3 == 0 ? 0.2 : 0);
    Round round(shards, seed);
    round.HandOut(Flat(seed % 2 == 0 ? AssignShardsAround(shards, workers, alone)
                                     : DealShards(shards, workers, alone)));
    round.RunAtRandom(seed % 4 == 0 ? 0 : 50);
    most = std::max(most, round.most());
  }
  EXPECT_GT(most, 10u) << "or nothing here comes near the bound";
}

TEST(SendCreditTest, TheBoundHoldsWhereTheLeftmostComesLast) {
  for (int shards : {25, 64, 100, 1000}) {
    Round round(shards, 1);
    round.HandOut(Singles(shards));
    while (!round.done() && !HasFailure()) round.SendOne([](size_t count) { return count - 1; });
    EXPECT_GT(round.most(), static_cast<size_t>(SendCredit::Bound(shards) / 4)) << shards;
  }
}

TEST(SendCreditTest, WithoutCreditTheTreeWouldHoldHalfOfTheShards) {
  ReductionTree<int, Add> tree(64);
  for (int shard = 0; shard < 64; shard += 2) (void)tree.Add({shard, shard + 1}, 1);
  EXPECT_GT(tree.size(), static_cast<size_t>(SendCredit::Bound(64)));
}

TEST(SendCreditTest, TheMissingShardsNodeAlwaysHasCredit) {
  SendCredit credit(64);
  // All but the first shard's, then that one.
  for (int shard = 1; shard < 64; ++shard) credit.HandOut({shard, shard + 1});
  const auto given = credit.Give();
  ASSERT_FALSE(given.empty());
  EXPECT_FALSE(credit.Has({63, 64}));
  credit.HandOut({0, 1});
  EXPECT_EQ(credit.Give(), (std::vector<ShardNode>{{0, 1}}));
}

TEST(SendCreditTest, CreditIsGivenFromTheLeftOnceAndNeverTaken) {
  SendCredit credit(64);
  for (int shard = 0; shard < 64; ++shard) credit.HandOut({shard, shard + 1});
  const auto first = credit.Give();
  // One behind which 7 may be held, a pair of siblings as one.
  EXPECT_EQ(first.front(), (ShardNode{0, 1}));
  EXPECT_EQ(first.back(), (ShardNode{13, 14}));
  EXPECT_EQ(first.size(), 14u);
  EXPECT_TRUE(credit.Give().empty());
  credit.HandOut({0, 1});
  EXPECT_TRUE(credit.Give().empty());
  credit.Advance(2);
  EXPECT_FALSE(credit.Give().empty());
  EXPECT_TRUE(credit.Has({0, 1}));
  EXPECT_TRUE(credit.Has({13, 14}));
  credit.Advance(64);
  EXPECT_EQ(credit.Give().back(), (ShardNode{63, 64}));
  EXPECT_TRUE(credit.Has({63, 64}));
}

TEST(SendCreditTest, PartsOfANodeWithCreditCountInItsPlace) {
  SendCredit credit(64);
  for (int first = 0; first < 64; first += 8) credit.HandOut({first, first + 8});
  EXPECT_EQ(credit.Give().size(), 8u);
  // The workers of two of them have died; what they sent may be in any chunk's tree.
  for (int first = 8; first < 24; ++first) credit.HandOut({first, first + 1});
  EXPECT_LT(credit.Give().size(), 16u);
  EXPECT_FALSE(credit.Has({23, 24}));
  credit.Advance(23);
  EXPECT_FALSE(credit.Give().empty());
  EXPECT_TRUE(credit.Has({23, 24}));
}

}  // namespace
}  // namespace lockstep::server
