#include "engine/kernels/channel_norm.h"

#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/channel_norm.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/row_terms-inl.h"
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// With one position per row and one channel per set (batch norm of plain
// features) the vectors go along the channels instead: a lane is a channel.
HWY_INLINE bool AlongChannels(const ChannelSets& sets) {
  return sets.positions == 1 && sets.group_channels == 1;
}

// Channels [begin, end) of one run: a row of one position is its own sum.
void StatisticsAlongChannels(const ChannelSets& sets, int64_t run, int64_t begin, int64_t end,
                             const float* x, float* mean, float* squares) {
  const int64_t first = sets.cuts[run], last = sets.cuts[run + 1];
  const float count = static_cast<float>(last - first);
  ForRow(end - begin, [&](auto at) HWY_ATTR {
    auto sum = hn::Zero(at.d);
    for (int64_t e = first; e < last; ++e) {
      sum = hn::Add(sum, at.Load(x + e * sets.channels + begin));
    }
    const auto center = hn::Div(sum, hn::Set(at.d, count));
    auto square_sum = hn::Zero(at.d);
    for (int64_t e = first; e < last; ++e) {
      const auto v = hn::Sub(at.Load(x + e * sets.channels + begin), center);
      square_sum = hn::Add(square_sum, hn::Mul(v, v));
    }
    at.Store(center, mean + run * sets.channels + begin);
    at.Store(square_sum, squares + run * sets.channels + begin);
  });
}

void SetStatistics(const ChannelSets& sets, int64_t run, int64_t group, const float* x, float* mean,
                   float* squares) {
  const int64_t rows = sets.group_channels * sets.positions;
  const auto set_sum = [&](const auto& add) HWY_ATTR {
    float sum = 0.0f;
    for (int64_t e = sets.cuts[run]; e < sets.cuts[run + 1]; ++e) {
      const float* row = x + e * sets.channels * sets.positions + group * rows;
      for (int64_t c = 0; c < sets.group_channels; ++c, row += sets.positions) {
        sum += SumTerms(sets.positions,
                        [&](auto at, auto lanes) HWY_ATTR { return add(at, row, lanes); });
      }
    }
    return sum;
  };
  const float center = set_sum([](auto at, const float* row, auto lanes)
                                   HWY_ATTR { return hn::Add(lanes, at.Load(row)); }) /
                       static_cast<float>(sets.SetSize(run));
  const float square_sum = set_sum([&](auto at, const float* row, auto lanes) HWY_ATTR {
    const auto v = hn::Sub(at.Load(row), hn::Set(at.d, center));
    return Fma(v, v, lanes);
  });
  mean[run * sets.groups() + group] = center;
  squares[run * sets.groups() + group] = square_sum;
}

// Sets [begin, end), counted by run and then group.
void StatisticsRun(const ChannelSets& sets, int64_t begin, int64_t end, const float* x, float* mean,
                   float* squares) {
  while (begin < end) {
    const int64_t run = begin / sets.groups(), group = begin % sets.groups();
    if (AlongChannels(sets)) {
      const int64_t stop = std::min(sets.channels, group + end - begin);
      StatisticsAlongChannels(sets, run, group, stop, x, mean, squares);
      begin += stop - group;
    } else {
      SetStatistics(sets, run, group, x, mean, squares);
      ++begin;
    }
  }
}

// visit(row, statistic, channel) for the rows of examples [begin, end).
template <class F>
HWY_INLINE void ForRowsOf(const ChannelSets& sets, int64_t begin, int64_t end, const F& visit) {
  int64_t run = 0;
  for (int64_t e = begin; e < end; ++e) {
    while (e >= sets.cuts[run + 1]) ++run;
    for (int64_t group = 0, c = 0; group < sets.groups(); ++group) {
      for (int64_t i = 0; i < sets.group_channels; ++i, ++c) {
        visit(e * sets.channels + c, run * sets.groups() + group, c);
      }
    }
  }
}

// visit(example, its run) for examples [begin, end).
template <class F>
HWY_INLINE void ForExamplesOf(const ChannelSets& sets, int64_t begin, int64_t end, const F& visit) {
  int64_t run = 0;
  for (int64_t e = begin; e < end; ++e) {
    while (e >= sets.cuts[run + 1]) ++run;
    visit(e, run);
  }
}

void NormRun(const ChannelSets& sets, int64_t begin, int64_t end, const float* x, const float* mean,
             const float* rstd, const float* weight, const float* bias, float* y) {
  if (AlongChannels(sets)) {
    ForExamplesOf(sets, begin, end, [&](int64_t e, int64_t run) HWY_ATTR {
      const int64_t row = e * sets.channels, s = run * sets.channels;
      ForRow(sets.channels, [&](auto at) HWY_ATTR {
        const auto h = hn::Mul(hn::Sub(at.Load(x + row), at.Load(mean + s)), at.Load(rstd + s));
        const auto w = weight != nullptr ? at.Load(weight) : hn::Set(at.d, 1.0f);
        const auto b = bias != nullptr ? at.Load(bias) : hn::Zero(at.d);
        at.Store(Fma(h, w, b), y + row);
      });
    });
    return;
  }
  ForRowsOf(sets, begin, end, [&](int64_t row, int64_t s, int64_t c) HWY_ATTR {
    const float* from = x + row * sets.positions;
    float* to = y + row * sets.positions;
    const float center = mean[s], scale = rstd[s];
    const float w = weight != nullptr ? weight[c] : 1.0f, b = bias != nullptr ? bias[c] : 0.0f;
    ForRow(sets.positions, [&](auto at) HWY_ATTR {
      const auto v = hn::Sub(at.Load(from), hn::Set(at.d, center));
      const auto h = hn::Mul(v, hn::Set(at.d, scale));
      at.Store(Fma(h, hn::Set(at.d, w), hn::Set(at.d, b)), to);
    });
  });
}

