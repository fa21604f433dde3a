// pointwise_loss_ops.h and cosine_embedding_ops.h, and the options of loss_ops.h.
// "PyTorch" values: PyTorch 2.13, float64, of the same inputs.
#include "engine/autograd/pointwise_loss_ops.h"

#include <cmath>
#include <functional>
#include <vector>

#include "engine/autograd/cosine_embedding_ops.h"
#include "engine/autograd/gradient_check.h"
#include "engine/autograd/loss_ops.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Inputs = std::vector<Variable>;
using Numbers = std::vector<double>;

Tensor Rows(const Shape& shape, const Numbers& values) { return Tensor::FromVector(shape, values); }
Tensor Labels(const Shape& shape, const std::vector<int64_t>& labels) {
  return Tensor::FromVector(shape, labels);
}

void ExpectNear(const Tensor& got, const Numbers& want) {
  ASSERT_EQ(got.element_count(), static_cast<int64_t>(want.size()));
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_NEAR(got.data<double>()[i], want[i], 1e-9) << "element " << i;
  }
}

// The losses, and the gradient with upstream 1 for the first example, 10 for the second.
void ExpectLosses(const Tensor& x, const std::function<Variable(const Variable&)>& loss,
                  const Numbers& losses, const Numbers& gradient) {
  const Variable input(x, true);
  const Variable result = loss(input);
  ExpectNear(result.value(), losses);
  result.Backward(Rows({2}, {1, 10}));
  ExpectNear(input.grad(), gradient);
}

const Numbers kOutputs = {0.5, -1.5, 2.0, 0.1, 3.0, -0.25};
const Numbers kTargets = {1.0, 0.5, 2.25, 0.0, 0.5, 1.0};
const Numbers kBinary = {1, 0, 1, 0, 1, 0.25};

Tensor LogProbabilities() {
  return Rows({2, 3}, {-1.7258020492315993, -3.7258020492315995, -0.22580204923159933,
                       -2.98965552039013, -0.08965552039013015, -3.33965552039013});
}

TEST(PointwiseLossOpsTest, L1AndHuberAreThoseOfPyTorch) {
  ExpectLosses(
      Rows({2, 3}, kOutputs),
      [](const Variable& x) {
        return L1Loss(x, Rows({2, 3}, kTargets));
      },
      {0.9166666667, 1.2833333333},
      {-0.3333333333, -0.3333333333, -0.3333333333, 3.3333333333, 3.3333333333, -3.3333333333});
  ExpectLosses(Rows({2, 3}, kOutputs),
               [](const Variable& x) {
                 return HuberLoss(x, Rows({2, 3}, kTargets), 0.75);
               },
               {0.4583333333, 0.7516666667},
               {-0.1666666667, -0.25, -0.0833333333, 0.3333333333, 2.5, -2.5});
}

TEST(PointwiseLossOpsTest, BinaryLossesAreThoseOfPyTorch) {
  ExpectLosses(
      Rows({2, 3}, kOutputs),
      [](const Variable& x) {
        return BinaryCrossEntropyWithLogitsLoss(x, Rows({2, 3}, kBinary), 3);
      },
      {0.6681427546, 0.6471892815},
      {-0.3775406688, 0.0608085079, -0.119202922, 1.7499306249, -0.4742587318, -0.3108825044});
  ExpectLosses(Rows({2, 3}, {0.8, 0.3, 1.0, 0.1, 0.5, 0.25}),
               [](const Variable& p) {
                 return BinaryCrossEntropyLoss(p, Rows({2, 3}, kBinary));
               },
               {0.1932728318, 0.4536142803},
               {-0.4166666667, 0.4761904762, 0, 3.7037037037, -6.6666666667, 0});
}

TEST(PointwiseLossOpsTest, BinaryCrossEntropyOfCertaintyStopsAt100) {
  const Variable wrong = BinaryCrossEntropyLoss(Variable(Rows({2}, {0, 1})), Rows({2}, {1, 0}));
  EXPECT_EQ(wrong.value().ToString(), "tensor([100, 100])");
}

