// The definition of layer_norm.h, one element after another. With T = float the
// fast kernels are equal to it in every bit; with T = double it is what computes.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_LAYER_NORM_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_LAYER_NORM_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/kernels/reference/row_terms.h"
#include "engine/kernels/reference/shard_tree.h"

namespace lockstep::kernels::reference {

template <class T>
T ScaledAndShifted(T h, const T* weight, const T* bias, int64_t i) {
  if (weight == nullptr) return bias == nullptr ? h : h + bias[i];
  return bias == nullptr ? h * weight[i] : std::fma(h, weight[i], bias[i]);
}

template <class T>
T ReciprocalRoot(T variance, T epsilon) {
  return T{1} / std::sqrt(variance + epsilon);
}

template <class T>
void LayerNorm(int64_t rows, int64_t columns, Same<T> epsilon, const T* x, const Same<T>* weight,
               const Same<T>* bias, T* y, T* mean, T* rstd) {
  for (int64_t r = 0; r < rows; ++r) {
    const T* row = x + r * columns;
    const T count = static_cast<T>(columns);
    mean[r] = SumTerms<T>(columns, [&](int64_t i, T lane) { return lane + row[i]; }) / count;
    const T squares = SumTerms<T>(columns, [&](int64_t i, T lane) {
      const T d = row[i] - mean[r];
      return std::fma(d, d, lane);
    });
    rstd[r] = ReciprocalRoot<T>(squares / count, epsilon);
    for (int64_t i = 0; i < columns; ++i) {
      y[r * columns + i] = ScaledAndShifted<T>((row[i] - mean[r]) * rstd[r], weight, bias, i);
    }
  }
}

template <class T>
void RmsNorm(int64_t rows, int64_t columns, Same<T> epsilon, const T* x, const Same<T>* weight,
             T* y, T* rstd) {
  for (int64_t r = 0; r < rows; ++r) {
    const T* row = x + r * columns;
    const T squares =
        SumTerms<T>(columns, [&](int64_t i, T lane) { return std::fma(row[i], row[i], lane); });
    rstd[r] = ReciprocalRoot<T>(squares / static_cast<T>(columns), epsilon);
    for (int64_t i = 0; i < columns; ++i) {
      y[r * columns + i] = ScaledAndShifted<T>(row[i] * rstd[r], weight, nullptr, i);
    }
  }
}

template <class T>
void LayerNormBackward(int64_t rows, int64_t columns, const T* x, const Same<T>* mean,
                       const T* rstd, const Same<T>* weight, const T* dy, T* dx) {
  for (int64_t r = 0; r < rows; ++r) {
    const T* row = x + r * columns;
    const T* upstream = dy + r * columns;
    const T count = static_cast<T>(columns);
    const auto h = [&](int64_t i) {
      return (mean == nullptr ? row[i] : row[i] - mean[r]) * rstd[r];
    };
    const auto g = [&](int64_t i) {
      return weight == nullptr ? upstream[i] : upstream[i] * weight[i];
    };
    const T a = SumTerms<T>(columns, [&](int64_t i, T lane) { return lane + g(i); }) / count;
    const T b =
        SumTerms<T>(columns, [&](int64_t i, T lane) { return std::fma(g(i), h(i), lane); }) / count;
    for (int64_t i = 0; i < columns; ++i) {
      dx[r * columns + i] = rstd[r] * std::fma(-h(i), b, mean == nullptr ? g(i) : g(i) - a);
    }
  }
}

template <class T>
void LayerNormParameterGradients(int64_t columns, absl::Span<const int64_t> cuts, const T* x,
                                 const Same<T>* mean, const T* rstd, const T* dy, Same<T>* dweight,
                                 Same<T>* dbias) {
  const int shards = static_cast<int>(cuts.size()) - 1;
  // The weight's columns, then the bias's.
  const std::vector<T> sums = TreeSum({0, shards}, [&](int shard) {
    std::vector<T> chains(2 * columns);
    for (int64_t r = cuts[shard]; r < cuts[shard + 1]; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        const int64_t i = r * columns + c;
        const T h = (mean == nullptr ? x[i] : x[i] - mean[r]) * rstd[r];
        chains[c] = std::fma(dy[i], h, chains[c]);
        chains[columns + c] = chains[columns + c] + dy[i];
      }
    }
    return chains;
  });
  if (dweight != nullptr) std::copy(sums.begin(), sums.begin() + columns, dweight);
  if (dbias != nullptr) std::copy(sums.begin() + columns, sums.end(), dbias);
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_LAYER_NORM_H_
