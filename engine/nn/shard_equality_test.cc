// The engine's central promise: a batch of several shards computed as one
// under ShardCuts gives the same bits as shard after shard with the tree's
// additions, for every number of shards, also where some are uneven or empty.
#include <cstring>
#include <string>
#include <vector>

#include "engine/autograd/shard_cuts.h"
#include "engine/kernels/optimizer_update.h"
#include "engine/nn/activations.h"
#include "engine/nn/linear.h"
#include "engine/nn/loss.h"
#include "engine/nn/parameter_layout.h"
#include "engine/nn/sequential.h"
#include "engine/shard_tree.h"
#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

using autograd::ShardCuts;
using autograd::Variable;

constexpr int64_t kFeatures = 13;
constexpr int64_t kClasses = 5;

Sequential Model() {
  Sequential model({std::make_shared<Linear>(kFeatures, 37), std::make_shared<ReLU>(),
                    std::make_shared<Linear>(37, 19), std::make_shared<Tanh>(),
                    std::make_shared<Linear>(19, 17, /*bias=*/false), std::make_shared<Sigmoid>(),
                    std::make_shared<Linear>(17, kClasses)});
  model.Initialize(11);
  return model;
}

struct Examples {
  Tensor features;
  Tensor labels;
};

Examples MakeExamples(int64_t n) {
  Examples examples{Tensor::Empty({n, kFeatures}), Tensor::Empty({n}, DType::kInt64)};
  uint32_t state = 1;
  for (float& value : examples.features.span<float>()) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
  }
  for (int64_t i = 0; i < n; ++i) examples.labels.data<int64_t>()[i] = (i * 7) % kClasses;
  return examples;
}

struct Outcome {
  Tensor gradient;  // the flat vector
  Tensor losses;
};

// Rows [cuts.front(), cuts.back()) as one batch; cuts relative to the examples.
Outcome RunAsOne(const Sequential& model, const Examples& examples,
                 const std::vector<int64_t>& cuts) {
  const ParameterLayout layout = ParameterLayout::Of(model);
  const Tensor flat = Tensor::Zeros({layout.total_elements()});
  BindGradients(model, layout, flat);
  std::vector<int64_t> relative = cuts;
  for (int64_t& cut : relative) cut -= cuts.front();
  ShardCuts scope(relative);
  const Variable input(examples.features.Rows(cuts.front(), cuts.back()));
  const LossResult result =
      CrossEntropy().Forward(model.Forward(input), examples.labels.Rows(cuts.front(), cuts.back()));
  result.losses.Backward(Tensor::Full({relative.back()}, 1), {/*overwrite_leaf_gradients=*/true});
  EXPECT_TRUE(scope.supported());
  return {flat, result.losses.value()};
}

// The tree's sum over shards [node.first, node.end), each run alone.
Tensor RunShardAfterShard(const Sequential& model, const Examples& examples,
                          const std::vector<int64_t>& cuts, const ShardNode& node) {
  if (node.size() == 1) {
    return RunAsOne(model, examples, {cuts[node.first], cuts[node.first + 1]}).gradient;
  }
  const int middle = ShardTreeMiddle(node);
  Tensor left = RunShardAfterShard(model, examples, cuts, {node.first, middle});
  const Tensor right = RunShardAfterShard(model, examples, cuts, {middle, node.end});
  kernels::AddInPlace(left.span<float>(), right.span<float>());
  return left;
}

bool SameBits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.data<float>(), b.data<float>(), a.element_count() * sizeof(float)) == 0;
}

void ExpectEqual(const std::vector<int64_t>& cuts) {
  const Sequential model = Model();
  const int shards = static_cast<int>(cuts.size()) - 1;
  std::string text;
  for (int64_t cut : cuts) text += std::to_string(cut) + " ";
  const Examples examples = MakeExamples(cuts.back());
  const Outcome whole = RunAsOne(model, examples, cuts);
  EXPECT_TRUE(SameBits(whole.gradient, RunShardAfterShard(model, examples, cuts, {0, shards})))
      << text;
  for (int i = 0; i < shards; ++i) {
    const Tensor losses = RunAsOne(model, examples, {cuts[i], cuts[i + 1]}).losses;
    EXPECT_TRUE(SameBits(whole.losses.Rows(cuts[i], cuts[i + 1]), losses)) << text;
  }
}

TEST(ShardEqualityTest, OneToEightShardsOfEvenAndUnevenBatches) {
  for (int shards = 1; shards <= 8; ++shards) {
    for (const int64_t examples : {64, 61, 9, 3, 1}) {
      std::vector<int64_t> cuts;
      for (int i = 0; i <= shards; ++i) cuts.push_back(ShardBegin(i, shards, examples));
      ExpectEqual(cuts);
    }
  }
}

TEST(ShardEqualityTest, EmptyShardsAnywhere) {
  ExpectEqual({0, 0, 5});
  ExpectEqual({0, 5, 5});
  ExpectEqual({0, 0, 0, 7, 7, 20, 20});
  ExpectEqual({0, 1, 1, 1, 1, 1, 30, 31, 31});
}

TEST(ShardEqualityTest, SubtreesAddUpToTheRoot) {
  const Sequential model = Model();
  const std::vector<int64_t> cuts = {0, 9, 20, 29, 40, 51, 60, 71};
  const Examples examples = MakeExamples(cuts.back());
  const Outcome whole = RunAsOne(model, examples, cuts);
  const std::vector<int64_t> left(cuts.begin(), cuts.begin() + 5);
  const std::vector<int64_t> right(cuts.begin() + 4, cuts.end());
  ASSERT_EQ(ShardTreeMiddle({0, 7}), 4);
  Tensor sum = RunAsOne(model, examples, left).gradient;
  kernels::AddInPlace(sum.span<float>(), RunAsOne(model, examples, right).gradient.span<float>());
  EXPECT_TRUE(SameBits(whole.gradient, sum));
}

TEST(ShardEqualityTest, TheCutsMatter) {
  const Sequential model = Model();
  const Examples examples = MakeExamples(64);
  EXPECT_FALSE(SameBits(RunAsOne(model, examples, {0, 64}).gradient,
                        RunAsOne(model, examples, {0, 32, 64}).gradient));
}

}  // namespace
}  // namespace lockstep::nn
