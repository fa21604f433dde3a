#include "engine/tensor.h"

#include <numeric>

#include "gtest/gtest.h"

namespace lockstep {
namespace {

Tensor Counting(Shape shape) {
  std::vector<float> values(shape.element_count());
  std::iota(values.begin(), values.end(), 0.0f);
  return Tensor::FromVector(std::move(shape), values);
}

TEST(TensorTest, CopiesShareElementsAndClonesDoNot) {
  Tensor a = Counting({2, 3});
  Tensor b = a;
  Tensor c = a.Clone();
  a.data<float>()[0] = 7;
  EXPECT_EQ(b.data<float>()[0], 7);
  EXPECT_EQ(c.data<float>()[0], 0);
  EXPECT_TRUE(a.SharesElementsWith(b));
  EXPECT_FALSE(a.SharesElementsWith(c));
}

TEST(TensorTest, RowsAndReshapeShareElements) {
  Tensor a = Counting({4, 3});
  Tensor rows = a.Rows(1, 3);
  EXPECT_EQ(rows.shape(), (Shape{2, 3}));
  EXPECT_EQ(rows.data<float>(), a.data<float>() + 3);
  EXPECT_EQ(rows.Reshape({6}).data<float>()[5], 8);
  EXPECT_EQ(a.Rows(4, 4).element_count(), 0);
}

TEST(TensorTest, CloneOfAViewCopiesOnlyTheView) {
  const Tensor clone = Counting({4, 3}).Rows(2, 3).Clone();
  EXPECT_EQ(clone.storage()->size_bytes(), 12u);
  EXPECT_EQ(clone.data<float>()[0], 6);
}

TEST(TensorTest, ViewsLieWithinTheirStorage) {
  Tensor flat = Counting({32});
  const Tensor view = Tensor::View(flat.storage(), 64, {4, 4});
  EXPECT_EQ(view.data<float>()[0], 16);
  EXPECT_DEATH(Tensor::View(flat.storage(), 64, {17}), "a view of \\[17\\] from byte 64");
}

TEST(TensorTest, PrintsNestedAndShortened) {
  EXPECT_EQ(Counting({2, 2}).ToString(), "tensor([[0, 1], [2, 3]])");
  EXPECT_EQ(Tensor::Scalar(2.5f).ToString(), "tensor(2.5)");
  EXPECT_EQ(Counting({9}).ToString(), "tensor([0, 1, 2, ..., 6, 7, 8])");
  EXPECT_EQ(Tensor::FromVector({2}, std::vector<int64_t>{3, -4}).ToString(), "tensor([3, -4])");
  EXPECT_EQ(Tensor::Empty({0, 3}).ToString(), "tensor([])");
  EXPECT_EQ(Tensor().ToString(), "tensor(undefined)");
}

TEST(TensorTest, ItemOfOneElement) { EXPECT_EQ(Tensor::Full({1, 1}, 3).item(), 3); }

TEST(TensorDeathTest, MisuseNamesTheShapes) {
  EXPECT_DEATH(Counting({2, 3}).Reshape({5}), "cannot reshape \\[2, 3\\] to \\[5\\]");
  EXPECT_DEATH(Counting({2, 3}).item(), "got shape \\[2, 3\\]");
  EXPECT_DEATH(Counting({2}).data<int64_t>(), "another type");
}

}  // namespace
}  // namespace lockstep
