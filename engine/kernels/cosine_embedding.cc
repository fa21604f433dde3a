#include "engine/kernels/cosine_embedding.h"

#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cosine_embedding.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/reduce-inl.h"
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

HWY_INLINE float SumOfProducts(int64_t columns, const float* a, const float* b, float* scratch) {
  Map(columns, a, b, scratch, [](FloatVector x, FloatVector y) HWY_ATTR { return hn::Mul(x, y); });
  return SumRow(columns, scratch);
}

void CosineRowsRun(int64_t rows, int64_t columns, const float* a, const float* b,
                   CosineRow<float>* out, float* scratch) {
  for (int64_t r = 0; r < rows; ++r) {
    const float* left = a + r * columns;
    const float* right = b + r * columns;
    const float product = SumOfProducts(columns, left, right, scratch);
    out[r].first_square = SumOfProducts(columns, left, left, scratch) + 1e-12f;
    out[r].second_square = SumOfProducts(columns, right, right, scratch) + 1e-12f;
    out[r].cosine = product / std::sqrt(out[r].first_square * out[r].second_square);
  }
}

void CosineRowsBackwardRun(int64_t rows, int64_t columns, const float* a, const float* b,
                           const CosineRow<float>* cosines, const float* scale, float* da) {
  const FloatTag d;
  for (int64_t r = 0; r < rows; ++r) {
    const CosineRow<float>& row = cosines[r];
    const FloatVector inverse = hn::Set(d, 1.0f / std::sqrt(row.first_square * row.second_square));
    const FloatVector minus_k = hn::Set(d, -(row.cosine / row.first_square));
    const FloatVector s = hn::Set(d, scale[r]);
    Map(columns, a + r * columns, b + r * columns, da + r * columns,
        [&](FloatVector x, FloatVector y)
            HWY_ATTR { return hn::Mul(Fma(minus_k, x, hn::Mul(inverse, y)), s); });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "engine/kernels/aligned_buffer.h"
#include "engine/kernels/parallel.h"
#include "engine/kernels/reference/losses.h"

namespace lockstep::kernels {
HWY_EXPORT(CosineRowsRun);
HWY_EXPORT(CosineRowsBackwardRun);

void CosineRows(int64_t rows, int64_t columns, const float* a, const float* b,
                CosineRow<float>* out) {
  ParallelRows(rows, columns, [=](int64_t begin, int64_t end) {
    static thread_local AlignedBuffer buffer;
    HWY_DYNAMIC_DISPATCH(CosineRowsRun)
    (end - begin, columns, a + begin * columns, b + begin * columns, out + begin,
     buffer.Reserve(columns));
  });
}

void CosineRows(int64_t rows, int64_t columns, const double* a, const double* b,
                CosineRow<double>* out) {
  reference::CosineRows(rows, columns, a, b, out);
}

void CosineRowsBackward(int64_t rows, int64_t columns, const float* a, const float* b,
                        const CosineRow<float>* cosines, const float* scale, float* da) {
  ParallelRows(rows, columns, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(CosineRowsBackwardRun)
    (end - begin, columns, a + begin * columns, b + begin * columns, cosines + begin, scale + begin,
     da + begin * columns);
  });
}

void CosineRowsBackward(int64_t rows, int64_t columns, const double* a, const double* b,
                        const CosineRow<double>* cosines, const double* scale, double* da) {
  reference::CosineRowsBackward(rows, columns, a, b, cosines, scale, da);
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
