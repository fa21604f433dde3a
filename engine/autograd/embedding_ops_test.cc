#include "engine/autograd/embedding_ops.h"

#include <cstring>
#include <vector>

#include "engine/autograd/gradient_check.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/kernels/optimizer_update.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Inputs = std::vector<Variable>;

Tensor Indices(const Shape& shape, const std::vector<int64_t>& indices) {
  return Tensor::FromVector(shape, indices);
}

bool SameBits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.data<float>(), b.data<float>(), a.element_count() * sizeof(float)) == 0;
}

TEST(EmbeddingOpsTest, LooksRowsUpAndSumsTheirGradients) {
  const Variable table(Tensor::FromVector({3, 2}, std::vector<float>{1, 2, 3, 4, 5, 6}), true);
  const Variable y = Embedding(Indices({2, 2}, {2, 0, 2, 2}), table);
  EXPECT_EQ(y.value().ToString(), "tensor([[[5, 6], [1, 2]], [[5, 6], [5, 6]]])");
  y.Backward(Tensor::FromVector({2, 2, 2}, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(table.grad().ToString(), "tensor([[3, 4], [0, 0], [13, 16]])");
}

TEST(EmbeddingOpsTest, ThePaddingEntryGetsNoGradient) {
  const Variable table(Tensor::FromVector({2, 1}, std::vector<float>{7, 8}), true);
  const Variable y = Embedding(Indices({3}, {0, 1, 0}), table, /*padding_index=*/0);
  EXPECT_EQ(y.value().ToString(), "tensor([[7], [8], [7]])");
  y.Backward(Tensor::Full({3, 1}, 1));
  EXPECT_EQ(table.grad().ToString(), "tensor([[0], [1]])");
}

TEST(EmbeddingOpsTest, Gradients) {
  const Tensor indices = Indices({2, 3}, {4, 0, 1, 1, 4, 2});
  EXPECT_EQ(CheckGradients([&](const Inputs& v) { return Embedding(indices, v[0]); },
                           {TestValues({5, 3})}),
            "");
  EXPECT_EQ(CheckGradients([](const Inputs& v) { return AddPositions(v[0], v[1]); },
                           {TestValues({2, 3, 4}), TestValues({5, 4}, -1, 1, 1)}),
            "");
}

// Gradients of the table and the positions from sequences [begin, end) of 7.
std::vector<Tensor> GradientsOf(int64_t begin, int64_t end) {
  std::vector<int64_t> words;
  for (int64_t i = 0; i < 7 * 3; ++i) words.push_back(i * i % 5);
  const Variable table(TestValues({6, 4}), true), positions(TestValues({5, 4}, -1, 1, 1), true);
  const Tensor indices = Indices({7, 3}, words).Rows(begin, end).Clone();
  AddPositions(Embedding(indices, table), positions)
      .Backward(TestValues({7, 3, 4}, -1, 1, 2).Rows(begin, end));
  return {table.grad(), positions.grad()};
}

TEST(EmbeddingOpsTest, ShardCutsGiveTheTreeOfShardAfterShard) {
  std::vector<Tensor> whole;
  {
    ShardCuts scope({0, 2, 2, 3, 7});
    whole = GradientsOf(0, 7);
  }
  std::vector<Tensor> left = GradientsOf(0, 2), right = GradientsOf(2, 3);
  const std::vector<Tensor> last = GradientsOf(3, 7);
  for (size_t i = 0; i < whole.size(); ++i) {
    kernels::AddInPlace(right[i].span<float>(), last[i].span<float>());
    kernels::AddInPlace(left[i].span<float>(), right[i].span<float>());
    EXPECT_TRUE(SameBits(whole[i], left[i])) << i;
  }
}

TEST(EmbeddingOpsDeathTest, NamesWhatDoesNotFit) {
  const Variable table(Tensor::Zeros({5, 2}));
  EXPECT_DEATH(Embedding(Indices({1}, {5}), table), "embedding: got index 5, want 0 to 4");
  EXPECT_DEATH(Embedding(Tensor::Zeros({1}), table), "got float32 indices, want int64");
  EXPECT_DEATH(AddPositions(Variable(Tensor::Zeros({1, 6, 2})), table),
               "input \\[1, 6, 2\\] does not fit table \\[5, 2\\]");
}

}  // namespace
}  // namespace lockstep::autograd
