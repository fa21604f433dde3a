#include "client/job_difference.h"

#include <gtest/gtest.h>

#include "engine/model/job_spec.h"

namespace lockstep::client {
namespace {

v1::JobSpec Spec() {
  v1::JobSpec spec;
  spec.set_name("job");
  spec.mutable_data()->mutable_train()->mutable_csv()->set_path("/data.csv");
  spec.add_model()->mutable_linear()->set_out_features(3);
  spec.add_model()->mutable_relu();
  spec.mutable_loss()->mutable_cross_entropy();
  spec.mutable_optimizer()->mutable_sgd()->set_learning_rate(0.5f);
  spec.set_epochs(2);
  spec.set_batch_size(20);
  FillJobDefaults(&spec);
  return spec;
}

TEST(JobDifferenceTest, WhatChangesNoBitIsNoDifference) {
  v1::JobSpec other = Spec();
  other.set_name("other");
  other.mutable_workers()->set_min(2);
  EXPECT_TRUE(CompareJobs(Spec(), other).empty());
}

TEST(JobDifferenceTest, NamesFieldAndBothValues) {
  v1::JobSpec other = Spec();
  other.mutable_optimizer()->mutable_sgd()->set_learning_rate(0.25f);
  other.mutable_model(0)->mutable_linear()->set_out_features(4);
  const auto differences = CompareJobs(Spec(), other);
  ASSERT_EQ(differences.size(), 2u);
  EXPECT_EQ(differences[0].field, "model[0].linear.out_features");
  EXPECT_EQ(differences[0].left, "3");
  EXPECT_EQ(differences[0].right, "4");
  EXPECT_EQ(differences[1].field, "optimizer.sgd.learning_rate");
  EXPECT_EQ(differences[1].left, "0.5");
  EXPECT_EQ(differences[1].right, "0.25");
}

TEST(JobDifferenceTest, AnotherChoiceStandsOnBothSides) {
  v1::JobSpec other = Spec();
  other.mutable_model(1)->mutable_tanh();
  const auto differences = CompareJobs(Spec(), other);
  ASSERT_EQ(differences.size(), 2u);
  EXPECT_EQ(differences[0].right.empty(), !differences[1].right.empty());
}

TEST(JobDifferenceTest, ExplainsByWhereTheRunsPart) {
  v1::JobSpec other = Spec();
  other.mutable_optimizer()->mutable_sgd()->set_learning_rate(0.25f);
  other.set_seed(7);
  const auto differences = CompareJobs(Spec(), other);
  ASSERT_EQ(differences.size(), 2u);
  const auto update = Explaining(differences, PartingPlace::kUpdate);
  ASSERT_EQ(update.size(), 1u);
  EXPECT_EQ(update[0].field, "optimizer.sgd.learning_rate");
  const auto gradient = Explaining(differences, PartingPlace::kGradient);
  ASSERT_EQ(gradient.size(), 1u);
  EXPECT_EQ(gradient[0].field, "seed");
  EXPECT_EQ(Explaining(differences, PartingPlace::kUnknown).size(), 2u);
}

}  // namespace
}  // namespace lockstep::client
