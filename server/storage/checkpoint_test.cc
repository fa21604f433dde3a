#include "server/storage/checkpoint.h"

#include <filesystem>
#include <memory>

#include "engine/data/model_hash.h"
#include "engine/data/sha256.h"
#include "engine/model/receipt.h"
#include "gtest/gtest.h"
#include "server/storage/checkpoint_history.h"
#include "server/storage/receipt_chain.h"
#include "server/storage/small_disk.h"
#include "server/storage/temporary_folder.h"

namespace lockstep::server {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

Checkpoint CheckpointAt(uint64_t step, int64_t width = 3) {
  const float value = static_cast<float>(step);
  Checkpoint checkpoint;
  checkpoint.step = step;
  checkpoint.parameters = {{"0.weight", Tensor::Full({2, width}, value)},
                           {"0.bias", Tensor::Full({2}, -value)}};
  checkpoint.optimizer_state = {{"momentum.0.weight", Tensor::Full({2, width}, value / 3)},
                                {"momentum.0.bias", Tensor::Full({2}, value / 7)}};
  checkpoint.metadata = {{"optimizer", "sgd"}};
  return checkpoint;
}

// The bits of `name`; fails the test where there is none.
std::string BitsOf(const std::vector<data::NamedTensor>& tensors, const std::string& name) {
  for (const data::NamedTensor& tensor : tensors) {
    if (tensor.name == name) return std::string(data::ElementBytes(tensor.tensor));
  }
  ADD_FAILURE() << "no tensor " << name;
  return "";
}

// An epoch ends every 5 steps.
v1::JobSpec Spec() {
  v1::JobSpec spec;
  spec.set_epochs(1000);
  spec.set_batch_size(2);
  spec.set_shards(1);
  spec.mutable_data_summary()->set_training_examples(10);
  return spec;
}

class CheckpointTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Reopen();
    job_ = *store_->CreateJob(Spec(), kNow);
  }
  void Reopen() {
    store_.reset();
    auto store = JobStore::Open(folder_.path());
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  void Save(uint64_t step) {
    const auto saved = SaveCheckpoint(*store_, job_, CheckpointAt(step), kNow);
    ASSERT_TRUE(saved.ok()) << saved.status();
  }
  std::string Path(const std::string& name) {
    return store_->checkpoints_dir() + "/" + job_ + "/" + name;
  }
  bool Exists(const std::string& name) { return std::filesystem::exists(Path(name)); }

  TemporaryFolder folder_;
  std::unique_ptr<JobStore> store_;
  std::string job_;
};

TEST_F(CheckpointTest, ComesBackBitForBitAfterReopening) {
  const Checkpoint written = CheckpointAt(100);
  Save(100);
  Reopen();
  const auto loaded = LoadNewestGoodCheckpoint(*store_, job_, kNow);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(loaded->messages.empty());
  EXPECT_EQ(loaded->checkpoint.step, 100u);
  EXPECT_EQ(loaded->record.file_name, "000000000100.safetensors");
  ASSERT_EQ(loaded->checkpoint.parameters.size(), 2u);
  ASSERT_EQ(loaded->checkpoint.optimizer_state.size(), 2u);
  for (const data::NamedTensor& tensor : written.parameters) {
    EXPECT_EQ(BitsOf(loaded->checkpoint.parameters, tensor.name),
              data::ElementBytes(tensor.tensor));
  }
  for (const data::NamedTensor& tensor : written.optimizer_state) {
    EXPECT_EQ(BitsOf(loaded->checkpoint.optimizer_state, tensor.name),
              data::ElementBytes(tensor.tensor));
  }
  const std::string model_sha256 = data::ModelSha256(written.parameters);
  EXPECT_EQ(loaded->record.model_sha256, model_sha256);
  EXPECT_EQ(store_->GetJob(job_)->model_sha256(), model_sha256);
  const v1::Receipt receipt = store_->Receipts(job_)->back();
  EXPECT_EQ(store_->GetJob(job_)->receipt(), receipt.receipt());
  const std::map<std::string, std::string> metadata = {{"data_sha256", receipt.data_sha256()},
                                                       {"format_version", "1"},
                                                       {"job", job_},
                                                       {"job_sha256", receipt.job_sha256()},
                                                       {"model_sha256", model_sha256},
                                                       {"optimizer", "sgd"},
                                                       {"previous_receipt", receipt.previous()},
                                                       {"receipt", receipt.receipt()},
                                                       {"state_sha256", receipt.state_sha256()},
                                                       {"step", "100"}};
  EXPECT_EQ(loaded->checkpoint.metadata, metadata);
}

