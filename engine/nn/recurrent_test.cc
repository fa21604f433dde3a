#include "engine/nn/recurrent.h"

#include <cmath>
#include <cstring>

#include "engine/autograd/gradient_check.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/kernels/optimizer_update.h"
#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

using autograd::RecurrentWeights;
using autograd::ShardCuts;
using autograd::TestValues;
using autograd::Variable;
using kernels::RecurrentCell;

// Fixed values in place of random ones, parameter i from salt i + 1.
void FillParameters(const Module& module) {
  int salt = 0;
  for (NamedParameter parameter : module.NamedParameters()) {
    parameter.variable.SetValue(TestValues(parameter.variable.shape(), -1, 1, ++salt));
  }
}

// Two layers over the values of TestValues, computed by PyTorch 2.13 in float64.
void ExpectAgrees(const Module& module, const std::vector<double>& want_y,
                  const std::vector<double>& want_dx) {
  FillParameters(module);
  const Variable x(TestValues({2, 3, 3}), true);
  const Variable y = module.Forward(x);
  y.Backward(TestValues({2, 3, 2}, -1, 1, 99));
  ASSERT_EQ(y.value().element_count(), static_cast<int64_t>(want_y.size()));
  for (size_t i = 0; i < want_y.size(); ++i) {
    EXPECT_NEAR(y.value().data<float>()[i], want_y[i], 1e-6) << i;
  }
  for (size_t i = 0; i < want_dx.size(); ++i) {
    EXPECT_NEAR(x.grad().data<float>()[i], want_dx[i], 1e-6) << i;
  }
}

TEST(RecurrentTest, LstmAgreesWithPyTorch) {
  ExpectAgrees(
      LSTM(3, 2, {/*num_layers=*/2}),
      {-0.035813693, -0.0186934691, -0.0435561991, 0.00101062657, -0.0449653116, 0.017910668,
       -0.0385564592, -0.0689384649, -0.0511629646, -0.122448846, -0.054379533, -0.153568427},
      {-0.0291491334, 0.0404285314, -0.0274979878, 0.0156239672, -0.034438211, 0.00165677801,
       -0.0119674906, 0.0158835951, -0.0184664501, -0.00233630117, 0.00449557021, -0.00168202962,
       -0.0009885345, 0.00107856169, -0.00100644072, -1.41945124e-05, 0.00494201893,
       0.00395360384});
}

TEST(RecurrentTest, GruAgreesWithPyTorch) {
  ExpectAgrees(
      GRU(3, 2, {/*num_layers=*/2}),
      {0.217119958, -0.00653501345, 0.328825709, 0.166057686, 0.381017146, 0.231929699, 0.210907407,
       -0.0311541333, 0.244286413, -0.0587263192, 0.301225836, -0.0864077141},
      {-0.0838879412, 0.148367291, -0.0590888659, -0.141549133, 0.206141505, -0.0545698784,
       -0.0762818182, 0.122527496, -0.0742069574, 0.00204194882, -0.0055567542, -0.003136134,
       0.00129703667, -0.0144322625, -0.00877533498, -0.0228710931, 0.0455744379, 0.00180512996});
}

TEST(RecurrentTest, GradientsOfEveryInput) {
  for (RecurrentCell cell : {RecurrentCell::kLstm, RecurrentCell::kGru}) {
    const int64_t width = kernels::RecurrentExtents{cell}.gates() * 2;
    for (bool last_only : {false, true}) {
      const auto layer = [&](const std::vector<Variable>& v) {
        return autograd::Recurrent(cell, v[0], {v[1], v[2], v[3], v[4]}, last_only);
      };
      EXPECT_EQ(autograd::CheckGradients(
                    layer, {TestValues({2, 3, 3}), TestValues({width, 3}, -1, 1, 1),
                            TestValues({width, 2}, -1, 1, 2), TestValues({width}, -1, 1, 3),
                            TestValues({width}, -1, 1, 4)}),
                "");
    }
  }
}

