// Jobs whose shards do not wait for each other, with real processes that die: the
// logged order gives the same bits again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/testing/cluster.h"
#include "tests/testing/job_file_writer.h"
#include "tests/testing/run_lockstep.h"

namespace lockstep::tests {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ConsistencyTest : public ::testing::Test {
 protected:
  // 23 steps an epoch, of 8 shards.
  DigitsJob Job(const std::string& mode, int epochs) {
    DigitsJob job;
    job.epochs = epochs;
    job.optimizer = "sgd: {learning_rate: 0.05}";
    job.more = absl::StrCat("consistency: ", mode, "\nworkers: {min: 1}\n");
    return job;
  }
  std::string Submit(const DigitsJob& job) {
    return cluster_.Submit(WriteDigitsJob(cluster_.folder(), job));
  }
  void StartTwoWorkers() {
    cluster_.StartWorker("first");
    cluster_.StartWorker("second");
    cluster_.WaitForWorkers(2);
  }
  // Every example once, and the same bits from the log.
  void ExpectExactAndRepeatable(const v1::Job& done) {
    const v1::ExampleLedger& ledger = done.progress().ledger();
    EXPECT_EQ(ledger.consumed(), ledger.total());
    EXPECT_EQ(ledger.lost() + ledger.twice(), 0u);
    EXPECT_EQ(done.progress().staleness().updates(), done.progress().total_steps() * 8);
    const CommandResult replay = cluster_.Lockstep({"replay", done.job_id()});
    EXPECT_EQ(replay.exit_code, 0) << replay;
    EXPECT_THAT(replay.out, AllOf(StartsWith(absl::StrCat("repeated ", 8 * done.progress().step(),
                                                          " updates, up to step ",
                                                          done.progress().step(), "\nequal: ")),
                                  HasSubstr(done.model_sha256())));
  }

  Cluster cluster_;
};

TEST_F(ConsistencyTest, AJobIsRepeatedInItsLoggedOrder) {
  StartTwoWorkers();
  for (const char* mode : {"async", "{bounded_staleness: 1}"}) {
    const std::string id = Submit(Job(mode, 3));
    const v1::Job done = cluster_.WaitForState(id, v1::SUCCEEDED);
    EXPECT_GT(done.progress().validation_accuracy(), 0.8);
    ExpectExactAndRepeatable(done);
    EXPECT_THAT(cluster_.Lockstep({"status", id}).out,
                AllOf(ContainsRegex("consistency: +(async|bounded_staleness 1)\n"),
                      ContainsRegex("staleness: +at most [0-9]+ updates")));
    const CommandResult verify = cluster_.Lockstep({"verify", id});
    EXPECT_EQ(verify.exit_code, 5) << verify;
    EXPECT_THAT(verify.err, HasSubstr("use: lockstep replay")) << verify;
  }
}

TEST_F(ConsistencyTest, WorkersAndTheServerDieAndTheLogStillHolds) {
  StartTwoWorkers();
  DigitsJob job = Job("async", 300);
  job.more += "checkpoint: {interval_steps: 10}\n";
  const std::string id = Submit(job);
  cluster_.WaitForStep(id, 20);
  cluster_.KillWorker("first");
  cluster_.WaitForStep(id, 60);
  cluster_.StartWorker("third");
  cluster_.KillServer();
  cluster_.RestartServer();
  cluster_.WaitForStep(id, cluster_.Status(id).checkpoint_step() + 30);
  cluster_.KillWorker("second");
  const v1::Job done = cluster_.WaitForState(id, v1::SUCCEEDED);
  ExpectExactAndRepeatable(done);
}

TEST_F(ConsistencyTest, WhatDoesNotGoTogetherIsRefusedInOneLine) {
  for (const auto& [more, want] : std::vector<std::pair<std::string, std::string>>{
           {"consistency: {bounded_staleness: -1}\n", "bounded_staleness"},
           {"consistency: {bounded_staleness: 1000001}\n",
            "consistency.bounded_staleness: got 1000001, want 0 to 1000000"},
           {"consistency: async\naudit: 0.5\n", "audit: got 0.5, want 0 with consistency.async"},
           {"consistency: {bounded_staleness: 2}\ntensor_digests: {shards: true}\n",
            "tensor_digests.shards: got true, want false with consistency.bounded_staleness"},
           {"consistency: {async: {}, local_sgd: {steps: 2}}\n", "local_sgd"}}) {
    DigitsJob job = Job("sync", 1);
    job.more = more;
    const CommandResult submit =
        cluster_.Lockstep({"submit", WriteDigitsJob(cluster_.folder(), job)});
    EXPECT_EQ(submit.exit_code, 2) << submit;
    EXPECT_THAT(submit.err, HasSubstr(want)) << submit;
    EXPECT_EQ(std::count(submit.err.begin(), submit.err.end(), '\n'), 1) << submit;
  }
  const CommandResult chaos = cluster_.Lockstep(
      {"train", WriteDigitsJob(cluster_.folder(), Job("async", 1)), "--chaos", "kill-worker=5s"});
  EXPECT_EQ(chaos.exit_code, 2) << chaos;
  EXPECT_THAT(chaos.err, HasSubstr("--chaos: got a job with consistency async")) << chaos;
}

TEST_F(ConsistencyTest, AJobWhoseOrderDoesNotMatterHasNothingToReplay) {
  cluster_.StartWorker("only");
  const std::string id = Submit(Job("sync", 1));
  cluster_.WaitForState(id, v1::SUCCEEDED);
  const CommandResult replay = cluster_.Lockstep({"replay", id});
  EXPECT_EQ(replay.exit_code, 5) << replay;
  EXPECT_THAT(replay.err, HasSubstr("no order of arrival on record")) << replay;
  EXPECT_EQ(cluster_.Lockstep({"replay", "job-9"}).exit_code, 4);
}

}  // namespace
}  // namespace lockstep::tests
