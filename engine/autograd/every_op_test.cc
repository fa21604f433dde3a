// GradientCheck of every operation that has a gradient, one row each: float64
// against differences, float32 against float64. The headers are read to see that
// none is missing here; what is special about an operation stands in its own test.
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "engine/autograd/activation_ops.h"
#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/attention_ops.h"
#include "engine/autograd/batched_matmul_ops.h"
#include "engine/autograd/channel_norm_ops.h"
#include "engine/autograd/comparison_ops.h"
#include "engine/autograd/convolution_ops.h"
#include "engine/autograd/cosine_embedding_ops.h"
#include "engine/autograd/dropout_ops.h"
#include "engine/autograd/embedding_ops.h"
#include "engine/autograd/expand_ops.h"
#include "engine/autograd/extremum_ops.h"
#include "engine/autograd/gradient_check.h"
#include "engine/autograd/indexing_ops.h"
#include "engine/autograd/linear_ops.h"
#include "engine/autograd/loss_ops.h"
#include "engine/autograd/math_ops.h"
#include "engine/autograd/normalization_ops.h"
#include "engine/autograd/pointwise_loss_ops.h"
#include "engine/autograd/pooling_ops.h"
#include "engine/autograd/recurrent_ops.h"
#include "engine/autograd/reduction_ops.h"
#include "engine/autograd/shape_ops.h"
#include "engine/autograd/slice_ops.h"
#include "engine/autograd/softmax_ops.h"
#include "engine/autograd/statistics_ops.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Inputs = std::vector<Variable>;

struct Case {
  std::string name;  // the function's
  std::function<Variable(const Inputs& x)> function;
  std::vector<Tensor> inputs;
};

Tensor Indices(Shape shape, const std::vector<int64_t>& values) {
  return Tensor::FromVector(std::move(shape), values);
}

// Numbers away from 0, where some of the operations have a kink.
Tensor AwayFromZero(const Shape& shape) {
  Tensor values = TestValues(shape, 0.2f, 2, 5);
  for (int64_t i = 0; i < values.element_count(); i += 2) values.data<float>()[i] *= -1;
  return values;
}

// Of [0, 1), in the dtype of `like`.
Tensor Probabilities(const Shape& shape, const Variable& like, int salt = 8) {
  return TestValues(shape, 0.1f, 0.9f, salt).To(like.dtype());
}

std::vector<Case> ElementwiseCases() {
  const Tensor x = AwayFromZero({3, 4}), y = TestValues({4}, 0.5f, 2, 1);
  const Tensor positive = TestValues({3, 4}, 0.5f, 2, 2);
  return {
      {"Add", [](const Inputs& v) { return Add(v[0], v[1]); }, {x, y}},
      {"Subtract", [](const Inputs& v) { return Subtract(v[0], v[1]); }, {x, y}},
      {"Multiply", [](const Inputs& v) { return Multiply(v[0], v[1]); }, {x, y}},
      {"Divide", [](const Inputs& v) { return Divide(v[0], v[1]); }, {x, y}},
      {"Negate", [](const Inputs& v) { return Negate(v[0]); }, {x}},
      {"Power", [](const Inputs& v) { return Power(v[0], 2.5); }, {positive}},
      {"Exp", [](const Inputs& v) { return Exp(v[0]); }, {x}},
      {"Log", [](const Inputs& v) { return Log(v[0]); }, {positive}},
      {"Abs", [](const Inputs& v) { return Abs(v[0]); }, {x}},
      {"Sqrt", [](const Inputs& v) { return Sqrt(v[0]); }, {positive}},
      {"Rsqrt", [](const Inputs& v) { return Rsqrt(v[0]); }, {positive}},
      {"Sin", [](const Inputs& v) { return Sin(v[0]); }, {x}},
      {"Cos", [](const Inputs& v) { return Cos(v[0]); }, {x}},
      {"Erf", [](const Inputs& v) { return Erf(v[0]); }, {x}},
      {"Expm1", [](const Inputs& v) { return Expm1(v[0]); }, {x}},
      {"Log1p", [](const Inputs& v) { return Log1p(v[0]); }, {positive}},
      {"Pow", [](const Inputs& v) { return Pow(v[0], v[1]); }, {positive, y}},
      {"Maximum", [](const Inputs& v) { return Maximum(v[0], v[1]); }, {x, y}},
      {"Minimum", [](const Inputs& v) { return Minimum(v[0], v[1]); }, {x, y}},
      {"Clamp", [](const Inputs& v) { return Clamp(v[0], -1.05, 1.05); }, {x}},
      {"Where", [](const Inputs& v) { return Where(Greater(v[0], v[1]), v[0], v[1]); }, {x, y}},
      {"MaskedFill",
       [](const Inputs& v) { return MaskedFill(v[0], Less(v[0], ScalarLike(0, v[0])), 3); },
       {x}},
      {"Relu", [](const Inputs& v) { return Relu(v[0]); }, {x}},
      {"Tanh", [](const Inputs& v) { return Tanh(v[0]); }, {x}},
      {"Sigmoid", [](const Inputs& v) { return Sigmoid(v[0]); }, {x}},
      {"Gelu", [](const Inputs& v) { return Gelu(v[0]); }, {x}},
      {"GeluTanh", [](const Inputs& v) { return GeluTanh(v[0]); }, {x}},
      {"Silu", [](const Inputs& v) { return Silu(v[0]); }, {x}},
      {"Softplus", [](const Inputs& v) { return Softplus(v[0], 1.5, 2.5); }, {x}},
      {"LeakyRelu", [](const Inputs& v) { return LeakyRelu(v[0], 0.1); }, {x}},
      {"Elu", [](const Inputs& v) { return Elu(v[0], 0.7); }, {x}},
      {"Hardtanh", [](const Inputs& v) { return Hardtanh(v[0], -1.05, 1.05); }, {x}},
      {"Relu6", [](const Inputs& v) { return Relu6(v[0] * 4); }, {x}},
      {"Dropout",
       [](const Inputs& v) {
         return Dropout(v[0], 0.4f, {1, 2, 3, 4});
       },
       {x}},
  };
}

