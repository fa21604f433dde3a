#include "engine/kernels/pooling.h"

#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/pooling.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

// The usual windows, 2 x 2 side by side over planes of even extents: the planes
// are then one long row of row pairs, and a vector of windows may run over a
// pair's end, since what it writes there is written again by the next pair.
HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// How many pairs can be done so: the last ones are left to plain loops.
HWY_INLINE int64_t PairsInVectors(int64_t pairs, int64_t width) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
  const int64_t end = (width + lanes - 1) / lanes * lanes;  // where a pair's last vector ends
  return HWY_MAX(int64_t{0}, pairs - (end - width + width - 1) / width);
}

template <class V>
HWY_INLINE auto Replaces(V value, V kept) -> decltype(hn::Gt(value, kept)) {
  return hn::Or(hn::Gt(value, kept), hn::IsNaN(value));
}

// Each of these returns how many pairs it did. x: pairs of rows of 2 * width;
// y: rows of width.
int64_t MaxPairs(int64_t pairs, int64_t width, const float* x, float* y) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t done = PairsInVectors(pairs, width);
  for (int64_t pair = 0; pair < done; ++pair, x += 4 * width, y += width) {
    for (int64_t i = 0; i < width; i += lanes) {
      FloatVector kept, right, low_left, low_right;
      hn::LoadInterleaved2(d, x + 2 * i, kept, right);
      hn::LoadInterleaved2(d, x + 2 * width + 2 * i, low_left, low_right);
      kept = hn::IfThenElse(Replaces(right, kept), right, kept);
      kept = hn::IfThenElse(Replaces(low_left, kept), low_left, kept);
      kept = hn::IfThenElse(Replaces(low_right, kept), low_right, kept);
      hn::StoreU(kept, d, y + i);
    }
  }
  return done;
}

int64_t MaxGradientPairs(int64_t pairs, int64_t width, const float* x, const float* dy, float* dx) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t done = PairsInVectors(pairs, width);
  const auto zero = hn::Zero(d);
  // The upper row first: its last vector runs over into the lower one.
  for (int64_t pair = 0; pair < done; ++pair, x += 4 * width, dx += 4 * width, dy += width) {
    for (int lower = 0; lower < 2; ++lower) {
      for (int64_t i = 0; i < width; i += lanes) {
        FloatVector left, right, low_left, low_right;
        hn::LoadInterleaved2(d, x + 2 * i, left, right);
        hn::LoadInterleaved2(d, x + 2 * width + 2 * i, low_left, low_right);
        const auto is_right = Replaces(right, left);
        auto kept = hn::IfThenElse(is_right, right, left);
        const auto is_low_left = Replaces(low_left, kept);
        kept = hn::IfThenElse(is_low_left, low_left, kept);
        const auto is_low_right = Replaces(low_right, kept);
        const auto share = hn::Add(zero, hn::LoadU(d, dy + i));
        if (lower == 1) {
          const auto left_share =
              hn::IfThenZeroElse(is_low_right, hn::IfThenElseZero(is_low_left, share));
          hn::StoreInterleaved2(left_share, hn::IfThenElseZero(is_low_right, share), d,
                                dx + 2 * width + 2 * i);
        } else {
          const auto high_share = hn::IfThenZeroElse(hn::Or(is_low_left, is_low_right), share);
          hn::StoreInterleaved2(hn::IfThenZeroElse(is_right, high_share),
                                hn::IfThenElseZero(is_right, high_share), d, dx + 2 * i);
        }
      }
    }
  }
  return done;
}

int64_t AveragePairs(int64_t pairs, int64_t width, const float* x, float* y) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t done = PairsInVectors(pairs, width);
  const auto zero = hn::Zero(d);
  const auto four = hn::Set(d, 4.0f);
  for (int64_t pair = 0; pair < done; ++pair, x += 4 * width, y += width) {
    for (int64_t i = 0; i < width; i += lanes) {
      FloatVector left, right, low_left, low_right;
      hn::LoadInterleaved2(d, x + 2 * i, left, right);
      hn::LoadInterleaved2(d, x + 2 * width + 2 * i, low_left, low_right);
      const auto high = hn::Add(hn::Add(zero, left), right);
      hn::StoreU(hn::Div(hn::Add(hn::Add(high, low_left), low_right), four), d, y + i);
    }
  }
  return done;
}

int64_t AverageGradientPairs(int64_t pairs, int64_t width, const float* dy, float* dx) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t done = PairsInVectors(pairs, width);
  const auto zero = hn::Zero(d);
  const auto four = hn::Set(d, 4.0f);
  for (int64_t pair = 0; pair < done; ++pair, dx += 4 * width, dy += width) {
    for (int lower = 0; lower < 2; ++lower) {
      for (int64_t i = 0; i < width; i += lanes) {
        const auto share = hn::Add(zero, hn::Div(hn::LoadU(d, dy + i), four));
        hn::StoreInterleaved2(share, share, d, dx + lower * 2 * width + 2 * i);
      }
    }
  }
  return done;
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "engine/kernels/parallel.h"
#include "engine/kernels/reduce.h"
#include "engine/kernels/reference/pooling.h"

