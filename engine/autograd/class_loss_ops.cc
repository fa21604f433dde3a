// The losses of loss_ops.h whose labels are classes.
#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "engine/autograd/loss_ops.h"
#include "engine/autograd/node.h"
#include "engine/block_pool.h"
#include "engine/check.h"
#include "engine/kernels/cross_entropy.h"
#include "engine/kernels/reduce.h"
#include "engine/kernels/weighted_cross_entropy.h"

namespace lockstep::autograd {
namespace {

// Which positions of each example count.
struct Positions {
  int64_t examples = 0;
  int64_t per_example = 1;
  int64_t classes = 0;
  PooledVector<int64_t> labels;   // 0 where the position does not count
  PooledVector<bool> counts;      // by position
  PooledVector<int64_t> counted;  // by example

  int64_t size() const { return examples * per_example; }
};

std::shared_ptr<const Positions> CheckedPositions(const char* name, const Variable& outputs,
                                                  const Tensor& labels,
                                                  const ClassLossOptions& options) {
  PooledVector<int64_t> axes = outputs.shape().extents();
  if (!axes.empty()) axes.pop_back();
  LOCKSTEP_CHECK(!axes.empty() && labels.shape() == Shape(axes),
                 absl::StrCat(name, ": logits ", outputs.shape().ToString(), " and labels ",
                              labels.shape().ToString(), ", want [n, ..., classes] and [n, ...]"));
  auto positions = std::allocate_shared<Positions>(PoolAllocator<Positions>());
  positions->examples = axes[0];
  positions->classes = outputs.dim(-1);
  axes.erase(axes.begin());
  positions->per_example = Shape(axes).element_count();
  const absl::Span<const int64_t> given = labels.span<int64_t>();
  positions->labels.assign(given.begin(), given.end());
  positions->counts.assign(given.size(), true);
  positions->counted.assign(positions->examples, positions->per_example);
  for (size_t i = 0; i < given.size(); ++i) {
    if (options.ignored_label == given[i]) {
      positions->labels[i] = 0;
      positions->counts[i] = false;
      --positions->counted[i / positions->per_example];
      continue;
    }
    LOCKSTEP_CHECK(
        given[i] >= 0 && given[i] < positions->classes,
        absl::StrCat(name, ": got label ", given[i], ", want 0 to ", positions->classes - 1));
  }
  const Tensor& weights = options.class_weights;
  LOCKSTEP_CHECK(
      !weights.defined() ||
          (weights.shape() == Shape{positions->classes} && weights.dtype() == outputs.dtype()),
      absl::StrCat(name, ": class weights, want [", positions->classes, "] of the outputs' dtype"));
  return positions;
}

// The examples' losses from their positions', which it changes.
template <class T>
void MeanOverPositions(const Positions& positions, T* of_positions, T* losses) {
  for (int64_t i = 0; i < positions.size(); ++i) {
    if (!positions.counts[i]) of_positions[i] = 0;
  }
  kernels::SumRows(positions.examples, positions.per_example, of_positions, losses);
  for (int64_t e = 0; e < positions.examples; ++e) {
    losses[e] = positions.counted[e] == 0 ? T(0) : losses[e] / static_cast<T>(positions.counted[e]);
  }
}

// What each position's gradient is multiplied by; 0 where it does not count.
template <class T>
PooledVector<T> PositionScales(const Positions& positions, const T* upstream) {
  PooledVector<T> scales(positions.size());
  for (int64_t i = 0; i < positions.size(); ++i) {
    const int64_t e = i / positions.per_example;
    if (positions.counts[i]) scales[i] = upstream[e] / static_cast<T>(positions.counted[e]);
  }
  return scales;
}

template <class T>
const T* WeightsOf(const ClassLossOptions& options) {
  return options.class_weights.defined() ? options.class_weights.data<T>() : nullptr;
}

constexpr char kCrossEntropy[] = "cross_entropy_loss";
constexpr char kNll[] = "nll_loss";

}  // namespace

CrossEntropyResult CrossEntropyLoss(const Variable& logits, const Tensor& labels,
                                    const CrossEntropyOptions& options) {
  const auto positions = CheckedPositions(kCrossEntropy, logits, labels, options);
  const int64_t rows = positions->size(), classes = positions->classes;
  const bool weighted = options.class_weights.defined() || options.label_smoothing != 0;
  const bool wants_gradient = logits.requires_grad();
  Tensor losses = Tensor::Empty({positions->examples}, logits.dtype());
  Tensor predictions = Tensor::Empty(labels.shape(), DType::kInt64);
  Tensor probabilities = wants_gradient ? Tensor::Empty(logits.shape(), logits.dtype()) : Tensor();
  VisitFloating(kCrossEntropy, logits.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* x = logits.value().data<T>();
    Tensor of_positions = Tensor::Empty({rows}, logits.dtype());
    kernels::SoftmaxCrossEntropy(rows, classes, x, positions->labels.data(), of_positions.data<T>(),
                                 wants_gradient ? probabilities.data<T>() : nullptr,
                                 predictions.data<int64_t>());
    if (weighted) {
      kernels::WeightCrossEntropy(rows, classes, x, positions->labels.data(), WeightsOf<T>(options),
                                  static_cast<T>(options.label_smoothing), of_positions.data<T>());
    }
    MeanOverPositions(*positions, of_positions.data<T>(), losses.data<T>());
  });
  Variable result = MakeResult(
      kCrossEntropy, losses, {logits}, [=](const Tensor& upstream, InputGradients& gradients) {
        Tensor dx = gradients.Destination(0);
        VisitFloating(kCrossEntropy, dx.dtype(), [&](auto zero) {
          using T = decltype(zero);
          const PooledVector<T> scales = PositionScales(*positions, upstream.data<T>());
          if (weighted) {
            kernels::WeightedCrossEntropyBackward(rows, classes, probabilities.data<T>(),
                                                  positions->labels.data(), WeightsOf<T>(options),
                                                  static_cast<T>(options.label_smoothing),
                                                  scales.data(), dx.data<T>());
          } else {
            kernels::SoftmaxCrossEntropyBackward(rows, classes, probabilities.data<T>(),
                                                 positions->labels.data(), scales.data(),
                                                 dx.data<T>());
          }
        });
        gradients.Add(0, dx);
      });
  return {result, predictions};
}

