#include "engine/kernels/layer_norm.h"

#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/layer_norm.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/row_terms-inl.h"
#include "engine/kernels/vectors-inl.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// A row's way through the passes: its sum (centred norms only), its squares,
// its result. The next row's sum is taken while this row's result is written,
// so that its chains and the memory's latency hide behind the stores.
// kCentred: layer norm; else RMS norm, whose mean is 0.
template <bool kCentred, bool kWeight, bool kBias>
struct RowPasses {
  int64_t columns;
  float epsilon;
  const float* weight;
  const float* bias;
  bool streaming;

  float Sum(const float* x) const {
    return SumTerms(columns, [&](auto at, auto sum) HWY_ATTR { return hn::Add(sum, at.Load(x)); });
  }

  // 1 / sqrt(variance + epsilon); brings `next` nearer.
  HWY_INLINE float ReciprocalDeviation(const float* x, float mean, const float* next) const {
    const float squares = SumTerms(columns, [&](auto at, auto sum) HWY_ATTR {
      hwy::Prefetch(next + at.index);
      const auto v = kCentred ? hn::Sub(at.Load(x), hn::Set(at.d, mean)) : at.Load(x);
      return Fma(v, v, sum);
    });
    return 1.0f / std::sqrt(squares / static_cast<float>(columns) + epsilon);
  }

  template <class Place>
  HWY_INLINE void Result(Place at, const float* x, float mean, float rstd, float* y) const {
    const auto v = kCentred ? hn::Sub(at.Load(x), hn::Set(at.d, mean)) : at.Load(x);
    const auto h = hn::Mul(v, hn::Set(at.d, rstd));
    if constexpr (kWeight && kBias) {
      at.Store(Fma(h, at.Load(weight), at.Load(bias)), y, streaming);
    } else if constexpr (kWeight) {
      at.Store(hn::Mul(h, at.Load(weight)), y, streaming);
    } else if constexpr (kBias) {
      at.Store(hn::Add(h, at.Load(bias)), y, streaming);
    } else {
      at.Store(h, y, streaming);
    }
  }

  // Result of a whole row; returns the sum of `next`, another row of x, where
  // that is wanted.
  HWY_INLINE float ResultAndNextSum(const float* x, float mean, float rstd, const float* next,
                                    float* y) const {
    if (kCentred && next != x) {
      return SumTerms(columns, [&](auto at, auto sum) HWY_ATTR {
        Result(at, x, mean, rstd, y);
        return hn::Add(sum, at.Load(next));
      });
    }
    ForRow(columns, [&](auto at) HWY_ATTR { Result(at, x, mean, rstd, y); });
    return 0.0f;
  }
};

template <bool kCentred, bool kWeight, bool kBias>
void NormalizeRows(int64_t begin, int64_t end, int64_t columns, float epsilon, const float* x,
                   const float* weight, const float* bias, float* y, float* mean, float* rstd) {
  const bool streaming = x != y && ShouldStreamRows(end - begin, columns, y + begin * columns);
  const RowPasses<kCentred, kWeight, kBias> passes{columns, epsilon, weight, bias, streaming};
  float sum = kCentred && begin < end ? passes.Sum(x + begin * columns) : 0.0f;
  for (int64_t r = begin; r < end; ++r) {
    const float* row = x + r * columns;
    const float* next = r + 1 < end ? row + columns : row;
    const float center = kCentred ? sum / static_cast<float>(columns) : 0.0f;
    if (kCentred) mean[r] = center;
    rstd[r] = passes.ReciprocalDeviation(row, center, next);
    sum = passes.ResultAndNextSum(row, center, rstd[r], next, y + r * columns);
  }
  if (streaming) hwy::FlushStream();
}

void LayerNormRun(int64_t begin, int64_t end, int64_t columns, float epsilon, const float* x,
                  const float* weight, const float* bias, float* y, float* mean, float* rstd) {
  const auto run =
      weight != nullptr
          ? (bias != nullptr ? NormalizeRows<true, true, true> : NormalizeRows<true, true, false>)
          : (bias != nullptr ? NormalizeRows<true, false, true>
                             : NormalizeRows<true, false, false>);
  run(begin, end, columns, epsilon, x, weight, bias, y, mean, rstd);
}

