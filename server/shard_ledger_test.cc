#include "server/shard_ledger.h"

#include <gtest/gtest.h>

namespace lockstep::server {
namespace {

// Epochs of 50 examples in steps of 20, 20 and 10.
JobPlan Plan() {
  JobPlan plan;
  plan.training_examples = 50;
  plan.batch_size = 20;
  plan.shards = 4;
  plan.steps_per_epoch = 3;
  plan.total_steps = 6;
  return plan;
}

TEST(ShardLedgerTest, CountsEachShardOfEachStepOnce) {
  ShardLedger ledger(Plan());
  for (uint64_t step = 0; step < 6; ++step) {
    ledger.Begin();
    ledger.Record({2, 4});
    ledger.Record({0, 1});
    ledger.Record({1, 2});
    ledger.Commit(step);
  }
  EXPECT_EQ(ledger.consumed(), 100);
  EXPECT_EQ(ledger.total(), 100);
  EXPECT_EQ(ledger.lost(), 0);
  EXPECT_EQ(ledger.twice(), 0);
}

TEST(ShardLedgerTest, TellsAShardThatIsMissing) {
  ShardLedger ledger(Plan());
  ledger.Record({0, 2});
  ledger.Record({3, 4});
  ledger.Commit(0);
  EXPECT_EQ(ledger.consumed(), 15);
  EXPECT_EQ(ledger.lost(), 5);
}

TEST(ShardLedgerTest, TellsAShardThatCountsTwice) {
  ShardLedger ledger(Plan());
  ledger.Record({0, 4});
  ledger.Record({1, 2});
  ledger.Commit(0);
  EXPECT_EQ(ledger.consumed(), 20);
  EXPECT_EQ(ledger.twice(), 5);
}

TEST(ShardLedgerTest, TellsAStepThatIsCommittedAgainOrLeftOut) {
  ShardLedger ledger(Plan());
  for (uint64_t step : {0, 0, 2}) {
    ledger.Record({0, 4});
    ledger.Commit(step);
  }
  EXPECT_EQ(ledger.consumed(), 30);
  EXPECT_EQ(ledger.twice(), 20);
  EXPECT_EQ(ledger.lost(), 20);
}

TEST(ShardLedgerTest, WhatIsBegunAgainIsForgotten) {
  ShardLedger ledger(Plan());
  ledger.Record({0, 2});
  ledger.Begin();
  ledger.Record({0, 4});
  ledger.Commit(0);
  EXPECT_EQ(ledger.twice(), 0);
  EXPECT_EQ(ledger.consumed(), 20);
}

TEST(ShardLedgerTest, GoesOnFromACheckpoint) {
  ShardLedger ledger(Plan());
  ledger.Record({0, 3});
  ledger.Commit(0);
  std::map<std::string, std::string> metadata;
  ledger.Save(&metadata);
  ShardLedger again(Plan());
  again.Load(metadata, 1);
  again.Record({0, 4});
  again.Commit(1);
  EXPECT_EQ(again.consumed(), 35);
  EXPECT_EQ(again.lost(), 5);
  // Of an older server.
  ShardLedger old(Plan());
  old.Load({}, 4);
  EXPECT_EQ(old.consumed(), 70);
  EXPECT_EQ(old.lost() + old.twice(), 0);
}

TEST(ShardLedgerTest, StepsThatAreOpenAtOnceAreCommittedInOrderWhenWhole) {
  ShardLedger ledger(Plan());
  for (int shard = 0; shard < 4; ++shard) ledger.RecordAlone(1, shard);
  EXPECT_EQ(ledger.consumed(), 0u);
  for (int shard = 3; shard > 0; --shard) ledger.RecordAlone(0, shard);
  EXPECT_EQ(ledger.next_step(), 0u);
  ledger.RecordAlone(0, 0);
  EXPECT_EQ(ledger.next_step(), 2u);
  EXPECT_EQ(ledger.consumed(), 40u);
  ledger.CommitBefore(2);
  EXPECT_EQ(ledger.lost() + ledger.twice(), 0u);
}

TEST(ShardLedgerTest, WhatAnOpenStepLacksOrHasTwiceIsFound) {
  ShardLedger ledger(Plan());
  for (int shard = 0; shard < 4; ++shard) ledger.RecordAlone(0, shard);
  ledger.RecordAlone(0, 2);  // after its step was whole
  ledger.RecordAlone(1, 0);
  ledger.RecordAlone(1, 0);
  ledger.CommitBefore(2);
  EXPECT_EQ(ledger.twice(), 5u + 5u);
  EXPECT_EQ(ledger.lost(), 15u);
  ledger.CommitBefore(3);
  EXPECT_EQ(ledger.lost(), 25u);
}

}  // namespace
}  // namespace lockstep::server
