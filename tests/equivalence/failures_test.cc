// The same job gives the same model, bit for bit, while processes die, hang,
// leave and come back in the middle of it. Each test compares with the hash of
// a calm run, one worker from beginning to end.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "server/storage/small_disk.h"
#include "tests/testing/cluster.h"
#include "tests/testing/job_file_writer.h"
#include "tests/testing/logged_folder.h"
#include "tests/testing/run_lockstep.h"

namespace lockstep::tests {
namespace {

// Something happens after this step; the job then has thousands to go, many
// times what `lockstep status` takes to show it.
constexpr uint64_t kEarlyStep = 200;
constexpr int kEpochs = 400;

DigitsJob LongJob() {
  DigitsJob job;
  job.name = "long";
  job.epochs = kEpochs;
  return job;
}

const std::string& CalmHash() {
  static const std::string* const hash = [] {
    LoggedFolder folder;
    return new std::string(TrainedHash(folder, WriteDigitsJob(folder, LongJob()), "calm",
                                       {"--workers", "1", "--threads", "1"}));
  }();
  return *hash;
}

class FailuresTest : public ::testing::Test {
 protected:
  explicit FailuresTest(std::vector<std::string> server_flags = {})
      : cluster_(std::move(server_flags)) {}

  std::string SubmitLongJob() {
    return cluster_.Submit(WriteDigitsJob(cluster_.folder(), LongJob()));
  }

  void ExpectCalmHash(const std::string& job_id) {
    const v1::Job job = cluster_.WaitForState(job_id, v1::SUCCEEDED);
    EXPECT_EQ(job.progress().step(), job.progress().total_steps());
    EXPECT_EQ(job.progress().epochs_size(), kEpochs);
    EXPECT_EQ(job.model_sha256(), CalmHash()) << job_id;
    // Every example of every epoch once, whatever has happened.
    const v1::ExampleLedger& ledger = job.progress().ledger();
    EXPECT_EQ(ledger.total(), kEpochs * job.progress().training_examples());
    EXPECT_EQ(ledger.consumed(), ledger.total());
    EXPECT_EQ(ledger.lost(), 0);
    EXPECT_EQ(ledger.twice(), 0);
  }

