// The runner against workers that come, go, die and dawdle, under a clock that
// only the test moves. Every interleaving must end with the same bits.
#include "server/job_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <string>

#include "server/build_parameter_store.h"
#include "server/testing/fake_worker.h"
#include "server/testing/hand_moved_job.h"

namespace lockstep::server {
namespace {

// 300 x 500 weights: 150,000 parameters, three chunks, the last cut short.
v1::JobSpec WideSpec() {
  v1::JobSpec spec;
  spec.set_seed(5);
  spec.add_model()->mutable_linear()->set_out_features(500);
  spec.mutable_model(0)->mutable_linear()->set_bias(true);
  spec.mutable_loss()->mutable_cross_entropy();
  spec.mutable_optimizer()->mutable_sgd()->set_learning_rate(0.1f);
  spec.mutable_optimizer()->mutable_sgd()->set_momentum(0.9f);
  spec.set_epochs(2);
  spec.set_batch_size(20);
  spec.set_shards(6);
  spec.mutable_workers()->set_min(1);
  spec.mutable_workers()->set_max(6);
  spec.mutable_checkpoint()->set_interval_steps(0);
  v1::DataSummary& data = *spec.mutable_data_summary();
  data.set_training_examples(50);
  data.set_validation_examples(9);
  data.add_example_shape(300);
  data.set_classes(500);
  return spec;
}

// The same plan with few parameters, for thousands of runs.
v1::JobSpec SmallSpec() {
  v1::JobSpec spec = WideSpec();
  spec.mutable_model(0)->mutable_linear()->set_out_features(3);
  spec.mutable_data_summary()->set_example_shape(0, 4);
  spec.mutable_data_summary()->set_classes(3);
  return spec;
}

// Everything that makes a step look at more than one element: whole matrices,
// a norm over all of them, a group of its own, an average, and a learning rate
// that follows the validation loss.
v1::JobSpec WithEverything(v1::JobSpec spec) {
  spec.mutable_optimizer()->mutable_muon()->set_learning_rate(0.1f);
  spec.mutable_gradient_clipping()->set_max_norm(0.01f);
  spec.mutable_gradient_clipping()->set_max_value(0.005f);
  v1::ParameterGroup& biases = *spec.add_parameter_groups();
  biases.add_parameters("*.bias");
  biases.set_learning_rate_factor(0.5f);
  biases.mutable_optimizer()->mutable_lamb();
  spec.mutable_ema()->set_decay(0.9);
  v1::PlateauSchedule& plateau = *spec.mutable_learning_rate_schedule()->mutable_plateau();
  plateau.set_patience(0);
  plateau.set_factor(0.5);
  plateau.set_threshold(0.9);
  return spec;
}

// The runner and its workers; the test says who moves next.
class Simulation : public HandMovedJob {
 public:
  explicit Simulation(const v1::JobSpec& spec, std::optional<Checkpoint> checkpoint = std::nullopt,
                      std::vector<v1::EpochMetrics> epochs = {})
      : HandMovedJob(spec) {
    JobRunner::Options options{Options(), std::nullopt};
    options.checkpoint = std::move(checkpoint);
    options.epochs = std::move(epochs);
    auto runner = JobRunner::Create(std::move(options));
    EXPECT_TRUE(runner.ok()) << runner.status();
    runner_ = *std::move(runner);
  }
};

std::string CalmHash(const v1::JobSpec& spec, int workers) {
  Simulation simulation(spec);
  for (int i = 0; i < workers; ++i) simulation.Join();
  simulation.RunUntilQuiet();
  EXPECT_EQ(simulation.host_.final_state, v1::SUCCEEDED) << simulation.host_.final_reason;
  EXPECT_EQ(simulation.host_.epochs.size(), 2);
  return simulation.Hash();
}

TEST(JobRunnerTest, TheNumberOfWorkersChangesNoBit) {
  const std::string one = CalmHash(WideSpec(), 1);
  for (int workers : {2, 3, 4, 5, 6, 9}) EXPECT_EQ(CalmHash(WideSpec(), workers), one) << workers;
}

TEST(JobRunnerTest, NorDoesItWhereAStepNeedsTheWholeGradient) {
  const v1::JobSpec spec = WithEverything(WideSpec());
  const std::string one = CalmHash(spec, 1);
  for (int workers : {3, 5}) EXPECT_EQ(CalmHash(spec, workers), one) << workers;
}

TEST(JobRunnerTest, OnlyAStepsLastChunkMayWaitForTheRoundBehindIt) {
  Simulation simulation(WideSpec());
  const std::string name = simulation.Join();
  simulation.RunUntilQuiet();
  EXPECT_EQ(simulation.host_.final_state, v1::SUCCEEDED);
  // 6 steps of 3 chunks.
  EXPECT_EQ(simulation.workers_.at(name)->messages_that_may_wait(), 6);
}

// A worker that does not take what it is sent must not make it pile up.
class SlowReceiverTest : public ::testing::Test {
 protected:
  SlowReceiverTest() {
    quick_ = JoinReady();
    slow_ = JoinReady();
    slow().PretendUnsent(size_t{1} << 30);
  }
  // A worker that has loaded the data.
  std::string JoinReady() {
    const std::string name = simulation_.Join();
    EXPECT_TRUE(simulation_.Move(name, true));  // takes prepare_job
    EXPECT_TRUE(simulation_.Move(name, true));  // job_ready is delivered
    return name;
  }
  FakeWorker& slow() { return *simulation_.workers_[slow_]; }

