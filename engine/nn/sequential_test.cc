#include "engine/nn/sequential.h"

#include <cstring>

#include "engine/autograd/grad_mode.h"
#include "engine/nn/activations.h"
#include "engine/nn/flatten.h"
#include "engine/nn/linear.h"
#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

using autograd::Variable;

Sequential ImageModel() {
  Sequential model;
  model.Append(std::make_shared<Flatten>())
      .Append(std::make_shared<Linear>(6, 4))
      .Append(std::make_shared<ReLU>())
      .Append(std::make_shared<Linear>(4, 3, /*bias=*/false))
      .Append(std::make_shared<Tanh>())
      .Append(std::make_shared<Sigmoid>());
  model.Initialize(7);
  return model;
}

Variable Images(int64_t n) {
  Tensor images = Tensor::Empty({n, 2, 3});
  for (int64_t i = 0; i < images.element_count(); ++i) {
    images.data<float>()[i] = static_cast<float>(i % 7) - 3.0f;
  }
  return Variable(images);
}

TEST(SequentialTest, NamesParametersByTheirLayersIndex) {
  std::vector<std::string> names;
  for (const NamedParameter& parameter : ImageModel().NamedParameters()) {
    names.push_back(parameter.name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"1.weight", "1.bias", "3.weight"}));
}

TEST(SequentialTest, ParametersAreInitialisedByTheirIndexInTheModel) {
  const Sequential model = ImageModel();
  Linear alone(4, 3, /*bias=*/false);
  alone.Initialize(7, /*first_parameter=*/2);
  EXPECT_EQ(model.NamedParameters()[2].variable.value().ToString(),
            alone.weight().value().ToString());
}

TEST(SequentialTest, ForwardIsLayerAfterLayerBitForBit) {
  const Sequential model = ImageModel();
  Variable x = Images(5);
  const Variable y = model.Forward(x);
  for (const std::shared_ptr<Module>& layer : model.layers()) x = layer->Forward(x);
  ASSERT_EQ(y.shape(), (Shape{5, 3}));
  EXPECT_EQ(std::memcmp(y.value().data<float>(), x.value().data<float>(), 15 * sizeof(float)), 0);
}

TEST(SequentialTest, EvaluationRecordsNoGraph) {
  autograd::NoGradGuard guard;
  EXPECT_FALSE(ImageModel().Forward(Images(2)).requires_grad());
}

TEST(SequentialTest, OutputShapeNamesTheLayerThatDoesNotFit) {
  EXPECT_EQ(*ImageModel().OutputShape({2, 3}), (Shape{3}));
  EXPECT_EQ(ImageModel().OutputShape({2, 4}).status().message(),
            "layer 1: linear: got an example of shape [8], want a last axis of 6");
}

TEST(SequentialTest, SharedParametersAreListedOnceAndNotShardAware) {
  const auto shared = std::make_shared<Linear>(3, 3);
  Sequential model({shared, std::make_shared<Linear>(3, 3)});
  EXPECT_TRUE(model.SupportsShardCuts());
  model.Append(shared);
  EXPECT_EQ(model.NamedParameters().size(), 4u);
  EXPECT_FALSE(model.SupportsShardCuts());
}

TEST(SequentialTest, DescribesItselfAsTorchDoes) {
  EXPECT_EQ(Sequential().Describe(), "Sequential()");
  Sequential outer({std::make_shared<Flatten>(),
                    std::make_shared<Sequential>(std::vector<std::shared_ptr<Module>>{
                        std::make_shared<Linear>(2, 1), std::make_shared<ReLU>()})});
  EXPECT_EQ(outer.Describe(),
            "Sequential(\n"
            "  (0): Flatten(start_dim=1, end_dim=-1)\n"
            "  (1): Sequential(\n"
            "    (0): Linear(in_features=2, out_features=1, bias=True)\n"
            "    (1): ReLU()\n"
            "  )\n"
            ")");
  EXPECT_EQ(outer.NamedParameters()[0].name, "1.0.weight");
}

}  // namespace
}  // namespace lockstep::nn
