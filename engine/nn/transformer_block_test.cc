#include "engine/nn/transformer_block.h"

#include <cmath>
#include <cstring>

#include "engine/autograd/gradient_check.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/kernels/optimizer_update.h"
#include "engine/nn/multihead_attention.h"
#include "engine/nn/training_scope.h"
#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

using autograd::ShardCuts;
using autograd::TestValues;
using autograd::Variable;

// Fixed values in place of random ones, parameter i from salt i + 1.
void FillParameters(const Module& module) {
  int salt = 0;
  for (NamedParameter parameter : module.NamedParameters()) {
    parameter.variable.SetValue(TestValues(parameter.variable.shape(), -0.5f, 0.5f, ++salt));
  }
}

TEST(MultiheadAttentionTest, ParametersAreThoseOfTorch) {
  MultiheadAttention attention(6, 2, {});
  attention.Initialize(7, 3);
  const std::vector<NamedParameter> p = attention.NamedParameters();
  ASSERT_EQ(p.size(), 4u);
  EXPECT_EQ(p[0].name, "in_proj_weight");
  EXPECT_EQ(p[0].variable.shape(), (Shape{18, 6}));
  EXPECT_EQ(p[1].name, "in_proj_bias");
  EXPECT_EQ(p[2].name, "out_proj.weight");
  EXPECT_EQ(p[2].variable.shape(), (Shape{6, 6}));
  EXPECT_EQ(p[3].name, "out_proj.bias");
  const float bound = std::sqrt(6.0f / (18 + 6));
  float greatest = 0;
  for (float x : p[0].variable.value().span<float>()) greatest = std::max(greatest, std::abs(x));
  EXPECT_LE(greatest, bound);
  EXPECT_GT(greatest, 0.9f * bound);
  for (int i : {1, 3}) {
    for (float x : p[i].variable.value().span<float>()) EXPECT_EQ(x, 0.0f);
  }
}

TEST(MultiheadAttentionTest, NamesTheShapeThatDoesNotFit) {
  const MultiheadAttention attention(6, 2, {});
  EXPECT_EQ(*attention.OutputShape({5, 6}), (Shape{5, 6}));
  EXPECT_EQ(attention.OutputShape({6}).status().message(),
            "multihead_attention: got an example of shape [6], want [positions, 6]");
  EXPECT_EQ(attention.Describe(),
            "MultiheadAttention(\n  (out_proj): NonDynamicallyQuantizableLinear(in_features=6, "
            "out_features=6, bias=True)\n)");
}

// A longer input after a shorter one takes the longer table, and the shorter
// one's angles are the same.
TEST(MultiheadAttentionTest, RotaryTableGrowsWithTheInput) {
  MultiheadAttention attention(
      4, 1, {/*causal=*/true, /*bias=*/true, /*rotary_base=*/10000, /*dropout=*/0});
  FillParameters(attention);
  const Tensor x = TestValues({1, 9, 4});
  const Tensor start = x.Reshape({9, 4}).Rows(0, 5).Reshape({1, 5, 4});
  const Tensor before = attention.Forward(Variable(start)).value();
  const Tensor whole = attention.Forward(Variable(x)).value();
  const Tensor after = attention.Forward(Variable(start)).value();
  EXPECT_EQ(before.ToString(), after.ToString());
  EXPECT_EQ(before.Reshape({5, 4}).ToString(), whole.Reshape({9, 4}).Rows(0, 5).ToString());
}

TEST(TransformerBlockTest, ParametersAreNamedByTheirPart) {
  const TransformerBlock block(8, 2, {});
  std::string names;
  for (const NamedParameter& p : block.NamedParameters()) names += p.name + " ";
  EXPECT_EQ(names,
            "ln_1.weight ln_1.bias attn.in_proj_weight attn.in_proj_bias attn.out_proj.weight "
            "attn.out_proj.bias ln_2.weight ln_2.bias mlp.0.weight mlp.0.bias mlp.2.weight "
            "mlp.2.bias ");
  EXPECT_EQ(block.OutputShape({3, 5}).status().message(),
            "transformer_block: multihead_attention: got an example of shape [3, 5], want "
            "[positions, 8]");
}