TEST(PointwiseLossOpsTest, HingeTakesBothKindsOfLabels) {
  for (const Numbers& labels : {Numbers{1, 0, 1}, Numbers{1, -1, 1}}) {
    const Variable x(Rows({3}, {0.5, 0.25, 2}), true);
    const Variable losses = HingeLoss(x, Rows({3}, labels));
    EXPECT_EQ(losses.value().ToString(), "tensor([0.5, 1.25, 0])");
    losses.Backward(Rows({3}, {1, 1, 1}));
    EXPECT_EQ(x.grad().ToString(), "tensor([-1, 1, 0])");
  }
}

TEST(PointwiseLossOpsTest, KlDivergenceIsThatOfPyTorch) {
  ExpectLosses(LogProbabilities(),
               [](const Variable& x) {
                 return KlDivergenceLoss(x, Rows({2, 3}, {0.2, 0.8, 0, 0.5, 0.25, 0.25}));
               },
               {2.8253996257, 1.3124347496}, {-0.2, -0.8, 0, -5, -2.5, -2.5});
}

TEST(CosineEmbeddingOpsTest, IsThatOfPyTorch) {
  const Variable a(Rows({2, 3}, {1, 2, 3, 0.5, -1, 2}), true);
  const Variable b(Rows({2, 3}, {3, -1, 0.5, 1, -1, 1}), true);
  const Variable losses = CosineEmbeddingLoss(a, b, Rows({2}, {1, -1}), 0.25);
  ExpectNear(losses.value(), {0.7913040322, 0.6319171037});
  losses.Backward(Rows({2}, {1, 10}));
  ExpectNear(a.grad(), {-0.2355283065, 0.1132920968, 0.002981371, 1.6798421023, -0.8399210511,
                        -0.8399210511});
  ExpectNear(b.grad(), {-0.0223966404, -0.1873173564, -0.2402548702, -1.6798421023, 0.4199605256,
                        2.0998026278});
}

TEST(ClassLossOpsTest, WeightsAndSmoothingAreThoseOfPyTorch) {
  const Tensor labels = Labels({2}, {2, 0});
  CrossEntropyOptions options;
  options.label_smoothing = 0.1;
  const auto loss = [&](const Variable& x) { return CrossEntropyLoss(x, labels, options).losses; };
  ExpectLosses(
      Rows({2, 3}, kOutputs), loss, {0.3924687159, 2.9046555204},
      {0.1446968722, -0.009239565, -0.1354573071, -8.8302857063, 8.8091273683, 0.021158338});
  options.class_weights = Rows({3}, {0.5, 2, 3});
  ExpectLosses(
      Rows({2, 3}, kOutputs), loss, {0.9093959086, 1.7351151629},
      {0.4966537592, 0.0028036986, -0.4994574578, -4.3480698362, 5.1235584444, -0.7754886082});
  options.label_smoothing = 0;
  ExpectLosses(
      Rows({2, 3}, kOutputs), loss, {0.6774061477, 1.4948277602},
      {0.5340906165, 0.0722813049, -0.6063719214, -4.7484761865, 4.5712303508, 0.1772458357});
  ExpectLosses(LogProbabilities(), [&](const Variable& x) { return NllLoss(x, labels, options); },
               {0.6774061477, 1.4948277602}, {0, 0, -3, -5, 0, 0});
}

TEST(ClassLossOpsTest, AnExamplesLossIsTheMeanOverItsPositionsThatCount) {
  Numbers logits(12);
  for (int i = 0; i < 12; ++i) logits[i] = std::sin(i);
  CrossEntropyOptions options;
  options.ignored_label = 9;
  ExpectLosses(Rows({2, 2, 3}, logits),
               [&](const Variable& x) {
                 return CrossEntropyLoss(x, Labels({2, 2}, {2, 9, 0, 1}), options).losses;
               },
               {0.8489663657, 1.7023063452},
               {0.1723438289, 0.3997992201, -0.5721430489, 0, 0, 0, -4.2964956039, 1.7944901514,
                2.5020054525, 3.0712476635, -3.8194926686, 0.7482450051});
}