void RmsNormRun(int64_t begin, int64_t end, int64_t columns, float epsilon, const float* x,
                const float* weight, float* y, float* rstd) {
  const auto run =
      weight != nullptr ? NormalizeRows<false, true, false> : NormalizeRows<false, false, false>;
  run(begin, end, columns, epsilon, x, weight, nullptr, y, nullptr, rstd);
}

template <bool kCentred, bool kWeight>
HWY_INLINE void BackwardRow(int64_t columns, const float* x, float mean, float rstd,
                            const float* weight, const float* dy, float* dx, bool streaming) {
  const float count = static_cast<float>(columns);
  const auto normalized = [&](auto at) HWY_ATTR {
    const auto v = kCentred ? hn::Sub(at.Load(x), hn::Set(at.d, mean)) : at.Load(x);
    return hn::Mul(v, hn::Set(at.d, rstd));
  };
  const auto scaled = [&](auto at) HWY_ATTR {
    if constexpr (kWeight) return hn::Mul(at.Load(dy), at.Load(weight));
    return at.Load(dy);
  };
  const float a = kCentred ? SumTerms(columns, [&](auto at, auto sum)
                                                   HWY_ATTR { return hn::Add(sum, scaled(at)); }) /
                                 count
                           : 0.0f;
  const float b = SumTerms(columns, [&](auto at, auto sum)
                                        HWY_ATTR { return Fma(scaled(at), normalized(at), sum); }) /
                  count;
  ForRow(columns, [&](auto at) HWY_ATTR {
    const auto g = scaled(at);
    const auto centred = kCentred ? hn::Sub(g, hn::Set(at.d, a)) : g;
    const auto rest = Fma(hn::Neg(normalized(at)), hn::Set(at.d, b), centred);
    at.Store(hn::Mul(hn::Set(at.d, rstd), rest), dx, streaming);
  });
}

template <bool kCentred, bool kWeight>
void BackwardRows(int64_t begin, int64_t end, int64_t columns, const float* x, const float* mean,
                  const float* rstd, const float* weight, const float* dy, float* dx) {
  const bool streaming = dx != dy && ShouldStreamRows(end - begin, columns, dx + begin * columns);
  for (int64_t r = begin; r < end; ++r) {
    BackwardRow<kCentred, kWeight>(columns, x + r * columns, kCentred ? mean[r] : 0.0f, rstd[r],
                                   weight, dy + r * columns, dx + r * columns, streaming);
  }
  if (streaming) hwy::FlushStream();
}

void LayerNormBackwardRun(int64_t begin, int64_t end, int64_t columns, const float* x,
                          const float* mean, const float* rstd, const float* weight,
                          const float* dy, float* dx) {
  const auto run =
      mean != nullptr
          ? (weight != nullptr ? BackwardRows<true, true> : BackwardRows<true, false>)
          : (weight != nullptr ? BackwardRows<false, true> : BackwardRows<false, false>);
  run(begin, end, columns, x, mean, rstd, weight, dy, dx);
}

// kRows rows, from row `r` on, added to the chains of a piece of the columns.
// sums [2, width]: the weight's, then the bias's.
template <bool kCentred, int kRows>
HWY_INLINE void AddRowsToChains(int64_t r, int64_t columns, int64_t width, const float* x,
                                const float* mean, const float* rstd, const float* dy,
                                float* sums) {
  ForRow(width, [&](auto at) HWY_ATTR {
    auto w = at.Load(sums);
    auto b = at.Load(sums + width);
    for (int i = 0; i < kRows; ++i) {
      auto v = at.Load(x + (r + i) * columns);
      if constexpr (kCentred) v = hn::Sub(v, hn::Set(at.d, mean[r + i]));
      const auto g = at.Load(dy + (r + i) * columns);
      w = Fma(g, hn::Mul(v, hn::Set(at.d, rstd[r + i])), w);
      b = hn::Add(b, g);
    }
    at.Store(w, sums);
    at.Store(b, sums + width);
  });
}

