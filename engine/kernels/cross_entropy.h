// Softmax and negative log-likelihood in one pass over the logits.
#ifndef LOCKSTEP_ENGINE_KERNELS_CROSS_ENTROPY_H_
#define LOCKSTEP_ENGINE_KERNELS_CROSS_ENTROPY_H_

#include <cstdint>

namespace lockstep::kernels {

// Shapes: logits [rows, classes], labels [rows], losses [rows],
// probabilities [rows, classes] or null (not wanted), predictions [rows] or null.
// Order, per row: m = max of the logits; e[c] = exp(logit[c] - m);
// s = sum of e in SumRows' order; loss = (m - logit[label]) + log(s);
// probability[c] = e[c] / s. prediction: the first class whose logit is m
// (0 where a logit is NaN).
// Requires: classes >= 1, 0 <= labels[r] < classes.
void SoftmaxCrossEntropy(int64_t rows, int64_t classes, const float* logits, const int64_t* labels,
                         float* losses, float* probabilities, int64_t* predictions);

// dlogits[r,c] = (probability[r,c] - (c == label[r] ? 1 : 0)) * scale[r];
// scale null: 1 for every row. dlogits may be probabilities.
void SoftmaxCrossEntropyBackward(int64_t rows, int64_t classes, const float* probabilities,
                                 const int64_t* labels, const float* scale, float* dlogits);

// The same on float64, by plain loops.
void SoftmaxCrossEntropy(int64_t rows, int64_t classes, const double* logits, const int64_t* labels,
                         double* losses, double* probabilities, int64_t* predictions);
void SoftmaxCrossEntropyBackward(int64_t rows, int64_t classes, const double* probabilities,
                                 const int64_t* labels, const double* scale, double* dlogits);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_CROSS_ENTROPY_H_
