// Thousands of random lives of a cluster, each by its seed. Every one must end
// with the bits, the measurements and the ledger of a calm run.
//
//   bazel-bin/server/simulation_test --seed 4711      one life again
//   bazel-bin/server/simulation_test --seeds 100000   more of them
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "server/testing/cluster_simulation.h"

namespace lockstep::server {
namespace {

uint64_t first_seed = 1;
uint64_t seeds = 1500;  // of each kind

// Two epochs of three steps, few parameters; a checkpoint after every step.
v1::JobSpec Spec() {
  v1::JobSpec spec;
  spec.set_seed(5);
  spec.add_model()->mutable_linear()->set_out_features(3);
  spec.mutable_model(0)->mutable_linear()->set_bias(true);
  spec.mutable_loss()->mutable_cross_entropy();
  spec.mutable_optimizer()->mutable_sgd()->set_learning_rate(0.1f);
  spec.mutable_optimizer()->mutable_sgd()->set_momentum(0.9f);
  spec.set_epochs(4);
  spec.set_batch_size(20);
  spec.set_shards(6);
  spec.mutable_workers()->set_min(1);
  spec.mutable_workers()->set_max(6);
  spec.mutable_checkpoint()->set_interval_steps(1);
  v1::DataSummary& data = *spec.mutable_data_summary();
  data.set_training_examples(50);
  data.set_validation_examples(9);
  data.add_example_shape(4);
  data.set_classes(3);
  return spec;
}

void ExpectEqual(const SimulationOutcome& outcome, const SimulationOutcome& calm) {
  ASSERT_EQ(outcome.trouble, "");
  EXPECT_EQ(outcome.hash, calm.hash);
  const v1::ExampleLedger& ledger = outcome.job.progress().ledger();
  EXPECT_EQ(ledger.consumed(), 200);
  EXPECT_EQ(ledger.total(), 200);
  EXPECT_EQ(ledger.lost(), 0);
  EXPECT_EQ(ledger.twice(), 0);
  ASSERT_EQ(outcome.epochs.size(), calm.epochs.size());
  for (size_t i = 0; i < calm.epochs.size(); ++i) {
    EXPECT_EQ(outcome.epochs[i].training_loss(), calm.epochs[i].training_loss());
    EXPECT_EQ(outcome.epochs[i].validation_loss(), calm.epochs[i].validation_loss());
  }
}

// Returns how often each kind of trouble came.
std::map<std::string, int> RunLives(SimulationOptions options, uint32_t* most_sums = nullptr) {
  const SimulationOutcome calm = ClusterSimulation(options).RunCalmly();
  EXPECT_EQ(calm.trouble, "");
  std::map<std::string, int> happened;
  for (uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
    SCOPED_TRACE("again with --seed " + std::to_string(seed));
    options.seed = seed;
    const SimulationOutcome outcome = ClusterSimulation(options).Run();
    ExpectEqual(outcome, calm);
    if (most_sums != nullptr) *most_sums = std::max(*most_sums, outcome.most_sums);
    for (const auto& [what, times] : outcome.happened) happened[what] += times;
    if (testing::Test::HasFailure()) break;
  }
  for (const auto& [what, times] : happened) std::cout << what << ": " << times << "\n";
  return happened;
}

void ExpectTried(const std::map<std::string, int>& happened,
                 const std::vector<std::string>& troubles) {
  if (seeds < 100) return;
  for (const std::string& trouble : troubles) EXPECT_GT(happened.count(trouble), 0) << trouble;
}

TEST(SimulationTest, WorkersComeGoDieAndStallAndTheServerDies) {
  SimulationOptions options;
  options.spec = Spec();
  ExpectTried(RunLives(options), {"joined", "left", "killed", "stalled", "lease lapsed",
                                  "zombie's answer dropped", "server killed", "shard speculated"});
}

TEST(SimulationTest, WrongAnswersAreFoundWhereEveryShardIsAudited) {
  SimulationOptions options;
  options.spec = Spec();
  options.spec.set_audit(1);
  options.wrong_answers = 20;
  ExpectTried(RunLives(options),
              {"answer spoiled", "worker quarantined", "shard audited", "server killed"});
}

TEST(SimulationTest, ASampleOfShardsIsAuditedWhileAllElseGoesWrong) {
  SimulationOptions options;
  options.spec = Spec();
  options.spec.set_audit(0.2);
  options.stalls = 40;
  ExpectTried(RunLives(options), {"shard audited", "shard speculated"});
}

// So many shards that a tree could hold 32 sums, were they sent as they come.
SimulationOptions ManyWorkers() {
  SimulationOptions options;
  options.spec = Spec();
  options.spec.set_shards(64);
  options.spec.set_epochs(2);
  options.spec.set_batch_size(50);
  options.spec.mutable_data_summary()->set_training_examples(100);
  options.most_workers = options.first_workers = 40;
  options.slowness = 20;  // with so many messages and turns: nobody is to hang
  options.joins = 60;
  options.server_deaths = 1;
  return options;
}

void RunLivesOfManyWorkers(SimulationOptions options, std::vector<std::string> troubles) {
  const uint64_t all = std::exchange(seeds, (seeds + 24) / 25);  // these are long
  uint32_t most_sums = 0;
  ExpectTried(RunLives(std::move(options), &most_sums), troubles);
  EXPECT_GT(most_sums, 6u) << "or nothing here comes near the bound";
  seeds = all;
}

TEST(SimulationTest, FewPartialSumsAreHeldHoweverManyWorkersComeGoAndDie) {
  RunLivesOfManyWorkers(ManyWorkers(), {"joined", "left", "killed", "stalled", "lease lapsed",
                                        "server killed", "shard speculated"});
}

TEST(SimulationTest, FewPartialSumsAreHeldWhereEveryShardIsAudited) {
  SimulationOptions options = ManyWorkers();
  options.spec.set_audit(1);
  options.wrong_answers = 2;
  RunLivesOfManyWorkers(options, {"shard audited", "worker quarantined"});
}

TEST(SimulationTest, FewPartialSumsAreHeldWhereEachShardIsHandedOutByItself) {
  SimulationOptions options = ManyWorkers();
  options.spec.mutable_tensor_digests()->set_shards(true);
  options.most_workers = options.first_workers = 7;
  RunLivesOfManyWorkers(options, {"joined", "killed"});
}

TEST(SimulationTest, AMinimumOfWorkersIsWaitedFor) {
  SimulationOptions options;
  options.spec = Spec();
  options.spec.mutable_workers()->set_min(2);
  options.kills = 30;
  RunLives(options);
}

// Shards that do not wait for each other: every life ends with an exact ledger and
// within its bound, and the log, repeated in another life full of trouble, with
// the same bits.
void RunLivesOutOfOrder(SimulationOptions options) {
  std::map<std::string, int> happened;
  uint64_t staleness = 0;
  const uint64_t lives = (seeds + 2) / 3;  // each is lived twice, and takes more moves
  for (uint64_t seed = first_seed; seed < first_seed + lives; ++seed) {
    SCOPED_TRACE("again with --seed " + std::to_string(seed));
    options.seed = seed;
    options.replay.Clear();
    const SimulationOutcome outcome = ClusterSimulation(options).Run();
    ASSERT_EQ(outcome.trouble, "");
    const v1::Staleness& seen = outcome.job.progress().staleness();
    staleness += seen.most_updates();
    if (options.spec.consistency().has_bounded_staleness()) {
      EXPECT_LE(seen.most_steps(), options.spec.consistency().bounded_staleness());
    }
    options.seed = seed + 1000000;
    options.replay = outcome.arrivals;
    const SimulationOutcome again = ClusterSimulation(options).Run();
    ExpectEqual(outcome, again);
    for (const auto& [what, times] : outcome.happened) happened[what] += times;
    if (testing::Test::HasFailure()) break;
  }
  ExpectTried(happened, {"joined", "left", "killed", "stalled", "lease lapsed", "server killed"});
  EXPECT_GT(staleness, lives) << "or nothing here was asynchronous";
}

TEST(SimulationTest, AnAsynchronousLifeIsRepeatedFromItsLog) {
  SimulationOptions options;
  options.spec = Spec();
  options.spec.mutable_consistency()->mutable_async();
  RunLivesOutOfOrder(options);
}

TEST(SimulationTest, ALifeOfBoundedStalenessKeepsItsBoundAndIsRepeatedFromItsLog) {
  SimulationOptions options;
  options.spec = Spec();
  options.spec.mutable_consistency()->set_bounded_staleness(1);
  options.spec.set_gradient_format(v1::GRADIENT_FORMAT_BFLOAT16);
  RunLivesOutOfOrder(options);
}

}  // namespace

int Main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--seed") == 0) {
      first_seed = std::strtoull(argv[i + 1], nullptr, 10);
      seeds = 1;
    } else if (std::strcmp(argv[i], "--seeds") == 0) {
      seeds = std::strtoull(argv[i + 1], nullptr, 10);
    }
  }
  return RUN_ALL_TESTS();
}

}  // namespace lockstep::server

int main(int argc, char** argv) { return lockstep::server::Main(argc, argv); }