namespace lockstep::kernels {
HWY_EXPORT(MaxPairs);
HWY_EXPORT(MaxGradientPairs);
HWY_EXPORT(AveragePairs);
HWY_EXPORT(AverageGradientPairs);
namespace {

bool IsHalving(const PoolingAxis& axis) {
  return axis.kernel == 2 && axis.stride == 2 && axis.padding == 0 && axis.in % 2 == 0;
}

// A plane of one pair and one window would be Global(), with another order.
bool InPairs(const PoolingShape& shape) {
  return IsHalving(shape.rows) && IsHalving(shape.columns) && shape.columns.out > 1;
}

PoolingShape WithPlanes(PoolingShape shape, int64_t planes) {
  shape.planes = planes;
  return shape;
}

// Calls pairs(count, width, input offset, output offset), which returns how many
// it did, for runs of planes; then planes(shape, input offset, output offset)
// for the rest.
template <class Pairs, class Planes>
void ForEachRun(const PoolingShape& shape, const Pairs& pairs, const Planes& planes) {
  ParallelRows(shape.planes, shape.InPlane(), [&](int64_t begin, int64_t end) {
    const int64_t in = begin * shape.InPlane(), out = begin * shape.OutPlane();
    if (!InPairs(shape)) return planes(WithPlanes(shape, end - begin), in, out);
    const int64_t count = (end - begin) * shape.rows.out, width = shape.columns.out;
    const int64_t done = pairs(count, width, in, out);
    PoolingShape rest = WithPlanes(shape, count - done);  // each pair a plane
    rest.rows = PoolingAxis::Fixed(2, 2, 2, 0);
    planes(rest, in + done * 4 * width, out + done * width);
  });
}

}  // namespace

void MaxPool(const PoolingShape& shape, const float* x, float* y) {
  ForEachRun(
      shape,
      [&](int64_t count, int64_t width, int64_t in, int64_t out) {
        return HWY_DYNAMIC_DISPATCH(MaxPairs)(count, width, x + in, y + out);
      },
      [&](const PoolingShape& run, int64_t in, int64_t out) {
        reference::MaxPool(run, x + in, y + out);
      });
}

void MaxPoolGradient(const PoolingShape& shape, const float* x, const float* dy, float* dx) {
  ForEachRun(
      shape,
      [&](int64_t count, int64_t width, int64_t in, int64_t out) {
        return HWY_DYNAMIC_DISPATCH(MaxGradientPairs)(count, width, x + in, dy + out, dx + in);
      },
      [&](const PoolingShape& run, int64_t in, int64_t out) {
        reference::MaxPoolGradient(run, x + in, dy + out, dx + in);
      });
}

void AveragePool(const PoolingShape& shape, const float* x, float* y) {
  if (shape.Global()) {
    SumRows(shape.planes, shape.InPlane(), x, y);
    const auto divisor =
        static_cast<float>(shape.Divisor(shape.rows.Window(0), shape.columns.Window(0)));
    for (int64_t i = 0; i < shape.planes; ++i) y[i] = y[i] / divisor;
    return;
  }
  ForEachRun(
      shape,
      [&](int64_t count, int64_t width, int64_t in, int64_t out) {
        return HWY_DYNAMIC_DISPATCH(AveragePairs)(count, width, x + in, y + out);
      },
      [&](const PoolingShape& run, int64_t in, int64_t out) {
        reference::AveragePool(run, x + in, y + out);
      });
}

void AveragePoolGradient(const PoolingShape& shape, const float* dy, float* dx) {
  ForEachRun(
      shape,
      [&](int64_t count, int64_t width, int64_t in, int64_t out) {
        return HWY_DYNAMIC_DISPATCH(AverageGradientPairs)(count, width, dy + out, dx + in);
      },
      [&](const PoolingShape& run, int64_t in, int64_t out) {
        reference::AveragePoolGradient(run, dy + out, dx + in);
      });
}

void MaxPool(const PoolingShape& shape, const double* x, double* y) {
  reference::MaxPool(shape, x, y);
}

void MaxPoolGradient(const PoolingShape& shape, const double* x, const double* dy, double* dx) {
  reference::MaxPoolGradient(shape, x, dy, dx);
}

void AveragePool(const PoolingShape& shape, const double* x, double* y) {
  reference::AveragePool(shape, x, y);
}

void AveragePoolGradient(const PoolingShape& shape, const double* dy, double* dx) {
  reference::AveragePoolGradient(shape, dy, dx);
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