Variable NllLoss(const Variable& log_probabilities, const Tensor& labels,
                 const ClassLossOptions& options) {
  const auto positions = CheckedPositions(kNll, log_probabilities, labels, options);
  const int64_t rows = positions->size(), classes = positions->classes;
  Tensor losses = Tensor::Empty({positions->examples}, log_probabilities.dtype());
  VisitFloating(kNll, log_probabilities.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* x = log_probabilities.value().data<T>();
    const T* weights = WeightsOf<T>(options);
    Tensor of_positions = Tensor::Empty({rows}, log_probabilities.dtype());
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t label = positions->labels[r];
      of_positions.data<T>()[r] =
          -(x[r * classes + label] * (weights == nullptr ? T(1) : weights[label]));
    }
    MeanOverPositions(*positions, of_positions.data<T>(), losses.data<T>());
  });
  return MakeResult(
      kNll, losses, {log_probabilities}, [=](const Tensor& upstream, InputGradients& gradients) {
        Tensor dx = gradients.Destination(0);
        VisitFloating(kNll, dx.dtype(), [&](auto zero) {
          using T = decltype(zero);
          const PooledVector<T> scales = PositionScales(*positions, upstream.data<T>());
          const T* weights = WeightsOf<T>(options);
          T* to = dx.data<T>();
          std::fill_n(to, dx.element_count(), T(0));
          for (int64_t r = 0; r < rows; ++r) {
            const int64_t label = positions->labels[r];
            to[r * classes + label] = -((weights == nullptr ? T(1) : weights[label]) * scales[r]);
          }
        });
        gradients.Add(0, dx);
      });
}

}  // namespace lockstep::autograd
