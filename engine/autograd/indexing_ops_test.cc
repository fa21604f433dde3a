#include "engine/autograd/indexing_ops.h"

#include <vector>

#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/grad.h"
#include "engine/autograd/gradient_check.h"
#include "engine/autograd/reduction_ops.h"
#include "engine/autograd/shard_cuts.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Inputs = std::vector<Variable>;

Tensor Indices(Shape shape, const std::vector<int64_t>& values) {
  return Tensor::FromVector(std::move(shape), values);
}

TEST(IndexingOpsTest, GatherPicksAlongAnAxis) {
  const Variable x(Tensor::FromVector({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6}), true);
  const Variable y = Gather(x, 1, Indices({2, 2}, {2, 2, 0, 1}));
  EXPECT_EQ(y.value().ToString(), "tensor([[3, 3], [4, 5]])");
  y.Backward(Tensor::FromVector({2, 2}, std::vector<float>{1, 10, 100, 1000}));
  EXPECT_EQ(x.grad().ToString(), "tensor([[0, 0, 11], [100, 1000, 0]])");
  EXPECT_EQ(Gather(x, 0, Indices({1, 3}, {1, 0, 1})).value().ToString(), "tensor([[4, 2, 6]])");
}

TEST(IndexingOpsTest, ScatterAddPutsBack) {
  const Variable x(Tensor::FromVector({1, 3}, std::vector<float>{1, 2, 4}));
  EXPECT_EQ(ScatterAdd(x, 1, Indices({1, 3}, {3, 0, 3}), 4).value().ToString(),
            "tensor([[2, 0, 0, 5]])");
}

TEST(IndexingOpsTest, GradientsOfFirstAndSecondOrder) {
  for (int axis = 0; axis < 3; ++axis) {
    const Tensor x = TestValues({2, 2, 2}, -1, 1, axis);
    const Tensor indices = Indices({2, 2, 2}, {0, 1, 1, 1, 0, 0, 1, 0});
    const auto gather = [&](const Inputs& v) { return Gather(v[0], axis, indices); };
    const auto scatter = [&](const Inputs& v) { return ScatterAdd(v[0], axis, indices, 3); };
    EXPECT_EQ(CheckGradients(gather, {x}), "");
    EXPECT_EQ(CheckGradients(scatter, {x}), "");
    for (const bool gathers : {true, false}) {
      const auto slope = [&](const Inputs& v) {
        const Variable leaf = v[0].requires_grad() ? v[0] : Variable(v[0].value(), true);
        const Variable y = gathers ? gather({leaf}) : scatter({leaf});
        GradOptions options;
        options.create_graph = true;
        const Variable gradient = Grad({Sum(y * y * y)}, {leaf}, options)[0];
        return Sum(gradient * gradient);
      };
      EXPECT_EQ(CheckGradients(slope, {x}), "");
    }
  }
}

TEST(IndexingOpsTest, OneHotOfIndices) {
  EXPECT_EQ(OneHot(Indices({2}, {2, 0}), 3).ToString(), "tensor([[0, 0, 1], [1, 0, 0]])");
  EXPECT_EQ(OneHot(Indices({2, 1}, {1, 0}), 2, DType::kFloat64).shape(), (Shape{2, 1, 2}));
  EXPECT_EQ(OneHot(Indices({0}, {}), 3).shape(), (Shape{0, 3}));
}

TEST(IndexingOpsTest, OverTheBatchShardsAreNotKeptApart) {
  ShardCuts scope({0, 1, 2});
  const Variable x(TestValues({2, 2}), true);
  Gather(x, 1, Indices({2, 1}, {0, 1}));
  EXPECT_TRUE(scope.supported());
  Gather(x, 0, Indices({1, 2}, {0, 1}));
  EXPECT_FALSE(scope.supported());
}

TEST(IndexingOpsDeathTest, MisuseIsExplained) {
  const Variable x(Tensor::Zeros({2, 3}));
  EXPECT_DEATH(Gather(x, 1, Indices({2, 1}, {0, 3})), "gather: got index 3, want 0 to 2");
  EXPECT_DEATH(Gather(x, 1, Indices({1, 1}, {0})), "indices \\[1, 1\\] do not fit \\[2, 3\\]");
  EXPECT_DEATH(Gather(x, 1, Tensor::Zeros({2, 1})), "gather: got float32 indices, want int64");
  EXPECT_DEATH(OneHot(Indices({1}, {-1}), 3), "one_hot: got index -1, want 0 to 2");
}

}  // namespace
}  // namespace lockstep::autograd
