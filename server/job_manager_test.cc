// The queue and what is on record, without workers: with them, see
// job_runner_test.cc and tests/equivalence.
#include "server/job_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "engine/model/job_spec.h"
#include "server/storage/job_store.h"
#include "server/storage/small_disk.h"

namespace lockstep::server {
namespace {

using testing::HasSubstr;

std::string NewStateDir() {
  std::string path = std::string(testing::TempDir()) + "/job-manager-XXXXXX";
  EXPECT_NE(mkdtemp(&path[0]), nullptr);
  return path;
}

v1::JobSpec Spec() {
  v1::JobSpec spec;
  spec.set_name("spec");
  spec.mutable_data()->mutable_train()->mutable_csv()->set_path("/nowhere/examples.csv");
  spec.mutable_data()->mutable_train()->mutable_csv()->set_sha256(std::string(64, 'a'));
  spec.add_model()->mutable_linear()->set_out_features(3);
  spec.mutable_loss()->mutable_cross_entropy();
  spec.mutable_optimizer()->mutable_sgd()->set_learning_rate(0.1f);
  spec.set_epochs(2);
  spec.set_batch_size(20);
  FillJobDefaults(&spec);
  spec.mutable_data_summary()->set_training_examples(50);
  spec.mutable_data_summary()->add_example_shape(4);
  spec.mutable_data_summary()->set_classes(3);
  return spec;
}

std::unique_ptr<JobManager> OpenManager(const std::string& state_dir) {
  JobManager::Options options;
  options.state_dir = state_dir;
  auto manager = JobManager::Open(std::move(options));
  EXPECT_TRUE(manager.ok()) << manager.status();
  (*manager)->SetAddress("here:1");
  return *std::move(manager);
}

TEST(JobManagerTest, AQueuedJobSaysWhatItWaitsForAndHowToStartAWorker) {
  const auto manager = OpenManager(NewStateDir());
  const auto job = manager->Submit(Spec(), "");
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->job_id(), "job-1");
  EXPECT_EQ(job->state(), v1::QUEUED);
  EXPECT_THAT(job->state_reason(), HasSubstr("waiting for workers: needs 1"));
  EXPECT_THAT(job->state_reason(), HasSubstr("lockstep-worker --server here:1"));
  EXPECT_EQ(job->progress().total_steps(), 6);
}

TEST(JobManagerTest, WhatAClientMustNotSendIsRefusedByField) {
  const auto manager = OpenManager(NewStateDir());
  v1::JobSpec spec = Spec();
  spec.set_batch_size(0);
  auto status = manager->Submit(spec, "").status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("batch_size"));
  spec = Spec();
  spec.mutable_data_summary()->set_classes(4);
  status = manager->Submit(spec, "").status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_TRUE(absl::IsInvalidArgument(manager->Submit(v1::JobSpec(), "").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(manager->Submit(Spec(), "bytes of no file").status()));
  EXPECT_TRUE(manager->List()->empty());
}

TEST(JobManagerTest, UnknownJobsAreNotFound) {
  const auto manager = OpenManager(NewStateDir());
  for (const std::string id : {"job-7", "", "job-", "../job-1", "job-1 "}) {
    EXPECT_FALSE(manager->Get(id).ok()) << id;
    EXPECT_FALSE(manager->Cancel(id, absl::InfiniteFuture()).ok()) << id;
    EXPECT_FALSE(manager->Resume(id).ok()) << id;
    EXPECT_FALSE(manager->ModelBytes(id).ok()) << id;
  }
}

TEST(JobManagerTest, AQueuedJobIsCancelledAndResumed) {
  const auto manager = OpenManager(NewStateDir());
  ASSERT_TRUE(manager->Submit(Spec(), "").ok());
  auto job = manager->Cancel("job-1", absl::Now() + absl::Seconds(60));
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->state(), v1::CANCELLED);
  EXPECT_TRUE(manager->Cancel("job-1", absl::Now() + absl::Seconds(60)).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(manager->ModelBytes("job-1").status()));
  job = manager->Resume("job-1");
  ASSERT_TRUE(job.ok());
  EXPECT_EQ(job->state(), v1::QUEUED);
  EXPECT_TRUE(manager->Resume("job-1").ok());
}

TEST(JobManagerTest, UnfinishedJobsAreQueuedAgainAfterARestart) {
  const std::string state_dir = NewStateDir();
  {
    const auto manager = OpenManager(state_dir);
    ASSERT_TRUE(manager->Submit(Spec(), "").ok());
    ASSERT_TRUE(manager->Submit(Spec(), "").ok());
    ASSERT_TRUE(manager->Cancel("job-1", absl::Now() + absl::Seconds(60)).ok());
  }
  const auto manager = OpenManager(state_dir);
  EXPECT_EQ(manager->Get("job-1")->state(), v1::CANCELLED);
  EXPECT_EQ(manager->Get("job-2")->state(), v1::QUEUED);
  EXPECT_EQ(manager->Submit(Spec(), "")->job_id(), "job-3");
  const auto jobs = manager->List();
  ASSERT_EQ(jobs->size(), 3);
  EXPECT_EQ(jobs->front().job_id(), "job-3");
}

TEST(JobManagerTest, TwoServersDoNotShareAStateFolder) {
  const std::string state_dir = NewStateDir();
  const auto manager = OpenManager(state_dir);
  JobManager::Options options;
  options.state_dir = state_dir;
  EXPECT_TRUE(absl::IsFailedPrecondition(JobManager::Open(std::move(options)).status()));
}

