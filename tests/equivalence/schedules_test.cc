// The same job gives the same model, bit for bit, however many workers and
// threads compute it, and with whichever instructions. All through `lockstep
// train`, so with real processes.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/kernels/instruction_set.h"
#include "tests/testing/job_file_writer.h"
#include "tests/testing/logged_folder.h"
#include "tests/testing/run_lockstep.h"

namespace lockstep::tests {
namespace {

using Options = std::vector<std::string>;

// Any change of it is a change of what Lockstep computes: every user's hashes
// change too. The same on every machine.
constexpr char kDigitsHash[] = "15bc0ab7d907319572981b8bb69b8b30a2ac8e106a9fa36c7173aba59c5fecf0";

// Trains the job in each way and expects one hash; `want`: empty for the first's.
void ExpectOneHash(const DigitsJob& job, const std::vector<Options>& ways, std::string want = "") {
  LoggedFolder folder;
  const std::string job_file = WriteDigitsJob(folder, job);
  for (size_t i = 0; i < ways.size(); ++i) {
    SCOPED_TRACE(absl::StrJoin(ways[i], " "));
    const std::string hash = TrainedHash(folder, job_file, absl::StrCat("run-", i), ways[i]);
    if (want.empty()) want = hash;
    ASSERT_EQ(hash, want);
  }
}

std::vector<Options> AllWorkersAndThreads() {
  std::vector<Options> ways;
  for (const char* workers : {"1", "2", "3", "5"}) {
    for (const char* threads : {"1", "2", "4"}) {
      ways.push_back({"--workers", workers, "--threads", threads});
    }
  }
  return ways;
}

// Enough to see a sum that depends on the schedule.
std::vector<Options> SomeWorkersAndThreads() {
  return {{"--workers", "1", "--threads", "1"},
          {"--workers", "2", "--threads", "1"},
          {"--workers", "3", "--threads", "2"}};
}

TEST(SchedulesTest, DigitsGiveTheGoldenHashOnAnyWorkersAndThreads) {
  ExpectOneHash(DigitsJob(), AllWorkersAndThreads(), kDigitsHash);
}

TEST(SchedulesTest, DigitsGiveTheGoldenHashOnEveryInstructionSet) {
  std::vector<Options> ways;
  for (const std::string& set : kernels::AvailableInstructionSets()) {
    ways.push_back({"--workers", "2", "--threads", "1", "--instruction-set", set});
  }
  ASSERT_FALSE(ways.empty());
  ExpectOneHash(DigitsJob(), ways, kDigitsHash);
}

TEST(SchedulesTest, NameAndWorkersChangeNoBit) {
  DigitsJob job;
  job.name = "other";
  job.more = "workers: {min: 2, max: 3}\ncheckpoint: {interval_steps: 7}\n";
  ExpectOneHash(job, {{"--workers", "2", "--threads", "1"}}, kDigitsHash);
}

TEST(SchedulesTest, ShardsThatAreNoPowerOfTwo) {
  DigitsJob job;
  job.shards = 6;
  job.epochs = 10;
  ExpectOneHash(job, SomeWorkersAndThreads());
}

// Shards with no example at all in them, and an epoch's last batch of 28.
TEST(SchedulesTest, MoreShardsThanExamplesInABatch) {
  DigitsJob job;
  job.shards = 100;
  job.epochs = 3;
  ExpectOneHash(job, SomeWorkersAndThreads());
}

TEST(SchedulesTest, MomentumNesterovAndASchedule) {
  DigitsJob job;
  job.optimizer = "sgd: {learning_rate: 0.05, momentum: 0.9, nesterov: true, weight_decay: 1e-4}";
  job.epochs = 10;
  job.more = "learning_rate_schedule: {cosine: {warmup_steps: 20}}\n";
  ExpectOneHash(job, SomeWorkersAndThreads());
}

TEST(SchedulesTest, StepsThatNeedTheWholeGradient) {
  DigitsJob job;
  job.hidden = 1001;
  job.optimizer = "muon: {learning_rate: 0.02}";
  job.epochs = 2;
  job.more =
      "learning_rate_schedule: {plateau: {patience: 0}}\n"
      "gradient_clipping: {max_norm: 0.1}\nema: {decay: 0.9}\n"
      "parameter_groups:\n  - {parameters: [\"*.bias\"], optimizer: {lamb: {}}}\n";
  ExpectOneHash(job, SomeWorkersAndThreads());
}

TEST(SchedulesTest, RegressionByMeanSquaredError) {
  DigitsJob job;
  job.outputs = 1;
  job.loss = "mse";
  job.epochs = 10;
  ExpectOneHash(job, SomeWorkersAndThreads());
}

TEST(SchedulesTest, AnotherSeedGivesAnotherModel) {
  LoggedFolder folder;
  DigitsJob job;
  job.seed = 2;
  EXPECT_NE(TrainedHash(folder, WriteDigitsJob(folder, job), "run", {}), kDigitsHash);
}

// More than one chunk of parameters (65,536 elements), the last not full.
TEST(SchedulesTest, ModelOfSeveralChunks) {
  DigitsJob job;
  job.hidden = 2001;
  job.epochs = 1;
  ExpectOneHash(job, SomeWorkersAndThreads());
}

}  // namespace
}  // namespace lockstep::tests
