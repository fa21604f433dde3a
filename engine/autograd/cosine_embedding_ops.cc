#include "engine/autograd/cosine_embedding_ops.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "engine/autograd/node.h"
#include "engine/block_pool.h"
#include "engine/check.h"
#include "engine/kernels/cosine_embedding.h"

namespace lockstep::autograd {
namespace {

constexpr char kName[] = "cosine_embedding_loss";

template <class T>
using Cosines = PooledVector<kernels::CosineRow<T>>;

// The gradient after `a` of losses whose derivatives after the cosines, times
// upstream, are `scale`.
template <class T>
void AddGradient(int input, const Tensor& a, const Tensor& b, const Cosines<T>& cosines,
                 const PooledVector<T>& scale, InputGradients& gradients) {
  if (!gradients.Wanted(input)) return;
  Tensor da = gradients.Destination(input);
  kernels::CosineRowsBackward(a.dim(0), a.dim(1), a.data<T>(), b.data<T>(), cosines.data(),
                              scale.data(), da.data<T>());
  gradients.Add(input, da);
}

template <class T>
Variable Loss(const Variable& a, const Variable& b, const Tensor& signs, T margin) {
  const int64_t rows = a.dim(0);
  auto cosines = std::allocate_shared<Cosines<T>>(PoolAllocator<Cosines<T>>(), rows);
  kernels::CosineRows(rows, a.dim(1), a.value().data<T>(), b.value().data<T>(), cosines->data());
  Tensor losses = Tensor::Empty({rows}, signs.dtype());
  PooledVector<T> derivatives(rows);
  for (int64_t r = 0; r < rows; ++r) {
    const T cosine = (*cosines)[r].cosine, beyond = cosine - margin;
    const bool together = signs.data<T>()[r] > 0;
    losses.data<T>()[r] = together ? 1 - cosine : beyond <= 0 ? T(0) : beyond;
    derivatives[r] = together ? T(-1) : beyond <= 0 ? T(0) : T(1);
  }
  const Tensor left = a.value(), right = b.value();
  return MakeResult(kName, losses, {a, b}, [=](const Tensor& upstream, InputGradients& gradients) {
    PooledVector<T> scale = derivatives;
    for (int64_t r = 0; r < rows; ++r) scale[r] *= upstream.data<T>()[r];
    AddGradient<T>(0, left, right, *cosines, scale, gradients);
    Cosines<T> swapped = *cosines;
    for (auto& row : swapped) std::swap(row.first_square, row.second_square);
    AddGradient<T>(1, right, left, swapped, scale, gradients);
  });
}

}  // namespace

Variable CosineEmbeddingLoss(const Variable& a, const Variable& b, const Tensor& signs,
                             double margin) {
  LOCKSTEP_CHECK(
      a.rank() == 2 && a.shape() == b.shape() && signs.shape() == Shape{a.dim(0)},
      absl::StrCat(kName, ": vectors ", a.shape().ToString(), " and ", b.shape().ToString(),
                   ", signs ", signs.shape().ToString(), ", want [n, size] twice and [n]"));
  return VisitFloating(kName, a.value().dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (T sign : signs.span<T>()) {
      LOCKSTEP_CHECK(sign == 1 || sign == -1,
                     absl::StrCat(kName, ": got sign ", sign, ", want 1 or -1"));
    }
    return Loss<T>(a, b, signs, static_cast<T>(margin));
  });
}

}  // namespace lockstep::autograd
