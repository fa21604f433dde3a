// lockstep-server and lockstep-worker as programs: flags, signals, folders, and
// workers that do not fit a job.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "engine/data/testing/test_files.h"
#include "tests/testing/cluster.h"
#include "tests/testing/job_file_writer.h"
#include "tests/testing/process.h"
#include "tests/testing/wait.h"

namespace lockstep::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class ProgramsTest : public ::testing::Test {
 protected:
  // Runs a program that should end by itself, and gives what it wrote.
  std::string ExpectExit(int code, const std::vector<std::string>& command) {
    Process process(cluster_.folder(), "program", {command, {}, ""});
    if (!process.WaitForEnd(kPatience)) {
      ADD_FAILURE() << "it does not end: " << process.err();
      return "";
    }
    EXPECT_EQ(process.exit_code(), code) << process.EndText() << "\n" << process.err();
    return process.err() + process.out();
  }
  const std::string server_program_ = Runfile("server/lockstep-server");
  const std::string worker_program_ = Runfile("worker/lockstep-worker");

  Cluster cluster_;
};

TEST_F(ProgramsTest, WrongFlagsAreExitCodeTwo) {
  const std::string state = cluster_.folder().PathOf("other");
  ExpectExit(2, {server_program_});
  EXPECT_THAT(ExpectExit(2, {server_program_, "--state-dir", state, "--lease", "5"}),
              HasSubstr("--lease"));
  EXPECT_THAT(ExpectExit(2, {server_program_, "--state-dir", state, "--instruction-set", "mmx"}),
              HasSubstr("mmx"));
  ExpectExit(2, {worker_program_});
  EXPECT_THAT(ExpectExit(2, {worker_program_, "--server", cluster_.address(), "--threads", "0"}),
              HasSubstr("threads"));
  EXPECT_THAT(ExpectExit(2, {worker_program_, "--server", cluster_.address(), "--name", "a b"}),
              HasSubstr("name"));
  ExpectExit(0, {server_program_, "--help"});
  ExpectExit(0, {worker_program_, "--help"});
}

TEST_F(ProgramsTest, SecondServerOnAStateFolderIsRefused) {
  const std::string text = ExpectExit(
      1, {server_program_, "--state-dir", cluster_.state_dir(), "--listen", "127.0.0.1:0"});
  EXPECT_THAT(text, HasSubstr(cluster_.state_dir()));
}

TEST_F(ProgramsTest, AddressInUseIsAnError) {
  const std::string text =
      ExpectExit(1, {server_program_, "--state-dir", cluster_.folder().PathOf("other"), "--listen",
                     cluster_.address()});
  EXPECT_THAT(text, HasSubstr(cluster_.address()));
}

TEST_F(ProgramsTest, SigtermEndsWorkerAndServerInOrder) {
  cluster_.StartWorker("first");
  cluster_.WaitForWorkers(1);
  EXPECT_EQ(cluster_.StopWorker("first"), 0);
  cluster_.WaitForWorkers(0);
  EXPECT_EQ(cluster_.StopServer(), 0);
}

// It waits for a server that is not there yet.
TEST_F(ProgramsTest, WorkerMayStartBeforeItsServer) {
  cluster_.KillServer();
  cluster_.StartWorker("early");
  WaitUntil("a try to connect", [this] {
    return cluster_.worker("early").err().find("trying again") != std::string::npos;
  });
  cluster_.RestartServer();
  cluster_.WaitForWorkers(1);
}

