// Every schedule's factors are the learning rates that PyTorch's scheduler sets.
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "engine/data/testing/test_files.h"
#include "engine/model/build_optimizer.h"
#include "tests/testing/process.h"

namespace lockstep::tests {
namespace {

constexpr uint64_t kSteps = 100;
constexpr uint64_t kStepsPerEpoch = 10;
// PyTorch computes some schedules by multiplying on from step to step.
constexpr double kTolerance = 1e-12;

std::vector<double> Numbers(const std::string& line) {
  std::vector<double> numbers;
  for (const absl::string_view text : absl::StrSplit(line, ' ')) {
    double number = NAN;
    EXPECT_TRUE(absl::SimpleAtod(text, &number)) << text;
    numbers.push_back(number);
  }
  return numbers;
}

TEST(ScheduleFactorsTest, AreThoseOfPyTorch) {
  const std::string text = data::ReadTestFile(Runfile("tests/golden/schedules.txt"));
  const std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  int schedules = 0;
  for (size_t i = 0; i + 1 < lines.size(); ++schedules) {
    v1::ScheduleChoice choice;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(lines[i], &choice)) << lines[i];
    SCOPED_TRACE(lines[i++]);
    if (choice.has_plateau()) {
      const std::vector<double> losses = Numbers(lines[i++]);
      const std::vector<double> want = Numbers(lines[i++]);
      ASSERT_EQ(losses.size(), want.size());
      optim::Plateau plateau = MakePlateau(choice);
      for (size_t epoch = 0; epoch < losses.size(); ++epoch) {
        plateau.Observe(epoch + 1, losses[epoch]);
        EXPECT_NEAR(plateau.factor(), want[epoch], kTolerance) << "epoch " << epoch;
      }
      continue;
    }
    const std::vector<double> want = Numbers(lines[i++]);
    ASSERT_EQ(want.size(), kSteps);
    const optim::Schedule schedule = MakeSchedule(choice);
    for (uint64_t step = 0; step < kSteps; ++step) {
      EXPECT_NEAR(schedule.Factor(step, kSteps, kStepsPerEpoch), want[step], kTolerance)
          << "step " << step;
    }
  }
  EXPECT_EQ(schedules, 14);
}

}  // namespace
}  // namespace lockstep::tests
