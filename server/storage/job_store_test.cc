#include "server/storage/job_store.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "gtest/gtest.h"
#include "server/storage/small_disk.h"
#include "server/storage/temporary_folder.h"

namespace lockstep::server {
namespace {

const absl::Time kNow = absl::FromUnixMicros(1'700'000'000'123'456);

v1::JobSpec SpecNamed(const std::string& name) {
  v1::JobSpec spec;
  spec.set_name(name);
  spec.set_batch_size(32);
  return spec;
}

v1::EpochMetrics MetricsAt(uint64_t step, double validation_loss) {
  v1::EpochMetrics metrics;
  metrics.set_step(step);
  metrics.set_training_loss(0.5);
  metrics.set_validation_loss(validation_loss);
  return metrics;
}

class JobStoreTest : public ::testing::Test {
 protected:
  void Reopen() {
    store_.reset();
    auto store = JobStore::Open(folder_.path());
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  void SetUp() override { Reopen(); }

  std::string Create(const std::string& name = "a") {
    auto job_id = store_->CreateJob(SpecNamed(name), kNow);
    EXPECT_TRUE(job_id.ok()) << job_id.status();
    return *job_id;
  }

  TemporaryFolder folder_;
  const std::string database_path_ = folder_.path() + "/lockstep.db";
  std::unique_ptr<JobStore> store_;
};

TEST_F(JobStoreTest, IdsRiseAndSurviveReopening) {
  EXPECT_EQ(Create(), "job-1");
  EXPECT_EQ(Create(), "job-2");
  Reopen();
  EXPECT_EQ(Create(), "job-3");
}

TEST_F(JobStoreTest, ReservedIdsAreNeverGivenTwice) {
  EXPECT_EQ(*store_->ReserveJobId(), "job-1");
  Reopen();
  EXPECT_EQ(Create(), "job-2");
  EXPECT_EQ(store_->GetJob("job-1").status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(store_->CreateReservedJob("job-1", SpecNamed("late"), kNow).ok());
  EXPECT_EQ(store_->GetJob("job-1")->spec().name(), "late");
  EXPECT_EQ(store_->CreateReservedJob("job-1", SpecNamed("again"), kNow).code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(store_->CreateReservedJob("job-9", SpecNamed("never"), kNow).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(JobStoreTest, NewJobIsQueuedWithItsSpecAndTime) {
  const std::string id = Create("digits");
  Reopen();
  const auto job = store_->GetJob(id);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->job_id(), id);
  EXPECT_EQ(job->spec().name(), "digits");
  EXPECT_EQ(job->state(), v1::QUEUED);
  EXPECT_EQ(job->submitted_at().seconds(), 1'700'000'000);
  EXPECT_EQ(job->submitted_at().nanos(), 123'456'000);
  EXPECT_FALSE(job->has_started_at());
  EXPECT_FALSE(job->has_ended_at());
  EXPECT_EQ(job->model_sha256(), "");
}

TEST_F(JobStoreTest, StateSetsTheTimes) {
  const std::string id = Create();
  const auto at = [](int seconds) { return kNow + absl::Seconds(seconds); };
  const auto job = [&] { return *store_->GetJob(id); };
  ASSERT_TRUE(store_->UpdateState(id, v1::RUNNING, "", at(1)).ok());
  ASSERT_TRUE(store_->UpdateState(id, v1::RUNNING, "waits for workers", at(2)).ok());
  EXPECT_EQ(job().started_at().seconds(), 1'700'000'001);
  EXPECT_EQ(job().state_reason(), "waits for workers");
  ASSERT_TRUE(store_->UpdateState(id, v1::FAILED, "loss is not finite", at(3)).ok());
  ASSERT_TRUE(store_->UpdateState(id, v1::FAILED, "again", at(4)).ok());
  EXPECT_EQ(job().ended_at().seconds(), 1'700'000'003);
  ASSERT_TRUE(store_->UpdateState(id, v1::QUEUED, "resumed", at(5)).ok());
  EXPECT_FALSE(job().has_ended_at());
  EXPECT_EQ(job().started_at().seconds(), 1'700'000'001);
  ASSERT_TRUE(store_->UpdateState(id, v1::SUCCEEDED, "", at(6)).ok());
  EXPECT_EQ(job().ended_at().seconds(), 1'700'000'006);
  EXPECT_EQ(store_->UpdateState(id, v1::JOB_STATE_UNSPECIFIED, "", at(7)).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(JobStoreTest, ListsNewestFirstAndUnfinishedInOrderOfSubmission) {
  for (int i = 0; i < 11; ++i) Create();
  ASSERT_TRUE(store_->UpdateState("job-2", v1::SUCCEEDED, "", kNow).ok());
  ASSERT_TRUE(store_->UpdateState("job-3", v1::RUNNING, "", kNow).ok());
  ASSERT_TRUE(store_->UpdateState("job-4", v1::CANCELLED, "", kNow).ok());
  const auto all = store_->ListJobs();
  ASSERT_EQ(all->size(), 11u);
  EXPECT_EQ(all->front().job_id(), "job-11");
  EXPECT_EQ(all->back().job_id(), "job-1");
  const auto unfinished = store_->UnfinishedJobs();
  ASSERT_EQ(unfinished->size(), 9u);
  EXPECT_EQ((*unfinished)[0].job_id(), "job-1");
  EXPECT_EQ((*unfinished)[1].job_id(), "job-3");
  EXPECT_EQ((*unfinished)[2].job_id(), "job-5");
}

TEST_F(JobStoreTest, EpochsAreReplacedByStepAndDroppedAfterOne) {
  const std::string id = Create();
  for (const uint64_t step : {30, 10, 20}) {
    ASSERT_TRUE(store_->RecordEpoch(id, MetricsAt(step, 1.0 / step)).ok());
  }
  ASSERT_TRUE(store_->RecordEpoch(id, MetricsAt(20, 7.0)).ok());
  auto progress = store_->GetJob(id)->progress();
  ASSERT_EQ(progress.epochs_size(), 3);
  EXPECT_EQ(progress.epochs(0).step(), 10u);
  EXPECT_EQ(progress.epochs(1).validation_loss(), 7.0);
  EXPECT_EQ(progress.validation_loss(), 1.0 / 30);
  EXPECT_FALSE(progress.has_validation_accuracy());
  ASSERT_TRUE(store_->DropEpochsAfter(id, 20).ok());
  progress = store_->GetJob(id)->progress();
  ASSERT_EQ(progress.epochs_size(), 2);
  EXPECT_EQ(progress.validation_loss(), 7.0);
  EXPECT_EQ(store_->ListJobs()->front().progress().validation_loss(), 7.0);
}

TEST_F(JobStoreTest, OneEpochAndTheSpecificationAreReadByThemselves) {
  const std::string id = Create("alone");
  ASSERT_TRUE(store_->RecordEpoch(id, MetricsAt(10, 0.5)).ok());
  ASSERT_TRUE(store_->RecordEpoch(id, MetricsAt(20, 0.25)).ok());
  EXPECT_EQ(store_->GetSpec(id)->name(), "alone");
  const auto epoch = store_->EpochAt(id, 20);
  ASSERT_TRUE(epoch.ok() && epoch->has_value());
  EXPECT_EQ((*epoch)->validation_loss(), 0.25);
  EXPECT_FALSE(store_->EpochAt(id, 15)->has_value());
  EXPECT_EQ(store_->GetSpec("job-9").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->EpochAt("job-9", 20).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(JobStoreTest, ModelOfAJobIsThatOfItsNewestCheckpoint) {
  const std::string id = Create();
  const std::string other = Create();
  ASSERT_TRUE(store_->RecordCheckpoint(id, {200, "b", "fb", "mb", kNow}).ok());
  ASSERT_TRUE(store_->RecordCheckpoint(id, {100, "a", "fa", "ma", kNow}).ok());
  EXPECT_EQ(store_->GetJob(id)->model_sha256(), "mb");
  EXPECT_EQ(store_->GetJob(id)->checkpoint_step(), 200u);
  EXPECT_EQ(store_->GetJob(other)->model_sha256(), "");
  const auto checkpoints = store_->Checkpoints(id);
  ASSERT_EQ(checkpoints->size(), 2u);
  EXPECT_EQ((*checkpoints)[0].step, 200u);
  EXPECT_EQ((*checkpoints)[1].file_name, "a");
  EXPECT_EQ((*checkpoints)[1].file_sha256, "fa");
  EXPECT_EQ((*checkpoints)[1].written_at, kNow);
  ASSERT_TRUE(store_->DropCheckpoint(id, 200).ok());
  EXPECT_EQ(store_->GetJob(id)->model_sha256(), "ma");
  EXPECT_TRUE(store_->DropCheckpoint(id, 200).ok());
}

TEST_F(JobStoreTest, EventsStayInOrder) {
  const std::string id = Create();
  ASSERT_TRUE(store_->AddEvent(id, "started", "with 2 workers", kNow).ok());
  ASSERT_TRUE(store_->AddEvent(id, "worker_lost", "w1's lease lapsed", kNow).ok());
  Reopen();
  const auto events = store_->Events(id);
  ASSERT_EQ(events->size(), 2u);
  EXPECT_EQ((*events)[0].kind, "started");
  EXPECT_EQ((*events)[1].message, "w1's lease lapsed");
  EXPECT_EQ((*events)[1].at, kNow);
}

TEST_F(JobStoreTest, UnknownOrMalformedJobsAreNotFound) {
  Create();
  for (const char* id : {"job-2", "job-01", "job-", "job--1", "1", "", "job-1/../..", "JOB-1",
                         "job-99999999999999999999"}) {
    EXPECT_EQ(store_->GetJob(id).status().code(), absl::StatusCode::kNotFound) << id;
    EXPECT_EQ(store_->UpdateState(id, v1::RUNNING, "", kNow).code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(store_->RecordEpoch(id, MetricsAt(1, 1)).code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(store_->RecordCheckpoint(id, {}).code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(store_->AddEvent(id, "kind", "message", kNow).code(), absl::StatusCode::kNotFound);
    EXPECT_TRUE(store_->Checkpoints(id)->empty());
  }
}

TEST_F(JobStoreTest, SecondServerIsRefusedAndToldWhere) {
  const absl::Status second = JobStore::Open(folder_.path()).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(second.message().find(folder_.path()), absl::string_view::npos) << second;
  EXPECT_NE(second.message().find(std::to_string(getpid())), absl::string_view::npos) << second;
  Create();  // the first goes on
}

TEST_F(JobStoreTest, KilledServerLeavesAllItAnswered) {
  store_.reset();
  const pid_t child = fork();
  if (child == 0) {
    auto store = JobStore::Open(folder_.path());
    if (!store.ok() || !(*store)->CreateJob(SpecNamed("kept"), kNow).ok()) _exit(1);
    if (!(*store)->UpdateState("job-1", v1::RUNNING, "", kNow).ok()) _exit(1);
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  Reopen();
  const auto unfinished = store_->UnfinishedJobs();
  ASSERT_EQ(unfinished->size(), 1u);
  EXPECT_EQ(unfinished->front().spec().name(), "kept");
  EXPECT_EQ(unfinished->front().state(), v1::RUNNING);
  EXPECT_EQ(Create(), "job-2");
}

TEST_F(JobStoreTest, ChildProcessDoesNotKeepTheLock) {
  const pid_t child = fork();
  if (child == 0) {
    execl("/bin/sleep", "sleep", "60", nullptr);
    _exit(1);
  }
  // Until the child's exec it holds a copy of the descriptor.
  const std::string command = "/proc/" + std::to_string(child) + "/comm";
  while (ReadTestFile(command) != "sleep\n") std::this_thread::yield();
  Reopen();
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

TEST_F(JobStoreTest, NewerSchemaIsRefused) {
  store_.reset();
  auto database = Database::Open(database_path_, absl::ZeroDuration());
  ASSERT_TRUE((*database)->Execute("PRAGMA user_version = 99").ok());
  database->reset();
  const absl::Status opened = JobStore::Open(folder_.path()).status();
  EXPECT_EQ(opened.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(opened.message().find("newer"), absl::string_view::npos) << opened;
}

TEST_F(JobStoreTest, AnotherProgramsDatabaseIsLeftAlone) {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/lockstep.db";
  auto database = Database::Open(path, absl::ZeroDuration());
  ASSERT_TRUE((*database)->Execute("CREATE TABLE jobs (a INTEGER)").ok());
  database->reset();
  const std::string before = ReadTestFile(path);
  EXPECT_EQ(JobStore::Open(folder.path()).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReadTestFile(path), before);
}

TEST_F(JobStoreTest, DamagedDatabaseIsDataLossAndNamesTheFile) {
  for (int i = 0; i < 200; ++i) Create(std::string(100, 'x'));
  store_.reset();
  const std::string bytes = ReadTestFile(database_path_);
  ASSERT_GT(bytes.size(), 20000u);
  // A page of rubbish, a file cut short, and no database at all.
  std::string rubbish = bytes;
  rubbish.replace(16384, 4096, 4096, '\x5a');
  for (const std::string& damaged :
       {rubbish, bytes.substr(0, bytes.size() - 8192), std::string(8192, 'x')}) {
    WriteTestFile(database_path_, damaged);
    const absl::Status opened = JobStore::Open(folder_.path()).status();
    EXPECT_EQ(opened.code(), absl::StatusCode::kDataLoss) << opened;
    EXPECT_NE(opened.message().find(database_path_), absl::string_view::npos) << opened;
  }
}

TEST_F(JobStoreTest, ADamagedDatabaseIsSetAsideAndItsCopyTaken) {
  ASSERT_TRUE(store_->CreateJob(v1::JobSpec(), absl::Now()).ok());
  ASSERT_TRUE(store_->BackUp().ok());
  const std::string state_dir = store_->state_dir();
  const std::string path = state_dir + "/lockstep.db";
  store_.reset();
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(100);
    file << std::string(8000, 'x');
  }
  auto store = JobStore::Open(state_dir);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_NE((*store)->recovery().find(path + ".damaged"), std::string::npos)
      << (*store)->recovery();
  EXPECT_TRUE((*store)->GetJob("job-1").ok());
  EXPECT_TRUE(std::filesystem::exists(path + ".damaged"));
  store->reset();
  // The next time all is well.
  store = JobStore::Open(state_dir);
  ASSERT_TRUE(store.ok());
  EXPECT_EQ((*store)->recovery(), "");
}

TEST_F(JobStoreTest, LeftoverTemporaryFilesGoAtOpen) {
  const std::string folder = store_->checkpoints_dir() + "/job-1";
  std::filesystem::create_directories(folder);
  WriteTestFile(folder + "/000000000100.safetensors.tmp.123.4", "half");
  WriteTestFile(folder + "/000000000050.safetensors", "whole");
  WriteTestFile(folder + "/000000000040.safetensors.damaged", "kept aside");
  Reopen();
  EXPECT_FALSE(std::filesystem::exists(folder + "/000000000100.safetensors.tmp.123.4"));
  EXPECT_TRUE(std::filesystem::exists(folder + "/000000000050.safetensors"));
  EXPECT_TRUE(std::filesystem::exists(folder + "/000000000040.safetensors.damaged"));
}

TEST_F(JobStoreTest, FolderThatCannotBeMadeIsAnError) {
  WriteTestFile(folder_.path() + "/file", "");
  EXPECT_FALSE(JobStore::Open(folder_.path() + "/file/state").ok());
}

TEST_F(JobStoreTest, ReadOnlyDiskIsPermissionDenied) {
  TemporaryFolder folder;
  if (!MountSmallDisk(folder.path(), "256k") || !MakeDiskReadOnly(folder.path())) {
    GTEST_SKIP() << "mounting is not allowed here";
  }
  const absl::Status opened = JobStore::Open(folder.path()).status();
  EXPECT_EQ(opened.code(), absl::StatusCode::kPermissionDenied) << opened;
  UnmountDisk(folder.path());
}

TEST_F(JobStoreTest, FullDiskIsResourceExhaustedAndSpendsNothing) {
  TemporaryFolder folder;
  if (!MountSmallDisk(folder.path(), "512k")) GTEST_SKIP() << "mounting is not allowed here";
  auto store = JobStore::Open(folder.path());
  ASSERT_TRUE(store.ok()) << store.status();
  const absl::Status full =
      (*store)->CreateJob(SpecNamed(std::string(1'000'000, 'x')), kNow).status();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  EXPECT_EQ(*(*store)->CreateJob(SpecNamed("small"), kNow), "job-1");
  store->reset();
  UnmountDisk(folder.path());
}

TEST_F(JobStoreTest, ManyThreadsCreateDistinctJobs) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      for (int j = 0; j < 10; ++j) {
        const std::string id = Create();
        EXPECT_TRUE(store_->UpdateState(id, v1::RUNNING, "", kNow).ok());
        EXPECT_TRUE(store_->ListJobs().ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(store_->UnfinishedJobs()->size(), 40u);
}

}  // namespace
}  // namespace lockstep::server