TEST_F(ProgramsTest, OnlyAWorkerOfSeveralThreadsStartsAgainToSpinLess) {
  if (getenv("GOMP_SPINCOUNT") != nullptr || getenv("OMP_WAIT_POLICY") != nullptr) {
    GTEST_SKIP() << "this environment has chosen how long to spin";
  }
  const Process& one = cluster_.StartWorker("one", {"--threads", "1"});
  const Process& two = cluster_.StartWorker("two", {"--threads", "2"});
  cluster_.WaitForWorkers(2);
  // As the kernel has it: what the process was started with.
  const auto environment = [](const Process& worker) {
    std::ifstream file(absl::StrCat("/proc/", worker.pid(), "/environ"));
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  EXPECT_THAT(environment(one), Not(HasSubstr("GOMP_SPINCOUNT")));
  EXPECT_THAT(environment(two), HasSubstr("GOMP_SPINCOUNT=3000"));
}

TEST_F(ProgramsTest, WorkersOfOneNameAreToldApart) {
  cluster_.StartWorker("twin");
  cluster_.WaitForWorkers(1);
  Process second(cluster_.folder(), "second",
                 {{worker_program_, "--server", cluster_.address(), "--name", "twin"}, {}, ""});
  cluster_.WaitForWorkers(2);
  const v1::ListWorkersResponse workers = cluster_.Workers();
  ASSERT_EQ(workers.workers_size(), 2);
  EXPECT_NE(workers.workers(0).name(), workers.workers(1).name());
}

TEST_F(ProgramsTest, JobWaitsForItsLeastWorkers) {
  DigitsJob job;
  job.epochs = 2;
  job.more = "workers: {min: 2}\n";
  const std::string id = cluster_.Submit(WriteDigitsJob(cluster_.folder(), job));
  cluster_.StartWorker("first");
  cluster_.WaitForWorkers(1);
  const v1::Job waiting = cluster_.Status(id);
  EXPECT_EQ(waiting.state(), v1::QUEUED);
  EXPECT_THAT(waiting.state_reason(), HasSubstr("needs 2"));
  cluster_.StartWorker("second");
  cluster_.WaitForState(id, v1::SUCCEEDED);
}

TEST_F(ProgramsTest, ServerRemembersJobsAcrossRestarts) {
  DigitsJob job;
  job.epochs = 2;
  const std::string file = WriteDigitsJob(cluster_.folder(), job);
  cluster_.StartWorker("first");
  const v1::Job before = cluster_.WaitForState(cluster_.Submit(file), v1::SUCCEEDED);
  EXPECT_EQ(cluster_.StopServer(), 0);
  cluster_.RestartServer();
  const v1::Job after = cluster_.Status("job-1");
  EXPECT_EQ(after.model_sha256(), before.model_sha256());
  EXPECT_EQ(after.progress().epochs_size(), 2);
  EXPECT_EQ(cluster_.Submit(file), "job-2");
  cluster_.WaitForState("job-2", v1::SUCCEEDED);
}

// A worker whose data are others (here: they changed after the submission)
// takes no part, and the job says so.
TEST_F(ProgramsTest, WorkerWithOtherDataTakesNoPart) {
  const std::string digits = data::ReadTestFile(Runfile("examples/digits/digits.csv"));
  const std::string copy = cluster_.folder().Write("digits.csv", digits);
  DigitsJob job;
  job.epochs = 2;
  const std::string text = absl::StrReplaceAll(
      DigitsJobText(job), {{Runfile("examples/digits/digits.csv"), "digits.csv"}});
  const std::string id = cluster_.Submit(cluster_.folder().Write("job.yaml", text));
  cluster_.folder().Write("digits.csv",
                          digits.substr(0, digits.rfind('\n', digits.size() - 2) + 1));
  cluster_.StartWorker("stranger");
  const v1::Job waiting = cluster_.WaitFor(id, "the refusal", [](const v1::Job& now) {
    return now.state_reason().find("stranger") != std::string::npos &&
           now.state_reason().find("digits.csv") != std::string::npos;
  });
  EXPECT_EQ(waiting.progress().step(), 0u);
  cluster_.KillWorker("stranger");
  cluster_.folder().Write("digits.csv", digits);
  cluster_.StartWorker("friend");
  cluster_.WaitForState(id, v1::SUCCEEDED);
}

}  // namespace
}  // namespace lockstep::tests
