// The definition of channel_norm.h, one element after another. With T = float
// the fast kernels are equal to it in every bit; with T = double it is what
// computes.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_CHANNEL_NORM_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_CHANNEL_NORM_H_

#include <cmath>
#include <cstdint>

#include "engine/kernels/channel_norm.h"
#include "engine/kernels/reference/row_terms.h"
#include "engine/kernels/reference/shard_tree.h"

namespace lockstep::kernels::reference {

// visit(row, statistic, channel) for every (example, channel) row, ascending.
template <class F>
void ForChannelRows(const ChannelSets& sets, const F& visit) {
  for (int64_t run = 0; run < sets.runs(); ++run) {
    for (int64_t e = sets.cuts[run]; e < sets.cuts[run + 1]; ++e) {
      for (int64_t c = 0; c < sets.channels; ++c) {
        visit(e * sets.channels + c, run * sets.groups() + c / sets.group_channels, c);
      }
    }
  }
}

template <class T>
void ChannelStatistics(const ChannelSets& sets, const T* x, T* mean, T* squares) {
  const int64_t count = sets.runs() * sets.groups(), positions = sets.positions;
  for (int64_t s = 0; s < count; ++s) mean[s] = squares[s] = 0;
  ForChannelRows(sets, [&](int64_t row, int64_t s, int64_t) {
    const T* from = x + row * positions;
    mean[s] = mean[s] + SumTerms<T>(positions, [&](int64_t i, T lane) { return lane + from[i]; });
  });
  for (int64_t s = 0; s < count; ++s) {
    mean[s] = mean[s] / static_cast<T>(sets.SetSize(s / sets.groups()));
  }
  ForChannelRows(sets, [&](int64_t row, int64_t s, int64_t) {
    const T* from = x + row * positions;
    squares[s] = squares[s] + SumTerms<T>(positions, [&](int64_t i, T lane) {
                   const T d = from[i] - mean[s];
                   return std::fma(d, d, lane);
                 });
  });
}

template <class T>
void ChannelNorm(const ChannelSets& sets, const T* x, const T* mean, const T* rstd,
                 const Same<T>* weight, const Same<T>* bias, T* y) {
  ForChannelRows(sets, [&](int64_t row, int64_t s, int64_t c) {
    for (int64_t i = row * sets.positions; i < (row + 1) * sets.positions; ++i) {
      y[i] = std::fma((x[i] - mean[s]) * rstd[s], weight == nullptr ? T{1} : weight[c],
                      bias == nullptr ? T{0} : bias[c]);
    }
  });
}

template <class T>
void ChannelGradientSums(const ChannelSets& sets, const T* x, const T* mean, const T* rstd,
                         const T* dy, T* dy_sums, T* product_sums) {
  const int64_t positions = sets.positions;
  ForChannelRows(sets, [&](int64_t row, int64_t s, int64_t) {
    const T* from = x + row * positions;
    const T* upstream = dy + row * positions;
    dy_sums[row] = SumTerms<T>(positions, [&](int64_t i, T lane) { return lane + upstream[i]; });
    product_sums[row] = SumTerms<T>(positions, [&](int64_t i, T lane) {
      return std::fma(upstream[i], (from[i] - mean[s]) * rstd[s], lane);
    });
  });
}

template <class T>
void ChannelNormBackward(const ChannelSets& sets, const T* x, const T* mean, const T* rstd,
                         const Same<T>* weight, const T* a, const T* b, const T* dy, T* dx) {
  ForChannelRows(sets, [&](int64_t row, int64_t s, int64_t c) {
    for (int64_t i = row * sets.positions; i < (row + 1) * sets.positions; ++i) {
      const T h = (x[i] - mean[s]) * rstd[s];
      const T g = std::fma(dy[i], weight == nullptr ? T{1} : weight[c], -a[s]);
      dx[i] = rstd[s] * std::fma(-h, b[s], g);
    }
  });
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_CHANNEL_NORM_H_
