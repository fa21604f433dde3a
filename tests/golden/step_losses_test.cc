// Each step's loss is PyTorch's: the worker's computation and the server's
// update in one process, without the network between them.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/data/safetensors.h"
#include "engine/model/build_optimizer.h"
#include "engine/model/job_data.h"
#include "engine/model/job_plan.h"
#include "server/parameter_store.h"
#include "tests/golden/golden_mlp.h"
#include "worker/node_computation.h"

namespace lockstep::tests {
namespace {

class StepLossesTest : public ::testing::TestWithParam<std::string> {};

TEST_P(StepLossesTest, AreThoseOfPyTorch) {
  const GoldenJob golden = LoadGoldenJob(GetParam());
  const JobPlan plan = JobPlan::For(golden.spec);
  auto data = JobData::Load(golden.spec);
  ASSERT_TRUE(data.ok()) << data.status();
  auto computation = worker::NodeComputation::Create(golden.spec, *data, server::kChunkElements);
  ASSERT_TRUE(computation.ok()) << computation.status();
  const nn::ParameterLayout& layout = (*computation)->layout();
  auto rules = MakeUpdateRules(golden.spec, layout);
  ASSERT_TRUE(rules.ok()) << rules.status();
  const optim::Schedule schedule = MakeSchedule(golden.spec.learning_rate_schedule());
  server::ParameterStore store(layout, *std::move(rules),
                               Tensor::Zeros(Shape{layout.total_elements()}));
  auto initial = data::ReadSafetensors(golden.spec.init_from());
  ASSERT_TRUE(initial.ok()) << initial.status();
  ASSERT_TRUE(store.LoadParameters(initial->tensors).ok());
  ASSERT_EQ(store.chunk_count(), 1) << "the loop below takes the chunk for the whole";

  for (uint64_t step = 0; step < plan.total_steps; ++step) {
    (*computation)->SetParameters(store.CurrentChunk(0));
    store.BeginStep();
    const double examples = static_cast<double>(plan.Place(step).examples);
    optim::UpdateStep update;
    update.step = step;
    update.batch_size = examples;
    update.learning_rate_factor = schedule.Factor(step, plan.total_steps, plan.steps_per_epoch);
    const auto losses =
        (*computation)->Train(step, {0, plan.shards}, [&](int chunk, const Tensor& sum) {
          if (!store.NeedsWholeGradient()) return store.ApplyChunk(chunk, sum, update);
          store.KeepChunk(chunk, sum);
          store.ApplyAll(update);
        });
    ASSERT_TRUE(losses.ok()) << losses.status();
    store.CommitStep();
    const double want = golden.losses[step];
    ASSERT_NEAR(losses->loss_sum / examples, want, kGoldenTolerance * std::abs(want))
        << "step " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(Mlp, StepLossesTest, ::testing::ValuesIn(GoldenVariants()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace lockstep::tests
