#include "engine/autograd/normalization_ops.h"

#include <cstring>
#include <vector>

#include "engine/autograd/gradient_check.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/kernels/optimizer_update.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Inputs = std::vector<Variable>;

Tensor Values(const Shape& shape, const std::vector<float>& values) {
  return Tensor::FromVector(shape, values);
}

void ExpectNear(const Tensor& got, const std::vector<float>& want) {
  ASSERT_EQ(got.element_count(), static_cast<int64_t>(want.size()));
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got.data<float>()[i], want[i], 2e-6) << i;
}

bool SameBits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.data<float>(), b.data<float>(), a.element_count() * sizeof(float)) == 0;
}

const std::vector<float> kX = {1, 2, 4, -1, 0.5f, -0.25f, 3, 2};
const std::vector<float> kWeight = {1, 0.5f, -2, 3};
const std::vector<float> kUpstream = {1, -1, 0.5f, 2, 0.25f, 1, -2, 1};

// The numbers are those of torch.nn.functional.layer_norm in float64.
TEST(NormalizationOpsTest, LayerNormIsThatOfTorch) {
  const Variable x(Values({2, 4}, kX), true), w(Values({4}, kWeight), true);
  const Variable b(Values({4}, {0, 1, 0.25f, -1}), true);
  const Variable y = LayerNorm(x, {4}, w, b);
  ExpectNear(y.value(), {-0.2773496714, 1.1386748357, -2.5234967142, -5.1602450713, -0.6412407137,
                         0.3834223907, -2.4136152724, 0.6277648887});
  y.Backward(Values({2, 4}, kUpstream));
  ExpectNear(x.grad(), {-0.5973673250, -0.6507061963, 0.6293644181, 0.6187091032, -0.5501541166,
                        0.3686770441, 0.0043306557, 0.1771464168});
  ExpectNear(w.grad(), {-0.4376598499, -1.5105048901, -1.9702410938, -2.2309084180});
  ExpectNear(b.grad(), {1.25, 0, -1.5, 3});
}

// The numbers are those of torch.nn.functional.rms_norm in float64.
TEST(NormalizationOpsTest, RmsNormIsThatOfTorch) {
  const Variable x(Values({2, 4}, kX), true), w(Values({4}, kWeight), true);
  const Variable y = RmsNorm(x, {4}, w, 1e-5);
  ExpectNear(y.value(), {0.4264010451, 0.4264010451, -3.4112083606, -1.2792031352, 0.2740750722,
                         -0.0685187680, -3.2889008661, 3.2889008661});
  y.Backward(Values({2, 4}, kUpstream));
  ExpectNear(x.grad(), {0.6202193495, 0.1744360864, 0.3488721727, 2.3645879660, -0.2335417297,
                        0.4593647051, -0.0308750174, 0.1621333698});
  ExpectNear(w.grad(), {0.4949198131, -0.9898396262, -2.4360987760, 0.2434981986});
}

TEST(NormalizationOpsTest, LayerNormGradients) {
  const Tensor x = TestValues({3, 2, 5}), w = TestValues({5}, 0.5f, 1.5f, 1), b = TestValues({5});
  const auto both = [](const Inputs& v) { return LayerNorm(v[0], {5}, v[1], v[2]); };
  EXPECT_EQ(CheckGradients(both, {x, w, b}), "");
  const auto plain = [](const Inputs& v) { return LayerNorm(v[0], {2, 5}, {}, {}); };
  EXPECT_EQ(CheckGradients(plain, {x}), "");
  const auto scaled = [](const Inputs& v) { return LayerNorm(v[0], {5}, v[1], {}); };
  EXPECT_EQ(CheckGradients(scaled, {x, w}), "");
  const auto shifted = [](const Inputs& v) { return LayerNorm(v[0], {5}, {}, v[1]); };
  EXPECT_EQ(CheckGradients(shifted, {x, b}), "");
}

TEST(NormalizationOpsTest, RmsNormGradients) {
  const Tensor x = TestValues({3, 2, 5}), w = TestValues({5}, 0.5f, 1.5f, 1);
  const auto scaled = [](const Inputs& v) { return RmsNorm(v[0], {5}, v[1], 1e-5); };
  EXPECT_EQ(CheckGradients(scaled, {x, w}), "");
  const auto plain = [](const Inputs& v) { return RmsNorm(v[0], {2, 5}, {}, 1e-5); };
  EXPECT_EQ(CheckGradients(plain, {x}), "");
}

// The gradients of `examples` [begin, end) of 8, of which each has two rows.
std::vector<Tensor> GradientsOf(int64_t begin, int64_t end, bool centred) {
  const Variable x(TestValues({8, 2, 5}).Rows(begin, end).Clone(), true);
  const Variable w(TestValues({5}, 0.5f, 1.5f, 1), true), b(TestValues({5}), true);
  const Variable y = centred ? LayerNorm(x, {5}, w, b) : RmsNorm(x, {5}, w, 1e-5);
  y.Backward(TestValues({8, 2, 5}, -1, 1, 3).Rows(begin, end));
  std::vector<Tensor> gradients = {w.grad(), x.grad()};
  if (centred) gradients.push_back(b.grad());
  return gradients;
}

TEST(NormalizationOpsTest, ShardCutsGiveTheTreeOfShardAfterShard) {
  for (bool centred : {true, false}) {
    std::vector<Tensor> whole;
    {
      ShardCuts scope({0, 3, 4, 8});
      whole = GradientsOf(0, 8, centred);
    }
    std::vector<Tensor> sum = GradientsOf(0, 3, centred);
    for (const auto& [begin, end] : {std::pair(3, 4), std::pair(4, 8)}) {
      const std::vector<Tensor> shard = GradientsOf(begin, end, centred);
      for (size_t i = 0; i < sum.size(); ++i) {
        if (i == 1) continue;  // x: rows do not see each other
        kernels::AddInPlace(sum[i].span<float>(), shard[i].span<float>());
      }
    }
    EXPECT_TRUE(SameBits(whole[0], sum[0]));
    if (centred) {
      EXPECT_TRUE(SameBits(whole[2], sum[2]));
    }
    EXPECT_TRUE(SameBits(whole[1].Rows(3, 4).Clone(), GradientsOf(3, 4, centred)[1]));
  }
}

TEST(NormalizationOpsDeathTest, MisfitsNameBothShapes) {
  const Variable x(Tensor::Zeros({2, 3}));
  EXPECT_DEATH(LayerNorm(x, {4}, {}, {}),
               "layer_norm: got an input of shape \\[2, 3\\], want last axes \\[4\\]");
  EXPECT_DEATH(RmsNorm(x, {3}, Variable(Tensor::Zeros({2})), 1e-5),
               "rms_norm: got a parameter of shape \\[2\\], want \\[3\\]");
}

}  // namespace
}  // namespace lockstep::autograd
