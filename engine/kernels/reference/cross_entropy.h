// The definition of cross_entropy.h, one element after another. With T = float
// the fast kernels are equal to it in every bit; with T = double it is what
// computes.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_CROSS_ENTROPY_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_CROSS_ENTROPY_H_

#include <cstdint>
#include <vector>

#include "engine/kernels/reference/reduce.h"
#include "engine/kernels/reference/transcendental.h"

namespace lockstep::kernels::reference {

template <class T>
void SoftmaxCrossEntropy(int64_t rows, int64_t classes, const T* logits, const int64_t* labels,
                         T* losses, Same<T>* probabilities, int64_t* predictions) {
  for (int64_t row = 0; row < rows; ++row) {
    const T* x = logits + row * classes;
    T maximum = x[0];
    for (int64_t c = 0; c < classes; ++c) {
      if (x[c] > maximum || x[c] != x[c]) maximum = x[c];
    }
    std::vector<T> e(classes);
    for (int64_t c = 0; c < classes; ++c) e[c] = Exp(x[c] - maximum);
    T sum;
    reference::SumRows(1, classes, e.data(), &sum);
    losses[row] = (maximum - x[labels[row]]) + Log(sum);
    for (int64_t c = 0; probabilities != nullptr && c < classes; ++c) {
      probabilities[row * classes + c] = e[c] / sum;
    }
    if (predictions == nullptr) continue;
    predictions[row] = 0;
    for (int64_t c = classes - 1; c >= 0; --c) {
      if (x[c] == maximum) predictions[row] = c;
    }
  }
}

template <class T>
void SoftmaxCrossEntropyBackward(int64_t rows, int64_t classes, const T* probabilities,
                                 const int64_t* labels, const Same<T>* scale, T* dlogits) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t c = 0; c < classes; ++c) {
      const T target = c == labels[row] ? 1 : 0;
      const T factor = scale != nullptr ? scale[row] : T{1};
      dlogits[row * classes + c] = (probabilities[row * classes + c] - target) * factor;
    }
  }
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_CROSS_ENTROPY_H_