struct Outcome {
  Tensor output;
  std::vector<Tensor> gradients;
};

Outcome TrainOnce(const Module& module, const Tensor& x, const Tensor& dy,
                  const std::vector<int64_t>& cuts) {
  ShardCuts scope(cuts);
  for (NamedParameter p : module.NamedParameters()) p.variable.ZeroGrad();
  const Variable y = module.Forward(Variable(x));
  y.Backward(dy);
  EXPECT_TRUE(scope.supported());
  Outcome outcome{y.value(), {}};
  for (const NamedParameter& p : module.NamedParameters())
    outcome.gradients.push_back(p.variable.grad());
  return outcome;
}

bool SameBits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.data<float>(), b.data<float>(), a.element_count() * sizeof(float)) == 0;
}

TEST(TransformerBlockTest, ABatchOfShardsHasTheBitsOfTheShardTree) {
  for (bool rotary : {false, true}) {
    TransformerBlock::Options options;
    options.attention.rotary_base = rotary ? 10000 : 0;
    options.norm = rotary ? TransformerBlock::Norm::kRms : TransformerBlock::Norm::kLayer;
    TransformerBlock block(8, 2, options);
    FillParameters(block);
    const Tensor x = TestValues({5, 6, 8}), dy = TestValues({5, 6, 8}, -1, 1, 1);
    const Outcome whole = TrainOnce(block, x, dy, {0, 2, 5});
    const Outcome first = TrainOnce(block, x.Rows(0, 2), dy.Rows(0, 2), {0, 2});
    const Outcome second = TrainOnce(block, x.Rows(2, 5), dy.Rows(2, 5), {0, 3});
    EXPECT_TRUE(SameBits(whole.output.Rows(0, 2), first.output));
    EXPECT_TRUE(SameBits(whole.output.Rows(2, 5), second.output));
    for (size_t i = 0; i < whole.gradients.size(); ++i) {
      Tensor sum = first.gradients[i].Clone();
      kernels::AddInPlace(sum.span<float>(), second.gradients[i].span<float>());
      EXPECT_TRUE(SameBits(whole.gradients[i], sum)) << block.NamedParameters()[i].name;
    }
  }
}

// In training each part's output is dropped; in evaluation nothing is.
TEST(TransformerBlockTest, DropsInTrainingOnly) {
  TransformerBlock::Options options;
  options.attention.dropout = 1;
  options.mlp_dropout = 1;
  TransformerBlock dropping(4, 2, options), keeping(4, 2, {});
  FillParameters(dropping);
  FillParameters(keeping);
  const Variable x(TestValues({2, 3, 4}));
  EXPECT_TRUE(SameBits(dropping.Forward(x).value(), keeping.Forward(x).value()));
  TrainingScope scope({/*key=*/1, /*step=*/0, /*first_example=*/0});
  EXPECT_TRUE(SameBits(dropping.Forward(x).value(), x.value()));
  EXPECT_FALSE(SameBits(keeping.Forward(x).value(), x.value()));
}

// Values from PyTorch 2.13 in float64.
TEST(TransformerBlockTest, AgreesWithPyTorch) {
  TransformerBlock block(4, 2, {});
  FillParameters(block);
  const Tensor y = block.Forward(Variable(TestValues({1, 3, 4}))).value();
  static constexpr double kWant[] = {-1.27773364, -0.947393117, -0.392446214, 0.732391026,
                                     0.581811029, -0.446510683, -0.735619906, 0.492355786,
                                     0.027560084, 0.898332289,  -1.63625014,  0.861458902};
  for (int i = 0; i < 12; ++i) EXPECT_NEAR(y.data<float>()[i], kWant[i], 2e-6) << i;
}

}  // namespace
}  // namespace lockstep::nn
