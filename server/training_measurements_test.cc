#include "server/training_measurements.h"

#include <gtest/gtest.h>

namespace lockstep::server {
namespace {

JobPlan Plan() {
  v1::JobSpec spec;
  spec.set_epochs(2);
  spec.set_batch_size(10);
  spec.set_shards(2);
  spec.mutable_data_summary()->set_training_examples(20);
  spec.mutable_data_summary()->set_validation_examples(5);
  return JobPlan::For(spec);
}

TrainingMeasurements Make(std::vector<v1::EpochMetrics> epochs = {}) {
  return TrainingMeasurements(Plan(), optim::Plateau(), std::move(epochs));
}

TEST(TrainingMeasurementsTest, AnEpochIsTheMeanOfItsExamples) {
  TrainingMeasurements measurements = Make();
  const absl::Time start = absl::UnixEpoch();
  measurements.Add(start + absl::Seconds(1), absl::Seconds(1), 10, 30);
  measurements.Add(start + absl::Seconds(2), absl::Seconds(1), 10, 10);
  v1::Progress progress;
  measurements.Describe(2, &progress);
  EXPECT_EQ(progress.training_loss(), 1);
  EXPECT_EQ(progress.training_seconds(), 2);
  EXPECT_EQ(progress.epoch(), 1u);
  EXPECT_FALSE(progress.has_validation_loss());
  const v1::EpochMetrics& metrics = measurements.EndEpoch(2, Losses{10, 4, 5});
  EXPECT_EQ(metrics.training_loss(), 2);
  EXPECT_EQ(metrics.examples_per_second(), 10);
  EXPECT_EQ(metrics.validation_loss(), 2);
  EXPECT_EQ(metrics.validation_accuracy(), 0.8);
  EXPECT_TRUE(measurements.newest_is_best());
  EXPECT_TRUE(measurements.IsMeasured(2));
  measurements.EndEpoch(4, Losses{11, 4, 5});
  EXPECT_FALSE(measurements.newest_is_best());
  measurements.Describe(4, &progress);
  EXPECT_EQ(progress.epochs_size(), 2);
  EXPECT_EQ(progress.epoch(), 2u);
}

TEST(TrainingMeasurementsTest, GoesOnInTheMiddleOfAnEpoch) {
  TrainingMeasurements whole = Make(), first = Make();
  for (TrainingMeasurements* each : {&whole, &first}) {
    each->Add(absl::UnixEpoch(), absl::Seconds(0.3), 10, 0.1);
  }
  std::map<std::string, std::string> metadata;
  first.Save(&metadata);
  TrainingMeasurements second = Make(), fork = Make();
  second.Load(metadata, /*is_forked=*/false);
  fork.Load(metadata, /*is_forked=*/true);
  for (TrainingMeasurements* each : {&whole, &second, &fork}) {
    each->Add(absl::UnixEpoch(), absl::Seconds(0.1), 10, 0.7);
  }
  const double want = whole.EndEpoch(2, std::nullopt).training_loss();
  EXPECT_EQ(second.EndEpoch(2, std::nullopt).training_loss(), want);
  EXPECT_EQ(second.training_seconds(), whole.training_seconds());
  EXPECT_EQ(fork.training_seconds(), 0.1);
}

}  // namespace
}  // namespace lockstep::server
