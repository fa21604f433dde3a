// Shards that do not wait for each other, in interleavings that only the test
// decides; and the same bits from the order that was logged.
#include "server/async_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "server/testing/fake_worker.h"
#include "server/testing/hand_moved_job.h"

namespace lockstep::server {
namespace {

v1::JobSpec Spec(std::optional<uint32_t> staleness = std::nullopt) {
  v1::JobSpec spec;
  spec.set_seed(5);
  spec.add_model()->mutable_linear()->set_out_features(3);
  spec.mutable_model(0)->mutable_linear()->set_bias(true);
  spec.mutable_loss()->mutable_cross_entropy();
  spec.mutable_optimizer()->mutable_adam()->set_learning_rate(0.01f);
  spec.set_epochs(3);
  spec.set_batch_size(20);
  spec.set_shards(6);
  spec.mutable_workers()->set_min(1);
  spec.mutable_workers()->set_max(6);
  if (staleness.has_value()) {
    spec.mutable_consistency()->set_bounded_staleness(*staleness);
  } else {
    spec.mutable_consistency()->mutable_async();
  }
  v1::DataSummary& data = *spec.mutable_data_summary();
  // 3 steps an epoch; the last has 4 examples, so that 2 shards are empty.
  data.set_training_examples(44);
  data.set_validation_examples(9);
  data.add_example_shape(4);
  data.set_classes(3);
  return spec;
}

class Simulation : public HandMovedJob {
 public:
  explicit Simulation(const v1::JobSpec& spec, const v1::Arrivals& replay = {},
                      std::optional<Checkpoint> checkpoint = std::nullopt)
      : HandMovedJob(spec) {
    AsyncRunner::Options options{Options(), replay};
    options.checkpoint = std::move(checkpoint);
    auto runner = AsyncRunner::Create(std::move(options));
    EXPECT_TRUE(runner.ok()) << runner.status();
    runner_ = *std::move(runner);
  }

  // Somebody moves, joins or dies, until the job ends.
  void RunAtRandom(uint32_t seed, bool with_deaths) {
    std::mt19937 random(seed);
    for (int moves = 0; !host_.ended; ++moves) {
      ASSERT_LT(moves, 200000);
      const uint32_t dice = random() % 100;
      if (workers_.empty() || (dice < 3 && workers_.size() < 6)) {
        Join();
        continue;
      }
      auto chosen = workers_.begin();
      std::advance(chosen, random() % workers_.size());
      if (with_deaths && dice < 6) {
        Leave(chosen->first);
      } else {
        Move(chosen->first);
      }
    }
  }
};

TEST(AsyncRunnerTest, EveryShardOfEveryStepIsOneUpdateWhateverHappens) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    Simulation simulation(Spec());
    simulation.RunAtRandom(seed, /*with_deaths=*/true);
    ASSERT_EQ(simulation.host_.final_state, v1::SUCCEEDED) << simulation.host_.final_reason;
    std::map<uint64_t, int> times;
    for (const uint64_t ticket : simulation.host_.arrivals.tickets()) ++times[ticket];
    // 9 steps of 6 shards, but 2 are empty in each epoch's last step.
    ASSERT_EQ(times.size(), 48u) << seed;
    ASSERT_EQ(simulation.host_.arrivals.tickets_size(), 48) << seed;
    ASSERT_EQ(simulation.host_.epochs.size(), 3u);
    EXPECT_EQ(simulation.host_.final_checkpoint->metadata.at("updates"), "48");
  }
}

TEST(AsyncRunnerTest, TheOrderDecidesTheBitsAndTheLogGivesThemAgain) {
  std::set<std::string> hashes;
  for (uint32_t seed = 0; seed < 100; ++seed) {
    const v1::JobSpec spec = seed % 2 == 0 ? Spec() : Spec(seed % 3);
    Simulation wild(spec);
    wild.RunAtRandom(seed, /*with_deaths=*/true);
    ASSERT_TRUE(wild.host_.final_checkpoint.has_value());
    const std::string hash = HashOf(*wild.host_.final_checkpoint);
    hashes.insert(hash);
    Simulation alone(spec, wild.host_.arrivals);
    alone.RunAtRandom(seed + 1000, /*with_deaths=*/false);
    ASSERT_TRUE(alone.host_.final_checkpoint.has_value()) << alone.host_.final_reason;
    EXPECT_EQ(HashOf(*alone.host_.final_checkpoint), hash) << seed;
    Simulation troubled(spec, wild.host_.arrivals);
    troubled.RunAtRandom(seed + 2000, /*with_deaths=*/true);
    EXPECT_EQ(HashOf(*troubled.host_.final_checkpoint), hash) << seed;
    for (size_t i = 0; i < wild.host_.epochs.size(); ++i) {
      EXPECT_EQ(alone.host_.epochs[i].training_loss(), wild.host_.epochs[i].training_loss());
    }
  }
  EXPECT_GT(hashes.size(), 50u) << "or nothing here was asynchronous";
}