TEST_F(CheckpointTest, SameCheckpointGivesTheSameFile) {
  const auto first = WriteCheckpoint(store_->checkpoints_dir(), job_, CheckpointAt(5));
  const auto second = WriteCheckpoint(store_->checkpoints_dir(), job_, CheckpointAt(5));
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->file_sha256, second->file_sha256);
  EXPECT_EQ(*data::FileSha256(Path(first->file_name)), first->file_sha256);
}

TEST_F(CheckpointTest, NoCheckpointIsNotFound) {
  EXPECT_EQ(LoadNewestGoodCheckpoint(*store_, job_, kNow).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(CheckpointTest, DamagedByteAnywhereFallsBackToTheOneBefore) {
  Save(100);
  Save(200);
  const std::string name = "000000000200.safetensors";
  const std::string whole = ReadTestFile(Path(name));
  const CheckpointRecord record = store_->Checkpoints(job_)->front();
  for (const size_t offset : {size_t{0}, size_t{9}, whole.size() / 2, whole.size() - 1}) {
    WriteTestFile(Path(name), whole);
    ASSERT_TRUE(store_->RecordCheckpoint(job_, record).ok());
    FlipBit(Path(name), offset);
    const auto loaded = LoadNewestGoodCheckpoint(*store_, job_, kNow);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->checkpoint.step, 100u);
    ASSERT_EQ(loaded->messages.size(), 1u);
    EXPECT_NE(loaded->messages[0].find(Path(name)), std::string::npos) << loaded->messages[0];
    EXPECT_FALSE(Exists(name));
    EXPECT_TRUE(Exists(name + ".damaged"));
  }
  const auto events = store_->Events(job_);
  ASSERT_EQ(events->size(), 4u);
  EXPECT_EQ(events->front().kind, "checkpoint_damaged");
  EXPECT_EQ(store_->GetJob(job_)->checkpoint_step(), 100u);
}

TEST_F(CheckpointTest, TruncatedAndMissingFilesFallBack) {
  for (const uint64_t step : {100, 200, 300}) {
    ASSERT_TRUE(SaveCheckpoint(*store_, job_, CheckpointAt(step), kNow, {3, false}).ok());
  }
  std::filesystem::resize_file(Path("000000000300.safetensors"), 40);
  std::filesystem::remove(Path("000000000200.safetensors"));
  const auto loaded = LoadNewestGoodCheckpoint(*store_, job_, kNow);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->checkpoint.step, 100u);
  EXPECT_EQ(loaded->messages.size(), 2u);
  EXPECT_EQ(store_->Checkpoints(job_)->size(), 1u);
  EXPECT_FALSE(Exists("000000000200.safetensors.damaged"));
}

