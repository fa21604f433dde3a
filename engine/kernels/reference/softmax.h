// The definition of softmax.h, one element after another. With T = float the
// fast kernels are equal to it in every bit; with T = double it is what computes.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_SOFTMAX_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_SOFTMAX_H_

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "engine/kernels/reference/row_terms.h"
#include "engine/kernels/reference/shard_tree.h"
#include "engine/kernels/reference/transcendental.h"

namespace lockstep::kernels::reference {

template <class T>
T GreatestScaled(int64_t columns, T scale, const T* x) {
  T greatest = x[0] * scale;
  for (int64_t c = 1; c < columns; ++c) greatest = std::max(greatest, x[c] * scale);
  return greatest;
}

template <class T>
T SumOfExponentials(int64_t columns, T scale, const T* x, T greatest) {
  return SumTerms<T>(
      columns, [&](int64_t i, T lane) { return lane + ExpBelowZero(x[i] * scale - greatest); });
}

template <class T>
void Softmax(int64_t rows, int64_t columns, Same<T> scale, const T* x, T* y) {
  for (int64_t r = 0; r < rows; ++r, x += columns, y += columns) {
    const T greatest = GreatestScaled<T>(columns, scale, x);
    const T inverse = T{1} / SumOfExponentials<T>(columns, scale, x, greatest);
    for (int64_t c = 0; c < columns; ++c) y[c] = ExpBelowZero(x[c] * scale - greatest) * inverse;
  }
}

template <class T>
void SoftmaxBackward(int64_t rows, int64_t columns, Same<T> scale, const T* y, const T* dy, T* dx) {
  for (int64_t r = 0; r < rows; ++r, y += columns, dy += columns, dx += columns) {
    const T a =
        SumTerms<T>(columns, [&](int64_t i, T lane) { return std::fma(dy[i], y[i], lane); });
    for (int64_t c = 0; c < columns; ++c) dx[c] = (y[c] * (dy[c] - a)) * scale;
  }
}

template <class T>
void LogSoftmax(int64_t rows, int64_t columns, const T* x, T* y) {
  for (int64_t r = 0; r < rows; ++r, x += columns, y += columns) {
    const T greatest = GreatestScaled<T>(columns, 1, x);
    const T l = Log(SumOfExponentials<T>(columns, 1, x, greatest));
    for (int64_t c = 0; c < columns; ++c) y[c] = (x[c] - greatest) - l;
  }
}

template <class T>
void LogSoftmaxBackward(int64_t rows, int64_t columns, const T* y, const T* dy, T* dx) {
  for (int64_t r = 0; r < rows; ++r, y += columns, dy += columns, dx += columns) {
    const T a = SumTerms<T>(columns, [&](int64_t i, T lane) { return lane + dy[i]; });
    for (int64_t c = 0; c < columns; ++c) dx[c] = std::fma(-Exp(y[c]), a, dy[c]);
  }
}

template <class T>
void LogSumExp(int64_t rows, int64_t columns, const T* x, T* y) {
  for (int64_t r = 0; r < rows; ++r, x += columns) {
    T greatest = GreatestScaled<T>(columns, 1, x);
    if (std::isinf(greatest)) greatest = 0;
    y[r] = greatest + Log(SumTerms<T>(
                          columns, [&](int64_t i, T lane) { return lane + Exp(x[i] - greatest); }));
  }
}

template <class T>
void LogSumExpBackward(int64_t rows, int64_t columns, const T* x, const T* y, const T* dy, T* dx) {
  for (int64_t i = 0; i < rows * columns; ++i) {
    dx[i] = Exp(x[i] - y[i / columns]) * dy[i / columns];
  }
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_SOFTMAX_H_
