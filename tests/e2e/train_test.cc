// `lockstep train` as a user runs it: its files, its answers to Ctrl-C, and
// that it leaves no process behind, whatever ends it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "engine/data/testing/test_files.h"
#include "tests/testing/job_file_writer.h"
#include "tests/testing/json.h"
#include "tests/testing/logged_folder.h"
#include "tests/testing/process.h"
#include "tests/testing/process_table.h"
#include "tests/testing/run_lockstep.h"
#include "tests/testing/wait.h"

namespace lockstep::tests {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::SizeIs;

namespace fs = std::filesystem;

// One thread: on a busy machine threads that meet after every kernel of so
// small a model wait for each other more than they compute.
const std::vector<std::string> kCalm = {"--workers", "1", "--threads", "1"};

class TrainTest : public ::testing::Test {
 protected:
  // `epochs` beyond ten thousand: it runs until it is stopped.
  std::string WriteJob(int epochs) {
    DigitsJob job;
    job.epochs = epochs;
    return WriteDigitsJob(folder_, job);
  }
  std::string FileText(const std::string& name) {
    const std::string path = folder_.PathOf(name);
    return fs::exists(path) ? data::ReadTestFile(path) : "";
  }

  // Starts a run with two workers in the folder "run" and waits until it trains.
  void StartTraining(const std::string& job_file) {
    train_ = StartLockstep(
        folder_, "train",
        {"train", job_file, "--output", folder_.PathOf("run"), "--workers", "2", "--threads", "1"});
    WaitUntil("an epoch in metrics.jsonl", [this] {
      EXPECT_FALSE(train_->HasEnded()) << train_->EndText();
      return FileText("run/metrics.jsonl").find('\n') != std::string::npos;
    });
    children_ = ChildrenOf(train_->pid());
    ASSERT_THAT(children_, SizeIs(3)) << "a server and two workers";
  }
  void WaitForTrainsEnd() {
    ASSERT_TRUE(train_->WaitForEnd(kPatience)) << "it should have ended long ago";
  }
  void ExpectNoChildLeft() {
    WaitUntil("the end of the server and the workers",
              [this] { return std::none_of(children_.begin(), children_.end(), IsAlive); });
  }

