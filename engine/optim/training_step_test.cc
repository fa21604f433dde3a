#include "engine/optim/training_step.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "engine/autograd/arithmetic_ops.h"
#include "engine/nn/linear.h"
#include "engine/optim/adam.h"

namespace lockstep::optim {
namespace {

TEST(TrainingStepTest, FitsALine) {
  nn::Linear model(1, 1);
  model.Initialize(/*key=*/3);
  AdamOptions options;
  options.learning_rate = 0.05;
  TrainingStep step(
      model, UpdateRules::Uniform(nn::ParameterLayout::Of(model), std::make_shared<Adam>(options)));
  const autograd::Variable x(Tensor::FromVector(Shape{4, 1}, std::vector<float>{-1, 0, 1, 2}));
  const autograd::Variable y(Tensor::FromVector(Shape{4, 1}, std::vector<float>{-1, 1, 3, 5}));
  for (int i = 0; i < 500; ++i) {
    const autograd::Variable error = autograd::Subtract(model.Forward(x), y);
    autograd::Multiply(error, error).Backward(Tensor::Full(Shape{4, 1}, 1));
    step.Apply(/*batch_size=*/4);
  }
  EXPECT_EQ(step.step(), 500u);
  const float* const p = step.parameters().data<float>();
  EXPECT_NEAR(p[0], 2, 1e-2);
  EXPECT_NEAR(p[nn::kParameterAlignmentElements], 1, 1e-2);
  // They are the module's own.
  EXPECT_EQ(model.NamedParameters()[0].variable.value().data<float>(), p);
}

TEST(TrainingStepTest, WhatBackwardDoesNotReachHasNoGradient) {
  nn::Linear model(2, 1);
  model.Initialize(/*key=*/3);
  TrainingStep step(model, UpdateRules::Uniform(nn::ParameterLayout::Of(model),
                                                std::make_shared<Adam>(AdamOptions{})));
  autograd::Variable weight = model.NamedParameters()[0].variable;
  const autograd::Variable ones(Tensor::Full(Shape{3, 2}, 1));
  model.Forward(ones).Backward(Tensor::Full(Shape{3, 1}, 1));
  step.Apply(3);
  EXPECT_FALSE(weight.grad().defined());
  autograd::Multiply(weight, weight).Backward(Tensor::Full(Shape{1, 2}, 1));
  const float bias = step.parameters().data<float>()[nn::kParameterAlignmentElements];
  step.Apply(1);
  EXPECT_EQ(step.gradients().data<float>()[nn::kParameterAlignmentElements], 0);
  // Only the first moment's rest moves it.
  EXPECT_NEAR(step.parameters().data<float>()[nn::kParameterAlignmentElements], bias, 1e-3);
}

}  // namespace
}  // namespace lockstep::optim
