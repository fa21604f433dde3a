#include "server/storage/initial_parameters.h"

#include <filesystem>
#include <memory>

#include "engine/data/model_hash.h"
#include "engine/data/sha256.h"
#include "gtest/gtest.h"
#include "server/storage/temporary_folder.h"

namespace lockstep::server {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

class InitialParametersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto store = JobStore::Open(folder_.path());
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    spec_.set_init_from("start.safetensors");
    spec_.set_init_from_sha256(data::Sha256Hex(bytes_));
  }
  std::string Path() { return store_->checkpoints_dir() + "/job-1/init.safetensors"; }

  TemporaryFolder folder_;
  std::unique_ptr<JobStore> store_;
  const std::vector<data::NamedTensor> tensors_ = {{"0.weight", Tensor::Full({2, 3}, 1.5f)}};
  const std::string bytes_ = data::SerializeSafetensors(tensors_, {});
  v1::JobSpec spec_;
};

TEST_F(InitialParametersTest, ComeBackAsSent) {
  const auto job_id = CreateJobFrom(*store_, spec_, bytes_, kNow);
  ASSERT_TRUE(job_id.ok()) << job_id.status();
  EXPECT_EQ(*job_id, "job-1");
  const auto loaded = LoadInitialParameters(*store_, *job_id);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(data::ModelSha256(*loaded), data::ModelSha256(tensors_));
}

TEST_F(InitialParametersTest, RefusedUploadMakesNoJob) {
  EXPECT_EQ(CreateJobFrom(*store_, spec_, bytes_.substr(1), kNow).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CreateJobFrom(*store_, spec_, "", kNow).status().code(),
            absl::StatusCode::kInvalidArgument);
  const std::string rubbish(100, 'x');
  spec_.set_init_from_sha256(data::Sha256Hex(rubbish));
  EXPECT_EQ(CreateJobFrom(*store_, spec_, rubbish, kNow).status().code(),
            absl::StatusCode::kInvalidArgument);
  spec_.clear_init_from();
  EXPECT_EQ(CreateJobFrom(*store_, spec_, bytes_, kNow).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(store_->ListJobs()->empty());
  EXPECT_EQ(*CreateJobFrom(*store_, spec_, "", kNow), "job-1");
}

TEST_F(InitialParametersTest, DamagedOrMissingFileIsDataLoss) {
  ASSERT_TRUE(CreateJobFrom(*store_, spec_, bytes_, kNow).ok());
  FlipBit(Path(), bytes_.size() - 1);
  EXPECT_EQ(LoadInitialParameters(*store_, "job-1").status().code(), absl::StatusCode::kDataLoss);
  std::filesystem::remove(Path());
  EXPECT_EQ(LoadInitialParameters(*store_, "job-1").status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(InitialParametersTest, JobWithoutThemIsNotFound) {
  const std::string job_id = *store_->CreateJob(v1::JobSpec(), kNow);
  EXPECT_EQ(LoadInitialParameters(*store_, job_id).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(LoadInitialParameters(*store_, "job-7").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace lockstep::server
