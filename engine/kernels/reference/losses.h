// The naive twins of pointwise_loss.h, cosine_embedding.h and
// weighted_cross_entropy.h: their definition in float, their implementation in
// double, where Exp and Log are the C++ library's.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_LOSSES_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_LOSSES_H_

#include <cmath>
#include <cstdint>

#include "engine/kernels/cosine_embedding.h"
#include "engine/kernels/pointwise_loss.h"
#include "engine/kernels/reference/transcendental.h"

namespace lockstep::kernels::reference {

// SumRows' order over f(0) to f(size - 1).
template <class T, class F>
T LaneSum(int64_t size, const F& f) {
  T lanes[16] = {};
  for (int64_t i = 0; i < size; ++i) lanes[i % 16] = lanes[i % 16] + f(i);
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lanes[i] = lanes[i] + lanes[i + width];
  }
  return lanes[0];
}

template <class T>
T PointLoss(PointwiseLossOp op, T p, T x, T t) {
  switch (op) {
    case PointwiseLossOp::kAbsolute:
      return std::fabs(x - t);
    case PointwiseLossOp::kHuber: {
      const T e = x - t, a = std::fabs(e);
      return a > p ? p * (a - T(0.5) * p) : T(0.5) * (e * e);
    }
    case PointwiseLossOp::kBinaryCrossEntropy: {
      const T log_x = Log(x), log_rest = Log(1 - x);
      return (t - 1) * (log_rest < -100 ? T(-100) : log_rest) -
             t * (log_x < -100 ? T(-100) : log_x);
    }
    case PointwiseLossOp::kBinaryCrossEntropyWithLogits: {
      const T e = Exp(-std::fabs(x)), s = 1 + e;
      const T g = Log(s) + (e - (s - 1)) / s;
      return std::fma(p * t, g + (x < 0 ? -x : T(0)), (1 - t) * (g + (x > 0 ? x : T(0))));
    }
    case PointwiseLossOp::kHinge: {
      const T m = 1 - (t > 0 ? T(1) : T(-1)) * x;
      return m <= 0 ? T(0) : m;
    }
    case PointwiseLossOp::kKullbackLeibler:
      return t == 0 ? T(0) : t * (Log(t) - x);
  }
  return x;
}

template <class T>
T PointLossDerivative(PointwiseLossOp op, T p, T x, T t) {
  const T e = x - t;
  switch (op) {
    case PointwiseLossOp::kAbsolute:
      return e > 0 ? T(1) : e < 0 ? T(-1) : e;
    case PointwiseLossOp::kHuber:
      return std::fabs(e) > p ? std::copysign(p, e) : e;
    case PointwiseLossOp::kBinaryCrossEntropy: {
      const T product = (1 - x) * x;
      return e / (product < T(1e-12) ? T(1e-12) : product);
    }
    case PointwiseLossOp::kBinaryCrossEntropyWithLogits:
      return std::fma(-(p * t), Sigmoid(-x), (1 - t) * Sigmoid(x));
    case PointwiseLossOp::kHinge: {
      const T y = t > 0 ? T(1) : T(-1);
      return 1 - y * x <= 0 ? T(0) : -y;
    }
    case PointwiseLossOp::kKullbackLeibler:
      return -t;
  }
  return x;
}

template <class T>
void PointwiseLoss(PointwiseLossOp op, int64_t rows, int64_t columns, T parameter, const T* x,
                   const T* targets, T* losses) {
  for (int64_t r = 0; r < rows; ++r) {
    losses[r] = LaneSum<T>(columns, [&](int64_t c) {
      return PointLoss(op, parameter, x[r * columns + c], targets[r * columns + c]);
    });
  }
}

template <class T>
void PointwiseLossBackward(PointwiseLossOp op, int64_t rows, int64_t columns, T parameter,
                           const T* x, const T* targets, const T* scale, T* dx) {
  for (int64_t i = 0; i < rows * columns; ++i) {
    dx[i] = PointLossDerivative(op, parameter, x[i], targets[i]) * scale[i / columns];
  }
}

template <class T>
void CosineRows(int64_t rows, int64_t columns, const T* a, const T* b, CosineRow<T>* out) {
  for (int64_t r = 0; r < rows; ++r) {
    const auto sum = [&](const T* x, const T* y) {
      return LaneSum<T>(columns,
                        [&](int64_t c) { return x[r * columns + c] * y[r * columns + c]; });
    };
    out[r].first_square = sum(a, a) + T(1e-12);
    out[r].second_square = sum(b, b) + T(1e-12);
    out[r].cosine = sum(a, b) / std::sqrt(out[r].first_square * out[r].second_square);
  }
}

template <class T>
void CosineRowsBackward(int64_t rows, int64_t columns, const T* a, const T* b,
                        const CosineRow<T>* cosines, const T* scale, T* da) {
  for (int64_t i = 0; i < rows * columns; ++i) {
    const CosineRow<T>& row = cosines[i / columns];
    const T inverse = 1 / std::sqrt(row.first_square * row.second_square);
    const T k = row.cosine / row.first_square;
    da[i] = std::fma(-k, a[i], inverse * b[i]) * scale[i / columns];
  }
}

template <class T>
void WeightCrossEntropy(int64_t rows, int64_t classes, const T* logits, const int64_t* labels,
                        const T* weights, T smoothing, T* losses) {
  const T on = 1 - smoothing, off = smoothing / static_cast<T>(classes);
  for (int64_t r = 0; r < rows; ++r) {
    const T* x = logits + r * classes;
    const auto n = [&](int64_t c) {
      const T loss = c == labels[r] ? losses[r] : losses[r] + (x[labels[r]] - x[c]);
      return loss * (weights == nullptr ? T(1) : weights[c]);
    };
    losses[r] =
        smoothing == 0 ? n(labels[r]) : (on * n(labels[r])) + (off * LaneSum<T>(classes, n));
  }
}

template <class T>
void WeightedCrossEntropyBackward(int64_t rows, int64_t classes, const T* probabilities,
                                  const int64_t* labels, const T* weights, T smoothing,
                                  const T* scale, T* dlogits) {
  const T on = 1 - smoothing, off = smoothing / static_cast<T>(classes);
  const auto weight = [&](int64_t c) { return weights == nullptr ? T(1) : weights[c]; };
  for (int64_t r = 0; r < rows; ++r) {
    const T on_label = on * weight(labels[r]);
    const T total = on_label + (off * LaneSum<T>(classes, weight));
    for (int64_t c = 0; c < classes; ++c) {
      const T spread = off * weight(c);
      const T q = c == labels[r] ? spread + on_label : spread;
      dlogits[r * classes + c] = ((probabilities[r * classes + c] * total) - q) * scale[r];
    }
  }
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_LOSSES_H_