std::vector<Case> ArrangementCases() {
  const Tensor x = TestValues({2, 3, 4}), y = TestValues({2, 3, 4}, -1, 1, 1);
  const Tensor picks = Indices({2, 2, 4}, {0, 1, 2, 0, 2, 2, 1, 0, 0, 1, 1, 2, 2, 0, 0, 1});
  return {
      {"Reshape",
       [](const Inputs& v) {
         return Reshape(v[0], {4, -1});
       },
       {x}},
      {"Flatten", [](const Inputs& v) { return Flatten(v[0]); }, {x}},
      {"Transpose", [](const Inputs& v) { return Transpose(v[0], 0, -1); }, {x}},
      {"Permute",
       [](const Inputs& v) {
         return Permute(v[0], {1, 2, 0});
       },
       {x}},
      {"Squeeze", [](const Inputs& v) { return Squeeze(v[0], 1); }, {TestValues({2, 1, 3})}},
      {"Unsqueeze", [](const Inputs& v) { return Unsqueeze(v[0], 1); }, {x}},
      {"Expand",
       [](const Inputs& v) {
         return Expand(v[0], {2, -1, 3});
       },
       {TestValues({4, 1})}},
      {"SumToShape",
       [](const Inputs& v) {
         return SumToShape(v[0], {3, 1});
       },
       {x}},
      {"Slice", [](const Inputs& v) { return Slice(v[0], 2, 1, 4, 2); }, {x}},
      {"Select", [](const Inputs& v) { return Select(v[0], 1, -1); }, {x}},
      {"Split", [](const Inputs& v) { return Split(v[0], 3, 2)[0]; }, {x}},
      {"Concat",
       [](const Inputs& v) {
         return Concat({v[0], v[1]}, 1);
       },
       {x, y}},
      {"Stack",
       [](const Inputs& v) {
         return Stack({v[0], v[1]}, 1);
       },
       {x, y}},
      {"Pad",
       [](const Inputs& v) {
         return Pad(v[0], {{1, 0}, {0, 2}}, 3);
       },
       {x}},
      {"Gather", [picks](const Inputs& v) { return Gather(v[0], 1, picks); }, {x}},
      {"ScatterAdd",
       [picks](const Inputs& v) { return ScatterAdd(v[0], 1, picks, 5); },
       {TestValues({2, 2, 4})}},
      {"Embedding",
       [](const Inputs& v) {
         return Embedding(Indices({2, 2}, {3, 0, 3, 1}), v[0]);
       },
       {TestValues({4, 3})}},
      {"AddPositions",
       [](const Inputs& v) { return AddPositions(v[0], v[1]); },
       {x, TestValues({5, 4})}},
  };
}

