// `lockstep train --chaos`: the job under fire ends with the calm run's bits and
// an exact ledger. The command compares; its exit code is the verdict.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/testing/job_file_writer.h"
#include "tests/testing/logged_folder.h"
#include "tests/testing/run_lockstep.h"

namespace lockstep::tests {
namespace {

using ::testing::HasSubstr;

// A few seconds of training, with checkpoints in the middle of epochs.
DigitsJob LongJob(int epochs) {
  DigitsJob job;
  job.epochs = epochs;
  job.hidden = 256;
  job.more = "checkpoint: {interval_steps: 50}\n";
  return job;
}

CommandResult TrainUnderChaos(const LoggedFolder& folder, const std::string& plan, int seed,
                              int epochs, const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {"train",
                                        WriteDigitsJob(folder, LongJob(epochs)),
                                        "--workers",
                                        "3",
                                        "--threads",
                                        "1",
                                        "--output",
                                        folder.PathOf("run"),
                                        "--overwrite",
                                        "--chaos",
                                        plan,
                                        "--chaos-seed",
                                        std::to_string(seed)};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return RunLockstep(folder, arguments);
}

void ExpectEqual(const CommandResult& result) {
  EXPECT_EQ(result.exit_code, 0) << result;
  EXPECT_THAT(result.out, HasSubstr(", 0 lost, 0 twice")) << result;
  EXPECT_THAT(result.out, HasSubstr(": equal")) << result;
}

TEST(ChaosTest, KilledWorkersAndServers) {
  LoggedFolder folder;
  ExpectEqual(TrainUnderChaos(folder, "kill-worker=400ms,kill-server=900ms", 1, 300));
}

TEST(ChaosTest, StallsAndBrokenConnections) {
  LoggedFolder folder;
  ExpectEqual(TrainUnderChaos(folder, "stall-worker=700ms,drop-connection=300ms", 2, 300));
}

TEST(ChaosTest, AllFaultsAtOnce) {
  LoggedFolder folder;
  ExpectEqual(TrainUnderChaos(folder,
                              "kill-worker=2s,kill-server=4s,stall-worker=3s,"
                              "drop-connection=1500ms,corrupt-shard=0.001",
                              3, 150));
}

TEST(ChaosTest, ComparesWithTheHashOfAnEarlierCalmRun) {
  LoggedFolder folder;
  const std::string calm =
      TrainedHash(folder, WriteDigitsJob(folder, LongJob(50)), "calm", {"--workers", "1"});
  ExpectEqual(TrainUnderChaos(folder, "kill-worker=300ms", 4, 50, {"--calm-sha256", calm}));
  EXPECT_FALSE(std::filesystem::exists(folder.PathOf("run/calm")));
}

TEST(ChaosTest, APlanThatCannotBeIsRefusedBeforeAnythingStarts) {
  LoggedFolder folder;
  const CommandResult result = TrainUnderChaos(folder, "explode=1s", 1, 1);
  EXPECT_EQ(result.exit_code, 2) << result;
  EXPECT_THAT(result.err, HasSubstr("--chaos: got 'explode=1s', want some of kill-worker=TIME"));
}

}  // namespace
}  // namespace lockstep::tests