void GradientSumsRun(const ChannelSets& sets, int64_t begin, int64_t end, const float* x,
                     const float* mean, const float* rstd, const float* dy, float* dy_sums,
                     float* product_sums) {
  if (AlongChannels(sets)) {
    ForExamplesOf(sets, begin, end, [&](int64_t e, int64_t run) HWY_ATTR {
      const int64_t row = e * sets.channels, s = run * sets.channels;
      ForRow(sets.channels, [&](auto at) HWY_ATTR {
        const auto h = hn::Mul(hn::Sub(at.Load(x + row), at.Load(mean + s)), at.Load(rstd + s));
        const auto g = at.Load(dy + row);
        const auto zero = hn::Zero(at.d);
        at.Store(hn::Add(zero, g), dy_sums + row);
        at.Store(hn::Add(Fma(g, h, zero), zero), product_sums + row);
      });
    });
    return;
  }
  ForRowsOf(sets, begin, end, [&](int64_t row, int64_t s, int64_t) HWY_ATTR {
    const float* from = x + row * sets.positions;
    const float* upstream = dy + row * sets.positions;
    const float center = mean[s], scale = rstd[s];
    dy_sums[row] = SumTerms(sets.positions, [&](auto at, auto lanes) HWY_ATTR {
      return hn::Add(lanes, at.Load(upstream));
    });
    product_sums[row] = SumTerms(sets.positions, [&](auto at, auto lanes) HWY_ATTR {
      const auto v = hn::Sub(at.Load(from), hn::Set(at.d, center));
      return Fma(at.Load(upstream), hn::Mul(v, hn::Set(at.d, scale)), lanes);
    });
  });
}

void BackwardRun(const ChannelSets& sets, int64_t begin, int64_t end, const float* x,
                 const float* mean, const float* rstd, const float* weight, const float* a,
                 const float* b, const float* dy, float* dx) {
  if (AlongChannels(sets)) {
    ForExamplesOf(sets, begin, end, [&](int64_t e, int64_t run) HWY_ATTR {
      const int64_t row = e * sets.channels, s = run * sets.channels;
      ForRow(sets.channels, [&](auto at) HWY_ATTR {
        const auto scale = at.Load(rstd + s);
        const auto h = hn::Mul(hn::Sub(at.Load(x + row), at.Load(mean + s)), scale);
        const auto w = weight != nullptr ? at.Load(weight) : hn::Set(at.d, 1.0f);
        const auto g = Fma(at.Load(dy + row), w, hn::Neg(at.Load(a + s)));
        at.Store(hn::Mul(scale, Fma(hn::Neg(h), at.Load(b + s), g)), dx + row);
      });
    });
    return;
  }
  ForRowsOf(sets, begin, end, [&](int64_t row, int64_t s, int64_t c) HWY_ATTR {
    const float* from = x + row * sets.positions;
    const float* upstream = dy + row * sets.positions;
    float* to = dx + row * sets.positions;
    const float center = mean[s], scale = rstd[s], minus_a = -a[s], slope = b[s];
    const float w = weight != nullptr ? weight[c] : 1.0f;
    ForRow(sets.positions, [&](auto at) HWY_ATTR {
      const auto v = hn::Sub(at.Load(from), hn::Set(at.d, center));
      const auto h = hn::Mul(v, hn::Set(at.d, scale));
      const auto g = Fma(at.Load(upstream), hn::Set(at.d, w), hn::Set(at.d, minus_a));
      const auto rest = Fma(hn::Neg(h), hn::Set(at.d, slope), g);
      at.Store(hn::Mul(hn::Set(at.d, scale), rest), to);
    });
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "engine/kernels/parallel.h"

namespace lockstep::kernels {
HWY_EXPORT(StatisticsRun);
HWY_EXPORT(NormRun);
HWY_EXPORT(GradientSumsRun);
HWY_EXPORT(BackwardRun);

void ChannelStatistics(const ChannelSets& sets, const float* x, float* mean, float* squares) {
  const int64_t count = sets.runs() * sets.groups();
  const int64_t elements = sets.examples() * sets.channels * sets.positions;
  const int64_t set_elements = std::max<int64_t>(1, elements / std::max<int64_t>(1, count));
  const int64_t sets_per_thread = std::max<int64_t>(1, kElementsPerThread / set_elements);
  ParallelRuns(count, sets_per_thread, 1, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(StatisticsRun)(sets, begin, end, x, mean, squares);
  });
}

void ChannelNorm(const ChannelSets& sets, const float* x, const float* mean, const float* rstd,
                 const float* weight, const float* bias, float* y) {
  const int64_t size = sets.channels * sets.positions;
  ParallelRows(sets.examples(), size, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(NormRun)(sets, begin, end, x, mean, rstd, weight, bias, y);
  });
}

void ChannelGradientSums(const ChannelSets& sets, const float* x, const float* mean,
                         const float* rstd, const float* dy, float* dy_sums, float* product_sums) {
  const int64_t size = sets.channels * sets.positions;
  ParallelRows(sets.examples(), size, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(GradientSumsRun)
    (sets, begin, end, x, mean, rstd, dy, dy_sums, product_sums);
  });
}

void ChannelNormBackward(const ChannelSets& sets, const float* x, const float* mean,
                         const float* rstd, const float* weight, const float* a, const float* b,
                         const float* dy, float* dx) {
  const int64_t size = sets.channels * sets.positions;
  ParallelRows(sets.examples(), size, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(BackwardRun)(sets, begin, end, x, mean, rstd, weight, a, b, dy, dx);
  });
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