std::vector<Case> ReductionCases() {
  const Tensor x = TestValues({2, 3, 4}, -2, 2);
  return {
      {"Sum", [](const Inputs& v) { return Sum(v[0]); }, {x}},
      {"Sum", [](const Inputs& v) { return Sum(v[0], 1); }, {x}},
      {"Sum",
       [](const Inputs& v) {
         return Sum(v[0], {0, 2}, true);
       },
       {x}},
      {"Mean", [](const Inputs& v) { return Mean(v[0]); }, {x}},
      {"Mean", [](const Inputs& v) { return Mean(v[0], -1); }, {x}},
      {"Mean",
       [](const Inputs& v) {
         return Mean(v[0], {0, 2});
       },
       {x}},
      {"Var", [](const Inputs& v) { return Var(v[0]); }, {x}},
      {"Var",
       [](const Inputs& v) {
         return Var(v[0], {1, 2}, false);
       },
       {x}},
      {"Std", [](const Inputs& v) { return Std(v[0]); }, {x}},
      {"Std", [](const Inputs& v) { return Std(v[0], {0}); }, {x}},
      {"Max", [](const Inputs& v) { return Max(v[0]); }, {x}},
      {"Max",
       [](const Inputs& v) {
         return Max(v[0], {0, 2});
       },
       {x}},
      {"Min", [](const Inputs& v) { return Min(v[0]); }, {x}},
      {"Min", [](const Inputs& v) { return Min(v[0], 1); }, {x}},
      {"Softmax", [](const Inputs& v) { return Softmax(v[0], 1, 0.5f); }, {x}},
      {"LogSoftmax", [](const Inputs& v) { return LogSoftmax(v[0]); }, {x}},
      {"LogSumExp", [](const Inputs& v) { return LogSumExp(v[0], 1); }, {x}},
  };
}

std::vector<Case> ProductCases() {
  const Tensor row = TestValues({2, 4, 9}), image = TestValues({2, 4, 5, 5}, -1, 1, 1);
  ConvolutionOptions convolution;
  convolution.stride = {2, 1};
  convolution.padding = {1, 2};
  convolution.dilation = {1, 2};
  convolution.groups = 2;
  const auto recurrent = [](const Inputs& v) {
    return Recurrent(kernels::RecurrentCell::kLstm, v[0], {v[1], v[2], v[3], v[4]});
  };
  return {
      {"Matmul",
       [](const Inputs& v) {
         return Matmul(v[0], v[1], {false, true});
       },
       {TestValues({3, 4}), TestValues({2, 4}, -1, 1, 1)}},
      {"BatchMatmul",
       [](const Inputs& v) {
         return BatchMatmul(v[0], v[1], {true, false});
       },
       {TestValues({2, 3, 4}), TestValues({2, 3, 2}, -1, 1, 1)}},
      {"Linear",
       [](const Inputs& v) { return Linear(v[0], v[1], v[2]); },
       {TestValues({3, 4}), TestValues({2, 4}, -1, 1, 1), TestValues({2})}},
      {"Conv1d",
       [convolution](const Inputs& v) { return Conv1d(v[0], v[1], v[2], convolution); },
       {row, TestValues({6, 2, 3}, -1, 1, 2), TestValues({6})}},
      {"Conv2d",
       [convolution](const Inputs& v) { return Conv2d(v[0], v[1], v[2], convolution); },
       {image, TestValues({6, 2, 3, 2}, -1, 1, 2), TestValues({6})}},
      {"Recurrent",
       recurrent,
       {TestValues({2, 3, 3}), TestValues({8, 3}, -1, 1, 1), TestValues({8, 2}, -1, 1, 2),
        TestValues({8}, -1, 1, 3), TestValues({8}, -1, 1, 4)}},
      {"SelfAttention",
       [](const Inputs& v) {
         return SelfAttention(v[0], {2, true});
       },
       {TestValues({2, 5, 12}, -2, 2)}},
  };
}

std::vector<Case> PoolingAndNormCases() {
  const Tensor row = DistinctValues({2, 3, 9}), image = DistinctValues({2, 4, 5, 6});
  const Tensor scale = TestValues({4}, 0.5f, 2, 2), shift = TestValues({4}, -1, 1, 3);
  const PoolingOptions pooling = {/*kernel=*/{2, 3}, /*stride=*/{1, 2}, /*padding=*/{1, 1}};
  const auto batch_norm = [](const Inputs& v) {
    const Tensor zeros = Tensor::Zeros({4}, v[0].dtype()),
                 ones = Tensor::Full({4}, 1, v[0].dtype());
    return BatchNorm(v[0], v[1], v[2], Variable(zeros), Variable(ones), /*training=*/true);
  };
  return {
      {"MaxPool1d", [pooling](const Inputs& v) { return MaxPool1d(v[0], pooling); }, {row}},
      {"MaxPool2d", [pooling](const Inputs& v) { return MaxPool2d(v[0], pooling); }, {image}},
      {"AvgPool1d", [pooling](const Inputs& v) { return AvgPool1d(v[0], pooling); }, {row}},
      {"AvgPool2d", [pooling](const Inputs& v) { return AvgPool2d(v[0], pooling); }, {image}},
      {"AdaptiveMaxPool1d", [](const Inputs& v) { return AdaptiveMaxPool1d(v[0], 4); }, {row}},
      {"AdaptiveMaxPool2d",
       [](const Inputs& v) {
         return AdaptiveMaxPool2d(v[0], {2, 4});
       },
       {image}},
      {"AdaptiveAvgPool1d", [](const Inputs& v) { return AdaptiveAvgPool1d(v[0], 4); }, {row}},
      {"AdaptiveAvgPool2d",
       [](const Inputs& v) {
         return AdaptiveAvgPool2d(v[0], {2, 4});
       },
       {image}},
      {"BatchNorm", batch_norm, {image, scale, shift}},
      {"GroupNorm",
       [](const Inputs& v) { return GroupNorm(v[0], 2, v[1], v[2]); },
       {image, scale, shift}},
      {"LayerNorm",
       [](const Inputs& v) { return LayerNorm(v[0], {4}, v[1], v[2]); },
       {TestValues({3, 2, 4}), scale, shift}},
      {"RmsNorm",
       [](const Inputs& v) { return RmsNorm(v[0], {4}, v[1], 1e-5); },
       {TestValues({3, 2, 4}), scale}},
  };
}

