// What `lockstep train` writes to metrics.jsonl is what PyTorch gives: each
// epoch's mean loss, by a server and two workers.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "engine/data/testing/test_files.h"
#include "engine/model/job_plan.h"
#include "tests/golden/golden_mlp.h"
#include "tests/testing/json.h"
#include "tests/testing/logged_folder.h"
#include "tests/testing/run_lockstep.h"

namespace lockstep::tests {
namespace {

// Mean over the epoch's examples, so each step's counts by its batch.
std::vector<double> EpochMeans(const GoldenJob& golden) {
  const JobPlan plan = JobPlan::For(golden.spec);
  std::vector<double> means;
  double sum = 0;
  double examples = 0;
  for (uint64_t step = 0; step < plan.total_steps; ++step) {
    const double batch = static_cast<double>(plan.Place(step).examples);
    sum += golden.losses[step] * batch;
    examples += batch;
    if (plan.EndsEpoch(step + 1)) {
      means.push_back(sum / examples);
      sum = examples = 0;
    }
  }
  return means;
}

class EpochLossesTest : public ::testing::TestWithParam<std::string> {};

TEST_P(EpochLossesTest, AreThoseOfPyTorch) {
  const GoldenJob golden = LoadGoldenJob(GetParam());
  const std::vector<double> want = EpochMeans(golden);
  LoggedFolder folder;
  TrainedHash(folder, golden.job_file, "run", {"--workers", "2", "--threads", "1"});
  const std::vector<google::protobuf::Struct> lines =
      ParseJsonLines(data::ReadTestFile(folder.PathOf("run/metrics.jsonl")));
  ASSERT_EQ(lines.size(), want.size() + 1) << "the epochs and the summary";
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_NEAR(NumberOf(lines[i], "training_loss"), want[i], kGoldenTolerance * std::abs(want[i]))
        << "epoch " << i + 1;
  }
}

INSTANTIATE_TEST_SUITE_P(Mlp, EpochLossesTest, ::testing::ValuesIn(GoldenVariants()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace lockstep::tests
