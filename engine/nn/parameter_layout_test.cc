#include "engine/nn/parameter_layout.h"

#include "engine/nn/activations.h"
#include "engine/nn/linear.h"
#include "engine/nn/sequential.h"
#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

using autograd::Variable;

Sequential Model() {
  Sequential model(
      {std::make_shared<Linear>(5, 3), std::make_shared<ReLU>(), std::make_shared<Linear>(3, 2)});
  model.Initialize(3);
  return model;
}

TEST(ParameterLayoutTest, ParametersBeginAtAlignedPlacesInForwardOrder) {
  const ParameterLayout layout = ParameterLayout::Of(Model());
  ASSERT_EQ(layout.slots().size(), 4u);
  const int64_t offsets[] = {0, 16, 32, 48}, counts[] = {15, 3, 6, 2};
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(layout.slots()[i].offset_elements, offsets[i]);
    EXPECT_EQ(layout.slots()[i].element_count, counts[i]);
  }
  EXPECT_EQ(layout.slots()[2].name, "2.weight");
  EXPECT_EQ(layout.slots()[2].shape, (Shape{2, 3}));
  EXPECT_EQ(layout.total_elements(), 64);
  EXPECT_EQ(ParameterLayout().total_elements(), 0);
}

TEST(ParameterLayoutTest, CopyKeepsValuesAndZeroesPadding) {
  const Sequential model = Model();
  const ParameterLayout layout = ParameterLayout::Of(model);
  const Tensor flat = CopyParameters(model, layout);
  ASSERT_EQ(flat.shape(), (Shape{64}));
  EXPECT_EQ(flat.data<float>()[15], 0);
  const std::vector<Tensor> views = layout.Views(flat);
  for (size_t i = 0; i < views.size(); ++i) {
    EXPECT_EQ(views[i].ToString(), model.NamedParameters()[i].variable.value().ToString());
  }
}

TEST(ParameterLayoutTest, BoundParametersAreTheFlatVector) {
  const Sequential model = Model();
  const ParameterLayout layout = ParameterLayout::Of(model);
  Tensor flat = CopyParameters(model, layout);
  BindParameters(model, layout, flat);
  flat.data<float>()[16] = 123;  // 0.bias[0]
  EXPECT_EQ(model.NamedParameters()[1].variable.value().data<float>()[0], 123);
}

TEST(ParameterLayoutTest, BoundGradientsFillTheFlatVectorAndLeaveThePadding) {
  const Sequential model = Model();
  const ParameterLayout layout = ParameterLayout::Of(model);
  const Tensor flat = Tensor::Zeros({layout.total_elements()});
  BindGradients(model, layout, flat);
  model.Forward(Variable(Tensor::Full({4, 5}, 1)))
      .Backward(Tensor::Full({4, 2}, 1), {/*overwrite_leaf_gradients=*/true});
  EXPECT_EQ(layout.View(flat, 3).ToString(), "tensor([4, 4])");
  for (int i : {15, 19, 31, 38, 47, 50, 63}) EXPECT_EQ(flat.data<float>()[i], 0) << i;
}

TEST(ParameterLayoutDeathTest, AnotherModelsVectorIsRefused) {
  const ParameterLayout layout = ParameterLayout::Of(Model());
  EXPECT_DEATH(layout.View(Tensor::Zeros({63}), 0), "got shape \\[63\\], want \\[64\\]");
  EXPECT_DEATH(CopyParameters(Sequential({std::make_shared<Linear>(5, 3)}), layout), "2 against 4");
}

}  // namespace
}  // namespace lockstep::nn
