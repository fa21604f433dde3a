#include "tests/determinism/small_training.h"

#include <omp.h>

#include "engine/kernels/instruction_set.h"
#include "gtest/gtest.h"

namespace lockstep::testing {
namespace {

constexpr int kSteps = 50;

class SmallTrainingTest : public ::testing::TestWithParam<std::string> {};

TEST_P(SmallTrainingTest, InstructionSetsAndThreadsGiveTheSameBits) {
  std::string fingerprint;
  for (const std::string& set : kernels::AvailableInstructionSets()) {
    ASSERT_TRUE(kernels::LimitInstructionSet(set).ok());
    for (int threads : {1, 2, 3}) {
      omp_set_num_threads(threads);
      const std::string got = SmallTrainingFingerprint(GetParam(), kSteps);
      if (fingerprint.empty()) fingerprint = got;
      EXPECT_EQ(got, fingerprint) << set << ", threads: " << threads;
    }
  }
  ASSERT_TRUE(kernels::LimitInstructionSet("best").ok());
}

TEST_P(SmallTrainingTest, TrainingGoesOn) {
  EXPECT_NE(SmallTrainingFingerprint(GetParam(), 1), SmallTrainingFingerprint(GetParam(), 2));
}

INSTANTIATE_TEST_SUITE_P(All, SmallTrainingTest, ::testing::ValuesIn(SmallTrainings()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace lockstep::testing
