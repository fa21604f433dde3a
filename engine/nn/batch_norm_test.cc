#include "engine/nn/batch_norm.h"

#include "engine/nn/training_scope.h"
#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

using autograd::Variable;

TEST(BatchNormTest, ParametersAreThoseOfTorchAndSayWhatTheyAre) {
  BatchNorm1d layer(2);
  layer.Initialize(1);
  const std::vector<NamedParameter> parameters = layer.NamedParameters();
  ASSERT_EQ(parameters.size(), 4u);
  EXPECT_EQ(parameters[0].name, "weight");
  EXPECT_EQ(parameters[0].kind, ParameterKind::kTrained);
  EXPECT_EQ(parameters[0].variable.value().ToString(), "tensor([1, 1])");
  EXPECT_EQ(parameters[1].name, "bias");
  EXPECT_EQ(parameters[1].variable.value().ToString(), "tensor([0, 0])");
  EXPECT_EQ(parameters[2].name, "running_mean");
  EXPECT_EQ(parameters[2].kind, ParameterKind::kRunningStatistic);
  EXPECT_EQ(parameters[2].momentum, 0.1f);
  EXPECT_EQ(parameters[2].variable.value().ToString(), "tensor([0, 0])");
  EXPECT_EQ(parameters[3].name, "running_var");
  EXPECT_EQ(parameters[3].variable.value().ToString(), "tensor([1, 1])");
  EXPECT_EQ(BatchNorm2d(2, {1e-5, 0.1f, /*affine=*/false}).NamedParameters().size(), 2u);
}

TEST(BatchNormTest, TrainsByTheBatchAndEvaluatesByWhatIsRunning) {
  BatchNorm1d layer(1, {/*epsilon=*/0});
  layer.Initialize(1);
  const Variable x(Tensor::FromVector({2, 1}, std::vector<float>{2, 6}));
  EXPECT_EQ(layer.Forward(x).value().ToString(), "tensor([[2], [6]])");
  TrainingScope scope({});
  EXPECT_EQ(layer.Forward(x).value().ToString(), "tensor([[-1], [1]])");
}

TEST(BatchNormTest, OutputShapeNamesWhatDoesNotFit) {
  EXPECT_EQ(*BatchNorm1d(3).OutputShape({3, 8}), (Shape{3, 8}));
  EXPECT_EQ(*BatchNorm2d(3).OutputShape({3, 8, 8}), (Shape{3, 8, 8}));
  EXPECT_EQ(BatchNorm1d(3).OutputShape({4}).status().message(),
            "batchnorm1d: got an example of shape [4], want 1 or 2 axes with a first one of 3");
  EXPECT_FALSE(BatchNorm2d(3).OutputShape({3}).ok());
}

TEST(BatchNormTest, DescribesItselfAsTorchDoes) {
  EXPECT_EQ(BatchNorm1d(5).Describe(),
            "BatchNorm1d(5, eps=1e-05, momentum=0.1, affine=True, bias=True, "
            "track_running_stats=True)");
  EXPECT_EQ(BatchNorm2d(5, {1e-5, 0.1f, false}).Describe(),
            "BatchNorm2d(5, eps=1e-05, momentum=0.1, affine=False, bias=False, "
            "track_running_stats=True)");
}

}  // namespace
}  // namespace lockstep::nn
