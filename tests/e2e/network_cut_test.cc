// The network between server and workers is cut in the middle of a job and mended,
// or is slow: the model is that of a calm run, and every example counts once.
// Skipped where the system does not let the test make networks of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/e2e/two_networks.h"
#include "tests/testing/cluster.h"
#include "tests/testing/job_file_writer.h"
#include "tests/testing/run_lockstep.h"

namespace lockstep::tests {
namespace {

using ::testing::HasSubstr;

TwoNetworks* networks = nullptr;  // made by main, before there are threads

constexpr uint64_t kEarlyStep = 200;

DigitsJob LongJob(int epochs) {
  DigitsJob job;
  job.epochs = epochs;
  return job;
}

class NetworkCutTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!networks->reason().empty()) GTEST_SKIP() << networks->reason();
    cluster_ = std::make_unique<Cluster>(
        // A short lease: a cut shows soon. Memory would go around the cable.
        std::vector<std::string>{"--lease", "1s", "--shared-memory", "off"},
        absl::StrCat(TwoNetworks::kNear, ":0"));
  }
  void TearDown() override {
    if (!networks->reason().empty()) return;
    networks->Mend();
    networks->Unlimit();
  }

  void StartFarWorkers(int count) {
    cluster_->StartWorkersBy(networks->RunFar());
    for (int i = 1; i <= count; ++i) cluster_->StartWorker(absl::StrCat("far-", i));
    cluster_->StartWorkersBy({});
  }
  std::string Submit(const DigitsJob& job) {
    return cluster_->Submit(WriteDigitsJob(cluster_->folder(), job));
  }
  // The job's end is that of one worker without any network.
  void ExpectCalmEnd(const std::string& job_id, const DigitsJob& calm) {
    const v1::Job job = cluster_->WaitForState(job_id, v1::SUCCEEDED);
    const std::string calm_hash =
        TrainedHash(cluster_->folder(), WriteDigitsJob(cluster_->folder(), calm), "calm",
                    {"--workers", "1", "--threads", "1"});
    EXPECT_EQ(job.model_sha256(), calm_hash);
    const v1::ExampleLedger& ledger = job.progress().ledger();
    EXPECT_EQ(ledger.consumed(), calm.epochs * job.progress().training_examples());
    EXPECT_EQ(ledger.lost(), 0u);
    EXPECT_EQ(ledger.twice(), 0u);
  }

  std::unique_ptr<Cluster> cluster_;
};

TEST_F(NetworkCutTest, OthersGoOnWhileWorkersAreCutOffAndTheseComeBack) {
  const DigitsJob spec = LongJob(500);
  cluster_->StartWorker("near");
  StartFarWorkers(2);
  cluster_->WaitForWorkers(3);
  const std::string job_id = Submit(spec);
  cluster_->WaitForStep(job_id, kEarlyStep);
  for (int cut = 0; cut < 2; ++cut) {
    ASSERT_TRUE(networks->Cut());
    cluster_->WaitForWorkers(1);
    const v1::Job alone = cluster_->Status(job_id);
    EXPECT_EQ(alone.state(), v1::RUNNING);
    cluster_->WaitForStep(job_id, alone.progress().step() + 20);
    ASSERT_TRUE(networks->Mend());
    cluster_->WaitForWorkers(3);
    if (cluster_->Status(job_id).state() != v1::RUNNING) break;
  }
  ExpectCalmEnd(job_id, spec);
}

TEST_F(NetworkCutTest, AJobWithoutAnyWorkersLeftWaitsSaysSoAndGoesOn) {
  const DigitsJob spec = LongJob(200);
  StartFarWorkers(2);
  cluster_->WaitForWorkers(2);
  const std::string job_id = Submit(spec);
  cluster_->WaitForStep(job_id, kEarlyStep);
  ASSERT_TRUE(networks->Cut());
  cluster_->WaitForWorkers(0);
  const v1::Job waiting = cluster_->Status(job_id);
  EXPECT_EQ(waiting.state(), v1::RUNNING);
  EXPECT_LT(waiting.progress().step(), waiting.progress().total_steps());
  EXPECT_THAT(waiting.state_reason(), HasSubstr("waiting for workers: has 0, needs 1, since"));
  ASSERT_TRUE(networks->Mend());
  ExpectCalmEnd(job_id, spec);
}

// Shorter than the lease: nobody is given up, what was on its way is sent again.
TEST_F(NetworkCutTest, ShortCutsDoNotShow) {
  const DigitsJob spec = LongJob(100);
  StartFarWorkers(2);
  cluster_->WaitForWorkers(2);
  const std::string job_id = Submit(spec);
  uint64_t step = 0;
  for (int cut = 0; cut < 5; ++cut) {
    step = cluster_->WaitForStep(job_id, step + 50).progress().step();
    ASSERT_TRUE(networks->Cut());
    ASSERT_TRUE(networks->Mend());
  }
  ExpectCalmEnd(job_id, spec);
}

TEST_F(NetworkCutTest, ALinkOf100MegabitsGivesTheSameModel) {
  if (!networks->Limit(100)) GTEST_SKIP() << "the kernel has no tbf queue";
  const DigitsJob spec = LongJob(10);
  StartFarWorkers(2);
  cluster_->WaitForWorkers(2);
  ExpectCalmEnd(Submit(spec), spec);
}

}  // namespace
}  // namespace lockstep::tests

int main(int argc, char** argv) {
  // Namespaces are given to a process with one thread: before all else.
  lockstep::tests::TwoNetworks networks;
  lockstep::tests::networks = &networks;
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
