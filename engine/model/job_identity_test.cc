#include "engine/model/job_identity.h"

#include <gtest/gtest.h>

#include <string>

#include "engine/model/job_spec.h"

namespace lockstep {
namespace {

v1::JobSpec Spec() {
  v1::JobSpec spec;
  spec.set_name("job");
  spec.mutable_data()->mutable_train()->mutable_csv()->set_path("/data.csv");
  spec.mutable_data()->mutable_train()->mutable_csv()->set_sha256(std::string(64, 'a'));
  spec.add_model()->mutable_linear()->set_out_features(3);
  spec.mutable_loss()->mutable_cross_entropy();
  spec.mutable_optimizer()->mutable_sgd()->set_learning_rate(0.1f);
  spec.set_epochs(2);
  spec.set_batch_size(20);
  FillJobDefaults(&spec);
  return spec;
}

TEST(JobIdentityTest, WhereAndHowItRunsDoesNotCount) {
  v1::JobSpec other = Spec();
  other.set_name("another");
  other.mutable_data()->mutable_train()->mutable_csv()->set_path("/elsewhere/data.csv");
  other.mutable_workers()->set_min(3);
  other.mutable_checkpoint()->set_interval_steps(7);
  other.mutable_tensor_digests()->set_interval_steps(1);
  other.set_priority(4);
  other.set_retries(2);
  EXPECT_EQ(JobSha256(other), JobSha256(Spec()));
  EXPECT_EQ(DataSha256(other), DataSha256(Spec()));
}

TEST(JobIdentityTest, WhatDecidesTheBitsCounts) {
  v1::JobSpec other = Spec();
  other.set_seed(1);
  EXPECT_NE(JobSha256(other), JobSha256(Spec()));
  other = Spec();
  other.mutable_forked_from()->set_model_sha256(std::string(64, 'b'));
  EXPECT_NE(JobSha256(other), JobSha256(Spec()));
}

TEST(JobIdentityTest, DataAndJobFileCountApart) {
  v1::JobSpec other = Spec();
  other.mutable_data()->mutable_train()->mutable_csv()->set_sha256(std::string(64, 'b'));
  EXPECT_EQ(JobSha256(other), JobSha256(Spec()));
  EXPECT_NE(DataSha256(other), DataSha256(Spec()));
}

}  // namespace
}  // namespace lockstep