  Simulation simulation_{WideSpec()};
  std::string quick_, slow_;
};

TEST_F(SlowReceiverTest, IsSentNothingWhileOthersCanDoItsWork) {
  while (simulation_.Move(quick_, true)) continue;
  EXPECT_EQ(simulation_.host_.final_state, v1::SUCCEEDED) << simulation_.host_.final_reason;
  EXPECT_FALSE(slow().has_work());
  EXPECT_EQ(simulation_.Hash(), CalmHash(WideSpec(), 1));
}

TEST_F(SlowReceiverTest, TakesPartAgainWhenItHasCaughtUp) {
  while (simulation_.host_.epochs.empty()) ASSERT_TRUE(simulation_.Move(quick_, true));
  EXPECT_FALSE(slow().has_work());
  slow().PretendUnsent(0);
  while (!slow().has_work()) ASSERT_TRUE(simulation_.Move(quick_, true));
  simulation_.RunUntilQuiet();
  EXPECT_EQ(simulation_.host_.final_state, v1::SUCCEEDED) << simulation_.host_.final_reason;
  EXPECT_EQ(simulation_.Hash(), CalmHash(WideSpec(), 1));
}

// One random life of a cluster: joins, deaths at any moment, answers late.
void RunChaos(const v1::JobSpec& spec, uint32_t seed, const std::string& calm_hash,
              const std::vector<v1::EpochMetrics>& calm_epochs) {
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  Simulation simulation(spec);
  simulation.Join();
  for (int moves = 0; !simulation.host_.ended; ++moves) {
    ASSERT_LT(moves, 100000);
    const uint32_t dice = random() % 100;
    if (simulation.workers_.empty() || (dice < 3 && simulation.workers_.size() < 7)) {
      simulation.Join();
      continue;
    }
    auto chosen = simulation.workers_.begin();
    std::advance(chosen, random() % simulation.workers_.size());
    if (dice < 6 && moves < 2000) {
      simulation.Leave(chosen->first);
    } else {
      simulation.Move(chosen->first, random() % 2 == 0);
    }
  }
  ASSERT_EQ(simulation.host_.final_state, v1::SUCCEEDED) << simulation.host_.final_reason;
  EXPECT_EQ(simulation.Hash(), calm_hash);
  ASSERT_EQ(simulation.host_.epochs.size(), calm_epochs.size());
  for (size_t i = 0; i < calm_epochs.size(); ++i) {
    EXPECT_EQ(simulation.host_.epochs[i].training_loss(), calm_epochs[i].training_loss());
    EXPECT_EQ(simulation.host_.epochs[i].validation_loss(), calm_epochs[i].validation_loss());
  }
}

void ExpectTheSameBitsInRandomLives(const v1::JobSpec& spec, uint32_t lives) {
  Simulation calm(spec);
  calm.Join();
  calm.RunUntilQuiet();
  const std::string hash = calm.Hash();
  for (uint32_t seed = 1; seed <= lives && !testing::Test::HasFailure(); ++seed) {
    RunChaos(spec, seed, hash, calm.host_.epochs);
  }
}

TEST(JobRunnerTest, TwoThousandRandomLivesEndWithTheSameBits) {
  ExpectTheSameBitsInRandomLives(SmallSpec(), 2000);
}

TEST(JobRunnerTest, SoDoLivesWhoseStepsNeedTheWholeGradient) {
  ExpectTheSameBitsInRandomLives(WithEverything(SmallSpec()), 300);
}

void ExpectTheSameBitsFromAnyCheckpoint(v1::JobSpec spec) {
  spec.mutable_checkpoint()->set_interval_steps(1);
  Simulation whole(spec);
  whole.Join();
  whole.RunUntilQuiet();
  ASSERT_EQ(whole.host_.checkpoints.size(), 5);  // of 6 steps; the last is the final state
  for (const Checkpoint& checkpoint : whole.host_.checkpoints) {
    std::vector<v1::EpochMetrics> epochs;
    for (const auto& epoch : whole.host_.epochs) {
      if (epoch.step() <= checkpoint.step) epochs.push_back(epoch);
    }
    Simulation rest(spec, checkpoint, epochs);
    rest.Join();
    rest.Join();
    rest.RunUntilQuiet();
    EXPECT_EQ(rest.Hash(), whole.Hash()) << checkpoint.step;
    EXPECT_EQ(rest.host_.epochs.back().training_loss(), whole.host_.epochs.back().training_loss());
  }
}

TEST(JobRunnerTest, GoesOnFromAnyCheckpointWithTheSameBits) {
  ExpectTheSameBitsFromAnyCheckpoint(SmallSpec());
  ExpectTheSameBitsFromAnyCheckpoint(WithEverything(SmallSpec()));
}

TEST(JobRunnerTest, APlateauLowersTheLearningRate) {
  v1::JobSpec spec = WithEverything(SmallSpec());
  Simulation simulation(spec);
  simulation.Join();
  simulation.RunUntilQuiet();
  // The second epoch's loss is not a tenth of the first's.
  EXPECT_EQ(simulation.host_.final_checkpoint->metadata.at("plateau_factor"), "0.5");
  EXPECT_EQ(simulation.host_.final_checkpoint->optimizer_state.size(), 5);
}

TEST(JobRunnerTest, WaitsForTheMinimumOfWorkersAndSaysSo) {
  v1::JobSpec spec = SmallSpec();
  spec.mutable_workers()->set_min(2);
  Simulation simulation(spec);
  const std::string first = simulation.Join();
  simulation.RunUntilQuiet();
  EXPECT_FALSE(simulation.host_.ended);
  v1::Job job;
  simulation.runner_->FillProgress(&job);
  EXPECT_THAT(job.state_reason(), testing::HasSubstr("has 1, needs 2"));
  simulation.Join();
  simulation.RunUntilQuiet();
  EXPECT_EQ(simulation.host_.final_state, v1::SUCCEEDED);
}

TEST(JobRunnerTest, StopsAfterThePresentStepAndKeepsIt) {
  Simulation simulation(SmallSpec());
  const std::string name = simulation.Join();
  for (int i = 0; i < 6; ++i) simulation.Move(name, true);
  simulation.runner_->Stop(v1::CANCELLED, "by a test");
  simulation.RunUntilQuiet();
  EXPECT_TRUE(simulation.host_.ended);
  EXPECT_EQ(simulation.host_.final_state, v1::CANCELLED);
  ASSERT_TRUE(simulation.host_.final_checkpoint.has_value());
  Simulation rest(SmallSpec(), simulation.host_.final_checkpoint, simulation.host_.epochs);
  rest.Join();
  rest.RunUntilQuiet();
  EXPECT_EQ(rest.Hash(), CalmHash(SmallSpec(), 1));
}

TEST(JobRunnerTest, AReleasedWorkerFinishesWhatItHasAndChangesNoBit) {
  v1::JobSpec spec = SmallSpec();
  for (int moves = 0; moves < 60; ++moves) {
    Simulation simulation(spec);
    const std::string stays = simulation.Join();
    const std::string leaves = simulation.Join();
    for (int i = 0; i < moves; ++i) {
      if (!simulation.Move(i % 2 == 0 ? stays : leaves, true)) break;
    }
    const bool had_answers = simulation.workers_.at(leaves)->has_answer();
    simulation.runner_->ReleaseWorker(leaves);
    simulation.RunUntilQuiet();
    EXPECT_THAT(simulation.host_.released, testing::ElementsAre(leaves)) << moves << had_answers;
    EXPECT_EQ(simulation.Hash(), CalmHash(spec, 1)) << moves;
  }
}

TEST(JobRunnerTest, AJobWhoseWorkersAreTakenWaits) {
  v1::JobSpec spec = SmallSpec();
  spec.mutable_workers()->set_min(2);
  Simulation simulation(spec);
  const std::string first = simulation.Join();
  const std::string second = simulation.Join();
  for (int i = 0; i < 8; ++i) simulation.Move(i % 2 == 0 ? first : second, true);
  simulation.runner_->ReleaseWorker(second);
  simulation.RunUntilQuiet();
  EXPECT_FALSE(simulation.host_.ended);
  v1::Job job;
  simulation.runner_->FillProgress(&job);
  EXPECT_THAT(job.state_reason(), testing::HasSubstr("has 1, needs 2"));
  simulation.Join();
  simulation.RunUntilQuiet();
  EXPECT_EQ(simulation.Hash(), CalmHash(SmallSpec(), 1));
}

TEST(JobRunnerTest, ALossThatIsNotFiniteNamesWorkerAndOperation) {
  Simulation simulation(SmallSpec());
  const std::string name = simulation.Join();
  FakeWorker& worker = *simulation.workers_.at(name);
  while (!simulation.host_.ended) {
    if (!worker.has_answer()) {
      ASSERT_TRUE(worker.has_work());
      worker.Work();
      continue;
    }
    FakeWorker::Answer answer = worker.TakeAnswer();
    if (answer.message.has_node_result()) {
      answer.message.mutable_node_result()->set_loss_sum(std::nan(""));
      answer.message.mutable_node_result()->set_anomaly("shard 2: forward of log gave nan");
    }
    simulation.Deliver(name, std::move(answer));
  }
  EXPECT_EQ(simulation.host_.final_state, v1::FAILED);
  EXPECT_THAT(simulation.host_.final_reason,
              testing::HasSubstr("at step 0, want a finite number; worker worker-0: shard 2: "
                                 "forward of log gave nan"));
}

std::vector<std::string> Digests(const v1::JobSpec& spec, int workers) {
  Simulation simulation(spec);
  for (int i = 0; i < workers; ++i) simulation.Join();
  simulation.RunUntilQuiet();
  std::vector<std::string> digests;
  for (const auto& digest : simulation.host_.digests) {
    digests.push_back(digest.SerializeAsString());
  }
  return digests;
}

TEST(JobRunnerTest, DigestsAreOfEveryStepAskedForAndOfEveryCheckpoint) {
  v1::JobSpec spec = WideSpec();
  spec.mutable_tensor_digests()->set_interval_steps(2);
  Simulation simulation(spec);
  simulation.Join();
  simulation.RunUntilQuiet();
  std::vector<uint64_t> steps;
  for (const auto& digest : simulation.host_.digests) {
    steps.push_back(digest.step());
    EXPECT_EQ(digest.tensors_size(), 2);
    EXPECT_EQ(digest.shards_size(), 0);
  }
  EXPECT_THAT(steps, testing::ElementsAre(2, 3, 4, 6)) << "an epoch has 3 steps";
  EXPECT_THAT(simulation.runner_->ParameterNames(), testing::ElementsAre("0.weight", "0.bias"));
}

TEST(JobRunnerTest, DigestsOfShardsDoNotDependOnWhoComputesThem) {
  v1::JobSpec spec = WideSpec();
  spec.mutable_tensor_digests()->set_interval_steps(1);
  spec.mutable_tensor_digests()->set_shards(true);
  const auto one = Digests(spec, 1);
  ASSERT_EQ(one.size(), 6u);
  v1::StepDigest first;
  ASSERT_TRUE(first.ParseFromString(one[0]));
  EXPECT_EQ(first.shards_size(), 6);
  EXPECT_EQ(Digests(spec, 4), one);
  EXPECT_EQ(CalmHash(spec, 3), CalmHash(WideSpec(), 1)) << "they change no bit";
}

// One of four workers gives wrong sums, at random moments, until it is found out.
TEST(JobRunnerTest, NeitherDoThoseOfAuditedShardsOneOfWhomIsWrong) {
  v1::JobSpec spec = SmallSpec();
  spec.mutable_tensor_digests()->set_interval_steps(1);
  spec.mutable_tensor_digests()->set_shards(true);
  const auto calm = Digests(spec, 1);
  spec.set_audit(1);
  EXPECT_EQ(Digests(spec, 3), calm);
  for (uint32_t seed = 1; seed <= 300 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    Simulation simulation(spec);
    const std::string liar = simulation.Join();
    for (int i = 0; i < 3; ++i) simulation.Join();
    for (int moves = 0; !simulation.host_.ended; ++moves) {
      ASSERT_LT(moves, 100000);
      auto chosen = simulation.workers_.begin();
      std::advance(chosen, random() % simulation.workers_.size());
      if (random() % 20 == 0) {
        simulation.now_ += absl::Seconds(1);  // who has not answered is late
        simulation.runner_->Tick();
      }
      if (chosen->first != liar || !chosen->second->has_answer()) {
        simulation.Move(chosen->first, random() % 2 == 0);
        continue;
      }
      FakeWorker::Answer answer = chosen->second->TakeAnswer();
      const bool wrong = answer.message.has_gradient_chunk() && random() % 4 == 0;
      if (wrong) answer.values.data<float>()[0] += 1;
      simulation.Deliver(liar, std::move(answer));
    }
    std::vector<std::string> digests;
    for (const auto& digest : simulation.host_.digests) {
      digests.push_back(digest.SerializeAsString());
    }
    EXPECT_EQ(digests, calm);
  }
}

TEST(JobRunnerTest, CountsGoOnFromTheCheckpoint) {
  v1::JobSpec spec = SmallSpec();
  spec.set_audit(1);
  spec.mutable_checkpoint()->set_interval_steps(1);
  Simulation whole(spec);
  whole.Join();
  whole.Join();
  whole.RunUntilQuiet();
  const auto audited = [](const Simulation& simulation) {
    v1::Job job;
    simulation.runner_->FillProgress(&job);
    return job.progress().shards_audited();
  };
  ASSERT_EQ(audited(whole), 6u * 6u) << "steps and shards";
  for (const Checkpoint& checkpoint : whole.host_.checkpoints) {
    Simulation rest(spec, checkpoint);
    EXPECT_EQ(audited(rest), checkpoint.step * 6);
    rest.Join();
    rest.Join();
    rest.RunUntilQuiet();
    EXPECT_EQ(audited(rest), audited(whole));
  }
}

TEST(JobRunnerTest, AForkGoesOnFromAnotherJobsCheckpoint) {
  v1::JobSpec spec = SmallSpec();
  spec.mutable_checkpoint()->set_interval_steps(1);
  Simulation whole(spec);
  whole.Join();
  whole.RunUntilQuiet();
  const auto fork_at = [&](const v1::JobSpec& fork_spec, const Checkpoint& checkpoint) {
    JobRunner::Options options;
    options.job_id = "job-2";
    options.spec = fork_spec;
    options.now = absl::Now;
    options.host = &whole.host_;
    options.checkpoint = checkpoint;
    options.checkpoint_is_forked = true;
    return JobRunner::Create(std::move(options));
  };
  const Checkpoint& checkpoint = whole.host_.checkpoints[1];
  EXPECT_TRUE(fork_at(spec, checkpoint).ok());
  v1::JobSpec shorter = spec;
  shorter.clear_epochs();
  shorter.set_steps(checkpoint.step);
  EXPECT_THAT(std::string(fork_at(shorter, checkpoint).status().message()),
              testing::HasSubstr("want more than the 2"));
  v1::JobSpec wider = spec;
  wider.mutable_model(0)->mutable_linear()->set_out_features(4);
  EXPECT_THAT(std::string(fork_at(wider, checkpoint).status().message()),
              testing::HasSubstr("'0.weight': got shape [3, 4], want [4, 4]"));
  v1::JobSpec adam = spec;
  adam.mutable_optimizer()->mutable_adam()->set_learning_rate(0.1f);
  EXPECT_THAT(std::string(fork_at(adam, checkpoint).status().message()),
              testing::HasSubstr("optimizer state: got a tensor 'velocity.0.weight'"));
  adam.mutable_forked_from()->set_fresh_optimizer(true);
  EXPECT_TRUE(fork_at(adam, checkpoint).ok());
}

TEST(JobRunnerTest, StopsBelowTheMinimumOfWorkersToo) {
  v1::JobSpec spec = SmallSpec();
  spec.mutable_workers()->set_min(2);
  Simulation simulation(spec);
  const std::string first = simulation.Join();
  const std::string second = simulation.Join();
  while (simulation.workers_.at(second)->has_work() || simulation.workers_.at(first)->has_work() ||
         simulation.workers_.at(first)->has_answer()) {
    if (!simulation.Move(first, true)) simulation.Move(second, true);
    v1::Job job;
    simulation.runner_->FillProgress(&job);
    if (job.progress().step() == 1) break;
  }
  simulation.Leave(second);
  simulation.runner_->Stop(v1::CANCELLED, "by a test");
  simulation.RunUntilQuiet();
  EXPECT_TRUE(simulation.host_.ended);
  EXPECT_EQ(simulation.host_.final_state, v1::CANCELLED);
}

TEST(JobRunnerTest, StopsAtOnceWithoutWorkers) {
  Simulation simulation(SmallSpec());
  simulation.runner_->Stop(v1::CANCELLED, "by a test");
  EXPECT_TRUE(simulation.host_.ended);
  EXPECT_EQ(simulation.host_.final_checkpoint->step, 0);
}

TEST(JobRunnerTest, WhatNoHonestWorkerSendsIsRefused) {
  Simulation simulation(SmallSpec());
  const std::string name = simulation.Join();
  simulation.Move(name, false);  // prepares
  simulation.Move(name, true);   // is ready
  v1::GradientChunk chunk;
  chunk.set_round(1);
  chunk.set_first_shard(1);
  chunk.set_end_shard(3);
  const Tensor values = Tensor::Zeros(Shape{simulation.total_elements_});
  EXPECT_TRUE(absl::IsInvalidArgument(simulation.runner_->OnGradientChunk(name, chunk, values)));
  chunk.set_first_shard(0);
  chunk.set_end_shard(6);
  EXPECT_TRUE(absl::IsInvalidArgument(
      simulation.runner_->OnGradientChunk(name, chunk, Tensor::Zeros(Shape{3}))));
  chunk.set_chunk(7);
  EXPECT_TRUE(absl::IsInvalidArgument(simulation.runner_->OnGradientChunk(name, chunk, values)));
  v1::NodeResult result;
  result.set_round(1);
  result.set_end_shard(6);
  result.set_examples(20);
  EXPECT_TRUE(absl::IsInvalidArgument(simulation.runner_->OnNodeResult(name, result)));
  v1::JobReady ready;
  EXPECT_TRUE(absl::IsInvalidArgument(simulation.runner_->OnJobReady(name, ready)));
}

TEST(JobRunnerTest, ALossThatIsNoNumberFailsTheJobAndNamesTheStep) {
  Simulation simulation(SmallSpec());
  const std::string name = simulation.Join();
  while (!simulation.host_.ended) {
    FakeWorker& worker = *simulation.workers_.at(name);
    if (!worker.has_answer()) {
      worker.Work();
      continue;
    }
    FakeWorker::Answer answer = worker.TakeAnswer();
    if (answer.message.has_node_result()) {
      answer.message.mutable_node_result()->set_loss_sum(std::nan(""));
    }
    simulation.Deliver(name, std::move(answer));
  }
  EXPECT_EQ(simulation.host_.final_state, v1::FAILED);
  EXPECT_THAT(simulation.host_.final_reason, testing::HasSubstr("at step 0"));
}

TEST(JobRunnerTest, ParametersThatAreNoNumbersAreNotKept) {
  Simulation simulation(SmallSpec());
  const std::string name = simulation.Join();
  while (!simulation.host_.ended) {
    FakeWorker& worker = *simulation.workers_.at(name);
    if (!worker.has_answer()) {
      worker.Work();
      continue;
    }
    FakeWorker::Answer answer = worker.TakeAnswer();
    // In the epoch's last step, so that no loss shows it before the checkpoint.
    if (answer.message.has_gradient_chunk() && answer.message.gradient_chunk().step() == 2) {
      answer.values.data<float>()[1] = std::nanf("");
    }
    simulation.Deliver(name, std::move(answer));
  }
  EXPECT_EQ(simulation.host_.final_state, v1::FAILED);
  EXPECT_THAT(simulation.host_.final_reason, testing::HasSubstr("parameters after step 3"));
  EXPECT_TRUE(simulation.host_.checkpoints.empty());
  EXPECT_FALSE(simulation.host_.final_checkpoint.has_value());
}

TEST(JobRunnerTest, AServerTooSmallForTheJobSaysSo) {
  const v1::JobSpec spec = WideSpec();
  const auto plan = PlanModel(spec, Shape{300});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_TRUE(CheckServerMemory(spec, *plan, 100 << 20).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(CheckServerMemory(spec, *plan, 1 << 20)));
}

uint64_t StepOf(const Simulation& simulation) {
  v1::Job job;
  simulation.runner_->FillProgress(&job);
  return job.progress().step();
}

// Two workers that have done four of six steps; from now on only the first moves,
// and it has nothing to do.
void LetOneFallBehind(Simulation& simulation, const std::string& first, const std::string& second) {
  while (StepOf(simulation) < 4) {
    simulation.Move(first, true);
    simulation.Move(second, true);
  }
  while (simulation.Move(first, true)) {
  }
  ASSERT_FALSE(simulation.host_.ended);
}

TEST(JobRunnerTest, ALateWorkersShardsAreGivenToAnIdleOneToo) {
  Simulation simulation(SmallSpec());
  const std::string first = simulation.Join();
  const std::string second = simulation.Join();
  LetOneFallBehind(simulation, first, second);
  simulation.runner_->Tick();
  EXPECT_FALSE(simulation.Move(first, true)) << "not late yet";
  simulation.now_ += absl::Seconds(1);
  simulation.runner_->Tick();
  while (simulation.Move(first, true)) {
  }
  EXPECT_EQ(simulation.host_.final_state, v1::SUCCEEDED) << "the late one gets no more work";
  EXPECT_EQ(simulation.Hash(), CalmHash(SmallSpec(), 1));
  v1::Job job;
  simulation.runner_->FillProgress(&job);
  EXPECT_EQ(job.progress().shards_speculated(), 3);
  EXPECT_EQ(job.progress().ledger().consumed(), 100);
  EXPECT_EQ(job.progress().ledger().twice(), 0);
}

TEST(JobRunnerTest, ALateAnswerThatDiffersSendsTheJobBackBeforeItsStep) {
  Simulation simulation(SmallSpec());
  const std::string first = simulation.Join();
  const std::string second = simulation.Join();
  LetOneFallBehind(simulation, first, second);
  simulation.now_ += absl::Seconds(1);
  simulation.runner_->Tick();
  while (StepOf(simulation) < 5) simulation.Move(first, true);
  FakeWorker& late = *simulation.workers_.at(second);
  while (!late.has_answer()) late.Work();
  FakeWorker::Answer answer = late.TakeAnswer();
  ASSERT_TRUE(answer.message.has_gradient_chunk());
  answer.values.data<float>()[3] += 1;
  simulation.Deliver(second, std::move(answer));
  ASSERT_TRUE(simulation.host_.rewind.has_value());
  EXPECT_EQ(simulation.host_.rewind->step, 4);
  EXPECT_EQ(simulation.host_.rewind->disputes.count(4), 1);
  EXPECT_FALSE(simulation.host_.ended) << "its successor goes on";
  ASSERT_EQ(simulation.host_.events.size(), 1);
  EXPECT_THAT(simulation.host_.events[0], testing::HasSubstr("worker-0, worker-1 give different"));
}

TEST(JobRunnerTest, TwoWhoInsistWaitForAThird) {
  v1::JobSpec spec = SmallSpec();
  spec.set_audit(1);
  Simulation simulation(spec);
  const std::string liar = simulation.Join();
  simulation.Join();
  const auto spoil = [&](FakeWorker::Answer& answer) {
    if (answer.message.has_gradient_chunk()) answer.values.data<float>()[0] += 1;
  };
  const auto run = [&] {
    for (bool moved = true; moved;) {
      moved = false;
      for (auto& [name, worker] : simulation.workers_) {
        if (name != liar || !worker->has_answer()) {
          moved |= simulation.Move(name, true);
          continue;
        }
        FakeWorker::Answer answer = worker->TakeAnswer();
        spoil(answer);
        simulation.Deliver(name, std::move(answer));
        moved = true;
      }
    }
  };
  run();
  EXPECT_FALSE(simulation.host_.ended);
  v1::Job job;
  simulation.runner_->FillProgress(&job);
  EXPECT_THAT(job.state_reason(), testing::HasSubstr("waiting for another worker to decide: "
                                                     "worker-0, worker-1 give different sums"));
  simulation.Join();
  run();
  EXPECT_EQ(simulation.host_.final_state, v1::SUCCEEDED);
  EXPECT_EQ(simulation.Hash(), CalmHash(SmallSpec(), 1));
  EXPECT_EQ(simulation.host_.quarantined.count(liar), 1);
  EXPECT_EQ(simulation.host_.quarantined.size(), 1);
}

TEST(JobRunnerTest, HeldItFinishesItsStepAndGoesOnWhenItMay) {
  Simulation simulation(SmallSpec());
  simulation.Join();
  while (StepOf(simulation) < 1) simulation.Move("worker-0", true);
  simulation.runner_->Hold("no room");
  simulation.RunUntilQuiet();
  EXPECT_FALSE(simulation.host_.ended);
  EXPECT_EQ(StepOf(simulation), 2);
  v1::Job job;
  simulation.runner_->FillProgress(&job);
  EXPECT_THAT(job.state_reason(), testing::HasSubstr("no room, since "));
  simulation.runner_->Hold("");
  simulation.RunUntilQuiet();
  EXPECT_EQ(simulation.Hash(), CalmHash(SmallSpec(), 1));
}

TEST(JobRunnerTest, ALeaseIsLongerWhereShardsTakeLong) {
  Simulation simulation(SmallSpec());
  const std::string name = simulation.Join();
  EXPECT_EQ(simulation.runner_->Lease(absl::Seconds(3)), absl::Seconds(3));
  while (!simulation.host_.ended) {
    simulation.now_ += absl::Seconds(60);
    simulation.Move(name, true);
  }
  EXPECT_GT(simulation.runner_->Lease(absl::Seconds(3)), absl::Seconds(9));
  EXPECT_LE(simulation.runner_->Lease(absl::Seconds(3)), absl::Minutes(1));
}

TEST(JobRunnerTest, AStepThatHangsNamesWhoHoldsItUp) {
  Simulation simulation(SmallSpec());
  const std::string name = simulation.Join();
  simulation.Move(name, false);  // prepares
  simulation.Move(name, true);   // is ready, and says no more
  v1::Job job;
  simulation.runner_->FillProgress(&job);
  EXPECT_EQ(job.state_reason(), "");
  simulation.now_ += absl::Seconds(60);
  simulation.runner_->FillProgress(&job);
  EXPECT_THAT(job.state_reason(), testing::HasSubstr("waiting for worker-0 (shards 0 to 5)"));
}

}  // namespace
}  // namespace lockstep::server