  Cluster cluster_;
};

TEST_F(FailuresTest, WorkerKilledAndAnotherOneJoins) {
  cluster_.StartWorker("first");
  cluster_.StartWorker("second");
  cluster_.WaitForWorkers(2);
  const std::string job = SubmitLongJob();
  cluster_.WaitForStep(job, kEarlyStep);
  cluster_.KillWorker("second");
  cluster_.StartWorker("third");
  cluster_.WaitFor(job, "the new worker's part", [](const v1::Job& now) {
    for (const v1::JobWorker& worker : now.workers()) {
      if (worker.name() == "third" && worker.end_shard() > worker.first_shard()) return true;
    }
    return now.state() != v1::RUNNING;
  });
  ExpectCalmHash(job);
}

TEST_F(FailuresTest, AllWorkersDeadForAWhile) {
  cluster_.StartWorker("first");
  cluster_.StartWorker("second");
  const std::string job = SubmitLongJob();
  cluster_.WaitForStep(job, kEarlyStep);
  cluster_.KillWorker("first");
  cluster_.KillWorker("second");
  cluster_.WaitForWorkers(0);
  const v1::Job waiting = cluster_.WaitFor(job, "a job without workers", [](const v1::Job& now) {
    return now.workers().empty() && !now.state_reason().empty();
  });
  EXPECT_FALSE(waiting.state() == v1::SUCCEEDED || waiting.state() == v1::FAILED);
  EXPECT_EQ(cluster_.Status(job).progress().step(), waiting.progress().step()) << "nobody works";
  cluster_.StartWorker("third");
  ExpectCalmHash(job);
}

TEST_F(FailuresTest, ServerKilledAndWorkersComeBackByThemselves) {
  cluster_.StartWorker("first");
  cluster_.StartWorker("second");
  const std::string job = SubmitLongJob();
  cluster_.WaitForStep(job, kEarlyStep);
  const v1::Job before = cluster_.WaitFor(
      job, "a checkpoint", [](const v1::Job& now) { return now.checkpoint_step() > kEarlyStep; });
  EXPECT_EQ(before.state(), v1::RUNNING);
  cluster_.KillServer();
  cluster_.RestartServer();
  const v1::Job after = cluster_.WaitForStep(job, before.checkpoint_step() - 1);
  EXPECT_GE(after.checkpoint_step(), before.checkpoint_step()) << "it began from the checkpoint";
  ExpectCalmHash(job);
  EXPECT_FALSE(cluster_.worker("first").HasEnded());
  EXPECT_FALSE(cluster_.worker("second").HasEnded());
}

TEST_F(FailuresTest, ServerKilledInTheMiddleOfEpochsAgainAndAgain) {
  cluster_.StartWorker("first");
  cluster_.StartWorker("second");
  DigitsJob spec = LongJob();
  spec.more = "checkpoint: {interval_steps: 7}\n";  // 23 steps an epoch
  const std::string job = cluster_.Submit(WriteDigitsJob(cluster_.folder(), spec));
  uint64_t step = kEarlyStep;
  for (int kill = 0; kill < 4; ++kill, step += 300) {
    cluster_.WaitForStep(job, step);
    cluster_.KillServer();
    cluster_.RestartServer();
  }
  ExpectCalmHash(job);
}

// Its checkpoints are copied piece by piece while the next steps change the state.
TEST_F(FailuresTest, ServerKilledWithALargeStateAgainAndAgain) {
  DigitsJob spec;
  spec.name = "large";
  spec.hidden = 20000;  // 18 MB of parameters and moments
  spec.epochs = 10;
  spec.more = "checkpoint: {interval_steps: 5}\n";
  const std::string file = WriteDigitsJob(cluster_.folder(), spec);
  const std::string calm =
      TrainedHash(cluster_.folder(), file, "calm", {"--workers", "1", "--threads", "2"});
  cluster_.StartWorker("first");
  cluster_.StartWorker("second");
  const std::string job = cluster_.Submit(file);
  for (const uint64_t step : {20, 70, 120}) {
    cluster_.WaitForStep(job, step);
    cluster_.KillServer();
    cluster_.RestartServer();
  }
  const v1::Job done = cluster_.WaitForState(job, v1::SUCCEEDED);
  EXPECT_EQ(done.model_sha256(), calm);
  EXPECT_EQ(done.progress().ledger().consumed(), done.progress().ledger().total());
}

TEST_F(FailuresTest, AWorkerAskedToEndFinishesItsShardAndSaysGoodbye) {
  cluster_.StartWorker("first");
  cluster_.StartWorker("leaving");
  cluster_.WaitForWorkers(2);
  const std::string job = SubmitLongJob();
  cluster_.WaitForStep(job, kEarlyStep);
  EXPECT_EQ(cluster_.StopWorker("leaving"), 0);
  cluster_.WaitForWorkers(1);
  ExpectCalmHash(job);
}

TEST_F(FailuresTest, AWorkerThatAnswersWronglyIsFoundAndGetsNoMoreWork) {
  cluster_.StartWorker("first");
  cluster_.StartWorker("second");
  cluster_.StartWorker("broken",
                       {"--threads", "1", "--corrupt-shard", "0.01", "--corrupt-seed", "3"});
  cluster_.WaitForWorkers(3);
  DigitsJob spec = LongJob();
  spec.more = "audit: 1\n";
  const std::string job = cluster_.Submit(WriteDigitsJob(cluster_.folder(), spec));
  ExpectCalmHash(job);
  const v1::Job done = cluster_.Status(job);
  bool named = false;
  for (const v1::JobEvent& event : done.events()) {
    if (event.kind() != "worker_quarantined") continue;
    named = true;
    EXPECT_EQ(event.message().rfind("broken: job-", 0), 0) << event.message();
  }
  EXPECT_TRUE(named);
  const v1::ListWorkersResponse workers = cluster_.Workers();
  for (const v1::Worker& worker : workers.workers()) {
    EXPECT_EQ(worker.quarantine().empty(), worker.name() != "broken") << worker.name();
  }
  // A server that is started again still knows it.
  cluster_.KillServer();
  cluster_.RestartServer();
  cluster_.WaitForWorkers(3);
  const v1::ListWorkersResponse again = cluster_.Workers();
  for (const v1::Worker& worker : again.workers()) {
    EXPECT_EQ(worker.quarantine().empty(), worker.name() != "broken") << worker.name();
  }
}

TEST_F(FailuresTest, ABrokenConnectionIsMadeAnew) {
  cluster_.StartWorker("first");
  cluster_.StartWorker("second");
  cluster_.WaitForWorkers(2);
  const std::string job = SubmitLongJob();
  for (uint64_t step : {200, 500, 900}) {
    cluster_.WaitForStep(job, step);
    cluster_.worker("second").Signal(SIGUSR1);
  }
  ExpectCalmHash(job);
  EXPECT_FALSE(cluster_.worker("second").HasEnded());
  cluster_.WaitForWorkers(2);
}

TEST_F(FailuresTest, ServerStoppedAndStartedAgain) {
  cluster_.StartWorker("first");
  const std::string job = SubmitLongJob();
  cluster_.WaitForStep(job, kEarlyStep);
  EXPECT_EQ(cluster_.StopServer(), 0);
  cluster_.RestartServer();
  ExpectCalmHash(job);
}

TEST_F(FailuresTest, CancelledAndResumedOnAnotherWorker) {
  cluster_.StartWorker("first");
  const std::string job = SubmitLongJob();
  cluster_.WaitForStep(job, kEarlyStep);
  const CommandResult cancel = cluster_.Lockstep({"cancel", job});
  EXPECT_EQ(cancel.exit_code, 0) << cancel;
  const v1::Job cancelled = cluster_.WaitForState(job, v1::CANCELLED);
  EXPECT_EQ(cancelled.checkpoint_step(), cancelled.progress().step()) << "its last step is kept";
  EXPECT_LT(cancelled.progress().step(), cancelled.progress().total_steps());
  EXPECT_EQ(cluster_.StopWorker("first"), 0);
  cluster_.StartWorker("second");
  const CommandResult resume = cluster_.Lockstep({"resume", job});
  EXPECT_EQ(resume.exit_code, 0) << resume;
  ExpectCalmHash(job);
}

TEST_F(FailuresTest, TwoJobsAtOnce) {
  const std::string first = SubmitLongJob();
  const std::string second = SubmitLongJob();
  cluster_.StartWorker("one");
  cluster_.StartWorker("two");
  ExpectCalmHash(first);
  ExpectCalmHash(second);
}

// The state folder on a disk of its own, of 16 MB.
class DiskTest : public FailuresTest {
 protected:
  std::string fill_path() const { return cluster_.state_dir() + "/fill"; }
};

TEST_F(DiskTest, AFullDiskPausesTheJobAndLosesNothing) {
  EXPECT_EQ(cluster_.StopServer(), 0);
  if (!server::MountSmallDisk(cluster_.state_dir(), "16m")) {
    GTEST_SKIP() << "mounting is not allowed here";
  }
  cluster_.RestartServer();
  cluster_.StartWorker("first");
  const std::string job = SubmitLongJob();
  cluster_.WaitForStep(job, kEarlyStep);
  std::ofstream(fill_path()) << std::string(20 << 20, 'x');
  const v1::Job paused =
      cluster_.WaitFor(job, "a job that waits for the disk", [](const auto& now) {
        return now.state_reason().find("paused until the server's disk has room") !=
                   std::string::npos ||
               now.state() != v1::RUNNING;
      });
  EXPECT_EQ(paused.state(), v1::RUNNING);
  EXPECT_EQ(unlink(fill_path().c_str()), 0);
  ExpectCalmHash(job);
  cluster_.StopServer();
  server::UnmountDisk(cluster_.state_dir());
}

// A worker that is stopped, not dead: its connection stands, its work is due.
class LeaseTest : public FailuresTest {
 protected:
  LeaseTest() : FailuresTest({"--lease", "500ms"}) {}
};

TEST_F(LeaseTest, HangingWorkerIsGivenUpAndComesBack) {
  cluster_.StartWorker("steady");
  cluster_.StartWorker("hanging");
  cluster_.WaitForWorkers(2);
  const std::string job = SubmitLongJob();
  cluster_.WaitForStep(job, kEarlyStep);
  cluster_.worker("hanging").Signal(SIGSTOP);
  cluster_.WaitFor(job, "the hanging worker's end", [](const v1::Job& now) {
    for (const v1::JobWorker& worker : now.workers()) {
      if (worker.name() == "hanging") return false;
    }
    return true;
  });
  cluster_.worker("hanging").Signal(SIGCONT);
  ExpectCalmHash(job);
  cluster_.WaitForWorkers(2);
}

}  // namespace
}  // namespace lockstep::tests
