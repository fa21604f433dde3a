#include "engine/kernels/softmax.h"

#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/softmax.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/row_terms-inl.h"
#include "engine/kernels/transcendental-inl.h"
#include "engine/kernels/transcendental.h"
#include "engine/kernels/vectors-inl.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// The greatest x * scale. Any order gives the same value: which of +0 and -0 it
// is no later step can tell, and what becomes of NaN neither, since the sum of
// exponentials is NaN whatever is subtracted. Four vectors hide the latency.
HWY_INLINE float Greatest(int64_t size, float scale, const float* x) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto factor = hn::Set(d, scale);
  float greatest = x[0] * scale;
  int64_t i = 0;
  if (size >= lanes) {
    auto m0 = hn::Set(d, greatest);
    auto m1 = m0, m2 = m0, m3 = m0;
    for (; i + 4 * lanes <= size; i += 4 * lanes) {
      m0 = hn::Max(m0, hn::Mul(hn::LoadU(d, x + i), factor));
      m1 = hn::Max(m1, hn::Mul(hn::LoadU(d, x + i + lanes), factor));
      m2 = hn::Max(m2, hn::Mul(hn::LoadU(d, x + i + 2 * lanes), factor));
      m3 = hn::Max(m3, hn::Mul(hn::LoadU(d, x + i + 3 * lanes), factor));
    }
    for (; i + lanes <= size; i += lanes) {
      m0 = hn::Max(m0, hn::Mul(hn::LoadU(d, x + i), factor));
    }
    m0 = hn::Max(hn::Max(m0, m1), hn::Max(m2, m3));
    greatest = hn::GetLane(hn::MaxOfLanes(d, m0));
  }
  for (; i < size; ++i) greatest = x[i] * scale > greatest ? x[i] * scale : greatest;
  return greatest;
}

// e = exp(x * scale - greatest) where e is not null; returns their sum. Much
// arithmetic, under which the row `next` comes nearer. kBelowZero: by
// exp_below_zero, which is for arguments that are not above 0.
template <bool kStore, bool kBelowZero>
HWY_INLINE float Exponentials(int64_t size, float scale, float greatest, const float* x,
                              const float* next, float* e) {
  return SumTerms(size, [&](auto at, auto sum) HWY_ATTR {
    hwy::Prefetch(next + at.index);
    const auto z = hn::Mul(at.Load(x), hn::Set(at.d, scale));
    const auto below = hn::Sub(z, hn::Set(at.d, greatest));
    const auto v = kBelowZero ? ExpBelowZeroOf(at.d, below) : ExpOf(at.d, below);
    if constexpr (kStore) at.Store(v, e);
    return hn::Add(sum, v);
  });
}

// y = e * inverse; returns the greatest of the row `next`, whose way from
// memory hides behind the stores. y may be e.
HWY_INLINE float ScaledAndNextGreatest(int64_t size, float inverse, const float* e, float* y,
                                       bool streaming, float scale, const float* next) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto by = hn::Set(d, inverse);
  const auto factor = hn::Set(d, scale);
  float greatest = next[0] * scale;
  auto m = hn::Set(d, greatest);
  int64_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    m = hn::Max(m, hn::Mul(hn::LoadU(d, next + i), factor));
    StoreWhole(hn::Mul(hn::LoadU(d, e + i), by), d, y + i, streaming);
  }
  if (i > 0) greatest = hn::GetLane(hn::MaxOfLanes(d, m));
  if (i == size) return greatest;
  StorePartial(hn::Mul(LoadPartial(d, e + i, size - i), by), d, y + i, size - i);
  for (; i < size; ++i) greatest = next[i] * scale > greatest ? next[i] * scale : greatest;
  return greatest;
}

// `row`: where a row's exponentials may lie if y is streamed, which must not be
// read again; null: in y.
void SoftmaxRun(int64_t rows, int64_t columns, float scale, const float* x, float* y, float* row) {
  float greatest = Greatest(columns, scale, x);
  for (int64_t r = 0; r < rows; ++r, x += columns, y += columns) {
    const float* next = r + 1 < rows ? x + columns : x;
    float* e = row != nullptr ? row : y;
    const float inverse = 1.0f / Exponentials<true, true>(columns, scale, greatest, x, next, e);
    greatest = ScaledAndNextGreatest(columns, inverse, e, y, row != nullptr, scale, next);
  }
  if (row != nullptr) hwy::FlushStream();
}

void SoftmaxBackwardRun(int64_t rows, int64_t columns, float scale, const float* y, const float* dy,
                        float* dx) {
  const bool streaming = ShouldStreamRows(rows, columns, dx) && dx != y && dx != dy;
  // A row's result is written while the next one's sum is taken.
  float a = 0.0f;
  if (rows > 0) {
    a = SumTerms(columns,
                 [&](auto at, auto sum) HWY_ATTR { return Fma(at.Load(dy), at.Load(y), sum); });
  }
  for (int64_t r = 0; r < rows; ++r, y += columns, dy += columns, dx += columns) {
    const auto result = [&](auto at) HWY_ATTR {
      const auto v = hn::Mul(at.Load(y), hn::Sub(at.Load(dy), hn::Set(at.d, a)));
      at.Store(hn::Mul(v, hn::Set(at.d, scale)), dx, streaming);
    };
    if (r + 1 == rows) {
      ForRow(columns, result);
      break;
    }
    const float* next_y = y + columns;
    const float* next_dy = dy + columns;
    a = SumTerms(columns, [&](auto at, auto sum) HWY_ATTR {
      result(at);
      return Fma(at.Load(next_dy), at.Load(next_y), sum);
    });
  }
  if (streaming) hwy::FlushStream();
}

