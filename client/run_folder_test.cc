#include "client/run_folder.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace lockstep::client {
namespace {

namespace fs = std::filesystem;

class RunFolderTest : public testing::Test {
 protected:
  RunFolderTest() {
    std::string folder = testing::TempDir() + "/run-XXXXXX";
    output_ = std::string(mkdtemp(folder.data())) + "/out";
  }

  void MakeRun(const std::string& state) {
    fs::create_directories(output_);
    fs::create_directories(state + "/checkpoints/job-1");
    std::ofstream(state + "/lockstep.db") << "db";
    std::ofstream(output_ + "/model.safetensors") << "model";
  }

  absl::Status Open(RunMode mode, const std::string& state = "") {
    return RunFolder::Open(output_, state, mode).status();
  }

  std::string output_;
};

TEST_F(RunFolderTest, CreatesANewOne) {
  auto folder = RunFolder::Open(output_, "", RunMode::kNew);
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_EQ((*folder)->state_dir(), output_ + "/state");
  EXPECT_TRUE(fs::is_directory((*folder)->log_dir()));
}

TEST_F(RunFolderTest, RefusesATakenOneAndNamesTheWaysOut) {
  MakeRun(output_ + "/state");
  const absl::Status status = Open(RunMode::kNew);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  for (const char* option : {"--resume", "--output", "--overwrite"}) {
    EXPECT_NE(status.message().find(option), std::string::npos) << status;
  }
  EXPECT_TRUE(fs::exists(output_ + "/model.safetensors"));
}

TEST_F(RunFolderTest, RefusesAnOldModelWithoutItsState) {
  fs::create_directories(output_);
  std::ofstream(output_ + "/model.safetensors") << "model";
  EXPECT_TRUE(absl::IsInvalidArgument(Open(RunMode::kNew)));
}

TEST_F(RunFolderTest, ResumesOnlyWhatIsThere) {
  EXPECT_TRUE(absl::IsInvalidArgument(Open(RunMode::kResume)));
  EXPECT_FALSE(fs::exists(output_)) << "nothing may be created";
  MakeRun(output_ + "/state");
  EXPECT_TRUE(Open(RunMode::kResume).ok());
  EXPECT_TRUE(fs::exists(output_ + "/state/lockstep.db"));
}

TEST_F(RunFolderTest, OverwritesTheRunAndNothingElse) {
  MakeRun(output_ + "/state");
  std::ofstream(output_ + "/state/mine") << "mine";
  std::ofstream(output_ + "/mine") << "mine";
  EXPECT_TRUE(Open(RunMode::kOverwrite).ok());
  EXPECT_FALSE(fs::exists(output_ + "/state/lockstep.db"));
  EXPECT_FALSE(fs::exists(output_ + "/state/checkpoints"));
  EXPECT_FALSE(fs::exists(output_ + "/model.safetensors"));
  EXPECT_TRUE(fs::exists(output_ + "/state/mine"));
  EXPECT_TRUE(fs::exists(output_ + "/mine"));
}

TEST_F(RunFolderTest, NeverDeletesAStateFolderOfSomebodyElse) {
  const std::string state = output_ + "-server-state";
  MakeRun(state);
  const absl::Status status = Open(RunMode::kOverwrite, state);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_TRUE(fs::exists(state + "/lockstep.db"));
}

TEST_F(RunFolderTest, IsForOneRunAtATime) {
  auto folder = RunFolder::Open(output_, "", RunMode::kNew);
  ASSERT_TRUE(folder.ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(Open(RunMode::kNew)));
  folder->reset();
  EXPECT_TRUE(Open(RunMode::kNew).ok());
}

TEST_F(RunFolderTest, ForgetsTheStateOfARunThatCameToNothing) {
  auto folder = RunFolder::Open(output_, "", RunMode::kNew);
  ASSERT_TRUE(folder.ok());
  MakeRun(output_ + "/state");
  (*folder)->ForgetNewState();
  EXPECT_FALSE(fs::exists(output_ + "/state/lockstep.db"));
}

}  // namespace
}  // namespace lockstep::client