TEST_F(CheckpointTest, AllDamagedIsNotFoundAndSaysWhy) {
  Save(100);
  FlipBit(Path("000000000100.safetensors"), 50);
  const absl::Status loaded = LoadNewestGoodCheckpoint(*store_, job_, kNow).status();
  EXPECT_EQ(loaded.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(loaded.message().find("000000000100.safetensors"), absl::string_view::npos) << loaded;
  Save(100);  // trained again from the beginning
  EXPECT_TRUE(LoadNewestGoodCheckpoint(*store_, job_, kNow).ok());
}

TEST_F(CheckpointTest, WrongModelHashInTheRowIsDataLoss) {
  Save(100);
  CheckpointRecord record = store_->Checkpoints(job_)->front();
  EXPECT_TRUE(ReadCheckpoint(store_->checkpoints_dir(), job_, record).ok());
  record.model_sha256 = std::string(64, '0');
  EXPECT_EQ(ReadCheckpoint(store_->checkpoints_dir(), job_, record).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST_F(CheckpointTest, FolderInTheFilesPlaceIsAnErrorNotDamage) {
  Save(100);
  std::filesystem::remove(Path("000000000100.safetensors"));
  std::filesystem::create_directory(Path("000000000100.safetensors"));
  const absl::Status loaded = LoadNewestGoodCheckpoint(*store_, job_, kNow).status();
  EXPECT_FALSE(absl::IsNotFound(loaded)) << loaded;
  EXPECT_EQ(store_->Checkpoints(job_)->size(), 1u);
}

TEST_F(CheckpointTest, KeepsTheNewestTwo) {
  for (const uint64_t step : {100, 200, 300}) Save(step);
  const auto checkpoints = store_->Checkpoints(job_);
  ASSERT_EQ(checkpoints->size(), 2u);
  EXPECT_EQ(checkpoints->front().step, 300u);
  EXPECT_FALSE(Exists("000000000100.safetensors"));
  EXPECT_TRUE(Exists("000000000200.safetensors"));
}

TEST_F(CheckpointTest, SavedStepIsNotWrittenAgainUnlessDamaged) {
  Save(100);
  const CheckpointRecord first = store_->Checkpoints(job_)->front();
  Checkpoint again = CheckpointAt(100);
  again.metadata["training_seconds"] = "12";
  const auto second = SaveCheckpoint(*store_, job_, again, kNow + absl::Seconds(1));
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->file_sha256, first.file_sha256);
  EXPECT_EQ(second->written_at, kNow);
  FlipBit(Path(first.file_name), 100);
  const auto third = SaveCheckpoint(*store_, job_, again, kNow + absl::Seconds(2));
  ASSERT_TRUE(third.ok()) << third.status();
  EXPECT_NE(third->file_sha256, first.file_sha256);
  EXPECT_TRUE(LoadNewestGoodCheckpoint(*store_, job_, kNow)->messages.empty());
}

TEST_F(CheckpointTest, PruningSparesWhatIsNotItsOwn) {
  Save(200);
  WriteTestFile(Path("000000000100.safetensors"), "left by a crash between row and file");
  WriteTestFile(Path("000000000050.safetensors.damaged"), "for people");
  WriteTestFile(Path("init.safetensors"), "initial");
  WriteTestFile(Path("000000000300.safetensors"), "row still to come");
  ASSERT_TRUE(PruneCheckpoints(*store_, job_, {1, false}).ok());
  EXPECT_FALSE(Exists("000000000100.safetensors"));
  EXPECT_TRUE(Exists("000000000050.safetensors.damaged"));
  EXPECT_TRUE(Exists("init.safetensors"));
  EXPECT_TRUE(Exists("000000000200.safetensors"));
  EXPECT_TRUE(Exists("000000000300.safetensors"));
}

TEST_F(CheckpointTest, RefusesNamesThatWouldNotComeBack) {
  const auto refused = [&](const Checkpoint& checkpoint) {
    const auto written = WriteCheckpoint(store_->checkpoints_dir(), job_, checkpoint);
    EXPECT_EQ(written.status().code(), absl::StatusCode::kInvalidArgument);
  };
  Checkpoint prefixed = CheckpointAt(1);
  prefixed.parameters.push_back({"optimizer.x", Tensor::Zeros({1})});
  refused(prefixed);
  Checkpoint twice = CheckpointAt(1);
  twice.parameters.push_back(twice.parameters.front());
  refused(twice);
  Checkpoint integers = CheckpointAt(1);
  integers.parameters.push_back({"1.weight", Tensor::Zeros({1}, DType::kInt64)});
  refused(integers);
  EXPECT_EQ(WriteCheckpoint(store_->checkpoints_dir(), "../job-1", CheckpointAt(1)).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(store_->checkpoints_dir()));
}

TEST_F(CheckpointTest, ExportHoldsTheParametersAlone) {
  const Checkpoint checkpoint = CheckpointAt(100);
  const auto bytes = ExportModel(job_, checkpoint);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const auto file = data::ParseSafetensors(*bytes, "export");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->tensors.size(), 2u);
  const std::string model_sha256 = data::ModelSha256(checkpoint.parameters);
  EXPECT_EQ(data::ModelSha256(file->tensors), model_sha256);
  EXPECT_EQ(file->metadata.at("producer"), "lockstep");
  EXPECT_EQ(file->metadata.at("model_sha256"), model_sha256);
  EXPECT_EQ(file->metadata.at("step"), "100");
}

TEST_F(CheckpointTest, FullDiskKeepsTheCheckpointBefore) {
  // The database stays outside: only the files' disk is full.
  std::filesystem::create_directory(store_->checkpoints_dir());
  if (!MountSmallDisk(store_->checkpoints_dir(), "256k")) {
    GTEST_SKIP() << "mounting is not allowed here";
  }
  Save(100);
  const auto full = SaveCheckpoint(*store_, job_, CheckpointAt(200, 100'000), kNow);
  EXPECT_EQ(full.status().code(), absl::StatusCode::kResourceExhausted) << full.status();
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(Path("")), {}), 1);
  EXPECT_EQ(LoadNewestGoodCheckpoint(*store_, job_, kNow)->checkpoint.step, 100u);
  UnmountDisk(store_->checkpoints_dir());
}

TEST_F(CheckpointTest, ReadOnlyDiskIsAnError) {
  std::filesystem::create_directory(store_->checkpoints_dir());
  if (!MountSmallDisk(store_->checkpoints_dir(), "256k") ||
      !MakeDiskReadOnly(store_->checkpoints_dir())) {
    GTEST_SKIP() << "mounting is not allowed here";
  }
  EXPECT_FALSE(SaveCheckpoint(*store_, job_, CheckpointAt(100), kNow).ok());
  EXPECT_TRUE(store_->Checkpoints(job_)->empty());
  UnmountDisk(store_->checkpoints_dir());
}

TEST_F(CheckpointTest, TheBestByValidationStaysBesideTheNewest) {
  for (uint64_t step : {10, 20, 30, 40, 50}) {
    v1::EpochMetrics metrics;
    metrics.set_step(step);
    metrics.set_validation_loss(step == 20 ? 0.1 : 0.5);
    ASSERT_TRUE(store_->RecordEpoch(job_, metrics).ok());
    ASSERT_TRUE(SaveCheckpoint(*store_, job_, CheckpointAt(step), kNow, {2, true}).ok());
  }
  const auto records = store_->Checkpoints(job_);
  ASSERT_TRUE(records.ok());
  std::vector<uint64_t> steps;
  for (const CheckpointRecord& record : *records) {
    steps.push_back(record.step);
    EXPECT_TRUE(ReadCheckpoint(store_->checkpoints_dir(), job_, record).ok()) << record.step;
  }
  EXPECT_EQ(steps, (std::vector<uint64_t>{50, 40, 20}));
}

TEST_F(CheckpointTest, WhatHoldsAWrongSumIsWithdrawn) {
  for (uint64_t step : {10, 20, 30}) {
    ASSERT_TRUE(SaveCheckpoint(*store_, job_, CheckpointAt(step), kNow, {5, false}).ok());
  }
  ASSERT_TRUE(DropCheckpointsAfter(*store_, job_, 10, kNow).ok());
  const auto loaded = LoadNewestGoodCheckpoint(*store_, job_, kNow);
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->checkpoint.step, 10);
  EXPECT_TRUE(loaded->messages.empty());
  EXPECT_EQ(store_->Events(job_)->size(), 2);
}