void LogSoftmaxRun(int64_t rows, int64_t columns, const float* x, float* y) {
  for (int64_t r = 0; r < rows; ++r, x += columns, y += columns) {
    const float* next = r + 1 < rows ? x + columns : x;
    const float greatest = Greatest(columns, 1.0f, x);
    const float l = Log(Exponentials<false, true>(columns, 1.0f, greatest, x, next, nullptr));
    ForRow(columns, [&](auto at) HWY_ATTR {
      const auto v = hn::Sub(at.Load(x), hn::Set(at.d, greatest));
      at.Store(hn::Sub(v, hn::Set(at.d, l)), y);
    });
  }
}

void LogSoftmaxBackwardRun(int64_t rows, int64_t columns, const float* y, const float* dy,
                           float* dx) {
  for (int64_t r = 0; r < rows; ++r, y += columns, dy += columns, dx += columns) {
    const float a =
        SumTerms(columns, [&](auto at, auto sum) HWY_ATTR { return hn::Add(sum, at.Load(dy)); });
    ForRow(columns, [&](auto at) HWY_ATTR {
      const auto p = hn::Neg(ExpOf(at.d, at.Load(y)));
      at.Store(Fma(p, hn::Set(at.d, a), at.Load(dy)), dx);
    });
  }
}

void LogSumExpRun(int64_t rows, int64_t columns, const float* x, float* y) {
  for (int64_t r = 0; r < rows; ++r, x += columns) {
    const float* next = r + 1 < rows ? x + columns : x;
    float greatest = Greatest(columns, 1.0f, x);
    if (std::isinf(greatest)) greatest = 0.0f;
    y[r] = greatest + Log(Exponentials<false, false>(columns, 1.0f, greatest, x, next, nullptr));
  }
}

void LogSumExpBackwardRun(int64_t rows, int64_t columns, const float* x, const float* y,
                          const float* dy, float* dx) {
  for (int64_t r = 0; r < rows; ++r, x += columns, dx += columns) {
    ForRow(columns, [&](auto at) HWY_ATTR {
      const auto p = ExpOf(at.d, hn::Sub(at.Load(x), hn::Set(at.d, y[r])));
      at.Store(hn::Mul(p, hn::Set(at.d, dy[r])), dx);
    });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "engine/check.h"
#include "engine/kernels/aligned_buffer.h"
#include "engine/kernels/parallel.h"

namespace lockstep::kernels {
HWY_EXPORT(SoftmaxRun);
HWY_EXPORT(SoftmaxBackwardRun);
HWY_EXPORT(LogSoftmaxRun);
HWY_EXPORT(LogSoftmaxBackwardRun);
HWY_EXPORT(LogSumExpRun);
HWY_EXPORT(LogSumExpBackwardRun);

void Softmax(int64_t rows, int64_t columns, float scale, const float* x, float* y) {
  LOCKSTEP_CHECK(columns >= 1, "softmax needs at least one column");
  ParallelRows(rows, columns, [=](int64_t begin, int64_t end) {
    const int64_t at = begin * columns;
    const bool streaming = x != y && ShouldStreamRows(end - begin, columns, y + at);
    static thread_local AlignedBuffer buffer;
    float* const row = streaming ? buffer.Reserve(columns) : nullptr;
    HWY_DYNAMIC_DISPATCH(SoftmaxRun)(end - begin, columns, scale, x + at, y + at, row);
  });
}

void SoftmaxBackward(int64_t rows, int64_t columns, float scale, const float* y, const float* dy,
                     float* dx) {
  ParallelRows(rows, columns, [=](int64_t begin, int64_t end) {
    const int64_t at = begin * columns;
    HWY_DYNAMIC_DISPATCH(SoftmaxBackwardRun)
    (end - begin, columns, scale, y + at, dy + at, dx + at);
  });
}

void LogSoftmax(int64_t rows, int64_t columns, const float* x, float* y) {
  LOCKSTEP_CHECK(columns >= 1, "log_softmax needs at least one column");
  ParallelRows(rows, columns, [=](int64_t begin, int64_t end) {
    const int64_t at = begin * columns;
    HWY_DYNAMIC_DISPATCH(LogSoftmaxRun)(end - begin, columns, x + at, y + at);
  });
}

void LogSoftmaxBackward(int64_t rows, int64_t columns, const float* y, const float* dy, float* dx) {
  ParallelRows(rows, columns, [=](int64_t begin, int64_t end) {
    const int64_t at = begin * columns;
    HWY_DYNAMIC_DISPATCH(LogSoftmaxBackwardRun)(end - begin, columns, y + at, dy + at, dx + at);
  });
}

void LogSumExp(int64_t rows, int64_t columns, const float* x, float* y) {
  LOCKSTEP_CHECK(columns >= 1, "logsumexp needs at least one column");
  ParallelRows(rows, columns, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(LogSumExpRun)(end - begin, columns, x + begin * columns, y + begin);
  });
}

void LogSumExpBackward(int64_t rows, int64_t columns, const float* x, const float* y,
                       const float* dy, float* dx) {
  ParallelRows(rows, columns, [=](int64_t begin, int64_t end) {
    const int64_t at = begin * columns;
    HWY_DYNAMIC_DISPATCH(LogSumExpBackwardRun)
    (end - begin, columns, x + at, y + begin, dy + begin, dx + at);
  });
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
