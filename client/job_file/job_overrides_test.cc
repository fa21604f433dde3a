#include "client/job_file/job_overrides.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/model/job_spec.h"

namespace lockstep::client {
namespace {

using testing::HasSubstr;

v1::JobSpec Spec() {
  v1::JobSpec spec;
  spec.set_name("job");
  spec.mutable_data()->mutable_train()->mutable_csv()->set_path("/data.csv");
  spec.add_model()->mutable_linear()->set_out_features(3);
  spec.mutable_loss()->mutable_cross_entropy();
  spec.mutable_optimizer()->mutable_sgd()->set_learning_rate(0.1f);
  spec.mutable_optimizer()->mutable_sgd()->set_momentum(0.5f);
  spec.set_epochs(2);
  spec.set_batch_size(20);
  FillJobDefaults(&spec);
  return spec;
}

TEST(JobOverridesTest, SetsOneFieldAndLeavesItsNeighbours) {
  v1::JobSpec spec = Spec();
  ASSERT_TRUE(ApplyOverrides({"optimizer.sgd.learning_rate=0.25", "priority=-3"}, &spec).ok());
  EXPECT_EQ(spec.optimizer().sgd().learning_rate(), 0.25f);
  EXPECT_EQ(spec.optimizer().sgd().momentum(), 0.5f);
  EXPECT_EQ(spec.priority(), -3);
}

TEST(JobOverridesTest, ChoosesAnotherVariantWithItsDefaults) {
  v1::JobSpec spec = Spec();
  ASSERT_TRUE(
      ApplyOverrides({"optimizer={adam: {learning_rate: 0.01}}", "learning_rate_schedule=cosine"},
                     &spec)
          .ok());
  EXPECT_EQ(spec.optimizer().adam().beta1(), 0.9f);
  EXPECT_TRUE(spec.learning_rate_schedule().has_cosine());
}

TEST(JobOverridesTest, ALengthReplacesTheOther) {
  v1::JobSpec spec = Spec();
  ASSERT_TRUE(ApplyOverrides({"steps=7"}, &spec).ok());
  EXPECT_FALSE(spec.has_epochs());
  EXPECT_EQ(spec.steps(), 7u);
}

TEST(JobOverridesTest, AListIsReplaced) {
  v1::JobSpec spec = Spec();
  ASSERT_TRUE(ApplyOverrides({"model=[{linear: {out_features: 5}}, relu]"}, &spec).ok());
  ASSERT_EQ(spec.model_size(), 2);
  EXPECT_EQ(spec.model(0).linear().out_features(), 5u);
}

TEST(JobOverridesTest, MistakesAreNamedAndChangeNothing) {
  const v1::JobSpec before = Spec();
  const std::vector<std::pair<std::string, std::string>> mistakes = {
      {"optimizer.sgd.learning_rat=1", "did you mean 'learning_rate'?"},
      {"optimizer.sgd.learning_rate=fast", "want a number"},
      {"batch_size=0", "batch_size: got 0"},
      {"batch_size", "FIELD=VALUE"},
      {"data.train.csv.path=x", "names files"},
      {"retries=1000", "retries: got 1000, want 0 to 100"},
      {"priority=[", "priority=["},
  };
  for (const auto& [setting, message] : mistakes) {
    v1::JobSpec spec = before;
    const absl::Status status = ApplyOverrides({"seed=5", setting}, &spec);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << setting;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
    EXPECT_EQ(spec.SerializeAsString(), before.SerializeAsString()) << setting;
  }
}

}  // namespace
}  // namespace lockstep::client
