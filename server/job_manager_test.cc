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
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

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
    EXPECT_FALSE(manager->ModelBytes(id, std::nullopt).ok()) << id;
  }
}

TEST(JobManagerTest, AQueuedJobIsCancelledAndResumed) {
  const auto manager = OpenManager(NewStateDir());
  ASSERT_TRUE(manager->Submit(Spec(), "").ok());
  auto job = manager->Cancel("job-1", absl::Now() + absl::Seconds(60));
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->state(), v1::CANCELLED);
  EXPECT_TRUE(manager->Cancel("job-1", absl::Now() + absl::Seconds(60)).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(manager->ModelBytes("job-1", std::nullopt).status()));
  job = manager->Resume("job-1");
  ASSERT_TRUE(job.ok());
  EXPECT_EQ(job->state(), v1::QUEUED);
  EXPECT_TRUE(manager->Resume("job-1").ok());
}

TEST(JobManagerTest, APausedJobWaitsUntilItIsResumedAlsoOverARestart) {
  const std::string state_dir = NewStateDir();
  {
    const auto manager = OpenManager(state_dir);
    ASSERT_TRUE(manager->Submit(Spec(), "").ok());
    const auto job = manager->Pause("job-1", absl::Now() + absl::Seconds(60));
    ASSERT_TRUE(job.ok()) << job.status();
    EXPECT_EQ(job->state(), v1::PAUSED);
    EXPECT_FALSE(job->has_ended_at());
    EXPECT_EQ(manager->Pause("job-1", absl::Now() + absl::Seconds(60))->state(), v1::PAUSED);
  }
  const auto manager = OpenManager(state_dir);
  EXPECT_EQ(manager->Get("job-1")->state(), v1::PAUSED);
  EXPECT_EQ(manager->List()->front().progress().total_steps(), 6u);
  EXPECT_EQ(manager->Resume("job-1")->state(), v1::QUEUED);
  ASSERT_TRUE(manager->Pause("job-1", absl::Now() + absl::Seconds(60)).ok());
  EXPECT_EQ(manager->Cancel("job-1", absl::Now() + absl::Seconds(60))->state(), v1::CANCELLED);
  EXPECT_TRUE(absl::IsFailedPrecondition(
      manager->Pause("job-1", absl::Now() + absl::Seconds(60)).status()));
}

// A worker that does nothing but take note.
class SilentLink : public WorkerLink {
 public:
  void Send(const v1::ServerMessage& message) override {
    absl::MutexLock lock(&mutex_);
    if (message.has_prepare_job()) prepared_.push_back(message.prepare_job().job_id());
  }
  void Send(const v1::ServerMessage&, const Tensor&) override {}
  void Close(const absl::Status&) override {}
  // Waits until the job has been asked for so many times in all.
  void AwaitPrepared(size_t times) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [this, times]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return prepared_.size() >= times;
    };
    ASSERT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(60)));
  }
  std::vector<std::string> prepared() {
    absl::MutexLock lock(&mutex_);
    return prepared_;
  }

 private:
  absl::Mutex mutex_;
  std::vector<std::string> prepared_ ABSL_GUARDED_BY(mutex_);
};

// A clock that the test moves.
class TestClock {
 public:
  absl::Time now() {
    absl::MutexLock lock(&mutex_);
    return now_;
  }
  void Advance(absl::Duration duration) {
    absl::MutexLock lock(&mutex_);
    now_ += duration;
  }

 private:
  absl::Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_) = absl::UnixEpoch() + absl::Hours(1);
};

std::unique_ptr<JobManager> OpenManager(const std::string& state_dir, TestClock* clock) {
  JobManager::Options options;
  options.state_dir = state_dir;
  options.lease = absl::Hours(10);
  options.now = [clock] { return clock->now(); };
  auto manager = JobManager::Open(std::move(options));
  EXPECT_TRUE(manager.ok()) << manager.status();
  return *std::move(manager);
}

v1::Register Self(const std::string& name) {
  v1::Register self;
  self.set_protocol_version(kProtocolVersion);
  self.set_name(name);
  return self;
}

// The worker says that no worker can compute the job.
void FailJob(JobManager& manager, const std::string& worker, const std::string& why) {
  v1::WorkerMessage message;
  message.mutable_job_error()->set_job_id("job-1");
  message.mutable_job_error()->set_message(why);
  message.mutable_job_error()->set_fatal_to_job(true);
  EXPECT_TRUE(manager.OnWorkerMessage(worker, message, Tensor()).ok());
}