TEST(AsyncRunnerTest, GoesOnFromItsCheckpointAndTheWholeLogStillHolds) {
  v1::JobSpec spec = Spec();
  spec.mutable_checkpoint()->set_interval_steps(2);
  Simulation first(spec);
  first.RunAtRandom(7, false);
  // Steps 2, 3 (an epoch's end), 4, 6, 8; the last is the final state.
  ASSERT_EQ(first.host_.checkpoints.size(), 5u);
  for (size_t i = 0; i < first.host_.checkpoints.size(); ++i) {
    Simulation second(spec, {}, first.host_.checkpoints[i]);
    second.RunAtRandom(8, true);
    ASSERT_EQ(second.host_.final_state, v1::SUCCEEDED);
    v1::Arrivals whole = first.host_.arrivals_then[i];
    whole.MergeFrom(second.host_.arrivals);
    Simulation again(spec, whole);
    again.RunAtRandom(9, false);
    EXPECT_EQ(HashOf(*again.host_.final_checkpoint), HashOf(*second.host_.final_checkpoint)) << i;
  }
}

TEST(AsyncRunnerTest, StopsWhereAStepEndsAndGoesOnFromThere) {
  for (int moves = 0; moves < 120; moves += 7) {
    Simulation simulation(Spec());
    const std::string a = simulation.Join(), b = simulation.Join();
    for (int i = 0; i < moves; ++i) simulation.Move(i % 3 == 0 ? b : a);
    simulation.runner_->Stop(v1::PAUSED, "by a test");
    while (simulation.Move(a) || simulation.Move(b)) {
    }
    ASSERT_TRUE(simulation.host_.ended) << moves;
    EXPECT_EQ(simulation.host_.final_state, v1::PAUSED);
    ASSERT_TRUE(simulation.host_.final_checkpoint.has_value()) << moves;
    Simulation rest(Spec(), {}, simulation.host_.final_checkpoint);
    rest.RunAtRandom(3, false);
    EXPECT_EQ(rest.host_.final_state, v1::SUCCEEDED);
    EXPECT_EQ(simulation.host_.arrivals.tickets_size() + rest.host_.arrivals.tickets_size(), 48)
        << moves;
  }
}

TEST(AsyncRunnerTest, AReleasedWorkerFinishesItsShard) {
  Simulation simulation(Spec());
  const std::string stays = simulation.Join(), leaves = simulation.Join();
  for (int i = 0; i < 12; ++i) simulation.Move(i % 2 == 0 ? stays : leaves);
  simulation.runner_->ReleaseWorker(leaves);
  while (simulation.Move(leaves) || simulation.Move(stays)) {
  }
  EXPECT_THAT(simulation.host_.released, testing::ElementsAre(leaves));
  EXPECT_EQ(simulation.host_.final_state, v1::SUCCEEDED);
}

TEST(AsyncRunnerTest, TheLedgerIsExactAndTheStalenessStaysWithinItsBound) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    const uint32_t bound = seed % 3;
    Simulation simulation(Spec(bound));
    simulation.RunAtRandom(seed, /*with_deaths=*/true);
    v1::Job job;
    simulation.runner_->FillProgress(&job);
    EXPECT_EQ(job.progress().step(), 9u);
    EXPECT_EQ(job.progress().ledger().consumed(), 132u);
    EXPECT_EQ(job.progress().ledger().total(), 132u);
    EXPECT_EQ(job.progress().ledger().lost() + job.progress().ledger().twice(), 0u);
    EXPECT_EQ(job.progress().staleness().updates(), 48u);
    EXPECT_LE(job.progress().staleness().most_steps(), bound);
    // Of one worker each other one's work in hand can come between.
    EXPECT_LE(job.progress().staleness().mean_updates(), 6);
  }
}