bool SameBits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.data<float>(), b.data<float>(), a.element_count() * sizeof(float)) == 0;
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
  for (const NamedParameter& p : module.NamedParameters()) {
    outcome.gradients.push_back(p.variable.grad());
  }
  return outcome;
}

void ExpectShardTree(const Module& module, const Tensor& dy) {
  FillParameters(module);
  const Tensor x = TestValues({5, 4, 3});
  const Outcome whole = TrainOnce(module, x, dy, {0, 2, 5});
  const Outcome first = TrainOnce(module, x.Rows(0, 2), dy.Rows(0, 2), {0, 2});
  const Outcome second = TrainOnce(module, x.Rows(2, 5), dy.Rows(2, 5), {0, 3});
  EXPECT_TRUE(SameBits(whole.output.Rows(0, 2), first.output));
  EXPECT_TRUE(SameBits(whole.output.Rows(2, 5), second.output));
  for (size_t i = 0; i < whole.gradients.size(); ++i) {
    Tensor sum = first.gradients[i].Clone();
    kernels::AddInPlace(sum.span<float>(), second.gradients[i].span<float>());
    EXPECT_TRUE(SameBits(whole.gradients[i], sum)) << module.NamedParameters()[i].name;
  }
}

TEST(RecurrentTest, ABatchOfShardsHasTheBitsOfTheShardTree) {
  ExpectShardTree(LSTM(3, 6, {2, true, false}), TestValues({5, 4, 6}, -1, 1, 1));
  ExpectShardTree(GRU(3, 6, {2, false, true}), TestValues({5, 6}, -1, 1, 1));
}

TEST(RecurrentTest, LastOnlyIsTheLastTime) {
  const LSTM all(3, 5), last(3, 5, {1, true, true});
  FillParameters(all);
  FillParameters(last);
  const Variable x(TestValues({2, 4, 3}));
  const Tensor y = all.Forward(x).value(), z = last.Forward(x).value();
  ASSERT_EQ(z.shape(), (Shape{2, 5}));
  EXPECT_TRUE(SameBits(y.Reshape({8, 5}).Rows(3, 4), z.Rows(0, 1)));
  EXPECT_TRUE(SameBits(y.Reshape({8, 5}).Rows(7, 8), z.Rows(1, 2)));
}

TEST(RecurrentTest, ParametersAreThoseOfTorch) {
  GRU gru(3, 4, {2, true, false});
  gru.Initialize(5, 1);
  std::string names;
  for (const NamedParameter& p : gru.NamedParameters()) {
    names += p.name + p.variable.shape().ToString() + " ";
    for (float x : p.variable.value().span<float>()) EXPECT_LE(std::abs(x), 0.5f);
  }
  EXPECT_EQ(names,
            "weight_ih_l0[12, 3] weight_hh_l0[12, 4] bias_ih_l0[12] bias_hh_l0[12] "
            "weight_ih_l1[12, 4] weight_hh_l1[12, 4] bias_ih_l1[12] bias_hh_l1[12] ");
  EXPECT_EQ(gru.Describe(), "GRU(3, 4, num_layers=2, batch_first=True)");
  EXPECT_EQ(LSTM(3, 4, {1, false, false}).Describe(), "LSTM(3, 4, bias=False, batch_first=True)");
}

TEST(RecurrentTest, NamesTheShapeThatDoesNotFit) {
  const LSTM lstm(3, 4);
  EXPECT_EQ(*lstm.OutputShape({7, 3}), (Shape{7, 4}));
  EXPECT_EQ(*GRU(3, 4, {1, true, true}).OutputShape({7, 3}), (Shape{4}));
  EXPECT_EQ(lstm.OutputShape({7, 2}).status().message(),
            "lstm: got an example of shape [7, 2], want [times, 3]");
}

}  // namespace
}  // namespace lockstep::nn
