#include "engine/nn/convolution.h"

#include <cmath>
#include <cstring>

#include "engine/autograd/node.h"
#include "engine/nn/activations.h"
#include "engine/nn/sequential.h"
#include "engine/philox.h"
#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

using autograd::ConvolutionOptions;
using autograd::Variable;

TEST(ConvolutionTest, ParametersAreNamedAndShapedAsInTorch) {
  ConvolutionOptions options;
  options.groups = 2;
  const std::vector<NamedParameter> parameters = Conv2d(4, 6, {3, 5}, options).NamedParameters();
  ASSERT_EQ(parameters.size(), 2u);
  EXPECT_EQ(parameters[0].name, "weight");
  EXPECT_EQ(parameters[0].variable.shape(), (Shape{6, 2, 3, 5}));
  EXPECT_EQ(parameters[1].name, "bias");
  EXPECT_EQ(parameters[1].variable.shape(), (Shape{6}));
  EXPECT_EQ(Conv1d(4, 6, 3).weight().shape(), (Shape{6, 4, 3}));
  EXPECT_EQ(Conv2d(1, 2, {3, 3}, {}, /*bias=*/false).NamedParameters().size(), 1u);
}

TEST(ConvolutionTest, InitialValuesAreTheirFormula) {
  Conv2d layer(3, 7, {3, 2});
  layer.Initialize(/*key=*/42, /*first_parameter=*/4);
  const float bound = 1.0f / std::sqrt(18.0f);
  for (int parameter = 0; parameter < 2; ++parameter) {
    const Tensor& values = layer.NamedParameters()[parameter].variable.value();
    for (int64_t e = 0; e < values.element_count(); ++e) {
      const uint32_t word =
          RandomWord(42, RandomStream::kInitialValues, 4 + parameter, /*example=*/0, e);
      EXPECT_EQ(values.data<float>()[e], (2.0f * UniformFloat(word) - 1.0f) * bound);
    }
  }
}

TEST(ConvolutionTest, OutputShapeIsThatOfForward) {
  ConvolutionOptions options;
  options.stride = {2, 1};
  options.padding = {1, 0};
  options.dilation = {1, 2};
  Conv2d layer(3, 5, {3, 2}, options);
  layer.Initialize(1);
  const Shape shape = *layer.OutputShape({3, 8, 9});
  EXPECT_EQ(shape, (Shape{5, 4, 7}));
  EXPECT_EQ(layer.Forward(Variable(Tensor::Zeros({2, 3, 8, 9}))).shape(), (Shape{2, 5, 4, 7}));
  EXPECT_EQ(layer.OutputShape({2, 8, 9}).status().message(),
            "conv2d: got an example of shape [2, 8, 9], want [3, height, width]");
  EXPECT_EQ(layer.OutputShape({3, 8, 2}).status().message(),
            "conv2d: got an example of shape [3, 8, 2], want at least 3 elements on the axis of "
            "the kernel's 2");
  Conv1d line(2, 4, 3, 1, 1);
  line.Initialize(1);
  EXPECT_EQ(*line.OutputShape({2, 9}), (Shape{4, 9}));
  EXPECT_EQ(line.Forward(Variable(Tensor::Zeros({2, 2, 9}))).shape(), (Shape{2, 4, 9}));
  EXPECT_EQ(line.OutputShape({2, 9, 9}).status().message(),
            "conv1d: got an example of shape [2, 9, 9], want [2, length]");
}

TEST(ConvolutionTest, DescribesItselfAsTorchDoes) {
  EXPECT_EQ(Conv2d(1, 16, {3, 3}).Describe(), "Conv2d(1, 16, kernel_size=(3, 3), stride=(1, 1))");
  const ConvolutionOptions options = {{1, 1}, {1, 1}, {2, 2}, 2};
  EXPECT_EQ(Conv2d(4, 8, {3, 3}, options, false).Describe(),
            "Conv2d(4, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), dilation=(2, 2), "
            "groups=2, bias=False)");
  EXPECT_EQ(Conv1d(1, 2, 5, 2).Describe(), "Conv1d(1, 2, kernel_size=(5,), stride=(2,))");
}

TEST(ConvolutionTest, ReluInASequentialChangesNoBit) {
  Sequential model({std::make_shared<Conv2d>(2, 5, autograd::HeightWidth{3, 3}),
                    std::make_shared<ReLU>(),
                    std::make_shared<Conv2d>(5, 3, autograd::HeightWidth{2, 2})});
  model.Initialize(3);
  Tensor images = Tensor::Empty({3, 2, 7, 8});
  for (int64_t i = 0; i < images.element_count(); ++i) {
    images.data<float>()[i] = static_cast<float>(i % 11) - 5.0f;
  }
  Variable x(images);
  const Variable y = model.Forward(x);
  for (const std::shared_ptr<Module>& layer : model.layers()) x = layer->Forward(x);
  EXPECT_EQ(y.node()->inputs()[0]->name(), "conv2d_relu");
  ASSERT_EQ(y.shape(), x.shape());
  EXPECT_EQ(std::memcmp(y.value().data<float>(), x.value().data<float>(),
                        y.value().element_count() * sizeof(float)),
            0);
}

}  // namespace
}  // namespace lockstep::nn