TEST(AsyncRunnerTest, OneWorkerAloneIsNeverStale) {
  Simulation simulation(Spec());
  const std::string name = simulation.Join();
  while (simulation.Move(name)) {
  }
  v1::Job job;
  simulation.runner_->FillProgress(&job);
  EXPECT_EQ(simulation.host_.final_state, v1::SUCCEEDED);
  EXPECT_EQ(job.progress().staleness().most_updates(), 0u);
  for (int i = 0; i < simulation.host_.arrivals.bases_size(); ++i) {
    EXPECT_EQ(simulation.host_.arrivals.bases(i), static_cast<uint64_t>(i));
  }
}

TEST(AsyncRunnerTest, ACheckpointIsTakenWhenItsTimeHasCome) {
  v1::JobSpec spec = Spec();
  spec.mutable_checkpoint()->set_interval_seconds(0.02);  // of a clock that moves by milliseconds
  Simulation simulation(spec);
  simulation.RunAtRandom(5, /*with_deaths=*/false);
  EXPECT_GT(simulation.host_.checkpoints.size(), 3u) << "or only at epochs' ends";
  Simulation again(spec, simulation.host_.arrivals);
  again.RunAtRandom(6, false);
  EXPECT_EQ(HashOf(*again.host_.final_checkpoint), HashOf(*simulation.host_.final_checkpoint));
}

TEST(AsyncRunnerTest, AHeldJobFinishesWhatIsInHandAndBeginsNothing) {
  Simulation simulation(Spec());
  const std::string name = simulation.Join();
  for (int i = 0; i < 10; ++i) simulation.Move(name);
  simulation.runner_->Hold("the disk is full");
  while (simulation.Move(name)) {
  }
  v1::Job job;
  simulation.runner_->FillProgress(&job);
  EXPECT_FALSE(simulation.host_.ended);
  EXPECT_THAT(job.state_reason(), testing::StartsWith("the disk is full, since"));
  simulation.runner_->Hold("");
  while (simulation.Move(name)) {
  }
  EXPECT_EQ(simulation.host_.final_state, v1::SUCCEEDED);
}

TEST(AsyncRunnerTest, AnAnswerToEarlierWorkIsDropped) {
  Simulation simulation(Spec());
  const std::string name = simulation.Join();
  simulation.Move(name);  // prepares
  simulation.Move(name);  // is ready
  while (!simulation.workers_.at(name)->has_answer()) simulation.workers_.at(name)->Work();
  std::vector<FakeWorker::Answer> first;
  while (simulation.workers_.at(name)->has_answer()) {
    first.push_back(simulation.workers_.at(name)->TakeAnswer());
  }
  for (int times = 0; times < 2; ++times) {
    EXPECT_TRUE(simulation.runner_
                    ->OnGradientChunk(name, first[0].message.gradient_chunk(), first[0].values)
                    .ok());
    EXPECT_TRUE(simulation.runner_->OnNodeResult(name, first[1].message.node_result()).ok());
  }
  v1::Job job;
  simulation.runner_->FillProgress(&job);
  EXPECT_EQ(job.progress().answers_dropped(), 2u);
  EXPECT_EQ(job.progress().staleness().updates(), 1u);
}

TEST(AsyncRunnerTest, AWorkerThatHangsLosesItsConnection) {
  Simulation simulation(Spec());
  const std::string name = simulation.Join();
  simulation.Move(name);
  simulation.Move(name);
  simulation.runner_->Tick();
  EXPECT_TRUE(simulation.workers_.at(name)->closed().ok());
  simulation.now_ += absl::Hours(2);
  simulation.runner_->Tick();
  EXPECT_TRUE(absl::IsUnavailable(simulation.workers_.at(name)->closed()));
}

TEST(AsyncRunnerTest, AWorkerThatSendsWhatItWasNotGivenIsRefused) {
  Simulation simulation(Spec());
  const std::string name = simulation.Join();
  simulation.Move(name);
  simulation.Move(name);
  v1::GradientChunk chunk;
  chunk.set_step(2);
  chunk.set_round(7);
  chunk.set_end_shard(1);
  EXPECT_TRUE(absl::IsInvalidArgument(
      simulation.runner_->OnGradientChunk(name, chunk, Tensor::Zeros(Shape{32}))));
  v1::NodeResult result;
  result.set_round(1);
  EXPECT_TRUE(absl::IsInvalidArgument(simulation.runner_->OnNodeResult(name, result)));
  result.set_round(7);
  EXPECT_TRUE(absl::IsInvalidArgument(simulation.runner_->OnNodeResult(name, result)));
}

}  // namespace
}  // namespace lockstep::server