TEST(ClassLossOpsTest, AnExampleWithoutPositionsThatCountHasNoLoss) {
  CrossEntropyOptions options;
  options.ignored_label = 0;
  const Variable x(Rows({1, 2, 2}, {1, 2, 3, 4}), true);
  const auto result = CrossEntropyLoss(x, Labels({1, 2}, {0, 0}), options);
  EXPECT_EQ(result.losses.value().ToString(), "tensor([0])");
  EXPECT_EQ(result.predictions.ToString(), "tensor([[1, 1]])");
  result.losses.Backward(Rows({1}, {1}));
  ExpectNear(x.grad(), {0, 0, 0, 0});
}

TEST(PointwiseLossOpsTest, Gradients) {
  const Tensor t = TestValues({3, 4}, 2, 3, 4), p = TestValues({3, 4}, 0.2f, 0.8f, 5);
  const Tensor labels = Labels({3}, {0, 3, 2});
  const auto check = [](const std::function<Variable(const Variable&)>& loss, const Tensor& at) {
    EXPECT_EQ(CheckGradients([&](const Inputs& x) { return loss(x[0]); }, {at}), "");
  };
  const Tensor x = TestValues({3, 4});
  check([&](const Variable& v) { return L1Loss(v, t.To(v.dtype())); }, x);
  check([&](const Variable& v) { return HuberLoss(v, t.To(v.dtype()), 2.5); }, x);
  check([&](const Variable& v) { return BinaryCrossEntropyLoss(v, p.To(v.dtype())); },
        TestValues({3, 4}, 0.1f, 0.9f, 6));
  check([&](const Variable& v) { return BinaryCrossEntropyWithLogitsLoss(v, p.To(v.dtype()), 2); },
        x);
  check([&](const Variable& v) { return HingeLoss(v, p.To(v.dtype())); }, x);
  check([&](const Variable& v) { return KlDivergenceLoss(v, p.To(v.dtype())); }, x);
  check([&](const Variable& v) { return NllLoss(v, labels); }, x);
  check(
      [&](const Variable& v) {
        CrossEntropyOptions options;
        options.class_weights = p.Rows(0, 1).Reshape({4}).To(v.dtype());
        options.label_smoothing = 0.2;
        return CrossEntropyLoss(v, labels, options).losses;
      },
      x);
  check(
      [&](const Variable& v) {
        CrossEntropyOptions options;
        options.ignored_label = 3;
        return CrossEntropyLoss(v, Labels({1, 3}, {0, 3, 2}), options).losses;
      },
      TestValues({1, 3, 4}));
  EXPECT_EQ(CheckGradients(
                [](const Inputs& v) {
                  const Tensor signs = Tensor::FromVector({3}, std::vector<float>{1, -1, 1});
                  return CosineEmbeddingLoss(v[0], v[1], signs.To(v[0].dtype()), -0.9);
                },
                {x, TestValues({3, 4}, -1, 1, 7)}),
            "");
}

TEST(PointwiseLossOpsTest, EmptyBatches) {
  const Variable x(Tensor::Zeros({0, 3}), true);
  L1Loss(x, Tensor::Zeros({0, 3})).Backward(Tensor::Zeros({0}));
  NllLoss(x, Tensor::Zeros({0}, DType::kInt64)).Backward(Tensor::Zeros({0}));
  CosineEmbeddingLoss(x, x, Tensor::Zeros({0})).Backward(Tensor::Zeros({0}));
  EXPECT_EQ(x.grad().shape(), (Shape{0, 3}));
}

TEST(PointwiseLossOpsDeathTest, MisfitsNameWhatTheyAre) {
  const Variable x(Tensor::Zeros({2, 3}));
  EXPECT_DEATH(L1Loss(x, Tensor::Zeros({2})), "float32\\[2, 3\\] and targets float32\\[2\\]");
  EXPECT_DEATH(HuberLoss(x, Tensor::Zeros({2, 3}), 0), "got delta 0, want > 0");
  EXPECT_DEATH(NllLoss(x, Labels({2}, {0, 3})), "got label 3, want 0 to 2");
  EXPECT_DEATH(CosineEmbeddingLoss(x, x, Tensor::Zeros({2})), "got sign 0, want 1 or -1");
}

}  // namespace
}  // namespace lockstep::autograd
