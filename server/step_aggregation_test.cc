#include "server/step_aggregation.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "engine/optim/sgd.h"

namespace lockstep::server {
namespace {

constexpr int kShards = 6;
constexpr int kElements = 48;

// Zeros, one chunk; a step subtracts the gradient's sum.
ParameterStore MakeStore() {
  nn::ParameterLayout layout({{"0.weight", Shape{kElements}}});
  optim::SgdOptions options;
  options.learning_rate = 1;
  auto rules = optim::UpdateRules::Uniform(layout, std::make_shared<optim::Sgd>(options));
  return ParameterStore(std::move(layout), std::move(rules), Tensor::Zeros(Shape{kElements}));
}

optim::UpdateStep Update() {
  optim::UpdateStep update;
  update.batch_size = 1;
  update.learning_rate_factor = 1;
  return update;
}

// What a worker computes for a node: numbers whose sums round.
Tensor NodeSum(const ShardNode& node, bool bfloat16) {
  if (node.size() > 1) {
    const int middle = ShardTreeMiddle(node);
    Tensor sum = NodeSum({node.first, middle}, bfloat16);
    MergeTensors{bfloat16}(sum, NodeSum({middle, node.end}, bfloat16));
    return sum;
  }
  Tensor leaf = Tensor::Empty(Shape{kElements});
  for (int i = 0; i < kElements; ++i) {
    leaf.data<float>()[i] = 1.0f / static_cast<float>(3 + node.first * 11 + i) - 0.03f;
  }
  if (bfloat16) kernels::RoundToBfloat16(leaf.span<float>());
  return leaf;
}

// The new parameters where the nodes come in this order.
std::vector<float> Step(const std::vector<ShardNode>& nodes, bool bfloat16, bool foreign = false) {
  ParameterStore store = MakeStore();
  store.BeginStep();
  StepAggregation aggregation(&store, kShards, Update(), bfloat16);
  int complete = 0;
  for (const ShardNode& node : nodes) {
    Tensor sum = NodeSum(node, bfloat16);
    Tensor given = sum;
    if (foreign) {
      given = Tensor::View(Storage::Use(std::make_shared<StorageOwner>(), sum.data<float>(),
                                        kElements * sizeof(float), /*foreign=*/true),
                           0, Shape{kElements});
    }
    const auto range = aggregation.Add(0, node, std::move(given));
    complete += range.end - range.first;
    // Its owner may use the memory for something else now.
    if (foreign) std::memset(sum.data<float>(), 0x7f, kElements * sizeof(float));
  }
  EXPECT_EQ(complete, 1);
  const Tensor values = store.NextChunk(0);
  const absl::Span<const float> span = values.span<float>();
  return std::vector<float>(span.begin(), span.end());
}

const std::vector<std::vector<ShardNode>>& Cuts() {
  static const auto* const cuts = new std::vector<std::vector<ShardNode>>{
      {{0, 6}},
      {{0, 4}, {4, 6}},
      {{4, 6}, {0, 4}},
      {{2, 4}, {5, 6}, {0, 2}, {4, 5}},
      {{5, 6}, {4, 5}, {3, 4}, {2, 3}, {1, 2}, {0, 1}},
      {{0, 1}, {0, 2}, {2, 4}, {0, 4}, {4, 6}}};  // some twice
  return *cuts;
}

TEST(StepAggregationTest, CutsAndOrderChangeNoBit) {
  const std::vector<float> want = Step(Cuts()[0], /*bfloat16=*/false);
  for (const auto& nodes : Cuts()) EXPECT_EQ(Step(nodes, false), want);
}

TEST(StepAggregationTest, NorDoTheyWhereEveryNodeIsRounded) {
  const std::vector<float> want = Step(Cuts()[0], /*bfloat16=*/true);
  EXPECT_NE(want, Step(Cuts()[0], false));
  for (const auto& nodes : Cuts()) EXPECT_EQ(Step(nodes, true), want);
}

TEST(StepAggregationTest, ForeignSumsAreReadBeforeAddReturns) {
  for (const bool bfloat16 : {false, true}) {
    const std::vector<float> want = Step(Cuts()[0], bfloat16);
    for (const auto& nodes : Cuts()) EXPECT_EQ(Step(nodes, bfloat16, /*foreign=*/true), want);
  }
}

}  // namespace
}  // namespace lockstep::server