// One shard's chains, which the first cache keeps; the rows are read along
// their memory, four at a time to spare the chains' loads and stores.
template <bool kCentred>
void ParameterLeaf(int64_t begin, int64_t end, int64_t columns, int64_t width, const float* x,
                   const float* mean, const float* rstd, const float* dy, float* sums) {
  std::memset(sums, 0, 2 * width * sizeof(float));
  int64_t r = begin;
  for (; r + 4 <= end; r += 4) {
    AddRowsToChains<kCentred, 4>(r, columns, width, x, mean, rstd, dy, sums);
  }
  for (; r < end; ++r) {
    AddRowsToChains<kCentred, 1>(r, columns, width, x, mean, rstd, dy, sums);
  }
}

// One piece of the columns. Leaves of 2 * width sums are pushed on `stack` and
// folded as the tree says; the bottom ends up as the result.
void ParameterGradientsRun(int64_t columns, int64_t width, int shards, const int64_t* cuts,
                           const int* folds, const float* x, const float* mean, const float* rstd,
                           const float* dy, float* stack) {
  float* top = stack;
  for (int shard = 0; shard < shards; ++shard, top += 2 * width) {
    const auto leaf = mean != nullptr ? ParameterLeaf<true> : ParameterLeaf<false>;
    leaf(cuts[shard], cuts[shard + 1], columns, width, x, mean, rstd, dy, top);
    for (int fold = 0; fold < folds[shard]; ++fold) {
      top -= 2 * width;
      Map(2 * width, top, top + 2 * width, top,
          [](FloatVector left, FloatVector right) HWY_ATTR { return hn::Add(left, right); });
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "engine/check.h"
#include "engine/kernels/aligned_buffer.h"
#include "engine/kernels/parallel.h"
#include "engine/kernels/shard_folds.h"

namespace lockstep::kernels {
HWY_EXPORT(LayerNormRun);
HWY_EXPORT(RmsNormRun);
HWY_EXPORT(LayerNormBackwardRun);
HWY_EXPORT(ParameterGradientsRun);

void LayerNorm(int64_t rows, int64_t columns, float epsilon, const float* x, const float* weight,
               const float* bias, float* y, float* mean, float* rstd) {
  ParallelRows(rows, columns, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(LayerNormRun)
    (begin, end, columns, epsilon, x, weight, bias, y, mean, rstd);
  });
}

void RmsNorm(int64_t rows, int64_t columns, float epsilon, const float* x, const float* weight,
             float* y, float* rstd) {
  ParallelRows(rows, columns, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(RmsNormRun)(begin, end, columns, epsilon, x, weight, y, rstd);
  });
}

void LayerNormBackward(int64_t rows, int64_t columns, const float* x, const float* mean,
                       const float* rstd, const float* weight, const float* dy, float* dx) {
  ParallelRows(rows, columns, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(LayerNormBackwardRun)
    (begin, end, columns, x, mean, rstd, weight, dy, dx);
  });
}

void LayerNormParameterGradients(int64_t columns, absl::Span<const int64_t> cuts, const float* x,
                                 const float* mean, const float* rstd, const float* dy,
                                 float* dweight, float* dbias) {
  LOCKSTEP_CHECK(cuts.size() >= 2, "a shard tree needs at least one shard");
  const int shards = static_cast<int>(cuts.size()) - 1;
  const ShardFoldCounts folds = ShardFolds(shards);
  const int64_t columns_per_thread =
      std::max<int64_t>(16, kElementsPerThread / std::max<int64_t>(1, cuts.back()));
  ParallelRuns(columns, columns_per_thread, 16, [&](int64_t begin, int64_t end) {
    // Long enough to read whole pages of a row, short enough for the chains to
    // stay in the first cache.
    constexpr int64_t kPiece = 1024;
    static thread_local AlignedBuffer buffer;
    float* stack = buffer.Reserve(2 * kPiece * ShardStackDepth(shards));
    for (int64_t c = begin; c < end; c += kPiece) {
      const int64_t width = std::min(kPiece, end - c);
      HWY_DYNAMIC_DISPATCH(ParameterGradientsRun)
      (columns, width, shards, cuts.data(), folds.data(), x + c, mean, rstd, dy + c, stack);
      if (dweight != nullptr) std::copy_n(stack, width, dweight + c);
      if (dbias != nullptr) std::copy_n(stack + width, width, dbias + c);
    }
  });
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
