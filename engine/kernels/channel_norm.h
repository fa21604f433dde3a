// Batch and group normalisation of x [examples, channels, positions]: sets of
// (example, channel) rows share one mean and variance.
//
// A set is what a run of examples [cuts[s], cuts[s+1]) has in a group of
// `group_channels` neighbouring channels. Batch norm: the runs are the virtual
// shards (in evaluation all examples are one run), group_channels 1. Group norm:
// each example is a run, group_channels = channels / groups.
// Statistics have the shape [sets of examples, channels / group_channels].
//
// "Set sum": one chain of additions from +0 over the set's rows, by example and
// then channel ascending, of the rows' sums over positions (16 lanes, as
// kernels::SumRows).
// Source: Ioffe, Szegedy, ICML 2015; Wu, He, "Group Normalization", ECCV 2018.
#ifndef LOCKSTEP_ENGINE_KERNELS_CHANNEL_NORM_H_
#define LOCKSTEP_ENGINE_KERNELS_CHANNEL_NORM_H_

#include <cstdint>

#include "absl/types/span.h"

namespace lockstep::kernels {

struct ChannelSets {
  int64_t channels = 0;
  int64_t positions = 0;
  int64_t group_channels = 1;  // divides channels
  // Ascending from 0; cuts.back() examples. A run may be empty: its statistics
  // are NaN.
  absl::Span<const int64_t> cuts;

  int64_t examples() const { return cuts.back(); }
  int64_t groups() const { return channels / group_channels; }
  int64_t runs() const { return static_cast<int64_t>(cuts.size()) - 1; }
  // Elements of one set.
  int64_t SetSize(int64_t run) const {
    return (cuts[run + 1] - cuts[run]) * group_channels * positions;
  }
};

// Order, per set: mean = (set sum of x) / elements; d = x - mean; squares = set
// sum of fma(d, d, lane).
void ChannelStatistics(const ChannelSets& sets, const float* x, float* mean, float* squares);

// y = fma((x - mean) * rstd, weight, bias), weight, bias [channels] or null (1
// and 0). y may be x.
void ChannelNorm(const ChannelSets& sets, const float* x, const float* mean, const float* rstd,
                 const float* weight, const float* bias, float* y);

// Per row: dy_sums = row sum of dy; product_sums = row sum of fma(dy, h, lane),
// h = (x - mean) * rstd. Both [examples, channels].
void ChannelGradientSums(const ChannelSets& sets, const float* x, const float* mean,
                         const float* rstd, const float* dy, float* dy_sums, float* product_sums);

// dx = rstd * fma(-h, b, fma(dy, weight, -a)), a and b of the shape of the
// statistics, weight [channels] or null (1). dx may be dy.
void ChannelNormBackward(const ChannelSets& sets, const float* x, const float* mean,
                         const float* rstd, const float* weight, const float* a, const float* b,
                         const float* dy, float* dx);

// The same on float64, by plain loops.
void ChannelStatistics(const ChannelSets& sets, const double* x, double* mean, double* squares);
void ChannelNorm(const ChannelSets& sets, const double* x, const double* mean, const double* rstd,
                 const double* weight, const double* bias, double* y);
void ChannelGradientSums(const ChannelSets& sets, const double* x, const double* mean,
                         const double* rstd, const double* dy, double* dy_sums,
                         double* product_sums);
void ChannelNormBackward(const ChannelSets& sets, const double* x, const double* mean,
                         const double* rstd, const double* weight, const double* a, const double* b,
                         const double* dy, double* dx);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_CHANNEL_NORM_H_
