#include "engine/autograd/batched_matmul_ops.h"

#include <cstring>
#include <utility>
#include <vector>

#include "engine/autograd/gradient_check.h"
#include "engine/autograd/shape_ops.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/kernels/optimizer_update.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Inputs = std::vector<Variable>;

Variable Multiply(const Inputs& x) { return BatchMatmul(x[0], x[1]); }

void ExpectGradients(const Shape& a, const Shape& b, const Shape& want) {
  const Tensor x = TestValues(a), z = TestValues(b, -1, 1, 1);
  EXPECT_EQ(BatchMatmul(Variable(x), Variable(z)).shape(), want);
  EXPECT_EQ(CheckGradients(Multiply, {x, z}), "") << a.ToString() << b.ToString();
}

TEST(BatchedMatmulOpsTest, MultipliesMatrixByMatrix) {
  const Variable a(Tensor::FromVector({2, 1, 2}, std::vector<float>{1, 2, 3, 4}));
  const Variable b(Tensor::FromVector({2, 2, 1}, std::vector<float>{10, 100, 1, 1000}));
  EXPECT_EQ(BatchMatmul(a, b).value().ToString(), "tensor([[[210]], [[4003]]])");
}

TEST(BatchedMatmulOpsTest, GradientsWithAndWithoutRepeatedOperands) {
  ExpectGradients({3, 4}, {4, 2}, {3, 2});
  ExpectGradients({5, 3, 4}, {5, 4, 2}, {5, 3, 2});
  ExpectGradients({2, 3, 2, 4}, {4, 3}, {2, 3, 2, 3});
  ExpectGradients({2, 4}, {3, 4, 3}, {3, 2, 3});
  ExpectGradients({2, 1, 2, 3}, {4, 3, 2}, {2, 4, 2, 2});
  ExpectGradients({1, 2, 3}, {4, 3, 2}, {4, 2, 2});
}

TEST(BatchedMatmulOpsTest, GradientsOfAllFourTranspositions) {
  const std::vector<std::pair<Shape, Shape>> leading = {
      {{5}, {5}}, {{2, 3}, {}}, {{}, {3}}, {{2, 1}, {4}}, {{4}, {1}}};
  const auto matrix = [](const Shape& leading, int64_t rows, int64_t columns, bool transposed) {
    std::vector<int64_t> extents = leading.extents();
    extents.push_back(transposed ? columns : rows);
    extents.push_back(transposed ? rows : columns);
    return Shape(std::move(extents));
  };
  for (const auto& [left, right] : leading) {
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) {
        const Tensor a = TestValues(matrix(left, 2, 3, ta));
        const Tensor b = TestValues(matrix(right, 3, 4, tb), -1, 1, 1);
        const auto multiply = [=](const Inputs& x) { return BatchMatmul(x[0], x[1], {ta, tb}); };
        EXPECT_EQ(CheckGradients(multiply, {a, b}), "") << ta << tb;
        const Tensor plain = Multiply({ta ? Transpose(Variable(a), -1, -2) : Variable(a),
                                       tb ? Transpose(Variable(b), -1, -2) : Variable(b)})
                                 .value();
        EXPECT_EQ(multiply({Variable(a), Variable(b)}).value().ToString(), plain.ToString());
      }
    }
  }
}

bool SameBits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.data<float>(), b.data<float>(), a.element_count() * sizeof(float)) == 0;
}

std::vector<Tensor> Gradients(const Tensor& a, const Tensor& b, const Tensor& upstream,
                              const std::vector<int64_t>& cuts) {
  ShardCuts scope(cuts);
  const Variable x(a, true), z(b, true);
  BatchMatmul(x, z).Backward(upstream);
  EXPECT_TRUE(scope.supported());
  return {x.grad(), z.grad()};
}

// Shards {0..2} and {2..5}: b, if shared, gets the sum of both shards' gradients.
void ExpectShardTree(const Shape& b_shape) {
  const Tensor a = TestValues({5, 7, 3}), b = TestValues(b_shape, -1, 1, 1);
  const Tensor dy = TestValues({5, 7, 4}, -1, 1, 2);
  const std::vector<Tensor> whole = Gradients(a, b, dy, {0, 2, 5});
  const std::vector<Tensor> first = Gradients(a.Rows(0, 2), b, dy.Rows(0, 2), {0, 2});
  const std::vector<Tensor> second = Gradients(a.Rows(2, 5), b, dy.Rows(2, 5), {0, 3});
  EXPECT_TRUE(SameBits(whole[0].Rows(0, 2), first[0]));
  EXPECT_TRUE(SameBits(whole[0].Rows(2, 5), second[0]));
  Tensor sum = first[1].Clone();
  kernels::AddInPlace(sum.span<float>(), second[1].span<float>());
  EXPECT_TRUE(SameBits(whole[1], sum));
}

TEST(BatchedMatmulOpsTest, SharedOperandsFollowTheShardTree) {
  ExpectShardTree({3, 4});
  ExpectShardTree({1, 3, 4});
}

TEST(BatchedMatmulOpsDeathTest, MisfitsNameBothShapes) {
  const Variable a(Tensor::Zeros({2, 3, 4})), b(Tensor::Zeros({3, 4, 5}));
  EXPECT_DEATH(BatchMatmul(a, b), "shapes \\[2\\] and \\[3\\] do not broadcast");
  EXPECT_DEATH(BatchMatmul(a, a), "\\[2, 3, 4\\] and \\[2, 3, 4\\] do not fit");
}

}  // namespace
}  // namespace lockstep::autograd