  LoggedFolder folder_;
  std::unique_ptr<Process> train_;
  std::vector<ProcessIdentity> children_;
};

TEST_F(TrainTest, WritesModelMetricsAndHash) {
  const CommandResult result =
      RunLockstep(folder_, {"train", WriteJob(5), "--workers", "2", "--threads", "1"});
  ASSERT_EQ(result.exit_code, 0) << result;
  const std::string hash = LineAfter("model sha256: ", result.out);
  EXPECT_THAT(hash, SizeIs(64)) << result;
  EXPECT_THAT(result.out, AllOf(HasSubstr("epoch 5/5"), HasSubstr("state: succeeded"),
                                ContainsRegex("validation accuracy: [0-9.]+ %")));
  const CommandResult again = RunLockstep(folder_, {"hash", "digits-run/model.safetensors"});
  EXPECT_THAT(again.out, HasSubstr(hash)) << again;

  const std::vector<google::protobuf::Struct> lines =
      ParseJsonLines(FileText("digits-run/metrics.jsonl"));
  ASSERT_THAT(lines, SizeIs(6)) << "five epochs and a summary";
  for (int epoch = 1; epoch <= 5; ++epoch) {
    const google::protobuf::Struct& line = lines[epoch - 1];
    EXPECT_EQ(TextOf(line, "kind"), "epoch");
    EXPECT_EQ(NumberOf(line, "epoch"), epoch);
    EXPECT_EQ(NumberOf(line, "step"), 23 * epoch);
    EXPECT_GT(NumberOf(line, "validation_accuracy"), 0.1);
    if (epoch > 1) {
      EXPECT_LT(NumberOf(line, "training_loss"), NumberOf(lines[epoch - 2], "training_loss"));
    }
  }
  EXPECT_EQ(TextOf(lines[5], "kind"), "summary");
  EXPECT_EQ(TextOf(lines[5], "model_sha256"), hash);
  EXPECT_EQ(TextOf(lines[5], "state"), "succeeded");
}

TEST_F(TrainTest, JsonIsTheSummaryAlone) {
  const CommandResult result = RunLockstep(folder_, {"train", WriteJob(2), "--format", "json"});
  ASSERT_EQ(result.exit_code, 0) << result;
  const std::vector<google::protobuf::Struct> lines = ParseJsonLines(result.out);
  ASSERT_THAT(lines, SizeIs(1)) << result;
  EXPECT_THAT(TextOf(lines[0], "model_sha256"), SizeIs(64));
}

TEST_F(TrainTest, SecondRunAsksWhatToDo) {
  const std::string job = WriteJob(2);
  const std::string hash = TrainedHash(folder_, job, "run", {});
  const std::vector<std::string> same = {"train", job, "--output", folder_.PathOf("run")};
  const CommandResult refused = RunLockstep(folder_, same);
  EXPECT_EQ(refused.exit_code, 2) << refused;
  EXPECT_THAT(refused.err, AllOf(HasSubstr("--resume"), HasSubstr("--overwrite")));
  EXPECT_EQ(TrainedHash(folder_, job, "run", {"--resume"}), hash) << "it had ended";
  EXPECT_EQ(TrainedHash(folder_, job, "run", {"--overwrite"}), hash);
}

TEST_F(TrainTest, BadJobFileStartsNothing) {
  DigitsJob job;
  job.optimizer = "adam: {learning_rat: 0.1}";
  const CommandResult result = RunLockstep(folder_, {"train", WriteDigitsJob(folder_, job)});
  EXPECT_EQ(result.exit_code, 2) << result;
  EXPECT_THAT(result.err, ContainsRegex("digits.yaml:18:[0-9]+: optimizer.adam.learning_rat: "
                                        "unknown field, did you mean 'learning_rate'"))
      << result;
  EXPECT_FALSE(fs::exists(folder_.PathOf("digits-run")));
}

TEST_F(TrainTest, CtrlCSavesAndResumeGivesTheCalmHash) {
  constexpr int kEpochs = 300;
  const std::string job = WriteJob(kEpochs);
  StartTraining(job);
  if (HasFatalFailure()) return;
  train_->Signal(SIGINT);
  WaitForTrainsEnd();
  EXPECT_EQ(train_->exit_code(), 130) << train_->EndText();
  ExpectNoChildLeft();
  const std::string saved = LineAfter("model sha256: ", train_->out());
  EXPECT_THAT(saved, SizeIs(64)) << train_->out();
  EXPECT_THAT(RunLockstep(folder_, {"hash", "run/model.safetensors"}).out, HasSubstr(saved));
  for (const auto& line : ParseJsonLines(FileText("run/metrics.jsonl"))) TextOf(line, "kind");

  // The very command that it told.
  const std::string told = LineAfter("to go on: lockstep ", train_->err());
  EXPECT_THAT(told, HasSubstr("--resume")) << train_->err();
  const CommandResult resumed = RunLockstep(folder_, absl::StrSplit(told, ' '));
  EXPECT_EQ(resumed.exit_code, 0) << resumed;
  const std::string hash = LineAfter("model sha256: ", resumed.out);
  EXPECT_NE(hash, saved);
  EXPECT_EQ(hash, TrainedHash(folder_, job, "calm", kCalm));
  EXPECT_THAT(ParseJsonLines(FileText("run/metrics.jsonl")), SizeIs(kEpochs + 1))
      << "every epoch and the summary";
}

TEST_F(TrainTest, SecondCtrlCEndsAtOnce) {
  StartTraining(WriteJob(1000000));
  if (HasFatalFailure()) return;
  // A server that does not answer: the first Ctrl-C cannot come to its end.
  const auto server = std::find_if(children_.begin(), children_.end(), [](const auto& child) {
    return child.name == "lockstep-server";
  });
  ASSERT_NE(server, children_.end());
  kill(server->pid, SIGSTOP);
  train_->Signal(SIGINT);
  WaitUntil("what the first Ctrl-C does",
            [this] { return train_->err().find("Ctrl-C again: at once") != std::string::npos; });
  // Signals within a fraction of a second count as one, hence more than one.
  WaitUntil("the end", [this] {
    train_->Signal(SIGINT);
    return train_->WaitForEnd(absl::Milliseconds(500));
  });
  ASSERT_TRUE(train_->HasEnded());
  EXPECT_EQ(train_->exit_code(), 130) << train_->EndText();
  ExpectNoChildLeft();
}

TEST_F(TrainTest, KilledItLeavesNoChild) {
  const std::string job = WriteJob(300);
  StartTraining(job);
  if (HasFatalFailure()) return;
  train_->Kill();
  ExpectNoChildLeft();
  // And what it had saved is enough to go on.
  const std::string hash =
      TrainedHash(folder_, job, "run", {"--resume", "--workers", "1", "--threads", "1"});
  EXPECT_EQ(hash, TrainedHash(folder_, job, "calm", kCalm));
}

TEST_F(TrainTest, DeadWorkerIsReplaced) {
  const std::string job = WriteJob(300);
  StartTraining(job);
  if (HasFatalFailure()) return;
  const auto worker = std::find_if(children_.begin(), children_.end(), [](const auto& child) {
    return child.name == "lockstep-worker";
  });
  ASSERT_NE(worker, children_.end());
  kill(worker->pid, SIGKILL);
  WaitForTrainsEnd();
  EXPECT_EQ(train_->exit_code(), 0) << train_->err();
  EXPECT_EQ(LineAfter("model sha256: ", train_->out()), TrainedHash(folder_, job, "calm", kCalm));
  ExpectNoChildLeft();
}

}  // namespace
}  // namespace lockstep::tests
