#include "engine/autograd/linear_ops.h"

#include <cstring>

#include "engine/autograd/activation_ops.h"
#include "engine/autograd/gradient_check.h"
#include "engine/autograd/shape_ops.h"
#include "engine/autograd/shard_cuts.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Inputs = std::vector<Variable>;
using kernels::Activation;

bool SameBits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.data<float>(), b.data<float>(), a.element_count() * sizeof(float)) == 0;
}

TEST(LinearOpsTest, MatmulMultipliesMatrices) {
  const Variable a(Tensor::FromVector({2, 2}, std::vector<float>{1, 2, 3, 4}));
  const Variable b(Tensor::FromVector({2, 1}, std::vector<float>{10, 100}));
  EXPECT_EQ(Matmul(a, b).value().ToString(), "tensor([[210], [430]])");
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return Matmul(x[0], x[1]); },
                           {TestValues({3, 4}), TestValues({4, 5}, -1, 1, 1)}),
            "");
}

TEST(LinearOpsTest, AllFourTranspositionsHaveTheBitsOfTransposedOperands) {
  const Tensor upstream = TestValues({19, 33}, -1, 1, 2);
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      const Tensor a = TestValues(ta ? Shape{21, 19} : Shape{19, 21});
      const Tensor b = TestValues(tb ? Shape{33, 21} : Shape{21, 33}, -1, 1, 1);
      const Variable x(a, true), z(b, true), copied_x(a, true), copied_z(b, true);
      const Variable y = Matmul(x, z, {ta, tb});
      const Variable want =
          Matmul(ta ? Transpose(copied_x) : copied_x, tb ? Transpose(copied_z) : copied_z);
      y.Backward(upstream);
      want.Backward(upstream);
      EXPECT_TRUE(SameBits(y.value(), want.value())) << ta << tb;
      EXPECT_TRUE(SameBits(x.grad(), copied_x.grad())) << ta << tb;
      EXPECT_TRUE(SameBits(z.grad(), copied_z.grad())) << ta << tb;
      EXPECT_EQ(CheckGradients(
                    [=](const Inputs& v) {
                      return Matmul(v[0], v[1], {ta, tb});
                    },
                    {TestValues(ta ? Shape{3, 2} : Shape{2, 3}),
                     TestValues(tb ? Shape{4, 3} : Shape{3, 4}, -1, 1, 1)}),
                "");
    }
  }
}

TEST(LinearOpsTest, LinearGradientsWithAndWithoutBias) {
  const Tensor x = TestValues({5, 3}), w = TestValues({4, 3}, -1, 1, 1), b = TestValues({4});
  EXPECT_EQ(CheckGradients([](const Inputs& v) { return Linear(v[0], v[1], v[2]); }, {x, w, b}),
            "");
  EXPECT_EQ(CheckGradients([](const Inputs& v) { return Linear(v[0], v[1], Variable()); }, {x, w}),
            "");
}

TEST(LinearOpsTest, WorksOverTheLastAxis) {
  const Tensor x = TestValues({2, 3, 4}), w = TestValues({5, 4}, -1, 1, 1), b = TestValues({5});
  const auto linear = [](const Inputs& v) { return Linear(v[0], v[1], v[2]); };
  EXPECT_EQ(linear({Variable(x), Variable(w), Variable(b)}).shape(), (Shape{2, 3, 5}));
  EXPECT_EQ(CheckGradients(linear, {x, w, b}), "");
  EXPECT_EQ(Linear(Variable(TestValues({4})), Variable(w), Variable()).shape(), (Shape{5}));
}

TEST(LinearOpsTest, FusedReluHasTheBitsOfRelu) {
  const Tensor x = TestValues({7, 9}), w = TestValues({6, 9}, -1, 1, 1), b = TestValues({6});
  const Tensor upstream = TestValues({7, 6}, -1, 1, 3);
  const auto gradients = [&](bool fused) {
    const Variable vx(x, true), vw(w, true), vb(b, true);
    const Variable y = fused ? Linear(vx, vw, vb, Activation::kRelu) : Relu(Linear(vx, vw, vb));
    y.Backward(upstream);
    return std::vector<Tensor>{y.value(), vx.grad(), vw.grad(), vb.grad()};
  };
  const std::vector<Tensor> fused = gradients(true), apart = gradients(false);
  for (size_t i = 0; i < fused.size(); ++i) EXPECT_TRUE(SameBits(fused[i], apart[i])) << i;
}

TEST(LinearOpsTest, AnEmptyBatchHasZeroGradients) {
  const Variable w(TestValues({2, 3}), true), b(TestValues({2}), true);
  Linear(Variable(Tensor::Zeros({0, 3})), w, b).Backward(Tensor::Zeros({0, 2}));
  EXPECT_TRUE(SameBits(w.grad(), Tensor::Zeros({2, 3})));
  EXPECT_TRUE(SameBits(b.grad(), Tensor::Zeros({2})));
}

TEST(LinearOpsTest, GradientsAreWrittenStraightIntoBuffers) {
  Variable w(TestValues({2, 3}), true), b(TestValues({2}), true);
  const Tensor dw = Tensor::Full({2, 3}, 9), db = Tensor::Full({2}, 9);
  w.SetGradientBuffer(dw);
  b.SetGradientBuffer(db);
  const Variable x(TestValues({4, 3}));
  Linear(x, w, b).Backward(Tensor::Full({4, 2}, 1), {/*overwrite_leaf_gradients=*/true});
  const Variable w2(w.value(), true), b2(b.value(), true);
  Linear(x, w2, b2).Backward(Tensor::Full({4, 2}, 1));
  EXPECT_TRUE(SameBits(dw, w2.grad()));
  EXPECT_TRUE(SameBits(db, b2.grad()));
}

TEST(LinearOpsDeathTest, MisfitsNameBothShapes) {
  const Variable x(Tensor::Zeros({4, 3})), w(Tensor::Zeros({2, 5}));
  EXPECT_DEATH(Linear(x, w, Variable()), "input \\[4, 3\\] does not fit weight \\[2, 5\\]");
  EXPECT_DEATH(Matmul(x, w), "\\[4, 3\\] and \\[2, 5\\] do not fit");
  ShardCuts scope({0, 1, 3});
  EXPECT_DEATH(Linear(x, Variable(Tensor::Zeros({2, 3})), Variable()),
               "cuts are for 3 examples, got 4 rows");
}

}  // namespace
}  // namespace lockstep::autograd