// Waits until the job's state and reason are as `holds` wants them.
v1::Job AwaitJob(JobManager& manager, const std::string& job_id,
                 const std::function<bool(const v1::Job&)>& holds) {
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (absl::Now() < deadline) {
    const auto job = manager.Get(job_id);
    EXPECT_TRUE(job.ok()) << job.status();
    if (!job.ok() || holds(*job)) return *job;
    manager.WaitForChange(absl::Milliseconds(50));
  }
  ADD_FAILURE() << job_id << " does not get there";
  return *manager.Get(job_id);
}

TEST(JobManagerTest, AFailedJobIsTriedAgainUpToItsLimit) {
  TestClock clock;
  const std::string state_dir = NewStateDir();
  auto manager = OpenManager(state_dir, &clock);
  const auto link = std::make_shared<SilentLink>();
  ASSERT_TRUE(manager->ConnectWorker(Self("one"), link).ok());
  v1::JobSpec spec = Spec();
  spec.set_retries(2);
  ASSERT_TRUE(manager->Submit(spec, "").ok());
  link->AwaitPrepared(1);
  FailJob(*manager, "one", "the first time");
  v1::Job job = AwaitJob(*manager, "job-1", [](const v1::Job& j) { return j.retries_used() == 1; });
  EXPECT_EQ(job.state(), v1::QUEUED);
  EXPECT_THAT(job.state_reason(), HasSubstr("retry 1 of 2 at"));
  EXPECT_THAT(job.state_reason(), HasSubstr("the first time"));
  manager->Tick();
  EXPECT_EQ(link->prepared().size(), 1u) << "not before its time";
  clock.Advance(absl::Seconds(1));
  manager->Tick();
  link->AwaitPrepared(2);
  FailJob(*manager, "one", "the second time");
  AwaitJob(*manager, "job-1", [](const v1::Job& j) { return j.retries_used() == 2; });
  clock.Advance(absl::Minutes(2));
  manager->Tick();
  link->AwaitPrepared(3);
  FailJob(*manager, "one", "the third time");
  job = AwaitJob(*manager, "job-1", [](const v1::Job& j) { return j.state() == v1::FAILED; });
  EXPECT_THAT(job.state_reason(), HasSubstr("the third time"));
  EXPECT_EQ(manager->Resume("job-1")->retries_used(), 0u) << "a client's word counts anew";
}

TEST(JobManagerTest, AJobThatFailsTwiceInTheSameWayIsNotTriedOnceMore) {
  TestClock clock;
  auto manager = OpenManager(NewStateDir(), &clock);
  const auto link = std::make_shared<SilentLink>();
  ASSERT_TRUE(manager->ConnectWorker(Self("one"), link).ok());
  v1::JobSpec spec = Spec();
  spec.set_retries(50);
  ASSERT_TRUE(manager->Submit(spec, "").ok());
  link->AwaitPrepared(1);
  FailJob(*manager, "one", "a bad label");
  AwaitJob(*manager, "job-1", [](const v1::Job& j) { return j.retries_used() == 1; });
  clock.Advance(absl::Minutes(2));
  manager->Tick();
  link->AwaitPrepared(2);
  FailJob(*manager, "one", "a bad label");
  AwaitJob(*manager, "job-1", [](const v1::Job& j) { return j.state() == v1::FAILED; });
}

TEST(JobManagerTest, AJobOfHigherPriorityTakesWorkersFromOneThatRuns) {
  TestClock clock;
  auto manager = OpenManager(NewStateDir(), &clock);
  const auto one = std::make_shared<SilentLink>();
  const auto two = std::make_shared<SilentLink>();
  ASSERT_TRUE(manager->ConnectWorker(Self("one"), one).ok());
  ASSERT_TRUE(manager->ConnectWorker(Self("two"), two).ok());
  ASSERT_TRUE(manager->Submit(Spec(), "").ok());
  one->AwaitPrepared(1);
  two->AwaitPrepared(1);
  v1::JobSpec urgent = Spec();
  urgent.set_priority(1);
  ASSERT_TRUE(manager->Submit(urgent, "").ok());
  two->AwaitPrepared(2);
  EXPECT_THAT(two->prepared(), testing::ElementsAre("job-1", "job-2"));
  EXPECT_THAT(one->prepared(), testing::ElementsAre("job-1")) << "its minimum stays";
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

struct LinkThatIsClosed : public WorkerLink {
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
  const auto link = std::make_shared<LinkThatIsClosed>();
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
  // The store may take a file of its own away meanwhile.
  std::error_code error;
  do {
    std::filesystem::remove_all(state_dir, error);
  } while (error);
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