// The chain is that of steps 5, 10 and 15, whatever else was kept, and whether their
// files were.
TEST_F(CheckpointTest, TheChainIsOfTheStepsThatTheJobFileDefines) {
  for (const uint64_t step : {5, 10, 15}) Save(step);
  const std::vector<v1::Receipt> chain = *store_->Receipts(job_);
  EXPECT_EQ(chain[1].previous(), chain[0].receipt());

  const std::string first_job = job_;
  job_ = *store_->CreateJob(Spec(), kNow);
  Save(0);  // paused before its first step, and once more in the middle of an epoch
  Save(3);
  Save(4);
  ASSERT_TRUE(
      RecordReceiptsOnly(*store_, job_, {CheckpointAt(5), CheckpointAt(7), CheckpointAt(10)}).ok());
  Save(12);
  Save(15);
  const std::vector<v1::Receipt> all = *store_->Receipts(job_);
  EXPECT_TRUE(CheckReceiptChain(Spec(), all).ok()) << CheckReceiptChain(Spec(), all);
  std::vector<std::string> steps, chained;
  for (const v1::Receipt& receipt : all) {
    steps.push_back(std::to_string(receipt.step()));
    if (IsChained(Spec(), receipt.step())) chained.push_back(receipt.SerializeAsString());
  }
  EXPECT_EQ(steps, (std::vector<std::string>{"0", "3", "4", "5", "10", "12", "15"}));
  ASSERT_EQ(chained.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(chained[i], chain[i].SerializeAsString());
  // One that is bound to nothing before it is found.
  std::vector<v1::Receipt> broken = all;
  broken.erase(broken.begin() + 4);
  EXPECT_TRUE(absl::IsDataLoss(CheckReceiptChain(Spec(), broken)));
}

}  // namespace
}  // namespace lockstep::server