struct SilentLink : public WorkerLink {
  void Send(const v1::ServerMessage&) override {}
  void Send(const v1::ServerMessage&, const Tensor&) override {}
  void Close(const absl::Status& status) override { closed = status; }
  absl::Status closed;
};

TEST(JobManagerTest, AZombiesAnswersAreRecognisedAndDropped) {
  std::atomic<int64_t> seconds{0};
  JobManager::Options options;
  options.state_dir = NewStateDir();
  options.now = [&seconds] { return absl::FromUnixSeconds(seconds); };
  auto manager = JobManager::Open(std::move(options));
  ASSERT_TRUE(manager.ok());
  const auto link = std::make_shared<SilentLink>();
  v1::Register self;
  self.set_protocol_version(kProtocolVersion);
  self.set_name("sleeper");
  ASSERT_TRUE((*manager)->ConnectWorker(self, link).ok());
  v1::WorkerMessage heartbeat;
  heartbeat.mutable_heartbeat();
  seconds = 3;
  EXPECT_TRUE((*manager)->OnWorkerMessage("sleeper", heartbeat, Tensor()).ok());
  seconds = 6;
  (*manager)->Tick();
  EXPECT_TRUE(link->closed.ok()) << "not longer silent than its lease";
  seconds = 7;
  (*manager)->Tick();
  EXPECT_TRUE(absl::IsUnavailable(link->closed));
  EXPECT_TRUE((*manager)->Workers().empty());
  v1::WorkerMessage answer;
  answer.mutable_gradient_chunk()->set_job_id("job-1");
  EXPECT_TRUE(absl::IsNotFound((*manager)->OnWorkerMessage("sleeper", answer, Tensor())));
}

TEST(JobManagerTest, AnEndThatTheFullDiskDidNotTakeHoldsAndIsRecordedLater) {
  // In a thread of its own: the small disk is the thread's, and the manager's.
  std::thread([] {
    const std::string folder = NewStateDir();
    if (!MountSmallDisk(folder, "2m")) return;
    const std::string state_dir = folder + "/state";
    {
      const auto manager = OpenManager(state_dir);
      ASSERT_TRUE(manager->Submit(Spec(), "").ok());
      {
        std::ofstream fill(folder + "/fill");
        fill << std::string(4 << 20, 'x');
      }
      auto job = manager->Cancel("job-1", absl::Now() + absl::Seconds(60));
      ASSERT_TRUE(job.ok()) << job.status();
      EXPECT_EQ(job->state(), v1::CANCELLED);
      EXPECT_TRUE(absl::IsResourceExhausted(manager->Resume("job-1").status()));
      EXPECT_EQ(manager->Get("job-1")->state(), v1::CANCELLED);
      EXPECT_EQ(manager->List()->front().state(), v1::CANCELLED);
      ASSERT_EQ(unlink((folder + "/fill").c_str()), 0);
      manager->Tick();
    }
    const auto manager = OpenManager(state_dir);
    EXPECT_EQ(manager->Get("job-1")->state(), v1::CANCELLED);
    EXPECT_EQ(manager->Resume("job-1")->state(), v1::QUEUED);
    UnmountDisk(folder);
  }).join();
}

TEST(JobManagerTest, ADeletedStateFolderTakesNoMoreJobs) {
  const std::string state_dir = NewStateDir();
  const auto manager = OpenManager(state_dir);
  ASSERT_TRUE(manager->Submit(Spec(), "").ok());
  std::filesystem::remove_all(state_dir);
  EXPECT_TRUE(absl::IsDataLoss(manager->Submit(Spec(), "").status()));
}

TEST(JobManagerTest, ADamagedRecordIsNamedAndLeavesOthersAlone) {
  const std::string state_dir = NewStateDir();
  {
    auto store = JobStore::Open(state_dir);
    ASSERT_TRUE(store.ok());
    v1::JobSpec damaged = Spec();
    damaged.set_batch_size(0);
    ASSERT_TRUE((*store)->CreateJob(damaged, absl::Now()).ok());
    ASSERT_TRUE((*store)->CreateJob(Spec(), absl::Now()).ok());
  }
  const auto manager = OpenManager(state_dir);
  EXPECT_TRUE(absl::IsDataLoss(manager->Get("job-1").status()));
  EXPECT_EQ(manager->Get("job-2")->state(), v1::QUEUED);
  const auto jobs = manager->List();
  ASSERT_TRUE(jobs.ok()) << jobs.status();
  EXPECT_THAT(jobs->back().state_reason(), HasSubstr("batch_size"));
}

TEST(JobManagerTest, ASucceededJobWhoseModelIsGoneCanBeComputedAgain) {
  const std::string state_dir = NewStateDir();
  {
    auto store = JobStore::Open(state_dir);
    ASSERT_TRUE(store.ok());
    ASSERT_TRUE((*store)->CreateJob(Spec(), absl::Now()).ok());
    ASSERT_TRUE((*store)->UpdateState("job-1", v1::SUCCEEDED, "", absl::Now()).ok());
  }
  const auto manager = OpenManager(state_dir);
  EXPECT_EQ(manager->Get("job-1")->state(), v1::SUCCEEDED);
  EXPECT_EQ(manager->Resume("job-1")->state(), v1::QUEUED);
}

}  // namespace
}  // namespace lockstep::server