std::vector<Case> LossCases() {
  const Tensor outputs = TestValues({3, 4}, -2, 2), labels = Indices({3}, {1, 3, 0});
  const Tensor probabilities = TestValues({3, 4}, 0.1f, 0.9f);
  const auto targets = [](const Variable& like) { return Probabilities(like.shape(), like); };
  const auto cross_entropy = [labels](const Inputs& v) {
    CrossEntropyOptions options;
    options.class_weights = TestValues({4}, 0.5f, 2).To(v[0].dtype());
    options.label_smoothing = 0.2;
    options.ignored_label = 3;
    return CrossEntropyLoss(v[0], labels, options).losses;
  };
  const auto cosine = [](const Inputs& v) {
    const Tensor signs = Tensor::FromVector({3}, std::vector<float>{1, -1, -1});
    return CosineEmbeddingLoss(v[0], v[1], signs.To(v[0].dtype()), -0.9);
  };
  return {
      {"MseLoss", [=](const Inputs& v) { return MseLoss(v[0], targets(v[0])); }, {outputs}},
      {"CrossEntropyLoss", cross_entropy, {outputs}},
      {"NllLoss", [labels](const Inputs& v) { return NllLoss(v[0], labels); }, {outputs}},
      {"L1Loss", [=](const Inputs& v) { return L1Loss(v[0], targets(v[0])); }, {outputs}},
      {"HuberLoss",
       [=](const Inputs& v) { return HuberLoss(v[0], targets(v[0]), 0.7); },
       {outputs}},
      {"BinaryCrossEntropyLoss",
       [=](const Inputs& v) { return BinaryCrossEntropyLoss(v[0], targets(v[0])); },
       {probabilities}},
      {"BinaryCrossEntropyWithLogitsLoss",
       [=](const Inputs& v) { return BinaryCrossEntropyWithLogitsLoss(v[0], targets(v[0]), 2); },
       {outputs}},
      {"HingeLoss", [=](const Inputs& v) { return HingeLoss(v[0], targets(v[0])); }, {outputs}},
      {"KlDivergenceLoss",
       [=](const Inputs& v) { return KlDivergenceLoss(v[0], targets(v[0])); },
       {outputs}},
      {"CosineEmbeddingLoss", cosine, {outputs, TestValues({3, 4}, -2, 2, 6)}},
  };
}

std::vector<Case> AllCases() {
  std::vector<Case> all;
  for (auto cases : {ElementwiseCases, ArrangementCases, ReductionCases, ProductCases,
                     PoolingAndNormCases, LossCases}) {
    for (Case& one : cases()) all.push_back(std::move(one));
  }
  return all;
}

TEST(EveryOpTest, HasTheGradientOfItsDifferences) {
  for (const Case& test : AllCases()) {
    EXPECT_EQ(CheckGradients(test.function, test.inputs), "") << test.name;
  }
}

// The functions that the headers declare with a result that has a gradient.
std::set<std::string> DeclaredFunctions() {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator("engine/autograd")) {
    const std::string file = entry.path().filename();
    if (file.size() < 6 || file.substr(file.size() - 6) != "_ops.h") continue;
    std::ifstream header(entry.path());
    for (std::string line; std::getline(header, line);) {
      for (const std::string result :
           {"Variable ", "std::vector<Variable> ", "CrossEntropyResult "}) {
        const size_t bracket = line.find('(');
        if (line.rfind(result, 0) != 0 || bracket == std::string::npos) continue;
        names.insert(line.substr(result.size(), bracket - result.size()));
      }
    }
  }
  return names;
}

TEST(EveryOpTest, NoneIsMissing) {
  std::set<std::string> missing = DeclaredFunctions();
  ASSERT_GT(missing.size(), 80u);
  for (const Case& test : AllCases()) missing.erase(test.name);
  // Their results are masks, without gradient.
  for (const char* name : {"Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual"}) {
    missing.erase(name);
  }
  EXPECT_EQ(missing, std::set<std::string>{});
}

}  // namespace
}  // namespace lockstep::autograd
