// `lockstep train` from end to end, with a server that pretends to train
// (testing/fake_lockstep_server.cc) and shell scripts as workers.
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include "client/exit_code.h"
#include "client/run_client.h"

namespace lockstep::client {
namespace {

namespace fs = std::filesystem;

std::string Contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class TrainCommandTest : public testing::Test {
 protected:
  TrainCommandTest() {
    std::string folder = testing::TempDir() + "/train-XXXXXX";
    folder_ = mkdtemp(folder.data());
    programs_ = folder_ + "/bin";
    fs::create_directories(programs_);
    fs::create_symlink(fs::absolute("client/testing/fake_lockstep_server"),
                       programs_ + "/lockstep-server");
    WorkerScript("exec sleep 1000");
    environment_.out = &out_;
    environment_.err = &err_;
    environment_.executable_folder = programs_;
    environment_.load_job_file = [this](const std::string&) { return job_file_; };
    environment_.hash_model = [](const std::string& path) -> absl::StatusOr<std::string> {
      return "sha256 of " + Contents(path);
    };
    SetJob("quick");
  }

  void SetJob(const std::string& name) {
    job_file_.spec.set_name(name);
    output_ = folder_ + "/" + name;
  }

  void WorkerScript(const std::string& body) {
    const std::string path = programs_ + "/lockstep-worker";
    std::ofstream(path) << "#!/bin/sh\n" << body << "\n";
    chmod(path.c_str(), 0755);
  }

  int Train(std::vector<std::string> more = {}) {
    out_.str("");
    err_.str("");
    std::vector<std::string> arguments = {"train", "job.yaml", "--output", output_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunClient(arguments, environment_);
  }

  // Sends SIGINT to this process once the run has written a metrics line.
  std::thread InterruptAfterTheFirstEpoch() {
    return std::thread([this] {
      while (Contents(output_ + "/metrics.jsonl").empty()) usleep(1000);
      kill(getpid(), SIGINT);
    });
  }

  bool OutHas(const std::string& text) { return out_.str().find(text) != std::string::npos; }
  bool ErrHas(const std::string& text) { return err_.str().find(text) != std::string::npos; }

  std::string folder_, programs_, output_;
  std::ostringstream out_, err_;
  LoadedJobFile job_file_;
  Environment environment_;
};

TEST_F(TrainCommandTest, WritesModelMetricsAndSummary) {
  EXPECT_EQ(Train(), kExitOk) << err_.str();
  EXPECT_EQ(Contents(output_ + "/model.safetensors"), "model");
  EXPECT_TRUE(OutHas("epoch 4/4  step 4")) << out_.str();
  EXPECT_TRUE(OutHas("state: succeeded\n"));
  EXPECT_TRUE(OutHas("model: " + output_ + "/model.safetensors\nmodel sha256: sha256 of model\n"));
  const std::string metrics = Contents(output_ + "/metrics.jsonl");
  EXPECT_EQ(std::count(metrics.begin(), metrics.end(), '\n'), 5);
  EXPECT_TRUE(fs::exists(output_ + "/logs/server.log"));
  EXPECT_TRUE(fs::exists(output_ + "/logs/worker-0.log"));
}

TEST_F(TrainCommandTest, JsonIsOneDocument) {
  EXPECT_EQ(Train({"--format", "json"}), kExitOk) << err_.str();
  google::protobuf::Struct summary;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(out_.str(), &summary).ok()) << out_.str();
  EXPECT_EQ(summary.fields().at("kind").string_value(), "summary");
  EXPECT_EQ(summary.fields().at("model_sha256").string_value(), "sha256 of model");
}

TEST_F(TrainCommandTest, ProtectsAnOldRun) {
  ASSERT_EQ(Train(), kExitOk) << err_.str();
  EXPECT_EQ(Train(), kExitUsage);
  EXPECT_TRUE(ErrHas("--resume") && ErrHas("--overwrite")) << err_.str();
  EXPECT_EQ(Train({"--resume"}), kExitOk) << "a finished run gives its results once more";
  EXPECT_TRUE(OutHas("model sha256: sha256 of model\n")) << out_.str();
  EXPECT_EQ(Train({"--overwrite"}), kExitOk) << err_.str();
}

TEST_F(TrainCommandTest, InterruptedRunGoesOnWithResume) {
  SetJob("endless");
  std::thread interrupter = InterruptAfterTheFirstEpoch();
  EXPECT_EQ(Train({"--workers", "2"}), kExitInterrupted);
  interrupter.join();
  EXPECT_TRUE(OutHas("state: cancelled\n")) << out_.str();
  EXPECT_TRUE(OutHas("model sha256: sha256 of model\n")) << out_.str();
  EXPECT_TRUE(ErrHas("to go on: lockstep train job.yaml --resume --workers 2 --output " + output_))
      << err_.str();
  EXPECT_EQ(Train({"--resume"}), kExitOk) << err_.str();
  EXPECT_TRUE(OutHas("step: 4/4\n")) << out_.str();
}

TEST_F(TrainCommandTest, ResumesOnlyTheSameJob) {
  ASSERT_EQ(Train(), kExitOk) << err_.str();
  job_file_.spec.set_seed(7);
  EXPECT_EQ(Train({"--resume"}), kExitUsage);
  EXPECT_TRUE(ErrHas("seed")) << err_.str();
  job_file_.spec.clear_seed();
  job_file_.spec.mutable_workers()->set_min(1);
  EXPECT_EQ(Train({"--resume"}), kExitOk) << "the number of workers is not the job's identity";
}

TEST_F(TrainCommandTest, ReportsAFailedJob) {
  SetJob("fails");
  EXPECT_EQ(Train(), kExitFailed);
  EXPECT_TRUE(ErrHas("lockstep: job-1 failed: the loss is not a number\n")) << err_.str();
  EXPECT_FALSE(fs::exists(output_ + "/model.safetensors"));
}

TEST_F(TrainCommandTest, ReportsADeadServer) {
  SetJob("crash");
  EXPECT_EQ(Train(), kExitFailed);
  EXPECT_TRUE(ErrHas("lockstep-server was killed by signal 9")) << err_.str();
  EXPECT_TRUE(ErrHas("to go on: ")) << err_.str();
}

TEST_F(TrainCommandTest, ServerThatRefusesLeavesNoRunBehind) {
  SetJob("refused");
  EXPECT_EQ(Train({"--instruction-set", "x"}), kExitUsage);
  EXPECT_TRUE(ErrHas("want best")) << err_.str();
  EXPECT_EQ(Train(), kExitUsage);
  EXPECT_FALSE(ErrHas("--overwrite")) << err_.str();
}

TEST_F(TrainCommandTest, InterruptBeforeTheServerListens) {
  SetJob("silent");
  std::thread interrupter([this] {
    while (!fs::exists(output_ + "/logs/server.log")) usleep(1000);
    kill(getpid(), SIGINT);
  });
  EXPECT_EQ(Train(), kExitInterrupted);
  interrupter.join();
}

TEST_F(TrainCommandTest, GoesOnWhenAWorkerDies) {
  SetJob("endless");
  WorkerScript("echo sick >&2; exit 1");
  // By its second start the first end has been reported.
  std::thread interrupter([this] {
    while (Contents(output_ + "/logs/worker-0.log").size() < 10) usleep(1000);
    kill(getpid(), SIGINT);
  });
  EXPECT_EQ(Train(), kExitInterrupted);
  interrupter.join();
  EXPECT_TRUE(ErrHas("worker-0 exited with code 1; starting it again: sick")) << err_.str();
}

TEST_F(TrainCommandTest, ChecksTheWorkerCountBeforeAnythingStarts) {
  job_file_.spec.mutable_workers()->set_min(3);
  EXPECT_EQ(Train({"--workers", "2"}), kExitUsage);
  EXPECT_TRUE(ErrHas("--workers: got 2")) << err_.str();
  EXPECT_FALSE(fs::exists(output_));
}

TEST_F(TrainCommandTest, ComparesWithTheCalmHashThatIsGivenAndRunsNothingForIt) {
  const std::string other(64, 'a');
  EXPECT_EQ(Train({"--chaos", "kill-worker=1000s", "--calm-sha256", other}), kExitFailed);
  EXPECT_TRUE(OutHas("calm run's sha256: " + other + ": DIFFERENT\n")) << out_.str();
  EXPECT_TRUE(ErrHas("not that of the calm run")) << err_.str();
  EXPECT_FALSE(fs::exists(output_ + "/calm"));
}

TEST_F(TrainCommandTest, RefusesACalmHashThatIsNone) {
  EXPECT_EQ(Train({"--chaos", "kill-worker=1000s", "--calm-sha256", "ABC"}), kExitUsage);
  EXPECT_TRUE(ErrHas("--calm-sha256: got 'ABC', want 64 lower-case hexadecimal digits"))
      << err_.str();
  EXPECT_EQ(Train({"--calm-sha256", std::string(64, 'a')}), kExitUsage) << "without --chaos";
  EXPECT_FALSE(fs::exists(output_));
}

TEST_F(TrainCommandTest, NamesMissingPrograms) {
  fs::remove(programs_ + "/lockstep-worker");
  EXPECT_EQ(Train(), kExitFailed);
  EXPECT_TRUE(ErrHas("cannot find lockstep-worker")) << err_.str();
  EXPECT_FALSE(fs::exists(output_));
}

}  // namespace
}  // namespace lockstep::client
