// cross_entropy.h on float64: the scalar definition itself.
#include "engine/kernels/reference/cross_entropy.h"

namespace lockstep::kernels {

void SoftmaxCrossEntropy(int64_t rows, int64_t classes, const double* logits, const int64_t* labels,
                         double* losses, double* probabilities, int64_t* predictions) {
  reference::SoftmaxCrossEntropy(rows, classes, logits, labels, losses, probabilities, predictions);
}

void SoftmaxCrossEntropyBackward(int64_t rows, int64_t classes, const double* probabilities,
                                 const int64_t* labels, const double* scale, double* dlogits) {
  reference::SoftmaxCrossEntropyBackward(rows, classes, probabilities, labels, scale, dlogits);
}

}  // namespace lockstep::kernels
