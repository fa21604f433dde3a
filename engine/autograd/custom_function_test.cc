#include "engine/autograd/custom_function.h"

#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/grad.h"
#include "engine/autograd/gradient_check.h"
#include "engine/autograd/reduction_ops.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

// scale * x^3.
class ScaledCube : public CustomFunction {
 public:
  explicit ScaledCube(double scale) : scale_(scale) {}

  const char* name() const override { return "scaled_cube"; }

  Tensor Forward(absl::Span<const Tensor> inputs, SavedTensors& saved) override {
    saved.Save(inputs[0]);
    Tensor y = Tensor::Empty(inputs[0].shape(), inputs[0].dtype());
    VisitFloating(name(), y.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const T* x = inputs[0].data<T>();
      for (int64_t i = 0; i < y.element_count(); ++i) {
        y.data<T>()[i] = static_cast<T>(scale_) * x[i] * x[i] * x[i];
      }
    });
    return y;
  }

  void Backward(const Tensor& upstream, const SavedTensors& saved,
                InputGradients& gradients) override {
    Tensor dx = gradients.Destination(0);
    VisitFloating(name(), dx.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const T* x = saved[0].data<T>();
      for (int64_t i = 0; i < dx.element_count(); ++i) {
        dx.data<T>()[i] = 3 * static_cast<T>(scale_) * x[i] * x[i] * upstream.data<T>()[i];
      }
    });
    gradients.Add(0, dx);
  }

  bool differentiable_twice() const override { return scale_ > 0; }
  void BackwardOnVariables(const Variable& upstream, const SavedTensors& saved,
                           GraphGradients& gradients) override {
    const Variable x = gradients.Input(0, saved[0]);
    gradients.Add(0, x * x * (3 * scale_) * upstream);
  }

 private:
  const double scale_;
};

Variable Cube(const Variable& x, double scale) {
  return Apply(std::make_shared<ScaledCube>(scale), {x});
}

TEST(CustomFunctionTest, IsAnOperationLikeAnyOther) {
  const Variable x(Tensor::Scalar(2), true);
  const Variable y = Cube(x, 0.5);
  EXPECT_EQ(y.item(), 4);
  EXPECT_EQ(y.grad_fn(), "scaled_cube");
  EXPECT_EQ(CheckGradients([](const std::vector<Variable>& v) { return Cube(v[0], 2) * v[1]; },
                           {TestValues({2, 3}), TestValues({3}, 1, 2)}),
            "");
}

TEST(CustomFunctionTest, FreesWhatItSavedInBackward) {
  const Tensor value = Tensor::Full({2}, 2);
  const Variable x(value, true);
  const Variable y = Sum(Cube(x, 1));
  const long before = value.storage().use_count();
  y.Backward();
  EXPECT_LT(value.storage().use_count(), before);
}

TEST(CustomFunctionTest, IsDifferentiatedTwiceWhereItCan) {
  const Variable x(Tensor::Scalar(2), true);
  GradOptions options;
  options.create_graph = true;
  const Variable slope = Grad({Cube(x, 1)}, {x}, options)[0];
  EXPECT_EQ(slope.item(), 12);
  EXPECT_EQ(Grad({slope}, {x})[0].item(), 12);
  EXPECT_DEATH(Grad({Cube(x, -1)}, {x}, options),
               "gradient of scaled_cube cannot be differentiated again");
}

TEST(CustomFunctionDeathTest, AskingForWhatWasNotSavedIsExplained) {
  SavedTensors saved;
  saved.Save(Tensor::Zeros({1}));
  EXPECT_DEATH(saved[1], "saved tensor 1 of 1 saved ones");
}

}  // namespace
}  // namespace lockstep::autograd
